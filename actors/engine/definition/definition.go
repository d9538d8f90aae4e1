// Package definition is what a monitor or a rule is to those who match on its
// behalf: its name, its number, the current version and the query
// that this version asks the router for. Shard, key and their replays take it
// from here, so that all of them ask for the same.
//
// It knows no actor, and never whether a definition is valid: that is the
// monitor's or rule's own to say.
package definition

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
)

// Active is the one status in which a definition is matched.
const Active = "active"

// Definition is a monitor or a rule: one of the two is set. It is never
// changed, only replaced.
type Definition struct {
	Monitor *messages.Monitor
	Rule    *messages.Rule
}

// Nothing says that it is neither.
func (d Definition) Nothing() bool { return d == Definition{} }

// IsRule says which of the two it is.
func (d Definition) IsRule() bool { return d.Rule != nil }

// ID is the monitor's or rule's own, within its key.
func (d Definition) ID() string {
	if d.Rule != nil {
		return d.Rule.GetId()
	}
	return d.Monitor.GetId()
}

// K is the number that is never used again in its key.
func (d Definition) K() uint32 {
	if d.Rule != nil {
		return d.Rule.GetK()
	}
	return d.Monitor.GetK()
}

// Version grows with every change of what is asked for, of the name and of the
// status. K and Version name the query in a router.
func (d Definition) Version() uint32 {
	if d.Rule != nil {
		return d.Rule.GetVersion()
	}
	return d.Monitor.GetVersion()
}

// Created is the position of the last event before it was created.
func (d Definition) Created() uint64 {
	if d.Rule != nil {
		return d.Rule.GetCreatedPosition()
	}
	return d.Monitor.GetCreatedPosition()
}

// After is the position of the last event that this version does not decide.
func (d Definition) After() uint64 {
	if d.Rule != nil {
		return max(d.Rule.GetAfter(), d.Rule.GetCreatedPosition())
	}
	return max(d.Monitor.GetAfter(), d.Monitor.GetCreatedPosition())
}

// Status is Active, or one in which nothing is matched.
func (d Definition) Status() string {
	if d.Rule != nil {
		return d.Rule.GetStatus()
	}
	return d.Monitor.GetStatus()
}

// Origin names it in frames.
func (d Definition) Origin() *messages.Origin {
	if d.Rule != nil {
		return &messages.Origin{Kind: messages.OriginKind_ORIGIN_RULE, Id: d.ID(), Name: d.Rule.GetTag()}
	}
	return &messages.Origin{Kind: messages.OriginKind_ORIGIN_MONITOR, Id: d.ID(), Name: d.Monitor.GetName()}
}

// Query is what the router is asked for; nil unless it is active.
func (d Definition) Query() *messages.Query {
	if d.Status() != Active {
		return nil
	}
	q := &messages.Query{K: d.K(), Version: d.Version(), After: d.After(), Origin: d.Origin()}
	if d.Rule != nil {
		q.Want = &messages.Query_Rule{Rule: d.Rule.GetQuery()}
		return q
	}
	want := &messages.MonitorQuery{Usernames: d.Monitor.GetUsernames()}
	for _, id := range d.Monitor.GetAuthorIds() {
		if id != "" {
			want.AuthorIds = append(want.AuthorIds, id)
		}
	}
	q.Want = &messages.Query_Monitor{Monitor: want}
	return q
}

// SetVersion, like every setter below, changes a definition that nobody has
// seen yet.
func (d Definition) SetVersion(version uint32, after uint64) {
	if d.Rule != nil {
		d.Rule.Version, d.Rule.After = version, after
		return
	}
	d.Monitor.Version, d.Monitor.After = version, after
}

// SetNumber gives a definition that is being created its id, its number and its
// time, in Unix milliseconds.
func (d Definition) SetNumber(id string, k uint32, ms int64) {
	if d.Rule != nil {
		d.Rule.Id, d.Rule.K, d.Rule.CreatedMs, d.Rule.UpdatedMs = id, k, ms, ms
		return
	}
	d.Monitor.Id, d.Monitor.K, d.Monitor.CreatedMs, d.Monitor.UpdatedMs = id, k, ms, ms
}

// SetUpdated says when it was changed, in Unix milliseconds.
func (d Definition) SetUpdated(ms int64) {
	if d.Rule != nil {
		d.Rule.UpdatedMs = ms
		return
	}
	d.Monitor.UpdatedMs = ms
}

// SetCreated says from where on it matches at all.
func (d Definition) SetCreated(position uint64) {
	if d.Rule != nil {
		d.Rule.CreatedPosition = position
		return
	}
	d.Monitor.CreatedPosition = position
}

// Clone is a copy that may be changed until it is shown to anybody.
func (d Definition) Clone() Definition {
	if d.Rule != nil {
		return Definition{Rule: proto.Clone(d.Rule).(*messages.Rule)}
	}
	return Definition{Monitor: proto.Clone(d.Monitor).(*messages.Monitor)}
}

// Equal compares every field.
func (d Definition) Equal(o Definition) bool {
	return proto.Equal(d.Rule, o.Rule) && proto.Equal(d.Monitor, o.Monitor)
}

// Marshal is the content of its record.
func (d Definition) Marshal() ([]byte, error) {
	if d.Rule != nil {
		return proto.MarshalOptions{Deterministic: true}.Marshal(d.Rule)
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(d.Monitor)
}

// Unmarshal reads the record of a rule or of a monitor.
func Unmarshal(rule bool, data []byte) (d Definition, err error) {
	if rule {
		d.Rule = &messages.Rule{}
		err = proto.Unmarshal(data, d.Rule)
	} else {
		d.Monitor = &messages.Monitor{}
		err = proto.Unmarshal(data, d.Monitor)
	}
	if err != nil {
		return Definition{}, fmt.Errorf("read definition: %w", err)
	}
	return d, nil
}
