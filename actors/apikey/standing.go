package apikey

import (
	"cmp"
	"slices"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/definition"
	"github.com/birdwire/birdwire/messages"
)

// standing is one monitor or one rule of the key, with its child while there
// is one. The definition is never changed, only replaced.
type standing struct {
	monitor  *messages.Monitor // one of the two is set
	rule     *messages.Rule
	revision uint64 // of the record
	origin   *messages.Origin
	asked    *messages.Query // query() of the definition
	tried    uint32          // the newest version that the router was asked for
	coming   *standing       // what the router has already and the store has not

	log  ring
	hits []*messages.Event // of the frame being handled

	figures  *messages.Figures // that the next child begins with
	child    *actor.PID
	usedAt   actors.Instant // when the child was last told something
	retiring bool           // Retire was the last it was told
	budget   actors.Budget
	coolTill actors.Instant // no child before
}

func (s *standing) id() string {
	if s.rule != nil {
		return s.rule.GetId()
	}
	return s.monitor.GetId()
}

func (s *standing) k() uint32 {
	if s.rule != nil {
		return s.rule.GetK()
	}
	return s.monitor.GetK()
}

// definition is what it is to others.
func (s *standing) definition() definition.Definition {
	return definition.Definition{Monitor: s.monitor, Rule: s.rule}
}

func (s *standing) version() uint32 { return s.definition().Version() }

// nextVersion is one that the router was never asked for.
func (s *standing) nextVersion() uint32 {
	s.tried = max(s.tried, s.version()) + 1
	return s.tried
}

func (s *standing) setVersion(version uint32) {
	if s.rule != nil {
		s.rule.Version = version
	} else {
		s.monitor.Version = version
	}
}

// at is what of it decides on hits of the version; nil: none.
func (s *standing) at(version uint32) *standing {
	if c := s.coming; c != nil && c.version() == version {
		return c
	}
	if s.version() == version && s.query() != nil {
		return s
	}
	return nil
}

func (s *standing) status() string {
	if s.rule != nil {
		return s.rule.GetStatus()
	}
	return s.monitor.GetStatus()
}

// query is what the router is asked for; nil unless active.
func (s *standing) query() *messages.Query { return s.asked }

// pastQuery is what it asks for or, not being active, would ask for.
func (s *standing) pastQuery() *messages.Query {
	if s.asked != nil {
		return s.asked
	}
	past := s.definition().Clone()
	if past.Rule != nil {
		past.Rule.Status = definition.Active
	} else {
		past.Monitor.Status = definition.Active
	}
	return past.Query()
}

// define replaces the definition.
func (s *standing) define(m *messages.Monitor, r *messages.Rule, revision uint64) {
	s.monitor, s.rule, s.revision = m, r, revision
	s.asked, s.origin = s.definition().Query(), s.definition().Origin()
}

// record is the name and content of what stands for it in the store.
func (s *standing) record(keyID string) (name string, data []byte, err error) {
	if s.rule != nil {
		data, err = proto.Marshal(s.rule)
		return actors.RuleRecord(keyID, s.id()), data, err
	}
	data, err = proto.Marshal(s.monitor)
	return actors.MonitorRecord(keyID, s.id()), data, err
}

// stands is the answer that shows it.
func (s *standing) stands() any {
	if s.rule != nil {
		return &messages.RuleStands{Rule: s.rule, Figures: s.figures}
	}
	return &messages.MonitorStands{Monitor: s.monitor, Figures: s.figures}
}

// standings are a key's monitors and rules.
type standings struct {
	byID   map[string]*standing
	byK    map[uint32]*standing
	sorted []*standing // by k
}

func (t *standings) init() {
	t.byID, t.byK = map[string]*standing{}, map[uint32]*standing{}
}

func (t *standings) add(s *standing) {
	t.byID[s.id()], t.byK[s.k()] = s, s
	i, _ := slices.BinarySearchFunc(t.sorted, s.k(), func(o *standing, k uint32) int { return cmp.Compare(o.k(), k) })
	t.sorted = slices.Insert(t.sorted, i, s)
}

func (t *standings) remove(s *standing) {
	delete(t.byID, s.id())
	delete(t.byK, s.k())
	t.sorted = slices.DeleteFunc(t.sorted, func(o *standing) bool { return o == s })
}

// replace takes what was read from the store. Those that stand already keep
// their log and child; those that are gone are returned.
func (t *standings) replace(read []*standing, logMost int) (gone []*standing) {
	there := map[string]bool{}
	for _, r := range read {
		there[r.id()] = true
		s := t.byID[r.id()]
		if s == nil {
			s = r
		}
		s.define(r.monitor, r.rule, r.revision)
		if s == r {
			s.log.most = logMost
			t.add(s)
		}
	}
	for _, s := range slices.Clone(t.sorted) {
		if !there[s.id()] {
			t.remove(s)
			gone = append(gone, s)
		}
	}
	return gone
}

// rules and monitors are those of one kind with the status ("" is any), by k.
func (t *standings) rules(status string) (found []*messages.Rule) {
	for _, s := range t.sorted {
		if s.rule != nil && (status == "" || s.status() == status) {
			found = append(found, s.rule)
		}
	}
	return found
}

func (t *standings) monitors(status string) (found []*messages.Monitor) {
	for _, s := range t.sorted {
		if s.monitor != nil && (status == "" || s.status() == status) {
			found = append(found, s.monitor)
		}
	}
	return found
}

// tagged is the rule with the tag, nil if there is none.
func (t *standings) tagged(tag string) *standing {
	for _, s := range t.sorted {
		if s.rule != nil && s.rule.GetTag() == tag {
			return s
		}
	}
	return nil
}

// remembers says whether there is a record of any delivery.
func (t *standings) remembers() bool {
	return slices.ContainsFunc(t.sorted, func(s *standing) bool { return s.log.len() > 0 })
}

// queries are what the key's active monitors and rules ask for, by k.
func (k *key) queries() (all []*messages.Query) {
	if !k.live() {
		return nil
	}
	for _, s := range k.standing.sorted {
		if q := s.query(); q != nil {
			all = append(all, q)
		}
	}
	return all
}

// page is n of all from offset on; n 0 is all of them.
func page[T any](all []T, offset, n int32) []T {
	from := min(max(int(offset), 0), len(all))
	to := len(all)
	if n > 0 {
		to = min(from+int(n), len(all))
	}
	return all[from:to]
}
