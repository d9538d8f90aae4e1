package enricher

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// job is one revision of an article, from the log until the log holds its
// enrichment.
//
//	waiting --a place is free--> working --read--> done --offered--> (forgotten)
//	   ^                           |
//	   +-- its page's host, failed +
//
// Whatever it waits for, a job that is not the one that e.jobs has is over: its
// answers are dropped.
type job struct {
	identity string
	lane     int
	position messages.Position
	revision uint32
	article  *messages.Article
	bytes    int
	begun    actors.Instant

	asked uint64 // the task under way; 0: none
	tries int
	turn  time.Time // as Outcome has it
	event *messages.Event
	out   Outcome

	corrects bool // it repeats what is true of the article (correct.go)
}

// take is what the log says of articles, in order.
func (e *enricher) take(ctx actor.Context, ds []*messages.Delivery) {
	for _, d := range ds {
		c := d.GetEvent().GetArticle()
		if c == nil {
			continue
		}
		l, p := LaneOf(c.GetArticle().GetNumber()), messages.Position(d.GetPosition())
		if lane := &e.lanes[l]; lane.ours && p > lane.seen {
			e.changed(ctx, c, l, p)
		}
	}
	e.pump(ctx)
	if e.full() {
		e.overflow(ctx)
	}
}

func (e *enricher) changed(ctx actor.Context, c *messages.ArticleChange, lane int, p messages.Position) {
	a := c.GetArticle()
	last := e.jobs[a.GetIdentity()]
	switch c.GetAction() {
	case messages.ArticleAction_ARTICLE_CREATED, messages.ArticleAction_ARTICLE_UPDATED:
		if last != nil {
			e.forget(last) // its enrichment would be of a text that nobody has any more
		}
		j := &job{
			identity: a.GetIdentity(), lane: lane, position: p, revision: c.GetRevision(), article: a,
			bytes: proto.Size(a), begun: e.cfg.Clock.Elapsed(),
		}
		e.jobs[j.identity] = j
		e.bytes += j.bytes
		e.ready = append(e.ready, j)
	case messages.ArticleAction_ARTICLE_DELETED:
		if last != nil {
			e.forget(last)
		}
		e.keep(ctx, c, p)
	case messages.ArticleAction_ARTICLE_ENRICHED:
		if last != nil && last.revision <= c.GetRevision() {
			e.forget(last)
		}
		e.keep(ctx, c, p)
	}
}

// forget ends a job, whatever it waits for.
func (e *enricher) forget(j *job) {
	if e.jobs[j.identity] != j {
		return
	}
	delete(e.jobs, j.identity)
	e.bytes -= j.bytes
	e.timers.Cancel(j)
}

// forgetLane ends the jobs of a lane that is another's now.
func (e *enricher) forgetLane(lane int) {
	for _, j := range e.jobs {
		if j.lane == lane {
			e.forget(j)
		}
	}
	for _, w := range e.writes {
		if LaneOf(w.article.GetNumber()) == lane {
			e.overWith(w)
		}
	}
}

func (e *enricher) current(j *job) bool { return e.jobs[j.identity] == j }

// queue has a job that waited begin as soon as there is a place. Those that
// came first go first.
func (e *enricher) queue(ctx actor.Context, j *job) {
	if !e.current(j) {
		return
	}
	at, _ := slices.BinarySearchFunc(e.ready, j, func(a, b *job) int { return cmp.Compare(a.position, b.position) })
	e.ready = slices.Insert(e.ready, at, j)
	e.pump(ctx)
}

// pump begins what there is a place for. While old events are read again,
// what was enriched already is seen soon: nothing is begun until the log's end
// is near, or there is no room to wait for it.
func (e *enricher) pump(ctx actor.Context) {
	if !e.follower.Live() && e.room() {
		return
	}
	for e.working < e.cfg.Parallel && len(e.ready) > 0 {
		j := e.ready[0]
		e.ready[0] = nil
		if e.ready = e.ready[1:]; len(e.ready) == 0 {
			e.ready = nil
		}
		if e.current(j) {
			e.begin(ctx, j)
		}
	}
}

// worked is a worker's answer.
type worked struct {
	job   *job
	asked uint64
	out   Outcome
	err   error
}

func (e *enricher) begin(ctx actor.Context, j *job) {
	j.asked = e.question()
	asked, reader := j.asked, e.cfg.Reader
	task := Task{
		Article: j.article, Turn: j.turn, Alone: j.tries >= triesMost,
		Late: e.cfg.Clock.Elapsed()-j.begun > e.cfg.PageWait,
	}
	e.working++
	if !e.cfg.Enrich.Do(ctx.Self(), e.cfg.ReadTimeout, func(c context.Context) (answer any) {
		m := &worked{job: j, asked: asked}
		defer func() {
			if r := recover(); r != nil { // one article's matter: it is read alone then
				m.err = fmt.Errorf("panicked: %v\n%s", r, debug.Stack())
				answer = m
			}
		}()
		m.out = reader.Read(c, task)
		return m
	}) {
		e.working--
		e.later(ctx, j, tryAgain)
	}
}

func (e *enricher) later(ctx actor.Context, j *job, d time.Duration) {
	j.asked = 0
	e.timers.Set(j, d, ctx.Self(), jobTime{j})
}

func (e *enricher) worked(ctx actor.Context, m *worked) {
	e.working--
	j := m.job
	if e.current(j) && j.asked == m.asked {
		e.outcome(ctx, j, m)
	}
	e.pump(ctx)
	e.goOn(ctx)
}

func (e *enricher) outcome(ctx actor.Context, j *job, m *worked) {
	switch {
	case m.err != nil && j.tries > triesMost:
		e.cfg.Logger.Error("an article is handed on as it came: it cannot be read", "article", j.article.GetNumber(), "error", m.err)
		m.out = Outcome{Article: j.article, Page: "failed", Vector: "failed", Summary: "failed"}
	case m.err != nil:
		e.cfg.Logger.Warn("an article could not be read; it is tried again", "article", j.article.GetNumber(), "error", m.err)
		j.tries++
		e.later(ctx, j, tryAgain<<j.tries)
		return
	case m.out.Article == nil:
		j.turn = m.out.Turn
		e.later(ctx, j, max(m.out.Again, time.Millisecond))
		return
	}
	j.out, j.event = m.out, e.event(j, m.out.Article)
	e.done = append(e.done, j)
	e.flush(ctx)
}
