package assembly

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
)

// watchdog finds out that the node makes no progress while it answers: then it
// delivers nothing, and nobody else does what it owns. It tells the node's lease,
// which gives up everything, and tells it again once all is well.
//
// It asks for proofs, and never judges by silence: events may be few. Each second it
// reads where the log ends, which the router has to come nearer to; has a record read
// by the pool that shards work with; and has some actors say that they take turns.
// What is not done within stuckAfter is stuck. A pool or a router that has much to do
// is late and not stuck, as long as it does any of it: what it owns would be as late
// elsewhere, and to take hundreds of shards is most of what makes a pool late. Of
// shards those are asked that have had a message since they were asked last: one that
// has had none cannot hang, and an idle node asks none. Where many have, some wait for
// a few turns, so a shard that hangs is found within 11 s, or 18 s where a node works
// with all of them.
//
// The newsdesk is judged by itself: see deskWatch.
//
// A store that answers with an error, or not at all, is not judged here: without it the
// lease runs out, and where the log alone has no leader no node is better off. While
// the lease reads nothing, as where the records' stream chooses a leader, what waits
// for the store fills the pool, and the pool has its time from when the lease reads
// again.
//
// After a gap in its own turns the whole process was suspended, which is the lease's
// to judge: what is under way has its time from then on.
type watchdog struct {
	node    *Node
	clock   actors.Clock
	log     *slog.Logger
	store   actors.Worker // reads the log's end: the lease's pool
	pool    actors.Worker // that is watched
	handled *atomic.Uint64
	worked  *atomic.Uint64 // pieces of work that the pool has ended
	timers  actors.Timers

	turned actors.Instant // when the last turn was
	come   uint64         // handled, as it was then
	ended  uint64         // worked, as it was then
	number uint64         // of the newest question
	open   []open         // questions without an answer, oldest first; at most openMost
	mark   open           // the router has to reach it; at 0: nothing is waited for
	shard  int            // where to look next for one to ask
	late   bool           // the pool, and the log was told
	desk   deskWatch
	stuck  string // what the lease was told last
	well   int    // turns in a row in which nothing was stuck
}

// open is something that has to be done, since when.
type open struct {
	number uint64
	who    string // the actor that is asked, by id; "": none
	what   string // that it, or the node, does not do
	asked  actors.Instant
	at     actors.Instant // asked, or when something has been done of it, or could not be
}

const (
	watchEvery = time.Second
	stuckAfter = 10 * time.Second
	hangAfter  = 2 * stuckAfter // what hangs for longer is given up
	endWithin  = stuckAfter / 2 // the store says where the log ends, or that it cannot
	probesEach = 128            // shards that are asked in a turn, at most
	wellAfter  = 2              // turns
	// unreadAfter is how long no reading of the leases may have ended before the store
	// is taken for one that does not answer: four looks.
	unreadAfter = 4 * lookEvery
	// openMost is reached where most of what is asked hangs: then the oldest says so.
	openMost = 4 * probesEach
	// inPool is how many of the questions the pool may have in its queue: one that is
	// late gets no more of them.
	inPool = 16
)

const poolHangs = "the pool of workers that shards need hangs"

type (
	watchTime struct{ of *watchdog }
	endRead   struct {
		of     *watchdog
		number uint64
		last   uint64
		err    error
	}
	poolTurned struct {
		of     *watchdog
		number uint64
	}
)

func (w *watchdog) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		w.turned = w.clock.Elapsed()
		w.later(ctx)
	case *actor.Stopping, *actor.Restarting:
		w.timers.Stop()
	case *watchTime:
		if m.of == w {
			w.turn(ctx)
		}
	case *endRead:
		if m.of == w {
			w.answered(m.number)
			w.end(m)
		}
	case *poolTurned:
		if m.of == w {
			w.answered(m.number)
		}
	case *actors.Probed:
		if !w.desk.away(m.Number) {
			w.answered(m.Number)
		}
	case *actors.Following:
		w.desk.told(m, w.clock.Elapsed())
	case *actor.DeadLetterResponse:
		if w.missing(m.Target); m.Target.GetId() == newsdeskID {
			w.desk.away(w.desk.number)
		}
	}
}

// ending counts the pieces of work that a pool ends.
type ending struct {
	actors.Worker
	ended *atomic.Uint64
}

func (e ending) Do(to *actor.PID, timeout time.Duration, work func(context.Context) any) bool {
	return e.Worker.Do(to, timeout, func(ctx context.Context) any {
		defer e.ended.Add(1)
		return work(ctx)
	})
}

func (w *watchdog) later(ctx actor.Context) {
	w.timers.Set(watchTime{}, watchEvery, ctx.Self(), &watchTime{w})
}

func (w *watchdog) turn(ctx actor.Context) {
	now := w.clock.Elapsed()
	if now-w.turned > 2*watchEvery {
		w.mark.at = 0
		for i := range w.open {
			w.open[i].asked, w.open[i].at = now, now
		}
		w.desk.suspended(now)
	}
	w.turned = now
	w.followPool(now)
	come := w.handled.Load()
	switch {
	case w.mark.at == 0:
	case come > w.mark.number:
		w.mark.at = 0
		w.desk.follow(w.mark.number, now)
	case come != w.come:
		w.mark.at = now
	}
	w.come = come
	w.judge(ctx, now)
	w.judgeDesk(ctx, now)
	w.ask(ctx, now)
	w.later(ctx)
}

// followPool gives the pool its time anew where it has ended something, and tells an
// operator of one that is late.
func (w *watchdog) followPool(now actors.Instant) {
	ended := w.worked.Load()
	anew := ended != w.ended || now-actors.Instant(w.node.readAt.Load()) > unreadAfter
	w.ended = ended
	var waits time.Duration
	for i := range w.open {
		if w.open[i].what != poolHangs {
			continue
		}
		waits = max(waits, now-w.open[i].asked)
		if anew {
			w.open[i].at = now
		}
	}
	late := waits > stuckAfter
	switch {
	case late && !w.late:
		w.log.Warn("the pool of workers that shards need is late: it does what it is asked, and what is asked now waits for longer than this; the store or the machine is too slow for it", "waits", waits)
	case !late && w.late:
		w.log.Info("the pool of workers that shards need is in time again")
	}
	w.late = late
}

// judge tells the lease what has changed.
func (w *watchdog) judge(ctx actor.Context, now actors.Instant) {
	oldest := w.mark
	for _, o := range w.open {
		if oldest.at == 0 || o.at < oldest.at {
			oldest = o
		}
	}
	if stuck := oldest.at != 0 && now-oldest.at > stuckAfter; !stuck {
		if w.well++; w.well == wellAfter && w.stuck != "" {
			w.stuck = ""
			w.log.Info("the node makes progress again")
			ctx.Send(w.node.pid(leaseID), &progressing{})
		}
		return
	}
	w.well = 0
	if w.stuck == "" {
		w.stuck = fmt.Sprintf("%s%s, for %v", oldest.who, oldest.what, (now - oldest.at).Round(time.Second))
		w.log.Error("the node makes no progress: it gives up what it owns", "why", w.stuck)
		ctx.Send(w.node.pid(leaseID), &progressing{stuck: w.stuck})
	}
}

func (w *watchdog) ask(ctx actor.Context, now actors.Instant) {
	w.askAgain(ctx, now)
	end := w.asks("the log's end cannot be read", "", now)
	journal := w.node.ports.Store.Journal()
	w.store.Do(ctx.Self(), endWithin, func(c context.Context) any {
		_, last, err := journal.Bounds(c)
		return &endRead{w, end, last, err}
	})
	w.askPool(ctx, now)
	w.askShards(ctx, now)
	w.probe(ctx, w.node.pid(upstreamsID), now)
	w.number++
	w.desk.asks(w.number, now)
	ctx.Request(w.node.pid(newsdeskID), &actors.Probe{Number: w.number})
}

func (w *watchdog) askPool(ctx actor.Context, now actors.Instant) {
	asked := 0
	for _, o := range w.open {
		if o.what == poolHangs {
			asked++
		}
	}
	if asked >= inPool {
		return
	}
	number := w.asks(poolHangs, "", now)
	records, name := w.node.stored, actors.LeaseRecord(w.node.ports.Node)
	if !w.pool.Do(ctx.Self(), hangAfter, func(c context.Context) any {
		_, _ = records.Get(c, name) // a store that fails is the lease's to judge
		return &poolTurned{w, number}
	}) { // full: those that were asked before say whether it ends anything
		w.open = slices.DeleteFunc(w.open, func(o open) bool { return o.number == number })
	}
}

// end is an answer of the store. Where it has none, nobody on this node or another
// comes nearer to the log's end, and both have their time from when it has one.
func (w *watchdog) end(m *endRead) {
	switch now := w.clock.Elapsed(); {
	case m.err != nil:
		w.desk.since = now
		if w.mark.at != 0 {
			w.mark.at = now
		}
	case w.mark.at == 0:
		w.mark = open{number: m.last, what: "the router does not come to the log's end", at: now}
	}
}

// askAgain asks those again that have not answered for a turn: a question may be lost,
// and a shard that is idle since would not be asked another one.
func (w *watchdog) askAgain(ctx actor.Context, now actors.Instant) {
	for _, o := range w.open {
		if o.who != "" && now-o.at > watchEvery {
			ctx.Request(w.node.pid(o.who), &actors.Probe{Number: o.number})
		}
	}
}

// askShards asks those that may hang, one after the other in turns.
func (w *watchdog) askShards(ctx actor.Context, now actors.Instant) {
	asked := 0
	for range w.node.shards {
		if asked == probesEach {
			return
		}
		w.shard = (w.shard + 1) % len(w.node.shards)
		if w.node.turns[w.shard].Swap(false) {
			w.probe(ctx, w.node.shards[w.shard], now)
			asked++
		}
	}
}

// probe asks an actor for a turn. One that is not there, since it failed too often,
// does not count: what it failed of might fail anywhere.
func (w *watchdog) probe(ctx actor.Context, to *actor.PID, now actors.Instant) {
	ctx.Request(to, &actors.Probe{Number: w.asks(" takes no turn", to.GetId(), now)})
}

func (w *watchdog) missing(who *actor.PID) {
	w.open = slices.DeleteFunc(w.open, func(o open) bool { return o.who == who.GetId() })
}

// asks is the number of a new question. Past the bound none is kept: the oldest is
// stuck long since.
func (w *watchdog) asks(what, who string, now actors.Instant) uint64 {
	w.number++
	if len(w.open) < openMost {
		w.open = append(w.open, open{number: w.number, who: who, what: what, asked: now, at: now})
	}
	return w.number
}

// answered also ends what was asked before of the same: an answer that was lost is
// no want of progress where a later one has come.
func (w *watchdog) answered(number uint64) {
	i := slices.IndexFunc(w.open, func(o open) bool { return o.number == number })
	if i < 0 {
		return
	}
	end := w.open[i]
	w.open = slices.DeleteFunc(w.open, func(o open) bool { return o.number <= number && o.who == end.who && o.what == end.what })
}
