// Package guests is who is connected with a key: the connections that hold a
// slot of it, those that wait for one, and which of them were asked for a sign
// of life. The slots themselves are the shard's to give; what a key allows is
// permit's.
//
// It knows no actor and no clock: an instant is a reading of the caller's
// monotonic clock, an actor is a name, whoever waits for an answer is anything.
// It is not safe for use by several goroutines.
package guests

import (
	"maps"
	"slices"
	"time"

	"github.com/birdwire/birdwire/messages"
)

// Most is how many may wait for a slot at once; past it they are refused.
const Most = 1024

// Config is what a key's plan of time is. Both are needed.
type Config struct {
	ProbeWithin time.Duration // in which a full key's connections must be heard: they are asked no more often
	Grace       time.Duration // in which a slot's connection must have started
}

// Guests are those of one key.
type Guests struct {
	cfg      Config
	slots    []*messages.Slot         // in order of taking
	waiting  map[string]Waiting       // by connection id; at most Most
	watched  map[string]string        // actor -> connection id
	probedAt map[messages.Api]instant // when those of an API were asked last
	takenAt  map[string]instant       // when the slot of a connection was first known here
}

type instant = time.Duration

// Waiting is somebody who has no slot yet.
type Waiting struct {
	Slot *messages.Slot // that was asked for
	To   any            // who is answered
}

// New is nobody.
func New(cfg Config) *Guests {
	return &Guests{
		cfg: cfg, waiting: map[string]Waiting{}, watched: map[string]string{},
		probedAt: map[messages.Api]instant{}, takenAt: map[string]instant{},
	}
}

// None says that nobody is there or comes.
func (g *Guests) None() bool { return len(g.slots) == 0 && len(g.waiting) == 0 }

// Slots are those that are held, in order of taking. They are not to be changed.
func (g *Guests) Slots() []*messages.Slot { return g.slots }

// Of is the slot of the connection, nil where it has none.
func (g *Guests) Of(connection string) *messages.Slot {
	for _, s := range g.slots {
		if s.GetConnectionId() == connection {
			return s
		}
	}
	return nil
}

// Api is that of a connection that has a slot or waits for one; false where it
// does neither.
func (g *Guests) Api(connection string) (messages.Api, bool) {
	slot := g.Of(connection)
	if w, waits := g.waiting[connection]; waits {
		slot = w.Slot
	}
	return slot.GetApi(), slot != nil
}

// Add is for connections that have their slots.
func (g *Guests) Add(now instant, slots ...*messages.Slot) {
	for _, slot := range slots {
		if g.Of(slot.GetConnectionId()) == nil {
			g.slots = append(g.slots, slot)
			g.takenAt[slot.GetConnectionId()] = now
		}
	}
}

// Admit has somebody wait for the slot; false where too many do.
func (g *Guests) Admit(slot *messages.Slot, to any) bool {
	if len(g.waiting) >= Most {
		return false
	}
	g.waiting[slot.GetConnectionId()] = Waiting{slot, to}
	return true
}

// Take is who has waited for the connection's slot and does not any more; false
// where nobody has: it was removed in between.
func (g *Guests) Take(connection string) (Waiting, bool) {
	w, ok := g.waiting[connection]
	delete(g.waiting, connection)
	return w, ok
}

// GiveUp is whoever waits, by connection id: nobody does after it.
func (g *Guests) GiveUp() (all []Waiting) {
	for _, id := range slices.Sorted(maps.Keys(g.waiting)) {
		all = append(all, g.waiting[id])
	}
	clear(g.waiting)
	return all
}

// Remove ends a connection's stay, or its waiting.
func (g *Guests) Remove(connection string) {
	delete(g.waiting, connection)
	delete(g.takenAt, connection)
	maps.DeleteFunc(g.watched, func(_, watched string) bool { return watched == connection })
	g.slots = slices.DeleteFunc(g.slots, func(s *messages.Slot) bool { return s.GetConnectionId() == connection })
}

// Probe is who has to show that its client is there, because the API's slots
// are all taken. Those that do not end themselves, and one that is not there at
// all is watched: so its slot comes back.
func (g *Guests) Probe(now instant, api messages.Api) (all []*messages.Slot) {
	if last, ever := g.probedAt[api]; ever && now-last < g.cfg.ProbeWithin {
		return nil
	}
	g.probedAt[api] = now
	for _, slot := range g.slots {
		if slot.GetApi() == api {
			all = append(all, slot)
		}
	}
	return all
}

// Watch says whether to watch the actor of the slot's connection from now on.
// That of a young slot may be on its way still.
func (g *Guests) Watch(now instant, slot *messages.Slot, actor string) bool {
	if _, watched := g.watched[actor]; watched || now-g.takenAt[slot.GetConnectionId()] < g.cfg.Grace {
		return false
	}
	g.watched[actor] = slot.GetConnectionId()
	return true
}

// Gone is the connection of an actor that was watched and has ended, or cannot
// be reached.
func (g *Guests) Gone(actor string) (connection string, ok bool) {
	connection, ok = g.watched[actor]
	delete(g.watched, actor)
	return connection, ok
}
