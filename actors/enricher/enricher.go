// Package enricher reads articles more closely than their sources did: what
// they say in full, in which language, in one line, about whom, and as a
// vector. One runs on every node.
//
//	log ── article created, updated ──▶ job ── Worker: page, engines, model ──▶ done
//	                                                                            │
//	item table ◀── last known article ── log ◀── Offer: item.enriched ◀── batch ┘
//
// It follows the log like any client of the router's and never stands between
// a source and its readers: item.new is out before an enricher sees it.
//
// # Who does what
//
// Articles are dealt to lanes by their number, and lanes to nodes by the view.
// A lane has one mark in the store: every article of it at or before the mark
// is enriched, or never will be. Whoever owns a lane begins at its mark, so
// that a node's death loses nothing. Two nodes that both take a lane for theirs
// do the work twice and deliver it once: the events have the same ids.
//
// # What is lost and what is not
//
// A job is forgotten once the log holds its event. A restart begins at the
// marks again: what the log holds already is dropped by its id. Where an
// article was changed or withdrawn meanwhile, its older enrichment is dropped,
// because the change has one of its own. One that gets into the log all the same,
// after what it knows nothing of, is set right: correct.go.
//
// # Bounds
//
// Jobs and rows of the table: cfg.MaxJobs, and cfg.MaxBytes of their articles. Past either the
// enricher leaves the live side and reads the log at its own pace: the log is
// the queue. One batch is offered at a time; cfg.Parallel articles are worked on.
//
// The package never decides what is new, and gives no article to a story.
package enricher

import (
	"context"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/messages"
)

// enricher is the actor. A restart means: from the marks.
type enricher struct {
	cfg    *Config
	last   uint64 // number of the newest question; begins at random
	timers actors.Timers

	lanes    [Lanes]lane
	marks    uint64 // the question for the marks under way; 0: none
	began    bool   // the follower has a place to follow from
	epoch    string
	follower follow.Follower
	apart    bool // the bound was passed: nothing is followed until there is room

	jobs    map[string]*job // by identity
	bytes   int             // of the articles in jobs and writes
	ready   []*job          // to be begun, in log order
	working int
	done    []*job // with an event to be offered, in the order in which they ended
	batch   *batch // nil: none under way

	writes  map[string]*write // of the item table, by identity
	writing uint64            // the question under way; 0: none
}

// Props describes the enricher of a node.
func Props(config Config) *actor.Props {
	cfg := config.withDefaults()
	return cfg.Props("enricher", func() actor.Actor {
		return &enricher{
			cfg: &cfg, last: cfg.Rand.Uint64N(1 << 62), timers: actors.NewTimers(cfg.Clock),
			jobs: map[string]*job{}, writes: map[string]*write{},
		}
	}, actor.NewOneForOneStrategy(0, 0, actor.DefaultDecider))
}

type (
	lookTime  struct{} // at which lanes are ours
	saveTime  struct{} // of marks
	proveTime struct{}
	beginTime struct{} // after the follower has given up
	tableTime struct{}
	fired     struct{ timer uint64 }
	jobTime   struct{ job *job }
)

func (e *enricher) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.Deliveries:
		if ds, ok := e.follower.Next(m); ok {
			e.take(ctx, ds)
		} else {
			e.step(ctx, m)
		}
	case *actor.Started:
		e.look(ctx)
		e.set(ctx, saveTime{}, e.cfg.SaveEvery)
		e.set(ctx, proveTime{}, e.cfg.ProveEvery)
	case *actor.Stopping, *actor.Restarting:
		e.stop(ctx)
	case lookTime:
		e.look(ctx)
	case *marksRead:
		e.marksRead(ctx, m)
	case saveTime:
		e.save(ctx)
		e.set(ctx, saveTime{}, e.cfg.SaveEvery)
	case *marksSaved:
		e.marksSaved(m)
	case proveTime:
		e.step(ctx, follow.Prove{})
		e.set(ctx, proveTime{}, e.cfg.ProveEvery)
	case beginTime:
		if !e.began && !e.apart {
			e.follow(ctx, e.follower.Place())
		}
	case fired:
		e.step(ctx, follow.Fired{Timer: m.timer})
	case *logRead:
		e.logRead(ctx, m)
	case jobTime:
		e.queue(ctx, m.job)
	case *worked:
		e.worked(ctx, m)
	case *tableLooked:
		e.looked(ctx, m)
	case *messages.Appended:
		e.appended(ctx, m)
	case *messages.OfferRefused:
		e.refused(ctx, m)
	case offerTime:
		e.offerAgain(ctx, m)
	case tableTime:
		e.write(ctx)
	case *tableWritten:
		e.written(ctx, m)
	case *actors.WorkAgain:
		if m.Of == e {
			m.Again(e.cfg.Clock, ctx.Self())
		}
	case *actors.WorkPanicked:
		panic(m.Reason) // of the store or the log: which question it was is not known
	default:
		e.step(ctx, m)
	}
}

// stop gives the router its place back. It runs after a failure too.
func (e *enricher) stop(ctx actor.Context) {
	e.timers.Stop()
	e.leave(ctx)
}

// question is the number of a new question.
func (e *enricher) question() uint64 {
	e.last++
	return e.last
}

// work has the store or the log asked for this instance.
func (e *enricher) work(ctx actor.Context, by actors.Worker, work func(context.Context) any) {
	actors.Work(e.cfg.Clock, by, ctx.Self(), e, e.cfg.TableTimeout, work)
}
