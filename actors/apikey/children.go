package apikey

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// draft has the child say what s becomes and goes on with that. Where it
// becomes nothing the operation is done.
func (k *key) draft(ctx actor.Context, s, asked *standing, fields []string, create bool, next func(ctx actor.Context, to *standing)) {
	token := k.await(ctx, k.cfg.AnswerWithin, func(ctx actor.Context, answer any) {
		var to standing
		var rejection *messages.Rejected
		switch m := answer.(type) {
		case *messages.MonitorDrafted:
			to.monitor, rejection = m.GetMonitor(), m.GetRejected()
		case *messages.RuleDrafted:
			to.rule, rejection = m.GetRule(), m.GetRejected()
		default:
			rejection = &messages.Rejected{Rejection: messages.Rejection_REJECTION_UNAVAILABLE, Detail: detailChild}
		}
		if rejection == nil {
			rejection = k.taken(s, &to)
		}
		if rejection != nil {
			if create {
				k.stopChild(ctx, s)
			}
			k.done(ctx, rejection)
			return
		}
		next(ctx, &to)
	})
	var ask any
	if s.rule != nil {
		m := &messages.DraftRule{Id: token, Change: asked.rule, Fields: fields}
		if !create {
			m.Stands = s.rule
		}
		ask = m
	} else {
		m := &messages.DraftMonitor{Id: token, Change: asked.monitor, Fields: fields}
		if !create {
			m.Stands = s.monitor
		}
		ask = m
	}
	if !k.tell(ctx, s, ask, ctx.Self()) {
		ctx.Send(ctx.Self(), &childFailed{k, token})
		return
	}
	k.operation.child = s.child
}

// taken says that another rule has the tag.
func (k *key) taken(s, to *standing) *messages.Rejected {
	if to.rule == nil {
		return nil
	}
	if other := k.standing.tagged(to.rule.GetTag()); other != nil && other != s {
		return rejected(messages.Rejection_REJECTION_CONFLICT, "tag", "another filter rule of the key has this tag")
	}
	return nil
}

// count tells each child what one frame meant to it. One that cools down
// misses it in its figures.
func (k *key) count(ctx actor.Context, touched []*standing) {
	connected := k.stream.Joined()
	for _, s := range touched {
		events := s.hits
		s.hits = nil
		k.tell(ctx, s, &messages.CountHits{
			Monitor: s.monitor, Events: events, Delivered: connected, AtMs: k.cfg.Clock.Now().UnixMilli(),
		}, ctx.Self())
	}
}

// tell sends to the child, which is started if need be; false while it cools
// down after too many failures.
func (k *key) tell(ctx actor.Context, s *standing, message any, sender *actor.PID) bool {
	now := k.cfg.Clock.Elapsed()
	if s.child == nil {
		if now < s.coolTill || !k.startChild(ctx, s) {
			return false
		}
	}
	s.usedAt, s.retiring = now, false
	ctx.RequestWithCustomSender(s.child, message, sender)
	return true
}

func (k *key) startChild(ctx actor.Context, s *standing) bool {
	props := k.cfg.Monitor
	if s.rule != nil {
		props = k.cfg.Rule
	}
	// Every start has a name of its own: a predecessor may still be stopping.
	k.spawned++
	pid, err := ctx.SpawnNamed(props(s.id(), s.figures), fmt.Sprintf("%s-%d", s.id(), k.spawned))
	if err != nil {
		k.log.Error("a child cannot be started", "id", s.id(), "error", err)
		return false
	}
	s.child, s.budget = pid, actors.Budget{Most: k.cfg.RestartsMost, Within: k.cfg.RestartsWithin}
	k.byPID[pid.GetId()] = s
	return true
}

// stopChild ends the child of what is no more, or never came to be.
func (k *key) stopChild(ctx actor.Context, s *standing) {
	if s.child == nil {
		return
	}
	delete(k.byPID, s.child.GetId())
	ctx.Stop(s.child)
	s.child = nil
}

// retired: the child has handed its figures over and was told nothing since.
func (k *key) retired(ctx actor.Context, m *messages.Retired) {
	s := k.standing.byID[m.GetId()]
	if s == nil || !s.retiring || s.child == nil || ctx.Sender() == nil || !s.child.Equal(ctx.Sender()) {
		return
	}
	s.figures = m.GetFigures()
	k.stopChild(ctx, s)
}

// HandleFailure restarts the one child that failed. One that fails too often is
// stopped, and started again when it has cooled down. An operation that it was
// asked for fails with it.
func (k *key) HandleFailure(system *actor.ActorSystem, supervisor actor.Supervisor, pid *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	s := k.byPID[pid.GetId()]
	if s == nil {
		supervisor.StopChildren(pid)
		return
	}
	s.retiring = false
	stopped := s.budget.Apply(k.cfg.Clock.Elapsed(), system, supervisor, pid, reason)
	k.cfg.Count("child_restarted")
	k.log.Error("a monitor's or rule's actor failed", "id", s.id(), "restarted", !stopped, "reason", reason)
	if o := k.operation; o != nil && o.token != 0 && o.child != nil && o.child.Equal(pid) {
		system.Root.Send(k.self, &childFailed{k, o.token})
	}
}

// terminated is the end of a child, or of a connection that was probed.
func (k *key) terminated(ctx actor.Context, m *actor.Terminated) {
	s := k.byPID[m.Who.GetId()]
	if s == nil {
		k.gone(ctx, m)
		return
	}
	delete(k.byPID, m.Who.GetId())
	s.child, s.coolTill = nil, k.cfg.Clock.Elapsed()+k.cfg.CoolDown
	k.cfg.Count("child_stopped")
	k.log.Error("a monitor's or rule's actor is stopped and cools down", "id", s.id(), "for", k.cfg.CoolDown)
}
