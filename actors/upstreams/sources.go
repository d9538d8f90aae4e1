package upstreams

import (
	"maps"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
)

// The pause after a source's failure.
const (
	pauseFirst = time.Second
	pauseMost  = 5 * time.Minute
)

const kindFeed = "feed"

// sources are the actor's children, one an upstream.
type sources struct {
	cfg   *Config
	byID  map[string]*child
	byPID map[string]*child // by the actor's id

	supervisor actor.Supervisor // once something has failed
	over       bool             // the actor ends: nothing is started any more
}

// child is one upstream's source.
//
//	running --start--> ending --terminated--> running, by the new props
//	running --end--> ending --terminated--> gone, unless started in between
type child struct {
	id   string
	kind string // as SourceDescribed has it
	here bool   // it is no singleton
	// revision of the feed's record that it runs by; 0 of others.
	revision uint64
	pid      *actor.PID
	props    *actor.Props // that it runs by, or is started by once it has ended
	pause    actors.Pause
	ending   bool
	gone     bool   // not started again once it has ended
	failed   any    // why it rests; nil: it works
	cancel   func() // of the pause
}

func (s *sources) init(cfg *Config) {
	s.cfg, s.byID, s.byPID = cfg, map[string]*child{}, map[string]*child{}
}

// start starts the source, once one that runs under the id has ended.
func (s *sources) start(ctx actor.Context, id, kind string, revision uint64, props *actor.Props) {
	c := s.byID[id]
	if c == nil {
		s.spawn(ctx, &child{id: id, kind: kind, revision: revision, props: props, pause: actors.Pause{First: pauseFirst, Most: pauseMost}, cancel: func() {}})
		return
	}
	c.props, c.gone, c.revision = props, false, revision
	s.stopOne(ctx, c)
}

// endFeed ends a feed's source for good; false where none runs.
func (s *sources) endFeed(ctx actor.Context, id string) bool {
	c := s.byID[id]
	if c == nil || c.kind != kindFeed {
		return false
	}
	c.gone = true
	s.stopOne(ctx, c)
	return true
}

// again starts a source that was ended, by the props that it had.
func (s *sources) again(ctx actor.Context, id string) {
	if c := s.byID[id]; c != nil && c.gone && !c.ending {
		c.gone = false
		s.spawn(ctx, c)
	}
}

func (s *sources) stopOne(ctx actor.Context, c *child) {
	if !c.ending {
		c.ending = true
		ctx.Stop(c.pid)
	}
}

func (s *sources) spawn(ctx actor.Context, c *child) {
	pid, err := ctx.SpawnNamed(c.props, c.id)
	if err != nil {
		s.cfg.Logger.Error("a source cannot be started", "source", c.id, "error", err)
		return
	}
	c.pid, c.ending, c.failed = pid, false, nil
	s.byID[c.id], s.byPID[pid.GetId()] = c, c
}

// ended returns the id of the source that has.
func (s *sources) ended(ctx actor.Context, pid *actor.PID) (id string) {
	c := s.byPID[pid.GetId()]
	if c == nil {
		return ""
	}
	c.cancel()
	c.ending = false
	delete(s.byPID, pid.GetId())
	if !c.gone && !s.over {
		s.spawn(ctx, c)
	}
	return c.id
}

// forget is for a source that has ended for good.
func (s *sources) forget(id string) {
	if c := s.byID[id]; c != nil && c.gone && !c.ending {
		delete(s.byID, id)
	}
}

func (s *sources) restart(pid *actor.PID) {
	if c := s.byPID[pid.GetId()]; c != nil && c.failed != nil {
		c.failed = nil
		s.supervisor.RestartChildren(pid)
	}
}

// stop lets no pause run on, and starts nothing any more: the sources end with
// the actor.
func (s *sources) stop() {
	s.over = true
	for _, c := range s.byID {
		c.cancel()
	}
}

// running are the sources that there are, by id.
func (s *sources) running() []*child {
	var list []*child
	for _, id := range slices.Sorted(maps.Keys(s.byID)) {
		if c := s.byID[id]; s.byPID[c.pid.GetId()] == c {
			list = append(list, c)
		}
	}
	return list
}

// HandleFailure lets a source that failed rest, and then begin again.
func (u *upstreams) HandleFailure(system *actor.ActorSystem, supervisor actor.Supervisor, pid *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	c := u.sources.byPID[pid.GetId()]
	if c == nil {
		supervisor.StopChildren(pid)
		return
	}
	u.sources.supervisor = supervisor
	wait := c.pause.Next(u.cfg.Clock.Elapsed())
	c.failed = reason
	c.cancel = u.cfg.Clock.After(wait, u.self, &restartTime{pid})
	u.cfg.Logger.Error("a source failed; it is started again", "source", c.id, "in", wait, "reason", reason)
	system.EventStream.Publish(&actor.SupervisorEvent{Child: pid, Reason: reason, Directive: actor.RestartDirective})
}
