package upstreams

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// A feed is deleted with its record; its address's claim and its source's mark
// go after it. Whoever dies or loses the store between the two leaves records
// that nobody asks for any more. They are swept at each start, and after each
// deletion that left some.

// sweep deletes the marks, claims and tenures of feeds that there are none of any more.
// kept says which marks are those of other sources.
//
// What may be left over is read before the feeds are: a feed is made before its
// claim and its mark are, so what was there first and has no feed then never
// gets one. Each is deleted by its revision, and so only as it was read.
func (r registry) sweep(ctx context.Context, kept func(sourceID string) bool) (swept int, err error) {
	marks, err := r.records.List(ctx, actors.MarksPrefix)
	if err != nil {
		return 0, fmt.Errorf("list marks: %w", err)
	}
	tenures, err := r.records.List(ctx, actors.SingletonsPrefix)
	if err != nil {
		return 0, fmt.Errorf("list singletons: %w", err)
	}
	claims, err := r.records.List(ctx, actors.ClaimsPrefix)
	if err != nil {
		return 0, fmt.Errorf("list claims: %w", err)
	}
	feeds, err := r.list(ctx)
	if err != nil {
		return 0, err
	}
	made, held := map[string]record{}, map[tenure]bool{}
	for _, s := range feeds {
		id := s.feed.GetId()
		made[id] = s
		for _, url := range []string{s.feed.GetUrl(), s.feed.GetClaiming()} {
			held[tenure{claimRecord(url), id}] = url != ""
		}
	}
	var over []messages.KeptRecord
	for _, m := range marks {
		if id := strings.TrimPrefix(m.Key, actors.MarksPrefix); made[id].feed == nil && !kept(id) {
			over = append(over, m)
		}
	}
	for _, t := range tenures {
		if id, source := strings.CutPrefix(t.Key, actors.SingletonRecord(sourcePrefix)); source && made[id].feed == nil && !kept(id) {
			over = append(over, t)
		}
	}
	for _, c := range claims {
		if leftOver(c, made, held) {
			over = append(over, c)
		}
	}
	for _, o := range over {
		// In another's hands by now: that one sees to it.
		gone := unless(r.erase(ctx, o.Key, o.Revision, o.Damaged), messages.ErrNotFound, messages.ErrConflict)
		if gone == nil {
			swept++
			continue
		}
		err = errors.Join(err, fmt.Errorf("delete %s: %w", o.Key, gone))
	}
	return swept, err
}

// sourcePrefix begins the names of sources among singletons.
const sourcePrefix = "source-"

// SingletonName is a source's name among singletons.
func SingletonName(sourceID string) string { return sourcePrefix + sourceID }

// tenure is that a feed has an address, or is claiming it.
type tenure struct{ claim, feed string }

// leftOver: a claim counts if the feed that it names has that address or is
// claiming it. What a damaged feed has is not known, so its claim stays.
func leftOver(c messages.KeptRecord, made map[string]record, held map[tenure]bool) bool {
	claim := new(messages.Claim)
	if c.Unread() != nil || proto.Unmarshal(c.Data, claim) != nil {
		return false // whoever wants the address writes it
	}
	named, ok := made[claim.GetFeedId()]
	return !ok || named.damaged == nil && !held[tenure{c.Key, claim.GetFeedId()}]
}

// sweepFeeds is a request of the actor's own: it waits its turn as changes do.
type sweepFeeds struct{}

type sweepTime struct{ of *upstreams }

// sweep has the leftovers deleted after what is under way.
func (u *upstreams) sweep(ctx actor.Context) {
	for _, r := range u.queue {
		if _, ok := r.message.(sweepFeeds); ok {
			return
		}
	}
	u.queue = append(u.queue, &request{message: sweepFeeds{}}) // one more than cfg.QueueMost
	u.next(ctx)
}

// keptMark says whether the mark is that of a source without a feed's record.
func (u *upstreams) keptMark() func(sourceID string) bool {
	others := map[string]bool{}
	for _, o := range u.cfg.Others {
		others[o.ID] = true
	}
	for _, id := range u.cfg.Absent {
		others[id] = true
	}
	return func(sourceID string) bool { return others[sourceID] }
}

// swept tries again what failed.
func (u *upstreams) swept(ctx actor.Context, n int, err error) {
	if n > 0 {
		u.cfg.Logger.Info("records that deleted feeds had left are deleted", "records", n)
	}
	if err != nil {
		wait := u.sweepPause.Next(u.cfg.Clock.Elapsed())
		u.cfg.Logger.Warn("records that deleted feeds have left cannot be deleted; it is tried again", "in", wait, "error", err)
		u.sweepLater = u.cfg.Clock.After(wait, ctx.Self(), &sweepTime{u})
	}
}
