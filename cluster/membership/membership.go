// Package membership says which nodes a cluster has and what each of them is at
// the moment: as records, which every node writes about itself, and as views,
// which are computed from all records.
//
// A view is a value: it never changes, it may be shared by all actors and
// goroutines of a node, and a later one has a higher number. What follows from a
// view (who owns what, who belongs to the core) is package placement's, as pure
// functions of it. How records and views come about is the business of whoever
// makes them: gossip and the store in a process, a model in a simulation.
package membership

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// Record is what one node says about itself in the store, and what the reader
// has seen of it.
type Record struct {
	Name        string
	Incarnation uint64 // of the process: grows with every start of the node
	Version     uint32 // of the program, as far as placement minds: a newer one is greater
	Began       int64  // Unix milliseconds, when the node first joined this cluster: who is older
	// Reaches are the nodes that its link reaches both ways, by name.
	Reaches []string
	// Without is what there is one of in the cluster and this node does not have now,
	// by name: it hung here. "": nothing.
	Without string
	Leaving bool // it gives up what it owns, to stop or to start again
	// Unfit is why it may own nothing now, in words for an operator: it makes no
	// progress, or has yet to give up what it owned before. "" where it may.
	Unfit string
	// Lapsed: it was not renewed for longer than a lease lasts, by the clock of
	// whoever reads it, or its process is known to have ended.
	Lapsed bool
	Ended  bool // its process is known to have: it cannot come back, as one that was suspended can

	Revision uint64 // of the record in the store
}

// State is what a member may do.
type State uint8

const (
	// Down: its process has ended, or its lease has lapsed. It is expected back
	// under its name, so what it owned is kept by others only until then.
	Down State = iota
	// Apart: it is alive, and some of the others do not reach it, or it is unfit.
	// It owns nothing.
	Apart
	// Leaving: it is alive, and gives up what it owns.
	Leaving
	// Core: it may own, and admits clients.
	Core
)

func (s State) String() string {
	return [...]string{"down", "apart", "leaving", "core"}[s]
}

// Member is one node of a view.
type Member struct {
	Name        string
	Incarnation uint64
	Version     uint32
	State       State
	Without     string // as of Record
}

// View is which members there are, by name. The zero View has none.
type View struct {
	number  uint64
	members []Member // by name; never changed
}

// NewView is the view with that number. Of several members of one name the one
// with the highest incarnation counts.
func NewView(number uint64, members ...Member) View {
	sorted := slices.SortedFunc(slices.Values(members), func(a, b Member) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(b.Incarnation, a.Incarnation))
	})
	return View{number, slices.CompactFunc(sorted, func(a, b Member) bool { return a.Name == b.Name })}
}

// Number grows with every view that one node makes. Those of two nodes are no
// more than a hint at which of them knows more: terms decide.
func (v View) Number() uint64 { return v.number }

// Members are all of them, by name. The slice must not be changed.
func (v View) Members() []Member { return v.members }

// String is its members, such as "a@3 core, b@1 down".
func (v View) String() string {
	var b strings.Builder
	for i, m := range v.members {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s@%d %v", m.Name, m.Incarnation, m.State)
	}
	return b.String()
}

// LogValue is String, made only where it is written.
func (v View) LogValue() slog.Value { return slog.StringValue(v.String()) }

// Member is the one of that name.
func (v View) Member(name string) (Member, bool) {
	i, found := slices.BinarySearchFunc(v.members, name, func(m Member, name string) int { return strings.Compare(m.Name, name) })
	if !found {
		return Member{}, false
	}
	return v.members[i], true
}

// Lowest is the lowest version that a member runs; 0 of the zero View. One that is
// down counts: it is expected back, perhaps as what it was.
func (v View) Lowest() (version uint32) {
	for i, m := range v.members {
		if i == 0 || m.Version < version {
			version = m.Version
		}
	}
	return version
}

// Ended says whether the process is known to have ended: it is down, or a later
// one has its name, or nobody has. Of one that is later than the view knows
// nothing is said.
func (v View) Ended(name string, incarnation uint64) bool {
	m, ok := v.Member(name)
	return !ok || m.Incarnation > incarnation || m.Incarnation == incarnation && m.State == Down
}
