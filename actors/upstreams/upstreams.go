// Package upstreams is what a node reads from: it owns the records of the
// feeds, starts a source for each and for what else the node reads, and
// supervises them.
//
//	loading --feeds read--> idle --change--> changing --done--> idle
//	   |  ^
//	   +--+ the store failed: again, after a pause that grows
//
// Invariant: no two feeds have one address (registry.go says how). Changes are
// made one at a time; those that come in between wait, within a bound, and past
// it are refused: nothing of them has happened then.
//
// A source that fails is started again after a pause that grows, for ever. A
// restart of this actor reads everything again; its sources end with it and go
// on from their marks.
//
// Of several nodes each has all feeds, and a source that is a singleton runs on one
// of them (see package singleton). What is changed by way of one node the others
// are told, and they read the feeds again every now and then.
//
// The package never reads an upstream, and knows no adapter.
package upstreams

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// Config is what the actor takes from its node.
type Config struct {
	Records actors.Records
	Clock   actors.Clock
	Worker  actors.Worker
	Props   actors.Props
	Logger  *slog.Logger

	// Feed describes the source of a feed, or says why it can have none.
	Feed func(*messages.Feed) (*actor.Props, error)
	// Others are the sources that the node has besides the feeds.
	Others []Other
	// Absent are the ids of sources that the node has at other starts. Their
	// marks are kept; those of deleted feeds are not.
	Absent []string
	// Changed is told that feeds were changed by way of this node: the upstreams of
	// others are to be sent messages.FeedsChanged. It must not block. nil: there
	// are none.
	Changed func()
	// Refresh is how often the feeds are read again, for changes by way of other
	// nodes of which the word was lost; 0: never.
	Refresh time.Duration
	// Started is called once those others can be sent to; it must not block.
	Started func()

	QueueMost       int           // changes and questions that wait, default 64; past it they are refused
	StoreTimeout    time.Duration // of one change or question, default 10 s
	DescribeTimeout time.Duration // in which a source says how it is, default 2 s
}

// Other is a source without a record.
type Other struct {
	ID    string
	Kind  string // as SourceDescribed has it
	Props *actor.Props
	Here  bool // it is on every node, and never a singleton
}

func (c Config) withDefaults() Config {
	if c.Changed == nil {
		c.Changed = func() {}
	}
	if c.Started == nil {
		c.Started = func() {}
	}
	c.QueueMost = cmp.Or(c.QueueMost, 64)
	c.StoreTimeout = cmp.Or(c.StoreTimeout, 10*time.Second)
	c.DescribeTimeout = cmp.Or(c.DescribeTimeout, 2*time.Second)
	return c
}

type upstreams struct {
	cfg      Config
	self     *actor.PID
	registry registry
	sources  sources
	listings listings

	loaded bool
	pause  actors.Pause // between readings of the store that fail
	cancel func()       // of the timer for the next try of the store
	now    *request     // the change or question under way
	queue  []*request   // at most cfg.QueueMost

	refreshLater func() // cancels the next reading of the feeds
	giving       giving

	sweepPause actors.Pause // between sweeps that fail
	sweepLater func()       // cancels the next try of one
}

// request is a message that needs the store, and who is answered.
type request struct {
	message any
	sender  *actor.PID
}

// Props describes the upstreams of a node.
func Props(cfg Config) *actor.Props {
	cfg = cfg.withDefaults()
	return cfg.Props("upstreams", func() actor.Actor {
		u := &upstreams{cfg: cfg, registry: registry{cfg.Records}, pause: actors.Pause{First: storeFirst, Most: storeMost}, cancel: func() {}}
		u.refreshLater = func() {}
		u.sweepPause, u.sweepLater = actors.Pause{First: storeFirst, Most: sweepMost}, func() {}
		u.sources.init(&u.cfg)
		return u
	}, nil) // HandleFailure below is the strategy
}

const (
	storeFirst = 200 * time.Millisecond
	storeMost  = 10 * time.Second
	sweepMost  = 10 * time.Minute       // nothing waits for it
	workRetry  = 100 * time.Millisecond // the pool was full
)

// Messages to itself name the instance: those of one that failed are dropped.
type (
	loadTime struct{ of *upstreams }
	loadDone struct {
		of    *upstreams
		made  []record
		twice []string
		err   error
	}
	workTime struct{ of *upstreams }
	workDone struct {
		of      *upstreams
		request *request
		records []record
		left    error // why a deleted feed has left records
		swept   int
		err     error
	}
	restartTime  struct{ pid *actor.PID }
	describeTime struct{ of *listing }
)

func (u *upstreams) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		u.self = ctx.Self()
		for _, o := range u.cfg.Others {
			u.sources.start(ctx, o.ID, o.Kind, 0, o.Props)
			u.sources.byID[o.ID].here = o.Here
		}
		u.cfg.Started()
		u.load(ctx)
	case *messages.ListSources:
		u.listSources(ctx)
	case *messages.ListFeeds, *messages.GetFeed, *messages.CreateFeed, *messages.UpdateFeed, *messages.DeleteFeed:
		u.take(ctx, &request{m, ctx.Sender()})
	case *actors.Probe:
		ctx.Respond(&actors.Probed{Number: m.Number})
	case *messages.FeedsChanged:
		u.refresh(ctx)
	case *actors.Placed:
		u.placed(ctx)
	case *actors.GiveUp:
		u.giveUp(ctx, m.Round)
	case *actors.GivenUp:
		if m.Round == u.giving.round {
			u.givenUp(ctx, strings.TrimPrefix(m.Name, sourcePrefix))
		}
	case *messages.SourceDescribed:
		u.listings.described(ctx, m)
	case *describeTime:
		u.listings.finish(ctx, m.of)
	case *actor.Terminated:
		u.ended(ctx, m.Who)
	case *restartTime:
		u.sources.restart(m.pid)
	case *actors.WorkPanicked:
		u.panicked(ctx, m)
	case *actor.Stopping, *actor.Restarting:
		u.cancel()
		u.sweepLater()
		u.refreshLater()
		u.sources.stop()
		u.listings.stop()
	default:
		u.own(ctx)
	}
}

// own handles what the actor sent itself.
func (u *upstreams) own(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *loadTime:
		if m.of == u {
			u.load(ctx)
		}
	case *loadDone:
		if m.of == u {
			u.loadDone(ctx, m)
		}
	case *workTime:
		if m.of == u && u.now != nil {
			u.work(ctx)
		}
	case *sweepTime:
		if m.of == u {
			u.sweep(ctx)
		}
	case *refreshTime:
		if m.of == u {
			u.refresh(ctx)
		}
	case *workDone:
		if m.of == u && m.request == u.now {
			u.workDone(ctx, m)
		}
	}
}

// later tells the actor to try the store again: one timer runs at a time.
func (u *upstreams) later(ctx actor.Context, d time.Duration, message any) {
	u.cancel = u.cfg.Clock.After(d, ctx.Self(), message)
}

func (u *upstreams) load(ctx actor.Context) {
	registry := u.registry
	began := u.cfg.Worker.Do(ctx.Self(), u.cfg.StoreTimeout, func(c context.Context) any {
		d := &loadDone{of: u}
		d.made, d.twice, d.err = registry.settle(c)
		return d
	})
	if !began {
		u.later(ctx, workRetry, &loadTime{u})
	}
}

func (u *upstreams) loadDone(ctx actor.Context, m *loadDone) {
	if m.err != nil {
		wait := u.pause.Next(u.cfg.Clock.Elapsed())
		u.cfg.Logger.Warn("the feeds cannot be read; it is tried again", "in", wait, "error", m.err)
		u.later(ctx, wait, &loadTime{u})
		return
	}
	for _, id := range m.twice {
		u.cfg.Logger.Warn("a feed has the address of another one: its articles come twice; delete one of the two", "feed", id)
	}
	u.loaded = true
	for _, s := range m.made {
		if s.damaged != nil {
			u.cfg.Logger.Error("a feed is left out", "feed", s.feed.GetId(), "error", s.damaged)
			continue
		}
		u.startFeed(ctx, s)
	}
	u.refreshAfter(ctx)
	u.sweep(ctx)
	u.next(ctx)
}

// startFeed starts a feed's source; one that cannot have one is told of and
// stays without.
func (u *upstreams) startFeed(ctx actor.Context, s record) {
	f := s.feed
	props, err := u.cfg.Feed(f)
	if err != nil {
		u.cfg.Logger.Error("a feed cannot be started and is left out", "feed", f.GetId(), "error", err)
		return
	}
	u.sources.start(ctx, f.GetId(), kindFeed, s.revision, props)
}

// panicked is a failure of the store like any other: what was asked is not
// known to have happened.
func (u *upstreams) panicked(ctx actor.Context, m *actors.WorkPanicked) {
	err := fmt.Errorf("work on the feeds' records panicked: %v", m.Reason)
	if !u.loaded {
		u.loadDone(ctx, &loadDone{of: u, err: err})
	} else if u.now != nil {
		u.workDone(ctx, &workDone{of: u, request: u.now, err: err})
	}
}
