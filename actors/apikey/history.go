package apikey

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/apikey/history"
	"github.com/birdwire/birdwire/messages"
)

// The record of deliveries is history's; the key has it read the log.

const (
	// historyRetry is how long a question waits where the pool is full.
	historyRetry = 50 * time.Millisecond
	// pageBytes bounds the events of one page; past it the asker is told to ask
	// for fewer. They are read so many at a time, to notice before it is passed
	// by much.
	pageBytes   = 16 << 20
	pagePortion = 64
)

type (
	// remembered is a worker's word on what is older.
	remembered struct {
		of    *key
		found []history.Found
		err   error
	}
	// pageRead is a worker's answer.
	pageRead struct {
		of       *key
		question uint64
		events   []*messages.Event
		err      error
	}
	// historyTime is for a question, or for a reading that had no room.
	historyTime struct {
		of       *key
		question uint64
		again    history.Output // nil: the question has waited too long
	}
	// questionTimer and roomTimer name the two.
	questionTimer struct{ question uint64 }
	roomTimer     struct{ question uint64 } // 0: what is older
)

func (k *key) listDeliveries(ctx actor.Context, m *messages.ListDeliveries) {
	want := history.Selection{
		Author: m.GetAuthor(), Status: m.GetStatus(), Kind: m.GetKind(), Oldest: m.GetOldest(),
		Offset: max(int(m.GetOffset()), 0), Limit: int(m.GetLimit()),
	}
	if id := m.GetMonitorId(); id != "" {
		e := k.changes.Set.ByID(id)
		if e == nil {
			k.respond(ctx, rejected(messages.Rejection_REJECTION_NOT_FOUND, "id", "there is no such monitor or filter rule"))
			return
		}
		want.K = e.K()
	}
	if ctx.Sender() != nil {
		k.record(ctx, k.history.Ask(want, ctx.Sender()))
	}
}

// record does what the record of deliveries says.
func (k *key) record(ctx actor.Context, out []history.Output) {
	for _, o := range out {
		switch o := o.(type) {
		case history.Answer:
			k.timers.Cancel(questionTimer{o.Question})
			ctx.Send(o.To.(*actor.PID), o.Message)
		case history.Wait:
			within := k.cfg.HistoryTimeout + k.cfg.AnswerWithin // the reading's own end is known a while after it
			k.timers.Set(questionTimer{o.Question}, within, k.self, &historyTime{of: k, question: o.Question})
		default:
			k.readLog(ctx, o)
		}
	}
}

// readLog begins a reading. Where there is no room for it now it begins later,
// if somebody waits for it still.
func (k *key) readLog(ctx actor.Context, o history.Output) {
	var work func(context.Context) any
	question := uint64(0)
	switch o := o.(type) {
	case history.Find:
		source, queries, most := k.cfg.History, k.changes.Set.Queries(0, 0), k.cfg.LogMost
		work = func(work context.Context) any {
			r := &remembered{of: k}
			r.found, r.err = source.Newest(work, queries, most)
			return r
		}
	case history.Read:
		log := k.cfg.Events
		question = o.Question
		work = func(work context.Context) any {
			p := &pageRead{of: k, question: o.Question}
			p.events, p.err = readPage(work, log, o.Positions)
			return p
		}
	}
	if !k.cfg.Reader.Do(k.self, k.cfg.HistoryTimeout, work) {
		k.timers.Set(roomTimer{question}, historyRetry, k.self, &historyTime{of: k, question: question, again: o})
	}
}

// heavyError: the page's events are more than may be read at once.
type heavyError struct{ bytes int }

func (e *heavyError) Error() string {
	return fmt.Sprintf("the posts of this page are larger than %d MiB: ask for fewer deliveries at a time", e.bytes>>20)
}

// readPage reads the events at the positions, nil where one is gone. Without a
// log all of them are.
func readPage(ctx context.Context, log Events, positions []messages.Position) ([]*messages.Event, error) {
	if log == nil {
		return make([]*messages.Event, len(positions)), nil
	}
	events, bytes := make([]*messages.Event, 0, len(positions)), 0
	for some := range slices.Chunk(positions, pagePortion) {
		read, err := log.Events(ctx, some)
		if err != nil {
			return nil, err
		}
		if len(read) != len(some) {
			return nil, fmt.Errorf("read events: %d positions were answered by %d events", len(some), len(read))
		}
		for _, e := range read {
			bytes += proto.Size(e)
		}
		if bytes > pageBytes {
			return nil, &heavyError{pageBytes}
		}
		events = append(events, read...)
	}
	return events, nil
}

// logged takes what the log and timers have to say to the record.
func (k *key) logged(ctx actor.Context, message any) {
	switch m := message.(type) {
	case *remembered:
		if m.of == k {
			k.remembered(ctx, m)
		}
	case *pageRead:
		if m.of == k {
			k.pageRead(ctx, m)
		}
	case *historyTime:
		if m.of == k {
			k.historyDue(ctx, m)
		}
	}
}

func (k *key) remembered(ctx actor.Context, r *remembered) {
	if r.err != nil {
		k.log.Warn("the record of deliveries could not be read from the log; it is read again when it is asked for", "error", r.err)
	}
	found := slices.DeleteFunc(r.found, func(f history.Found) bool { return k.parts.byK[f.K] == nil }) // deleted meanwhile
	k.record(ctx, k.history.Found(found, r.err))
}

func (k *key) pageRead(ctx actor.Context, p *pageRead) {
	var refusal *messages.Rejected
	var heavy *heavyError
	switch {
	case errors.As(p.err, &heavy):
		refusal = rejected(messages.Rejection_REJECTION_INVALID, "limit", heavy.Error())
	case p.err != nil:
		k.log.Warn("the events of a page of deliveries could not be read from the log", "error", p.err)
		refusal = history.Unread()
	}
	k.record(ctx, k.history.Events(p.question, p.events, refusal))
}

func (k *key) historyDue(ctx actor.Context, t *historyTime) {
	switch {
	case t.again == nil:
		k.record(ctx, k.history.Silent(t.question))
	case t.question != 0 && !k.history.Waits(t.question): // nobody wants it any more
	case t.question == 0 && !k.history.Sought():
		k.record(ctx, k.history.Found(nil, errNoRoom))
	default:
		k.readLog(ctx, t.again)
	}
}

var errNoRoom = errors.New("too much is being read")
