package assembly

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/connection"
	"github.com/birdwire/birdwire/messages"
)

// care is what a failure of an actor means to its node.
type care uint8

const (
	// vital: restarted within a budget; past it the node cannot go on.
	vital care = iota
	// lasting: restarted within a budget; past it stopped, and started again
	// after a pause, for ever.
	lasting
)

// spec is an actor that the supervisor starts.
type spec struct {
	name  string
	group group
	care  care
	props *actor.Props
	// farewell asks the actor to give up what it owns before it is stopped; it
	// answers messages.Deactivated. nil: it is stopped at once.
	farewell proto.Message
}

// group is when an actor is stopped: one group after the other, in this order,
// so that what an actor says when it ends is still heard.
type group uint8

const (
	groupConnections group = iota
	groupUpstreams
	groupQuestions
	groupShards
	groupJournal
	groupRouters
	groups
)

// The budget of every actor that the supervisor starts, and the pause past it.
const (
	restartsMost   = 10
	restartsWithin = 10 * time.Second
	pauseFirst     = time.Second
	pauseMost      = time.Minute
	// groupTime is how long a group may take to end, before the next is stopped.
	groupTime = 10 * time.Second
)

// supervisor is the parent of the actors that a node has one or a fixed number
// of, and knows those that it has as many of as there are sockets. It starts
// them in order, restarts what fails by the node's clock, and stops them, group
// by group.
//
//	running --stop--> stopping group 0, 1, … --the last has ended--> stopped
//
// It handles nothing that can fail: a failure of its own ends the node.
type supervisor struct {
	clock  actors.Clock
	log    *slog.Logger
	failed func(error)
	specs  []spec
	shard  func(number int) spec
	active func()      // called once awaited is empty; nil after it
	serves func() bool // whether the node may have clients, asked every servesEvery; nil: always

	awaited  map[int]bool            // what the start waits for, as ready has it
	children map[string]*child       // by the actor's id
	open     map[*actor.PID]struct{} // connections: each says itself when it begins and ends
	left     [groups]int             // of children and connections, by group
	stopping *stop                   // nil while running
	group    group                   // that is being stopped; groups: all were
	cancel   func()                  // of the group's timer
	late     []string                // actors that did not end in time
	told     bool                    // stopping.done was called
	unserved func()                  // cancels the timer of servesTime
	giving   *giveUp                 // answered once no connection is open; nil: nobody asks
	askedBy  *actor.PID
}

// child is an actor that runs, or waits to be started again.
type child struct {
	spec
	pid     *actor.PID
	budget  actors.Budget
	pause   actors.Pause
	resting bool   // stopped past its budget: started again after the pause
	cancel  func() // of the pause
}

type (
	// stop ends everything. done is told once, from the supervisor's last turn.
	stop struct{ done func(error) }
	// ready tells that an actor serves: a shard, by its number, or upstreams.
	ready     struct{ number int }
	startTime struct{ id string }
	groupLate struct{ group group }
	// begin starts shards that have no actor.
	begin struct{ shards []int }
	// servesTime is when to ask whether the node may have clients.
	servesTime struct{}
)

// servesEvery is how soon a node that may not serve any more ends its
// connections: within the 15 s after which others take it for dead.
const servesEvery = time.Second

func (s *supervisor) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		for _, spec := range s.specs {
			s.first(ctx, spec)
		}
		s.askServes(ctx)
	case *begin:
		for _, number := range m.shards {
			if s.stopping == nil {
				s.first(ctx, s.shard(number))
			}
		}
	case *ready:
		s.ready(m.number)
	case *connection.Opened:
		s.opened(ctx, m.PID)
	case *connection.Closed:
		s.closed(ctx, m.PID)
	case *startTime:
		if c := s.children[m.id]; c != nil && c.resting {
			s.start(ctx, c)
		}
	case *actor.Terminated:
		s.terminated(ctx, m.Who)
	case *stop:
		s.stop(ctx, m)
	case *messages.Deactivated:
		if c := s.children[shardID(int(m.GetShard()))]; c != nil && s.stopping != nil {
			ctx.Stop(c.pid)
		}
	case *groupLate:
		s.groupLate(ctx, m)
	case *servesTime:
		s.servesDue(ctx)
	case *giveUp:
		s.giving, s.askedBy = m, ctx.Sender()
		s.unserve(ctx)
		s.gaveUp(ctx)
	case *actor.Stopped:
		s.over()
	}
}

// first starts an actor for the first time.
func (s *supervisor) first(ctx actor.Context, of spec) {
	s.start(ctx, &child{
		spec: of, budget: actors.Budget{Most: restartsMost, Within: restartsWithin},
		pause: actors.Pause{First: pauseFirst, Most: pauseMost},
	})
}

func (s *supervisor) start(ctx actor.Context, c *child) {
	pid, err := ctx.SpawnNamed(c.props, c.name)
	if err != nil {
		s.failed(fmt.Errorf("start the %s: %w", c.name, err))
		return
	}
	c.pid, c.resting = pid, false
	s.keep(c)
}

func (s *supervisor) keep(c *child) {
	if s.children[c.pid.GetId()] == nil {
		s.left[c.group]++
	}
	s.children[c.pid.GetId()] = c
}

func (s *supervisor) forget(c *child) {
	delete(s.children, c.pid.GetId())
	s.left[c.group]--
}

func (s *supervisor) ready(number int) {
	delete(s.awaited, number)
	if len(s.awaited) == 0 && s.active != nil {
		s.active()
		s.active = nil
	}
}

// opened takes in a connection. It has no parent, and is not watched: that
// would take more memory than all else that the node knows of it.
func (s *supervisor) opened(ctx actor.Context, pid *actor.PID) {
	s.open[pid] = struct{}{}
	s.left[groupConnections]++
	switch {
	case s.stopping != nil:
		ctx.Stop(pid)
	case s.serves != nil && !s.serves(): // it was admitted just before
		ctx.Send(pid, unserving)
	}
}

func (s *supervisor) closed(ctx actor.Context, pid *actor.PID) {
	if _, ok := s.open[pid]; !ok {
		return
	}
	delete(s.open, pid)
	s.left[groupConnections]--
	s.gaveUp(ctx)
	s.next(ctx)
}

func (s *supervisor) askServes(ctx actor.Context) {
	if s.serves != nil && s.stopping == nil {
		s.unserved = s.clock.After(servesEvery, ctx.Self(), &servesTime{})
	}
}

// unserving ends a connection of a node that is apart: its client is served
// elsewhere.
var unserving = &messages.End{Reason: messages.EndReason_END_DRAIN, Detail: "the node is apart from its cluster: resume at another"}

func (s *supervisor) servesDue(ctx actor.Context) {
	if !s.serves() {
		s.unserve(ctx)
	}
	s.askServes(ctx)
}

func (s *supervisor) unserve(ctx actor.Context) {
	for _, pid := range s.connections() {
		ctx.Send(pid, unserving)
	}
}

func (s *supervisor) gaveUp(ctx actor.Context) {
	if s.giving != nil && len(s.open) == 0 {
		ctx.Send(s.askedBy, &gaveUp{s.giving.round, supervisorID})
		s.giving = nil
	}
}

// connections are those that are open, by id.
func (s *supervisor) connections() []*actor.PID {
	return slices.SortedFunc(maps.Keys(s.open), func(a, b *actor.PID) int { return strings.Compare(a.GetId(), b.GetId()) })
}

// HandleFailure restarts the one actor that failed, or stops it.
func (s *supervisor) HandleFailure(system *actor.ActorSystem, supervisor actor.Supervisor, pid *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	c := s.children[pid.GetId()]
	if c == nil || s.stopping != nil {
		supervisor.StopChildren(pid)
		return
	}
	if !c.budget.Apply(s.clock.Elapsed(), system, supervisor, pid, reason) {
		return
	}
	if c.care == vital {
		s.failed(fmt.Errorf("the %s failed too often and was stopped: %v", c.name, reason))
	}
}

func (s *supervisor) terminated(ctx actor.Context, pid *actor.PID) {
	c := s.children[pid.GetId()]
	if c == nil {
		return
	}
	if s.stopping != nil || c.care != lasting {
		s.forget(c)
		s.next(ctx)
		return
	}
	wait := c.pause.Next(s.clock.Elapsed())
	c.resting = true
	c.cancel = s.clock.After(wait, ctx.Self(), &startTime{pid.GetId()})
	s.log.Error("an actor failed too often; it is started again", "actor", c.name, "in", wait)
}

func (s *supervisor) stop(ctx actor.Context, m *stop) {
	if s.stopping != nil {
		return
	}
	s.stopping = m
	if s.unserved != nil {
		s.unserved()
	}
	for _, c := range s.children {
		if c.resting {
			c.cancel()
			s.forget(c)
		}
	}
	s.stopGroup(ctx)
}

// stopGroup stops the actors of the present group, and goes on when they have
// ended.
func (s *supervisor) stopGroup(ctx actor.Context) {
	if s.left[s.group] > 0 {
		s.cancel = s.clock.After(groupTime, ctx.Self(), &groupLate{s.group})
	}
	if s.group == groupConnections {
		for _, pid := range s.connections() {
			ctx.Stop(pid)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.children)) {
		switch c := s.children[id]; {
		case c.group != s.group:
		case c.farewell != nil:
			ctx.Request(c.pid, c.farewell)
		default:
			ctx.Stop(c.pid)
		}
	}
	s.next(ctx)
}

// next goes on with the next group once the present one has ended. What was late may
// end after all of them.
func (s *supervisor) next(ctx actor.Context) {
	if s.stopping == nil || s.group == groups || s.left[s.group] > 0 {
		return
	}
	s.cancel()
	s.goOn(ctx)
}

func (s *supervisor) goOn(ctx actor.Context) {
	if s.group++; s.group < groups {
		s.cancel = func() {}
		s.stopGroup(ctx)
		return
	}
	ctx.Stop(ctx.Self()) // which waits for those that were late
	if s.late != nil {
		s.over()
	}
}

// groupLate gives up on what does not end: the process goes on ending. An actor
// that could not give up what it owns is stopped as if its process had died,
// which its next owner takes.
func (s *supervisor) groupLate(ctx actor.Context, m *groupLate) {
	if s.group != m.group {
		return
	}
	if s.group == groupConnections {
		for _, pid := range s.connections() {
			s.late = append(s.late, pid.GetId())
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.children)) {
		if c := s.children[id]; c.group == s.group {
			s.late = append(s.late, id)
			ctx.Stop(c.pid)
		}
	}
	s.goOn(ctx)
}

// over tells that all has ended, or what has not. It is told once.
func (s *supervisor) over() {
	if s.stopping == nil || s.told {
		return
	}
	s.told = true
	var err error
	if len(s.late) > 0 {
		err = fmt.Errorf("%d actors did not end in time, %s among them", len(s.late), s.late[0])
	}
	s.stopping.done(err)
}
