// Package newsdesk is the actor that gives every article its story: one in the
// cluster: who sees to that is its parent. It reads articles from the log, has the machine (desk) say what
// follows, tells the stories, which are its children, and offers their events
// to the journal.
//
//	loading --snapshot, or none--> following
//
//	            Deliveries              TellStory
//	router, log ----------> queue, desk ----------> storycluster (each)
//	                          |   ^                     |
//	   journal <--Offer-------┘   └------StoryTold------┘
//
// Where a story cannot tell whether an article is a development, a Judge is asked.
// What it says is offered too, and taken when it is read in the log.
//
// It is a follower of the log like a connection: actors/engine/follow. While
// it reads what is past it says nothing; once it is live it offers what the log
// does not have yet. Events have ids by position, so that two newsdesks, for as
// long as a move or a partition has two, offer the same events, and each is
// delivered once.
//
// A restart, of this actor or by a story that fails, begins at the last
// snapshot. An event at which that happens again and again is left out and said
// to be: one article must not end all stories.
//
// Questions and their timers: a tell that is not answered is sent again, and
// after a few times the newsdesk fails, which begins again; an offer is sent
// again; the snapshot is read again; the follower has its own; the Judge is asked
// again, and what it said is offered again until the log shows it.
package newsdesk

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/actors/newsdesk/desk"
	"github.com/birdwire/birdwire/messages"
)

type state uint8

const (
	loading state = iota
	following
)

type newsdesk struct {
	cfg    *Config
	state  state
	timers actors.Timers

	desk     *desk.Machine // nil while away or loading
	follower follow.Follower
	queue    queue
	reached  messages.Position // everything at or before it came, but for what is queued
	stories  map[uint64]*actor.PID
	spawned  uint64         // story actors, ever: part of their names
	asked    int            // how often the present step was told again
	current  actors.Instant // when it last had taken all that there was

	offers
	saves
	lists
	judging
}

// Props describes a node's newsdesk. It wants a supervisor that restarts it.
func Props(config Config) *actor.Props {
	cfg := config.withDefaults()
	return cfg.Props("newsdesk", func() actor.Actor {
		return &newsdesk{cfg: &cfg, timers: actors.NewTimers(cfg.Clock), stories: map[uint64]*actor.PID{}, judging: judging{trials: map[uint64]actors.Instant{}}}
	}, actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.EscalateDirective }))
}

const (
	replayTimeout = 20 * time.Second
	watchEvery    = 5 * time.Second
	loadAgain     = time.Second
	tellAgain     = 2 * time.Second
	tellsMost     = 5
	failuresMost  = 3
)

// The timers and what they send.
type (
	watchTime struct{}
	tellTime  struct{}
	loadTime  struct{}
	fired     struct{ timer uint64 }
)

func (d *newsdesk) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		d.current = d.cfg.Clock.Elapsed()
		d.failed()
		d.load(ctx)
		d.watch(ctx)
	case *actor.Stopping, *actor.Restarting:
		d.timers.Stop()
		d.quit(ctx)
		d.cfg.Observe(Observation{})
	case *watchTime:
		d.watch(ctx)
	case *loadTime:
		d.load(ctx)
	case *loaded:
		d.loaded(ctx, m)
	case *actors.WorkAgain:
		if m.Of == any(d) {
			m.Again(d.cfg.Clock, ctx.Self())
		}
	case *actors.Probe:
		ctx.Respond(d.following(m.Number))
	case *actor.Terminated:
	case *messages.ListStories, *messages.GetStory, *messages.FindArticle, *messages.ListEntities:
		d.question(ctx)
	default:
		if d.state == following {
			d.receive(ctx)
		}
	}
}

// receive is while the newsdesk has a machine.
func (d *newsdesk) receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.Deliveries:
		if ds, ok := d.follower.Next(m); ok {
			d.take(ctx, ds)
		} else {
			d.step(ctx, m)
		}
	case *messages.StoryTold:
		d.told(ctx, m)
	case *tellTime:
		d.tellAgain(ctx)
	case *messages.Appended:
		d.appended(ctx, m)
	case *messages.OfferRefused:
		d.refused(ctx, m)
	case *offerTime:
		d.offerAgain(ctx)
	case *saved:
		d.saved(m)
	case *judged:
		d.judged(ctx, m)
	case *fired:
		d.step(ctx, follow.Fired{Timer: m.timer})
	case *messages.NotOwner:
		d.step(ctx, follow.Moved{})
	case *read:
		d.read(ctx, m)
	case *actors.WorkPanicked:
		d.panicked(ctx)
	case *messages.Joined, *messages.JoinRefused, *messages.Left, *messages.Through, *messages.Rejoin, *messages.VoidsKnown:
		d.step(ctx, m)
	}
}

// failed notes that the instance before failed in the middle of a turn.
func (d *newsdesk) failed() {
	s := d.cfg.State
	if s.taking == 0 {
		return
	}
	if s.failures++; s.failures >= failuresMost {
		s.skipped, s.taking, s.failures = s.taking, 0, 0
	}
}

// watch is what is looked at regularly.
func (d *newsdesk) watch(ctx actor.Context) {
	d.timers.Set(watchTime{}, watchEvery, ctx.Self(), &watchTime{})
	if d.state != following {
		d.cfg.Observe(Observation{Here: true, Behind: d.behind()})
		return
	}
	d.step(ctx, follow.Prove{})
	d.tick(ctx)
	d.judge(ctx)
	live, awake := d.desk.Live()
	d.cfg.Observe(Observation{
		Here: true, Live: d.live(), Behind: d.behind(), Stories: live, Awake: awake, Queued: len(d.queue.waiting), Unsaid: len(d.unsaid()),
		Position: uint64(d.desk.Place()), SnapshotAt: uint64(d.savedAt),
	})
}

// quit says to the router that nothing is followed any more. The stories end
// with this actor, whose children they are.
func (d *newsdesk) quit(ctx actor.Context) {
	if d.state != following {
		return
	}
	for _, o := range d.follower.Quit() {
		if leave, ok := o.(follow.Leave); ok {
			ctx.Send(d.cfg.Router, &messages.Leave{ConnectionId: ctx.Self().GetId(), Join: leave.Join})
		}
	}
}

// following says how far the newsdesk has come.
func (d *newsdesk) following(number uint64) *actors.Following {
	f := &actors.Following{Number: number, Loading: d.state == loading}
	if !f.Loading {
		f.Place = d.desk.Place().Sequence()
	}
	return f
}

// behind is for how long there has been something to take.
func (d *newsdesk) behind() time.Duration {
	if d.live() {
		d.current = d.cfg.Clock.Elapsed()
	}
	return d.cfg.Clock.Elapsed() - d.current
}

// live says whether everything that is in the log was taken.
func (d *newsdesk) live() bool {
	return d.state == following && d.follower.Live() && d.queue.empty() && !d.desk.Busy()
}
