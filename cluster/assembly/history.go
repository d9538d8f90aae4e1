package assembly

import (
	"context"
	"errors"
	"slices"

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

func (s spent) Spent(ctx context.Context, queries []*messages.Query, spenders []*messages.Spender, through messages.Position, most int64) (int64, error) {
	return replay.Spent(ctx, s.log, queries, spenders, through, most)
}

// historyFrames is how far back the record of deliveries is looked for after a
// key's actor starts: what a few seconds read. It is read from its end, in
// pieces: what there was no time for is the oldest.
const (
	historyFrames = 4096
	historyPiece  = 256
)

// older finds in the log what a key's queries have matched.
type older struct{ log Log }

var _ apikey.History = older{}

func (h older) Newest(ctx context.Context, queries []*messages.Query, most int) ([]history.Found, error) {
	first, last, err := h.log.Bounds(ctx)
	if err != nil || last < first {
		return nil, err
	}
	if first = max(first, 1); last >= first+historyFrames {
		first = last - historyFrames + 1
	}
	newest := newNewest(queries, most)
	for through := last; through >= first && newest.wanting > 0; {
		from := first
		if through >= first+historyPiece {
			from = through - historyPiece + 1
		}
		found, err := h.piece(ctx, queries, from, through)
		var trimmed *messages.TrimmedError
		if ctx.Err() != nil || errors.As(err, &trimmed) { // retention has taken the rest
			break
		}
		if err != nil {
			return nil, err
		}
		newest.add(found)
		through = from - 1
	}
	slices.Reverse(newest.all)
	return newest.all, nil
}

// piece reads some frames. Repeats of what comes before them are taken for new
// ones: a record that shows one post twice is worth less than the window that
// would have to be read.
func (h older) piece(ctx context.Context, queries []*messages.Query, from, through uint64) (found []*messages.Delivery, err error) {
	request := follow.Request{
		Queries: queries, After: follow.End(messages.EndOf(from - 1)), Through: messages.EndOf(through), Frames: historyPiece, Found: 1 << 20,
	}
	for request.From() < request.Through {
		request.VoidsSince = request.From()
		result, err := replay.Run(ctx, h.log, nil, request)
		if err != nil {
			return nil, err
		}
		found = append(found, result.Deliveries...)
		request.After = follow.End(result.Through)
	}
	return found, nil
}

// newest keeps so many of each query, and none of their events.
type newest struct {
	most    int
	counts  map[uint32]int
	wanting int             // queries that have fewer
	all     []history.Found // the newest first
}

func newNewest(queries []*messages.Query, most int) *newest {
	n := &newest{most: most, counts: map[uint32]int{}}
	for _, q := range queries {
		n.counts[q.GetK()] = 0
	}
	n.wanting = len(n.counts)
	return n
}

// add takes what is older than all before.
func (n *newest) add(ds []*messages.Delivery) {
	for _, d := range slices.Backward(ds) {
		if n.counts[d.GetK()] == n.most {
			continue
		}
		if n.counts[d.GetK()]++; n.counts[d.GetK()] == n.most {
			n.wanting--
		}
		entry := history.NewEntry(messages.Position(d.GetPosition()), d.GetEvent(), d.GetOrigin(), d.GetEvent().GetDetectedMs(), history.Unknown)
		n.all = append(n.all, history.Found{K: d.GetK(), Entry: entry})
	}
}
