package assembly

import (
	"context"

	"github.com/birdwire/birdwire/actors/apikey"
	"github.com/birdwire/birdwire/actors/apikey/history"
	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/actors/router/replay"
	"github.com/birdwire/birdwire/messages"
)

// bounds are the log's as keys take them.
type bounds struct{ log Log }

var (
	_ apikey.Log    = bounds{}
	_ apikey.Events = Log{}
)

func (b bounds) Bounds(ctx context.Context) (first, last messages.Position, err error) {
	from, to, err := b.log.Bounds(ctx)
	return messages.At(from, 0), messages.EndOf(to), err
}

// spent finds in the log what credits can have been spent on.
type spent struct{ log Log }

var _ apikey.Spent = spent{}

func (s spent) Since(ctx context.Context, queries []*messages.Query, from messages.Position, most int64) (posts, others int64, whole bool, err error) {
	return replay.Since(ctx, s.log, queries, from, most)
}

// historyFrames is how far back the record of deliveries is looked for after a
// key's actor starts: what a few seconds read.
const historyFrames = 4096

// older finds in the log what a key's queries have matched.
type older struct{ log Log }

var _ apikey.History = older{}

func (h older) Newest(ctx context.Context, queries []*messages.Query, most int) ([]history.Found, error) {
	first, last, err := h.log.Bounds(ctx)
	if err != nil || last < first {
		return nil, err
	}
	request := follow.Request{Queries: queries, Through: messages.EndOf(last), Frames: 256, Found: 1 << 20}
	if last > historyFrames && last-historyFrames > first {
		request.After = follow.End(messages.EndOf(last - historyFrames))
	}
	// Repeats before this stretch are taken for new ones: a record that shows
	// one post twice is worth less than the window that would have to be read.
	request.VoidsSince = request.From()
	newest := newestOf{most: most, byQuery: map[uint32]int{}}
	for request.From() < request.Through {
		result, err := replay.Run(ctx, h.log, nil, request)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			return nil, err
		}
		newest.add(result.Deliveries)
		request.After = follow.End(result.Through)
	}
	return newest.list(), nil
}

// newestOf keeps so many of each query, in log order, and none of their events.
type newestOf struct {
	most    int
	byQuery map[uint32]int
	all     []history.Found
}

func (n *newestOf) add(ds []*messages.Delivery) {
	for _, d := range ds {
		at := messages.Position(d.GetPosition())
		entry := history.NewEntry(at, d.GetEvent(), d.GetOrigin(), d.GetEvent().GetDetectedMs(), history.Unknown)
		n.all = append(n.all, history.Found{K: d.GetK(), Entry: entry})
		n.byQuery[d.GetK()]++
	}
	if len(n.all) > 2*n.most*max(1, len(n.byQuery)) {
		n.all = n.list()
	}
}

// list drops the oldest of each query past the bound.
func (n *newestOf) list() (kept []history.Found) {
	for _, d := range n.all {
		if n.byQuery[d.K] > n.most {
			n.byQuery[d.K]--
			continue
		}
		kept = append(kept, d)
	}
	return kept
}
