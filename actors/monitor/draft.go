package monitor

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/definition"
	"github.com/birdwire/birdwire/actors/engine/text"
	"github.com/birdwire/birdwire/messages"
)

// Bounds of a monitor's fields.
const (
	MaxName      = 100 // characters
	MaxUsernames = 100
	MaxUsername  = 64  // characters of one
	MinInterval  = 0.1 // seconds
	MaxInterval  = 86_400

	defaultInterval = 1.0
)

// Fields are those that an owner may set.
var Fields = []string{"name", "usernames", "poll_interval_seconds", "status"}

// draft returns what present becomes when change's fields are set, or why it
// cannot. For a creation present is nil, and what is zero and not among fields is
// the default.
func draft(present, change *messages.Monitor, fields []string) (*messages.Monitor, *messages.Rejected) {
	if present == nil {
		change = proto.Clone(change).(*messages.Monitor)
		if change.GetPollIntervalSeconds() == 0 && !slices.Contains(fields, "poll_interval_seconds") {
			change.PollIntervalSeconds = defaultInterval
		}
		if change.GetStatus() == "" && !slices.Contains(fields, "status") {
			change.Status = definition.Active
		}
		present, fields = &messages.Monitor{}, Fields
	}
	m := proto.Clone(present).(*messages.Monitor)
	for _, field := range fields {
		if why := set(m, change, field); why != "" {
			return nil, &messages.Rejected{Rejection: messages.Rejection_REJECTION_INVALID, Field: field, Detail: why}
		}
	}
	return m, nil
}

// set takes one field over and returns why not.
func set(m, change *messages.Monitor, field string) (why string) {
	switch field {
	case "name":
		m.Name = strings.TrimSpace(change.GetName())
		return actors.TextFault(m.Name, 1, MaxName)
	case "usernames":
		return setUsernames(m, change.GetUsernames())
	case "poll_interval_seconds":
		m.PollIntervalSeconds = change.GetPollIntervalSeconds()
		if s := m.PollIntervalSeconds; math.IsNaN(s) || s < MinInterval || s > MaxInterval {
			return fmt.Sprintf("must be from %v to %v seconds", MinInterval, MaxInterval)
		}
	case "status":
		if s := change.GetStatus(); s != definition.Active && s != "paused" {
			return `must be "active" or "paused"`
		}
		if m.GetStatus() != change.GetStatus() {
			m.Status, m.StatusReason = change.GetStatus(), ""
		}
	default:
		return "is not a field of a monitor that can be set"
	}
	return ""
}

// setUsernames normalises and keeps the ids of those that stay.
func setUsernames(m *messages.Monitor, given []string) (why string) {
	usernames := make([]string, 0, len(given))
	for _, g := range given {
		u := text.FoldName(strings.TrimPrefix(strings.TrimSpace(g), "@"))
		if !validUsername(u) {
			return fmt.Sprintf("%.80q is not a username: up to %d letters, digits, '_', '.' and '-'", g, MaxUsername)
		}
		if !slices.Contains(usernames, u) {
			usernames = append(usernames, u)
		}
	}
	if len(usernames) == 0 || len(usernames) > MaxUsernames {
		return fmt.Sprintf("must name 1 to %d accounts", MaxUsernames)
	}
	var ids []string
	for i, u := range usernames {
		at := slices.Index(m.GetUsernames(), u)
		if at < 0 || at >= len(m.GetAuthorIds()) || m.GetAuthorIds()[at] == "" {
			continue
		}
		if ids == nil {
			ids = make([]string, len(usernames))
		}
		ids[i] = m.GetAuthorIds()[at]
	}
	m.Usernames, m.AuthorIds = usernames, ids
	return ""
}

func validUsername(u string) bool {
	for i := range len(u) {
		c := u[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return len(u) > 0 && len(u) <= MaxUsername
}
