package apikey

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey/change"
	"github.com/birdwire/birdwire/messages"
)

// get has the child answer, which knows the figures.
func (k *key) get(ctx actor.Context, id string, rule bool) {
	e := k.changes.Set.Find(id, rule)
	switch {
	case e == nil && k.changes.IsLost(id, rule):
		k.respond(ctx, lostShown(id, rule))
		return
	case e == nil:
		k.respond(ctx, change.NotFound(rule))
		return
	}
	p := k.parts.of(e)
	if !k.parts.tell(ctx, p, &messages.AskFigures{Monitor: e.Monitor, Rule: e.Rule}, ctx.Sender()) {
		k.respond(ctx, p.shown())
	}
}

// count tells each child what one frame meant to it. One that cools down
// misses it in its figures.
func (k *key) count(ctx actor.Context, touched []*part, atMs int64) {
	connected := k.stream.Joined()
	for _, s := range touched {
		events := s.hits
		s.hits = nil
		k.parts.tell(ctx, s, &messages.CountHits{
			Monitor: s.entry.Monitor, Events: events, Delivered: connected, AtMs: atMs,
		}, ctx.Self())
	}
}

// tell sends to the child, which is started if need be; false while it cools
// down after too many failures.
func (t *parts) tell(ctx actor.Context, s *part, message any, sender *actor.PID) bool {
	now := t.cfg.Clock.Elapsed()
	if s.child == nil {
		if now < s.coolTill || !t.start(ctx, s) {
			return false
		}
	}
	s.usedAt, s.retiring = now, false
	ctx.RequestWithCustomSender(s.child, message, sender)
	return true
}

func (t *parts) start(ctx actor.Context, s *part) bool {
	props := t.cfg.Monitor
	if s.rule {
		props = t.cfg.Rule
	}
	// Every start has a name of its own: a predecessor may still be stopping.
	t.spawned++
	pid, err := ctx.SpawnNamed(props(s.id, s.figures), fmt.Sprintf("%s-%d", s.id, t.spawned))
	if err != nil {
		t.log.Error("a child cannot be started", "id", s.id, "error", err)
		return false
	}
	s.child, s.budget = pid, actors.Budget{Most: t.cfg.RestartsMost, Within: t.cfg.RestartsWithin}
	t.byPID[pid.GetId()] = s
	return true
}

// stop ends the child of what is no more, or never came to be.
func (t *parts) stop(ctx actor.Context, s *part) {
	if s.child == nil {
		return
	}
	delete(t.byPID, s.child.GetId())
	ctx.Stop(s.child)
	s.child = nil
}

// retired: the child has handed its figures over and was told nothing since.
func (t *parts) retired(ctx actor.Context, m *messages.Retired) {
	s := t.byID[m.GetId()]
	if s == nil || !s.retiring || s.child == nil || ctx.Sender() == nil || !s.child.Equal(ctx.Sender()) {
		return
	}
	s.figures = m.GetFigures()
	t.stop(ctx, s)
}

// retire sends children home that nobody has needed for a while.
func (t *parts) retire(ctx actor.Context) {
	now := t.cfg.Clock.Elapsed()
	for _, s := range t.sorted {
		if s.child != nil && !s.retiring && now-s.usedAt >= t.cfg.IdleAfter {
			s.retiring = true
			ctx.Request(s.child, &messages.Retire{})
		}
	}
}

// HandleFailure restarts the one child that failed. One that fails too often is
// stopped, and started again when it has cooled down.
func (k *key) HandleFailure(system *actor.ActorSystem, supervisor actor.Supervisor, pid *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	s := k.parts.byPID[pid.GetId()]
	if s == nil {
		supervisor.StopChildren(pid)
		return
	}
	s.retiring = false
	stopped := s.budget.Apply(k.cfg.Clock.Elapsed(), system, supervisor, pid, reason)
	k.cfg.Count("child_restarted")
	k.log.Error("a monitor's or rule's actor failed", "id", s.id, "restarted", !stopped, "reason", reason)
	if s.token != 0 { // the change that has asked it, if it is under way still, fails with it
		system.Root.Send(k.self, &answered{of: k, answer: change.Failed{Token: s.token}})
	}
}

// terminated is the end of a child, or of a connection that was probed.
func (k *key) terminated(ctx actor.Context, m *actor.Terminated) {
	s := k.parts.byPID[m.Who.GetId()]
	if k.ending {
		return
	}
	if s == nil {
		// Of one on a node that is out of reach nothing is known: its slot stays
		// until that node's lease says more.
		connection, watched := k.guests.Gone(m.Who.GetId())
		if watched && m.Why != actor.TerminatedReason_AddressTerminated {
			k.release(ctx, connection, nil)
		}
		return
	}
	delete(k.parts.byPID, m.Who.GetId())
	s.child, s.coolTill = nil, k.cfg.Clock.Elapsed()+k.cfg.CoolDown
	k.cfg.Count("child_stopped")
	k.log.Error("a monitor's or rule's actor is stopped and cools down", "id", s.id, "for", k.cfg.CoolDown)
}
