package membership

import (
	"sync/atomic"
	"time"
)

// The times of leases. Each is measured by one process's monotonic clock: no two
// clocks are ever compared. What a node may do ends three seconds before others
// may take what it had, so two clocks may run a fifth apart.
const (
	RenewEvery = 3 * time.Second
	// OwnLapse is how long after its last renewal a node may act.
	OwnLapse = 12 * time.Second
	// DeadLapse is after how long without a renewal others take a node for dead.
	DeadLapse = 15 * time.Second
)

// Own is a process's own lease.
//
//	given up --Hold--> live --OwnLapse after the last renewal, or GiveUp--> given up
//
// One that has run out is not live again by a renewal alone: what the process
// owned may be others' by then. It gives up everything first, and then Hold is
// called. One goroutine changes it; any may ask whether it is live.
type Own struct {
	elapsed func() time.Duration
	renewed atomic.Int64 // when the newest renewal that was written began, by elapsed
	held    atomic.Bool
}

// NewOwn is a lease that was never held. elapsed is monotonic.
func NewOwn(elapsed func() time.Duration) *Own { return &Own{elapsed: elapsed} }

// Live says whether the process may act as an owner at this moment.
func (o *Own) Live() bool { return o.held.Load() && o.Current() }

// Current says whether the newest renewal is young enough.
func (o *Own) Current() bool { return o.elapsed()-time.Duration(o.renewed.Load()) < OwnLapse }

// Held says whether it was held and not given up since, be it live or not.
func (o *Own) Held() bool { return o.held.Load() }

// Renewed is told when a renewal that was written had begun.
func (o *Own) Renewed(began time.Duration) {
	o.renewed.Store(max(int64(began), o.renewed.Load()))
}

// Hold begins the lease, and GiveUp ends it.
func (o *Own) Hold() { o.held.Store(true) }

// GiveUp is Hold's opposite.
func (o *Own) GiveUp() { o.held.Store(false) }

// Reading is what one look at all lease records brought.
type Reading struct {
	// Began and Ended are the reader's clock before and after it.
	Began, Ended time.Duration
	Records      []Record // by name
}

// Ledger is what a process has read of all lease records and when, and so which
// have lapsed. It is for one goroutine.
//
// A record has lapsed if it still has, in a reading that began more than
// DeadLapse after one in which it was first seen so, the same revision. Time in
// which nothing could be read proves nothing. Nor does a reading that lacks what
// this process wrote itself: whoever answered it is behind.
type Ledger struct {
	self      string
	written   uint64 // revision of this process's record, as it was written last
	sightings map[string]*sighting
	order     []string // of sightings: by name
}

type sighting struct {
	record Record
	since  time.Duration // the end of the reading that first had its revision
	lapsed bool
	ended  uint64 // the newest incarnation that is known to have ended
}

// NewLedger is that of the node of that name.
func NewLedger(self string) *Ledger { return &Ledger{self: self, sightings: map[string]*sighting{}} }

// Wrote is told the revision that this process has written.
func (l *Ledger) Wrote(revision uint64) { l.written = max(l.written, revision) }

// Read takes the reading in; false where it is older than what this process has
// written, and says nothing.
func (l *Ledger) Read(r Reading) bool {
	fresh := false
	for _, s := range r.Records {
		fresh = fresh || s.Name == l.self && s.Revision >= l.written
	}
	if !fresh {
		return false
	}
	was := l.sightings
	l.sightings, l.order = make(map[string]*sighting, len(r.Records)), l.order[:0]
	for _, s := range r.Records {
		seen := was[s.Name]
		switch {
		case seen == nil:
			seen = &sighting{record: s, since: r.Ended}
		case s.Revision > seen.record.Revision:
			seen.record, seen.since, seen.lapsed = s, r.Ended, false
		case r.Began-seen.since > DeadLapse:
			seen.lapsed = true
		}
		l.sightings[s.Name] = seen
		l.order = append(l.order, s.Name)
	}
	return true
}

// Ended is told that a process is known to have: nothing listens any more where it
// did.
func (l *Ledger) Ended(node string, incarnation uint64) {
	if s := l.sightings[node]; s != nil {
		s.ended = max(s.ended, incarnation)
	}
}

// Revision is that of the node's record, as it was read last; 0: it has none.
func (l *Ledger) Revision(node string) uint64 {
	if s := l.sightings[node]; s != nil {
		return s.record.Revision
	}
	return 0
}

// Records are all of them, by name, and which have lapsed.
func (l *Ledger) Records() []Record {
	all := make([]Record, 0, len(l.order))
	for _, name := range l.order {
		s := l.sightings[name]
		r := s.record
		r.Ended = r.Incarnation <= s.ended
		r.Lapsed = s.lapsed || r.Ended
		all = append(all, r)
	}
	return all
}
