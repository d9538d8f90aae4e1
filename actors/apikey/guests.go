package apikey

import (
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// guests are the connections that hold a slot of the key, and those that wait
// for one.
type guests struct {
	cfg       *Config
	slots     []*messages.Slot      // in order of taking
	admitting map[string]*admission // by connection id; at most admittingMost
	watched   map[string]string     // actor id -> connection id, of slots that are probed
	probedAt  map[messages.Api]actors.Instant
	takenAt   map[string]actors.Instant // when the slot of a connection was first known here
}

// admission waits for its slot.
type admission struct {
	slot   *messages.Slot
	sender *actor.PID
}

func newGuests(cfg *Config) guests {
	return guests{
		cfg: cfg, admitting: map[string]*admission{}, watched: map[string]string{},
		probedAt: map[messages.Api]actors.Instant{}, takenAt: map[string]actors.Instant{},
	}
}

// none says that nobody is there or comes.
func (g *guests) none() bool { return len(g.slots) == 0 && len(g.admitting) == 0 }

func (g *guests) add(slots ...*messages.Slot) {
	for _, slot := range slots {
		if g.of(slot.GetConnectionId()) == nil {
			g.slots = append(g.slots, slot)
			g.takenAt[slot.GetConnectionId()] = g.cfg.Clock.Elapsed()
		}
	}
}

// take is the admission under way, which is over then; nil where there is none.
func (g *guests) take(connection string) *admission {
	a := g.admitting[connection]
	delete(g.admitting, connection)
	return a
}

func (g *guests) remove(connection string) {
	delete(g.admitting, connection)
	delete(g.takenAt, connection)
	for id, watched := range g.watched {
		if watched == connection {
			delete(g.watched, id)
		}
	}
	g.slots = slices.DeleteFunc(g.slots, func(s *messages.Slot) bool { return s.GetConnectionId() == connection })
}

// of is the slot of the connection, nil where it has none.
func (g *guests) of(connection string) *messages.Slot {
	for _, s := range g.slots {
		if s.GetConnectionId() == connection {
			return s
		}
	}
	return nil
}

// probe has the connections of a full key show that their clients are there:
// those that do not end themselves, and one that is not there at all (it is
// watched) gives its slot back here.
func (g *guests) probe(ctx actor.Context, api messages.Api) {
	now := g.cfg.Clock.Elapsed()
	if now-g.probedAt[api] < g.cfg.ProbeWithin {
		return
	}
	g.probedAt[api] = now
	for _, slot := range g.slots {
		if slot.GetApi() != api {
			continue
		}
		if pid := g.cfg.Connection(slot); pid != nil {
			ctx.Send(pid, &messages.Probe{WithinMs: g.cfg.ProbeWithin.Milliseconds()})
			g.watch(ctx, slot, pid)
		}
	}
}

// watch has the key hear of a connection that is not there. A young slot's may
// be on its way still.
func (g *guests) watch(ctx actor.Context, slot *messages.Slot, pid *actor.PID) {
	age := g.cfg.Clock.Elapsed() - g.takenAt[slot.GetConnectionId()]
	if _, watched := g.watched[pid.GetId()]; !watched && age >= g.cfg.SlotGrace {
		g.watched[pid.GetId()] = slot.GetConnectionId()
		ctx.Watch(pid)
	}
}

// check watches all of them: what a predecessor was told of a connection's end
// may be lost with it, and its slot must not be.
func (g *guests) check(ctx actor.Context) {
	for _, slot := range g.slots {
		if pid := g.cfg.Connection(slot); pid != nil {
			g.watch(ctx, slot, pid)
		}
	}
}

// gone is the connection of an actor that has ended, where it was watched. Of
// one on a node that is out of reach nothing is known: its slot stays until that
// node's lease says more.
func (g *guests) gone(m *actor.Terminated) (connection string, ended bool) {
	connection, ok := g.watched[m.Who.GetId()]
	delete(g.watched, m.Who.GetId())
	return connection, ok && m.Why != actor.TerminatedReason_AddressTerminated
}
