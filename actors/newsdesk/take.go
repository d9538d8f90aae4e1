package newsdesk

import (
	"context"
	"fmt"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/actors/engine/gauge"
	"github.com/birdwire/birdwire/messages"
)

// This file is how the newsdesk reads the log: the shell of a follower.

// queue holds events that wait for the machine. Bounds: Config.QueueMost and
// QueueBytes; past them the newsdesk forgets what waits and reads it from the
// log, as a follower that begins at the machine's place.
type queue struct {
	waiting []*messages.Delivery
	bytes   int
}

func (q *queue) empty() bool { return len(q.waiting) == 0 }

func (q *queue) push(ds []*messages.Delivery) {
	q.waiting = append(q.waiting, ds...)
	for _, d := range ds {
		q.bytes += proto.Size(d.GetEvent())
	}
}

func (q *queue) pop() *messages.Delivery {
	d := q.waiting[0]
	q.waiting[0] = nil
	q.waiting = q.waiting[1:]
	q.bytes -= proto.Size(d.GetEvent())
	return d
}

var everything = &follow.Subscription{Query: &messages.Query{Want: &messages.Query_Newsdesk{Newsdesk: &messages.NewsdeskQuery{}}}}

// follow begins to read after the machine's place.
func (d *newsdesk) follow(ctx actor.Context) {
	d.queue, d.reached = queue{}, 0
	d.follower = follow.New(&d.cfg.Follow, follow.End(d.desk.Place()))
	d.step(ctx, follow.Subscribe{Subscription: everything})
}

// step tells the follower what has happened, and does what it says.
func (d *newsdesk) step(ctx actor.Context, in any) {
	d.do(ctx, d.follower.Step(in))
	d.goOn(ctx)
}

func (d *newsdesk) do(ctx actor.Context, out []follow.Output) {
	for _, o := range out {
		switch o := o.(type) {
		case follow.Deliver:
			d.queue.push(o.Deliveries)
		case follow.Reached:
			d.reached = o.Position
		case follow.Trimmed:
			d.cfg.Logger.Error("the newsdesk was away for longer than the log holds; articles are missing from stories", "until", o.First)
			d.desk.Skip(o.First - 1)
			d.follow(ctx)
			return
		case follow.Lost:
			d.cfg.Logger.Error("a part of the log is lost; its articles are in no story", "from", o.Lost.From, "to", o.Lost.To)
		case follow.Over:
			d.cfg.Logger.Error("the newsdesk lost the log's end; it reads on from where it is", "reason", o.Detail)
			d.follow(ctx)
			return
		case follow.ReadLog:
			d.readLog(ctx, o)
		case follow.Wait:
			d.timers.Cancel(fired{})
			if o.For > 0 {
				d.timers.Set(fired{}, o.For, ctx.Self(), &fired{o.Timer})
			}
		default:
			if q := follow.RouterQuestion(o, ctx.Self().GetId(), actors.RefOf(ctx.Self())); q != nil {
				ctx.Request(d.cfg.Router, q)
			}
		}
	}
}

// read is a worker's answer.
type read struct {
	by      *newsdesk
	reading uint64
	result  follow.Result
	err     error
}

func (d *newsdesk) readLog(ctx actor.Context, o follow.ReadLog) {
	replays := d.cfg.Replays
	actors.Work(d.cfg.Clock, d.cfg.Worker, ctx.Self(), d, replayTimeout, func(work context.Context) any {
		result, err := replays.Replay(work, o.Request)
		return &read{d, o.Reading, result, err}
	})
}

func (d *newsdesk) read(ctx actor.Context, m *read) {
	if m.by != d {
		return
	}
	d.step(ctx, follow.Outcome(m.reading, m.result, m.err))
}

// take queues what came live.
func (d *newsdesk) take(ctx actor.Context, ds []*messages.Delivery) {
	d.queue.push(ds)
	d.goOn(ctx)
	if len(d.queue.waiting) > d.cfg.QueueMost || d.queue.bytes > d.cfg.QueueBytes {
		d.cfg.Logger.Warn("articles come faster than the newsdesk takes them; it reads them from the log", "waiting", len(d.queue.waiting))
		d.do(ctx, d.follower.Quit())
		d.follow(ctx)
		return
	}
	d.cfg.Follow.Queues.Grown(gauge.Queue{
		Name: "newsdesk: events that wait to be taken", Items: len(d.queue.waiting), Bytes: d.queue.bytes, MostItems: d.cfg.QueueMost, MostBytes: d.cfg.QueueBytes,
	})
}

// goOn takes what waits, one turn after the other, for as long as nothing else
// is to be done first.
func (d *newsdesk) goOn(ctx actor.Context) {
	for d.state == following && !d.desk.Busy() {
		switch {
		case d.due():
			d.save(ctx)
		case len(d.unsaid()) > d.cfg.UnsaidMost && d.begun:
			d.offer(ctx)
			return
		case !d.queue.empty():
			d.turn(ctx, d.queue.pop())
		case d.follower.Waits():
			d.rested()
			d.do(ctx, d.follower.Step(follow.Taken{}))
		default:
			d.rested()
			d.offer(ctx)
			d.judge(ctx)
			return
		}
	}
}

// rested: what came was taken.
func (d *newsdesk) rested() {
	if d.follower.Live() {
		d.current = d.cfg.Clock.Elapsed()
	}
	d.desk.Skip(d.reached)
	d.desk.Current(d.follower.Live())
	if d.follower.Live() && !d.begun {
		d.begun = true
		d.desk.Begin()
		live, _ := d.desk.Live()
		d.cfg.Logger.Info("the newsdesk follows the log", "position", d.desk.Place(), "stories", live, "unsaid", len(d.desk.Pending()))
	}
}

// turn takes one event.
func (d *newsdesk) turn(ctx actor.Context, m *messages.Delivery) {
	p, s := messages.Position(m.GetPosition()), d.cfg.State
	if p <= d.desk.Place() {
		return
	}
	if p == s.skipped {
		d.cfg.Logger.Error("an event is left out: the newsdesk failed at it again and again", "position", p, "event", m.GetEvent().GetId())
		d.desk.Skip(p)
		return
	}
	if s.taking != p {
		if s.failures > 0 && p < s.taking {
			// On the way to the one that failed.
		} else {
			s.taking, s.failures = p, 0
		}
	}
	d.taken++
	d.desk.Take(p, m.GetEvent())
	d.tell(ctx)
}

// tell tells the stories the present step.
func (d *newsdesk) tell(ctx actor.Context) {
	d.asked = 0
	d.sendTells(ctx)
	if !d.desk.Busy() {
		d.turned()
	}
}

// turned: the turn is over.
func (d *newsdesk) turned() {
	d.timers.Cancel(tellTime{})
	if s := d.cfg.State; s.taking <= d.desk.Place() {
		s.taking, s.failures = 0, 0
	}
}

func (d *newsdesk) sendTells(ctx actor.Context) {
	tells := d.desk.Tells()
	if len(tells) == 0 {
		return
	}
	d.timers.Set(tellTime{}, tellAgain, ctx.Self(), &tellTime{})
	for _, t := range tells {
		if d.desk.Waits(t.GetStory()) {
			ctx.Request(d.story(ctx, t.GetStory()), t)
		}
	}
}

// tellAgain asks once more those who have not answered. Who still does not has
// failed in a way that nobody was told of.
func (d *newsdesk) tellAgain(ctx actor.Context) {
	if d.asked++; d.asked > tellsMost {
		panic("newsdesk: a story does not answer")
	}
	d.sendTells(ctx)
}

// story is the story's actor, started where it has none.
func (d *newsdesk) story(ctx actor.Context, id uint64) *actor.PID {
	if pid := d.stories[id]; pid != nil {
		return pid
	}
	d.spawned++
	pid, err := ctx.SpawnNamed(d.cfg.Story, storyName(id, d.spawned))
	if err != nil {
		panic("newsdesk: start a story: " + err.Error())
	}
	d.stories[id] = pid
	return pid
}

// told takes a story's answer.
func (d *newsdesk) told(ctx actor.Context, m *messages.StoryTold) {
	rests := d.desk.Rests(m)
	stepped := d.desk.Told(m)
	if pid := d.stories[m.GetStory()]; rests && pid != nil {
		delete(d.stories, m.GetStory())
		ctx.Stop(pid)
	}
	if !stepped {
		return
	}
	if d.desk.Busy() {
		d.tell(ctx)
		return
	}
	d.turned()
	d.written(ctx)
	d.goOn(ctx)
}

func storyName(id, n uint64) string { return fmt.Sprintf("story-%d-%d", id, n) }
