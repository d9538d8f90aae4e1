package filterrule

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/definition"
	"github.com/birdwire/birdwire/messages"
)

// Bounds of a rule's fields. That of the query's length is the language's.
const (
	MaxTag      = 100 // characters
	MinInterval = 0.1 // seconds
	MaxInterval = 86_400
	MaxResults  = 100 // a poll

	defaultInterval = 1.0
	defaultResults  = 20
)

// Fields are those that an owner may set.
var Fields = []string{"tag", "query", "interval_seconds", "max_results_per_poll", "status"}

// draft returns what present becomes when change's fields are set, or why it
// cannot. For a creation present is nil, and what is zero and not among fields is
// the default.
func draft(parse func(string) error, present, change *messages.Rule, fields []string) (*messages.Rule, *messages.Rejected) {
	if present == nil {
		change = proto.Clone(change).(*messages.Rule)
		if change.GetIntervalSeconds() == 0 && !slices.Contains(fields, "interval_seconds") {
			change.IntervalSeconds = defaultInterval
		}
		if change.GetMaxResultsPerPoll() == 0 && !slices.Contains(fields, "max_results_per_poll") {
			change.MaxResultsPerPoll = defaultResults
		}
		if change.GetStatus() == "" && !slices.Contains(fields, "status") {
			change.Status = definition.Active
		}
		present, fields = &messages.Rule{}, Fields
	}
	r := proto.Clone(present).(*messages.Rule)
	for _, field := range fields {
		if rejected := set(parse, r, change, field); rejected != nil {
			return nil, rejected
		}
	}
	return r, nil
}

// set takes one field over and returns why not.
func set(parse func(string) error, r, change *messages.Rule, field string) *messages.Rejected {
	why := ""
	switch field {
	case "tag":
		r.Tag = strings.TrimSpace(change.GetTag())
		why = actors.TextFault(r.Tag, 1, MaxTag)
	case "query":
		r.Query = change.GetQuery()
		if rejected := checkQuery(parse, r.Query); rejected != nil {
			return rejected
		}
		if r.GetStatus() == "error" { // what was wrong with it is gone
			r.Status, r.StatusReason = definition.Active, ""
		}
	case "interval_seconds":
		r.IntervalSeconds = change.GetIntervalSeconds()
		if s := r.IntervalSeconds; math.IsNaN(s) || s < MinInterval || s > MaxInterval {
			why = fmt.Sprintf("must be from %v to %v seconds", MinInterval, MaxInterval)
		}
	case "max_results_per_poll":
		r.MaxResultsPerPoll = change.GetMaxResultsPerPoll()
		if n := r.MaxResultsPerPoll; n < 1 || n > MaxResults {
			why = fmt.Sprintf("must be from 1 to %d", MaxResults)
		}
	case "status":
		why = setStatus(r, change.GetStatus())
	default:
		why = "is not a field of a rule that can be set"
	}
	if why == "" {
		return nil
	}
	return &messages.Rejected{Rejection: messages.Rejection_REJECTION_INVALID, Field: field, Detail: why}
}

func setStatus(r *messages.Rule, status string) (why string) {
	switch status {
	case definition.Active, "paused", "inactive":
	default:
		return `must be "active", "paused" or "inactive"`
	}
	if r.GetStatus() != status {
		r.Status, r.StatusReason = status, ""
	}
	return ""
}

// checkQuery: what a query may be is the language's to say, also of an empty one.
func checkQuery(parse func(string) error, query string) *messages.Rejected {
	err := parse(query)
	if err == nil {
		return nil
	}
	rejected := &messages.Rejected{Rejection: messages.Rejection_REJECTION_INVALID, Field: "query", Detail: err.Error()}
	var syntax *messages.SyntaxError
	if errors.As(err, &syntax) {
		rejected.QueryPosition = int32(syntax.Position)
		rejected.Expected = syntax.Expected
	}
	return rejected
}
