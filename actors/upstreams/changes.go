package upstreams

import (
	"context"
	"errors"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// take does the request now, or when those before it are done.
func (u *upstreams) take(ctx actor.Context, r *request) {
	if len(u.queue) >= u.cfg.QueueMost {
		u.answer(ctx, r, &messages.Rejected{Rejection: messages.Rejection_REJECTION_UNAVAILABLE, Detail: "too many changes of feeds are under way: try again"})
		return
	}
	u.queue = append(u.queue, r)
	u.next(ctx)
}

func (u *upstreams) next(ctx actor.Context) {
	if !u.loaded || u.now != nil || len(u.queue) == 0 {
		return
	}
	u.now, u.queue = u.queue[0], u.queue[1:]
	if m, ok := u.now.message.(*messages.DeleteFeed); ok && u.sources.endFeed(ctx, m.GetId()) {
		return // the record is deleted once nobody can write the source's mark any more
	}
	u.work(ctx)
}

// work does what needs the store.
func (u *upstreams) work(ctx actor.Context) {
	r, registry, kept := u.now, u.registry, u.keptMark()
	began := u.cfg.Worker.Do(ctx.Self(), u.cfg.StoreTimeout, func(c context.Context) any {
		d := &workDone{of: u, request: r}
		var s record
		switch m := r.message.(type) {
		case sweepFeeds:
			d.swept, d.err = registry.sweep(c, kept)
		case refreshFeeds:
			d.records, d.err = registry.list(c)
			return d
		case *messages.ListFeeds:
			d.records, d.err = registry.list(c)
			return d
		case *messages.GetFeed:
			s, d.err = registry.get(c, m.GetId())
		case *messages.CreateFeed:
			s, d.err = registry.create(c, m.GetFeed())
		case *messages.UpdateFeed:
			s, d.err = registry.update(c, m.GetFeed(), m.GetRevision())
		case *messages.DeleteFeed:
			d.left, d.err = registry.remove(c, m.GetId())
		}
		d.records = []record{s}
		return d
	})
	if !began {
		u.later(ctx, workRetry, &workTime{u})
	}
}

// workDone follows the change and answers.
func (u *upstreams) workDone(ctx actor.Context, d *workDone) {
	r := u.now
	u.now = nil
	defer u.next(ctx)
	if _, ok := r.message.(sweepFeeds); ok {
		u.swept(ctx, d.swept, d.err)
		return
	}
	if _, ok := r.message.(refreshFeeds); ok {
		u.refreshed(ctx, d.records, d.err)
		return
	}
	if d.err != nil {
		u.failed(ctx, r, d.err)
		return
	}
	switch m := r.message.(type) {
	case *messages.DeleteFeed:
		u.sources.forget(m.GetId())
		u.cfg.Changed()
		u.answer(ctx, r, &messages.FeedDeleted{Id: m.GetId()})
		if d.left != nil {
			u.cfg.Logger.Warn("a feed is deleted; records of it are left and deleted later", "feed", m.GetId(), "error", d.left)
			u.sweep(ctx)
		}
	case *messages.CreateFeed, *messages.UpdateFeed:
		s := d.records[0]
		u.startFeed(ctx, s)
		u.cfg.Changed()
		u.answer(ctx, r, &messages.FeedShown{Feed: s.feed, Revision: s.revision})
	case *messages.GetFeed:
		if !d.records[0].made() {
			u.failed(ctx, r, messages.ErrNotFound)
			return
		}
		u.listFeeds(ctx, r, d.records)
	case *messages.ListFeeds:
		u.listFeeds(ctx, r, d.records)
	}
}

func (u *upstreams) failed(ctx actor.Context, r *request, err error) {
	if m, ok := r.message.(*messages.DeleteFeed); ok {
		if errors.Is(err, messages.ErrNotFound) {
			u.sources.forget(m.GetId())
		} else {
			u.sources.again(ctx, m.GetId()) // it was ended for this
		}
	}
	rejected := &messages.Rejected{Rejection: messages.Rejection_REJECTION_UNAVAILABLE, Detail: err.Error()}
	var taken *takenError
	switch {
	case errors.As(err, &taken):
		rejected.Rejection, rejected.Field, rejected.Detail = messages.Rejection_REJECTION_CONFLICT, "url", taken.Error()
	case errors.Is(err, messages.ErrNotFound):
		rejected.Rejection = messages.Rejection_REJECTION_NOT_FOUND
	case errors.Is(err, messages.ErrFull):
		rejected.Detail = actors.StoreDetail(err)
	case errors.Is(err, messages.ErrConflict):
		rejected.Rejection = messages.Rejection_REJECTION_CONFLICT
	}
	u.answer(ctx, r, rejected)
}

func (u *upstreams) answer(ctx actor.Context, r *request, m proto.Message) {
	if r.sender != nil {
		ctx.Send(r.sender, m)
	}
}

// ended goes on with what waited for a source's end.
func (u *upstreams) ended(ctx actor.Context, pid *actor.PID) {
	id := u.sources.ended(ctx, pid)
	u.givenUp(ctx, id)
	if u.now == nil {
		u.sources.forget(id) // its feed was deleted by way of another node
		return
	}
	if m, ok := u.now.message.(*messages.DeleteFeed); ok && m.GetId() == id {
		u.work(ctx)
	}
}
