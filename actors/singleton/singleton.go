// Package singleton keeps one actor of which there is one in the cluster: a
// source, for example. Every node has a singleton for it; the one where its place
// is takes a term, and has the actor as its child.
//
//	away --its place is here--> taking --term taken--> running
//	  ^                            |  ^                   |
//	  |                            +--+ a holder gives it up, or has had its time
//	  +-- record released <-- leaving <-- its place is elsewhere, or it is asked for
//
// Placement is a hint, and terms decide: the term in the record is taken by
// compare-and-set, and every write of the child is refused once the record names
// another one or the lease is not live. So for no longer than a lease two of them
// run, of which one can write nothing. What the child has to carry from node to
// node it keeps in the store, as a source its mark.
//
// A holder that lives is asked to give it up, and waited for; one that could not be
// asked is told once it is taken. A failure of the child is one of this actor, which
// begins again with another term.
//
// Questions to the child that come to a node without it are handed on to the node
// where its place is, once.
package singleton

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/hold"
	"github.com/birdwire/birdwire/messages"
)

type state uint8

const (
	away state = iota
	taking
	running
	leaving   // the child is being stopped
	releasing // the record is being written
)

type singleton struct {
	cfg    Config
	state  state
	timers actors.Timers
	store  hold.Backoff

	step    uint64 // names the job under way: answers to others are dropped
	term    uint64 // while running, leaving or releasing
	newest  uint64 // term that is known
	child   *actor.PID
	lost    bool           // another has taken it: the record is not ours to write
	holder  *actor.PID     // who was asked to give it up; nil: nobody is
	since   actors.Instant // when it was asked first
	leavers []leaver       // at most leaversMost
}

// leaver waits until nothing is here, and is told what it waits for.
type leaver struct {
	pid    *actor.PID
	answer any
}

// leaversMost bounds who waits; whoever asks beyond it asks again.
const leaversMost = 16

type (
	lookTime  struct{ of *singleton }
	askTime   struct{ of *singleton }
	storeTime struct{ of *singleton }
)

// Props describes the singleton of a node.
func Props(cfg Config) *actor.Props {
	cfg = cfg.withDefaults()
	return cfg.Props("singleton", func() actor.Actor {
		return &singleton{cfg: cfg, timers: actors.NewTimers(cfg.Clock), store: hold.Store()}
	}, actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.EscalateDirective }))
}

func (s *singleton) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		s.look(ctx)
	case *actor.Stopping, *actor.Restarting:
		s.timers.Stop()
		s.child = nil // it ends with this actor, and the record says whose it was
	case *actor.Stopped:
	case *actor.Terminated:
		s.terminated(ctx, m.Who)
	case *actors.Placed:
		s.look(ctx)
	case *actors.Probe:
		s.probed(ctx, m)
	case *actors.GiveUp:
		s.leave(ctx, &actors.GivenUp{Name: s.cfg.Name, Round: m.Round})
	case *messages.LeaveSingleton:
		s.leave(ctx, &messages.SingletonLeft{Name: s.cfg.Name})
	case *messages.SingletonLeft, *actor.DeadLetterResponse:
		s.handed(ctx, m)
	case *messages.SingletonTaken:
		s.taken(ctx, m.GetTerm())
	case *lookTime:
		if m.of == s {
			s.look(ctx)
		}
	case *askTime:
		if m.of == s {
			s.askDue(ctx)
		}
	case *storeTime:
		if m.of == s {
			s.storeDue(ctx)
		}
	case *answered:
		if m.of == s && m.step == s.step {
			s.answered(ctx, m)
		}
	case *actors.WorkPanicked:
		panic(fmt.Sprintf("work of singleton %s panicked: %v", s.cfg.Name, m.Reason))
	case *actors.WorkAgain:
		if m.Of == s {
			m.Again(s.cfg.Clock, ctx.Self())
		}
	default:
		s.handOn(ctx)
	}
}

// owns says whether it may be here.
func (s *singleton) owns() bool { return s.cfg.Owns() && s.cfg.Lease.Live() }

// look follows placement.
func (s *singleton) look(ctx actor.Context) {
	switch owns := s.owns(); {
	case s.state == away && owns:
		s.state, s.holder, s.since = taking, nil, 0
		s.take(ctx, false)
	case s.state == taking && !owns:
		s.step++ // what was taken, if anything was, is found in the record
		s.begin(ctx, releasing)
	case s.state == running && !owns:
		s.stop(ctx)
	case s.state == running:
		s.verify(ctx)
	}
}

// leave gives it up, and answers once nothing is here.
func (s *singleton) leave(ctx actor.Context, answer any) {
	if ctx.Sender() != nil && len(s.leavers) < leaversMost {
		s.leavers = append(s.leavers, leaver{ctx.Sender(), answer})
	}
	_, asked := answer.(*messages.SingletonLeft)
	switch {
	case s.state == away && !asked:
		s.gone(ctx)
	case s.state == away, s.state == taking:
		// A taking that was begun and dropped may have happened: the record says.
		s.step++
		s.begin(ctx, releasing)
	case s.state == running:
		s.stop(ctx)
	}
}

// taken: another process has it.
func (s *singleton) taken(ctx actor.Context, term uint64) {
	if s.newest = max(s.newest, term); (s.state != running && s.state != leaving) || term <= s.term {
		return
	}
	s.lost = true
	s.cfg.Logger.Error("another process has taken it; this one stops", "name", s.cfg.Name, "term", s.term, "other_term", term)
	if s.state == running {
		s.stop(ctx)
	}
}

func (s *singleton) stop(ctx actor.Context) {
	s.state = leaving
	s.step++
	ctx.Stop(s.child)
}

func (s *singleton) terminated(ctx actor.Context, who *actor.PID) {
	if s.child == nil || who.GetId() != s.child.GetId() {
		return
	}
	s.child = nil
	switch {
	case s.state == running:
		panic(fmt.Sprintf("the actor of singleton %s has ended by itself", s.cfg.Name))
	case s.lost:
		s.gone(ctx)
	default:
		s.begin(ctx, releasing)
	}
}

// gone: nothing is here. Whoever wanted it has a while to take it, before it is
// taken again where its place is.
func (s *singleton) gone(ctx actor.Context) {
	s.state, s.term, s.lost, s.holder = away, 0, false, nil
	s.timers.Stop()
	for _, l := range s.leavers {
		ctx.Send(l.pid, l.answer)
	}
	s.leavers = nil
	if s.cfg.Owns() {
		s.timers.Set(lookTime{}, takeAgain, ctx.Self(), &lookTime{s})
	}
}

// probed hands the question on: that this actor takes turns says nothing of its child.
func (s *singleton) probed(ctx actor.Context, m *actors.Probe) {
	if s.child != nil {
		ctx.Forward(s.child)
		return
	}
	ctx.Respond(&actors.Probed{Number: m.Number})
}

// handOn gives a message to whoever it is for. One that has come from another node
// is not sent on: two nodes that know different places would send it for ever.
func (s *singleton) handOn(ctx actor.Context) {
	m, ok := ctx.Message().(proto.Message)
	if !ok || ctx.Sender() == nil {
		return
	}
	if s.state == running {
		ctx.Forward(s.child)
		return
	}
	owner := s.cfg.Owner()
	if owner != nil && owner.GetAddress() != ctx.Self().GetAddress() && ctx.Sender().GetAddress() == ctx.Self().GetAddress() {
		ctx.Forward(owner)
		return
	}
	if s.cfg.Absent != nil {
		ctx.Respond(s.cfg.Absent(m))
	}
}
