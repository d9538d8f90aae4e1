package apikey

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// operation is one change of what the key keeps. They run one after the other:
// tags stay unique and numbers grow without a lock. Each step asks somebody and
// goes on with the answer; an answer to an earlier step is told by its token.
type operation struct {
	sender *actor.PID // nil: nobody waits
	run    func(ctx actor.Context)

	token   uint64                              // of the question under way
	resume  func(ctx actor.Context, answer any) // nil answer: none came in time
	child   *actor.PID                          // that was asked, if one was
	refused any                                 // the answer when the queue is given up; nil: none
	cancel  func()                              // the question's timer
}

type (
	// written is a worker's answer.
	written struct {
		of       *key
		token    uint64
		revision uint64
		err      error
	}
	awaitOver struct {
		of    *key
		token uint64
	}
	childFailed struct {
		of    *key
		token uint64
	}
)

var (
	// errStale: another writer has written the record.
	errStale = errors.New("the record was written by another owner")
	// errChild: the child that was asked has failed.
	errChild = errors.New("the child failed")
)

// begin runs the operation now or behind those that wait. Past the bound it
// is refused.
func (k *key) begin(ctx actor.Context, sender *actor.PID, run func(ctx actor.Context)) {
	o := &operation{sender: sender, run: run}
	if sender != nil {
		o.refused = actors.Unavailable(ctx.Message(), detailStore)
	}
	if len(k.queue) >= k.cfg.QueueMost {
		if sender != nil {
			k.unavailable(ctx, detailBusy)
		}
		return
	}
	k.queue = append(k.queue, o)
	k.advance(ctx)
}

func (k *key) advance(ctx actor.Context) {
	for k.operation == nil && len(k.queue) > 0 {
		k.operation, k.queue = k.queue[0], k.queue[1:]
		k.operation.run(ctx)
	}
	if len(k.queue) == 0 {
		k.queue = nil
	}
}

// done ends the operation under way; answer nil answers nobody.
func (k *key) done(ctx actor.Context, answer any) {
	if answer != nil && k.operation.sender != nil {
		ctx.Send(k.operation.sender, answer)
	}
	k.operation = nil
	k.advance(ctx)
}

// await goes on with resume when the answer to the returned token comes.
func (k *key) await(ctx actor.Context, within time.Duration, resume func(ctx actor.Context, answer any)) (token uint64) {
	k.token++
	o := k.operation
	o.token, o.resume, o.child, o.cancel = k.token, resume, nil, func() {}
	if within > 0 {
		o.cancel = k.cfg.Clock.After(within, ctx.Self(), &awaitOver{k, k.token})
	}
	return k.token
}

// answered brings an answer to the step that awaits it.
func (k *key) answered(ctx actor.Context) {
	answer := ctx.Message()
	var token uint64
	switch m := answer.(type) {
	case *written:
		if m.of == k {
			token = m.token
		}
	case *loaded:
		if m.of == k {
			token = m.token
		}
	case *reloadTime:
		if m.of == k {
			token = m.token
		}
	case *awaitOver:
		if m.of == k {
			token, answer = m.token, nil
		}
	case *childFailed:
		if m.of == k {
			token, answer = m.token, errChild
		}
	case *messages.MonitorDrafted:
		token = m.GetId()
	case *messages.RuleDrafted:
		token = m.GetId()
	case *messages.QueriesPut:
		token = m.GetId()
	}
	o := k.operation
	if o == nil || token == 0 || token != o.token {
		return
	}
	o.cancel()
	o.token = 0
	o.resume(ctx, answer)
}

// put has the router take the queries, and goes on with the position from
// which they are decided on. It asks a silent router again, a few times.
func (k *key) put(ctx actor.Context, m *messages.PutQueries, next func(ctx actor.Context, position uint64, err error)) {
	k.tryPut(ctx, m, 5, next)
}

func (k *key) tryPut(ctx actor.Context, m *messages.PutQueries, tries int, next func(ctx actor.Context, position uint64, err error)) {
	asked := proto.Clone(m).(*messages.PutQueries) // every try is a message of its own
	asked.KeyId, asked.Term = k.id, k.stream.Term()
	asked.Id = k.await(ctx, k.cfg.AnswerWithin, func(ctx actor.Context, answer any) {
		put, ok := answer.(*messages.QueriesPut)
		switch {
		case !ok && tries > 1:
			k.tryPut(ctx, m, tries-1, next)
		case !ok:
			next(ctx, 0, errors.New(detailRouter))
		case len(put.GetRefused()) > 0:
			next(ctx, put.GetPosition(), &refusedError{put.GetRefused()[0].GetDetail()})
		default:
			next(ctx, put.GetPosition(), nil)
		}
	})
	k.tellRouter(ctx, asked)
}

// refusedError: the router does not take the query.
type refusedError struct{ why string }

func (e *refusedError) Error() string { return e.why }

// tellRouter sends in the shard's name: answers come the way that Matched
// comes, and so behind what was matched before them.
func (k *key) tellRouter(ctx actor.Context, message any) {
	ctx.RequestWithCustomSender(k.cfg.Router, message, ctx.Parent())
}

// write makes data the record's content, nil deletes it, and goes on when that
// is certain, or cannot be made so.
func (k *key) write(ctx actor.Context, name string, data []byte, revision uint64, next func(ctx actor.Context, revision uint64, err error)) {
	records := k.cfg.Records
	token := k.await(ctx, 0, func(ctx actor.Context, answer any) {
		w := answer.(*written)
		if w.err != nil {
			k.log.Warn("writing a record failed", "record", name, "error", w.err)
		}
		next(ctx, w.revision, w.err)
	})
	k.work(ctx, k.cfg.StoreTimeout, func(work context.Context) any {
		w := &written{of: k, token: token}
		w.revision, w.err = store(work, records, name, data, revision)
		return w
	})
}

// store asks three times: the same write either happens once, or meets its own
// earlier self.
func store(ctx context.Context, records actors.Records, name string, data []byte, revision uint64) (uint64, error) {
	err := actors.ErrAmbiguous
	for range 3 {
		var wrote uint64
		if data == nil {
			err = records.Delete(ctx, name, revision)
		} else {
			wrote, err = records.CAS(ctx, name, data, revision)
		}
		switch {
		case err == nil:
			return wrote, nil
		case errors.Is(err, actors.ErrFull):
			return 0, fmt.Errorf("write %s: %w", name, err)
		case errors.Is(err, actors.ErrConflict), errors.Is(err, actors.ErrNotFound):
			if wrote, err = own(ctx, records, name, data); err == nil || errors.Is(err, errStale) {
				return wrote, err
			}
		}
	}
	return 0, fmt.Errorf("write %s: %w: %w", name, actors.ErrAmbiguous, err)
}

// own finds out whether what stands is what was to be written.
func own(ctx context.Context, records actors.Records, name string, data []byte) (uint64, error) {
	stands, revision, err := records.Get(ctx, name)
	switch {
	case errors.Is(err, actors.ErrNotFound) && data == nil:
		return 0, nil
	case errors.Is(err, actors.ErrNotFound):
		return 0, errStale
	case err != nil:
		return 0, err
	case data != nil && bytes.Equal(stands, data):
		return revision, nil
	}
	return 0, errStale
}

// writeKey changes the key's own record.
func (k *key) writeKey(ctx actor.Context, change func(*messages.Key), next func(ctx actor.Context, err error)) {
	record := proto.Clone(k.record).(*messages.Key)
	record.LastUsedMs = max(record.GetLastUsedMs(), k.lastUsed)
	change(record)
	data, err := proto.Marshal(record)
	if err != nil {
		next(ctx, fmt.Errorf("encode key: %w", err))
		return
	}
	k.write(ctx, actors.KeyRecord(k.id), data, k.revision, func(ctx actor.Context, revision uint64, err error) {
		if err == nil {
			k.record, k.revision = record, revision
		}
		next(ctx, err)
	})
}

// doneUnknown ends an operation whose write failed. Unless it is certain that
// nothing was written, the records are read anew before the next one begins.
func (k *key) doneUnknown(ctx actor.Context, err error) {
	detail := detailStore
	if errors.Is(err, actors.ErrFull) {
		detail = "the disk is nearly full: nothing has changed"
	} else {
		k.cfg.Count("write_unknown")
		k.queue = append([]*operation{{run: k.reload}}, k.queue...)
	}
	k.done(ctx, &messages.Rejected{Rejection: messages.Rejection_REJECTION_UNAVAILABLE, Detail: detail})
}

// reload reads the records until that succeeds, and has the router hold what
// they say. Meanwhile those that wait behind it are refused.
func (k *key) reload(ctx actor.Context) {
	token := k.await(ctx, 0, func(ctx actor.Context, answer any) {
		l, ok := answer.(*loaded)
		switch {
		case !ok: // reloadTime
			k.reload(ctx)
		case l.err != nil:
			wait := k.failed()
			k.log.Warn("reading the key's records failed; they are read again", "in", wait, "error", l.err)
			k.refuseQueue(ctx)
			again := k.await(ctx, 0, func(ctx actor.Context, _ any) { k.reload(ctx) })
			k.cfg.Clock.After(wait, ctx.Self(), &reloadTime{of: k, token: again})
		default:
			k.backoff = 0
			k.take(ctx, l)
			k.openPurse(l)
			k.resync(ctx)
		}
	})
	k.load(ctx, &loaded{of: k, token: token})
}

func (k *key) refuseQueue(ctx actor.Context) {
	queue := k.queue
	k.queue = nil
	for _, o := range queue {
		if o.refused != nil {
			ctx.Send(o.sender, o.refused)
		}
	}
}

// resync has the router hold exactly what the records say. A query that it
// refuses is left out.
func (k *key) resync(ctx actor.Context) {
	if !k.live() {
		ctx.Send(k.cfg.Router, &messages.DropKey{KeyId: k.id, Term: k.stream.Term()})
		k.done(ctx, nil)
		return
	}
	k.put(ctx, &messages.PutQueries{Put: k.queries(), All: true}, func(ctx actor.Context, _ uint64, err error) {
		var refused *refusedError
		switch {
		case errors.As(err, &refused):
			k.log.Error("the router refused a query; it matches nothing", "error", err)
		case err != nil: // silent for ten seconds
			k.log.Warn("the router does not answer; it is asked again", "error", err)
			k.resync(ctx)
			return
		}
		k.done(ctx, nil)
	})
}
