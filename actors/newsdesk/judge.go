package newsdesk

import (
	"context"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/newsdesk/desk"
	"github.com/birdwire/birdwire/messages"
)

// judging is how far the machine's questions are with the Judge.
//
//	open --a place is free--> asked --verdict--> offered --read in the log--> closed
//	 ^                          |
//	 +--- failed, or unheard ---+   three times, and then it is left alone
//
// The machine alone decides when a question is closed, by the log; what is known
// here of one that is closed is forgotten. A restart asks again: the verdicts on a
// question have one id, so one of them is in the log, and all newsdesks take that.
type judging struct {
	cases  map[uint64]*judgement     // by the question's position; as many as the machine has
	trials map[uint64]actors.Instant // by number: what the Judge has, and until when it is waited for; at most judgesMost
	trial  uint64                    // number of the newest
}

// judgement is one question's.
type judgement struct {
	article uint64
	tries   int
	next    actors.Instant  // nothing is done before
	verdict *messages.Event // what was said; nil: nothing yet
}

const (
	judgesMost   = 4
	judgeTries   = 3
	judgeTimeout = 30 * time.Second
	judgeWait    = judgeTimeout + 10*time.Second // a worker that is never heard of
	judgeAgain   = 5 * time.Second               // after a failure; doubled by each
	verdictAgain = 10 * time.Second              // if the log does not show it
)

// judged is a worker's answer.
type judged struct {
	by           *newsdesk
	question     uint64 // its position
	trial        uint64
	significance string
	model        string
	err          error
}

// judge asks about what is open, and offers again what the log does not show. It
// waits until all of the log was taken: the answer may be there.
func (d *newsdesk) judge(ctx actor.Context) {
	if d.cfg.Judge == nil || !d.begun || !d.live() || !d.cfg.Lease.Live() {
		return
	}
	now := d.cfg.Clock.Elapsed()
	for trial, until := range d.trials {
		if now >= until {
			delete(d.trials, trial)
		}
	}
	d.attend(d.desk.Questions())
	for _, q := range d.desk.Questions() {
		j := d.cases[q.GetPosition()]
		switch {
		case now < j.next:
		case j.verdict != nil:
			j.next = now + verdictAgain
			ctx.Send(d.cfg.Journal, &messages.Offer{Events: []*messages.Event{j.verdict}})
		case j.tries < judgeTries && len(d.trials) < judgesMost:
			d.ask(ctx, q, j)
		}
	}
}

// attend has a case of every question, and of nothing else.
func (g *judging) attend(questions []*messages.DeskQuestion) {
	cases := make(map[uint64]*judgement, len(questions))
	for _, q := range questions {
		p := q.GetPosition()
		if cases[p] = g.cases[p]; cases[p] == nil {
			cases[p] = &judgement{article: q.GetQuestion().GetArticle()}
		}
	}
	g.cases = cases
}

// ask has a worker ask the Judge.
func (d *newsdesk) ask(ctx actor.Context, q *messages.DeskQuestion, j *judgement) {
	d.trial++
	trial, judge := d.trial, d.cfg.Judge
	j.tries++
	j.next = d.cfg.Clock.Elapsed() + judgeWait
	d.trials[trial] = j.next
	actors.Work(d.cfg.Clock, d.cfg.Judging, ctx.Self(), d, judgeTimeout, func(work context.Context) (answer any) {
		m := &judged{by: d, question: q.GetPosition(), trial: trial}
		defer func() {
			if r := recover(); r != nil { // one question's matter
				m.err = fmt.Errorf("panicked: %v", r)
				answer = m
			}
		}()
		m.significance, m.model, m.err = judge.Judge(work, q.GetQuestion())
		return m
	})
}

// judged takes what was said, or tries again later.
func (d *newsdesk) judged(ctx actor.Context, m *judged) {
	if m.by != d {
		return
	}
	delete(d.trials, m.trial)
	j := d.cases[m.question]
	switch {
	case j == nil || j.verdict != nil:
		// Closed meanwhile, or it was asked twice.
	case m.err != nil:
		j.next = d.cfg.Clock.Elapsed() + judgeAgain<<(j.tries-1)
		d.cfg.Logger.Debug("whether an article is a development is not known", "article", j.article, "try", j.tries, "error", m.err)
	default:
		j.next = 0
		j.verdict = &messages.Event{
			Id: fmt.Sprintf("%s:verdict:%d", desk.Source, m.question), Source: desk.Source, DetectedMs: d.cfg.Clock.Now().UnixMilli(),
			Body: &messages.Event_StoryVerdict{StoryVerdict: &messages.StoryVerdict{
				Question: m.question, Article: j.article, Significance: m.significance, Model: m.model,
			}},
		}
	}
	d.judge(ctx)
}
