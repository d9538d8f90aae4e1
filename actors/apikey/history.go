package apikey

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey/history"
	"github.com/birdwire/birdwire/messages"
)

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
		of    *record
		found []history.Found
		err   error
	}
	// pageRead is a worker's answer.
	pageRead struct {
		of       *record
		question uint64
		events   []*messages.Event
		err      error
	}
	// historyTime is for a question, or for a reading that had no room.
	historyTime struct {
		of       *record
		question uint64
		again    history.Output // nil: the question has waited too long
	}
	// questionTimer and roomTimer name the two.
	questionTimer struct{ question uint64 }
	roomTimer     struct{ question uint64 } // 0: what is older
)

// record is the key's record of deliveries with its way to the log and to those
// who ask. Its messages name it, and so the instance of the key.
type record struct {
	*history.History
	cfg     *Config
	log     *slog.Logger
	timers  *actors.Timers
	queries func() []*messages.Query // that what is older is found by
	has     func(k uint32) bool      // there is such a monitor or rule
}

func newRecord(k *key) *record {
	return &record{
		History: history.New(k.cfg.LogMost, k.cfg.History != nil), cfg: &k.cfg, log: k.log, timers: &k.timers,
		queries: func() []*messages.Query { return k.changes.Set.Queries(0, 0) },
		has:     func(number uint32) bool { return k.parts.byK[number] != nil },
	}
}

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
		k.record.do(ctx, k.record.Ask(want, ctx.Sender()))
	}
}

// do does what the history says.
func (r *record) do(ctx actor.Context, out []history.Output) {
	for _, o := range out {
		switch o := o.(type) {
		case history.Answer:
			r.timers.Cancel(questionTimer{o.Question})
			ctx.Send(o.To.(*actor.PID), o.Message)
		case history.Wait:
			within := r.cfg.HistoryTimeout + r.cfg.AnswerWithin // the reading's own end is known a while after it
			r.timers.Set(questionTimer{o.Question}, within, ctx.Self(), &historyTime{of: r, question: o.Question})
		default:
			r.read(ctx, o)
		}
	}
}

// read begins a reading. Where there is no room for it now it begins later, if
// somebody waits for it still.
func (r *record) read(ctx actor.Context, o history.Output) {
	var work func(context.Context) any
	question := uint64(0)
	switch o := o.(type) {
	case history.Find:
		source, queries, most := r.cfg.History, r.queries(), r.cfg.LogMost
		work = func(work context.Context) any {
			m := &remembered{of: r}
			m.found, m.err = source.Newest(work, queries, most)
			return m
		}
	case history.Read:
		log := r.cfg.Events
		question = o.Question
		work = func(work context.Context) any {
			m := &pageRead{of: r, question: o.Question}
			m.events, m.err = readPage(work, log, o.Positions)
			return m
		}
	}
	if !r.cfg.Reader.Do(ctx.Self(), r.cfg.HistoryTimeout, work) {
		r.timers.Set(roomTimer{question}, historyRetry, ctx.Self(), &historyTime{of: r, question: question, again: o})
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

// receive takes what the log and timers have to say.
func (r *record) receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *remembered:
		if m.of == r {
			r.remembered(ctx, m)
		}
	case *pageRead:
		if m.of == r {
			r.pageRead(ctx, m)
		}
	case *historyTime:
		if m.of == r {
			r.due(ctx, m)
		}
	}
}

func (r *record) remembered(ctx actor.Context, m *remembered) {
	if m.err != nil {
		r.log.Warn("the record of deliveries could not be read from the log; it is read again when it is asked for", "error", m.err)
	}
	found := slices.DeleteFunc(m.found, func(f history.Found) bool { return !r.has(f.K) }) // deleted since
	r.do(ctx, r.Found(found, m.err))
}

func (r *record) pageRead(ctx actor.Context, m *pageRead) {
	var refusal *messages.Rejected
	var heavy *heavyError
	switch {
	case errors.As(m.err, &heavy):
		refusal = rejected(messages.Rejection_REJECTION_INVALID, "limit", heavy.Error())
	case m.err != nil:
		r.log.Warn("the events of a page of deliveries could not be read from the log", "error", m.err)
		refusal = history.Unread()
	}
	r.do(ctx, r.Events(m.question, m.events, refusal))
}

func (r *record) due(ctx actor.Context, t *historyTime) {
	switch {
	case t.again == nil:
		r.do(ctx, r.Silent(t.question))
	case t.question != 0 && !r.Waits(t.question): // nobody wants it any more
	case t.question == 0 && !r.Sought():
		r.do(ctx, r.Found(nil, errNoRoom))
	default:
		r.read(ctx, t.again)
	}
}

var errNoRoom = errors.New("too much is being read")
