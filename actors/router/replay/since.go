package replay

import (
	"context"
	"errors"
	"io"

	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/messages"
)

// sinceFrames is how many frames Since reads at most: what a second reads.
const sinceFrames = 4096

// Since counts what the queries match after from (posts) and the events after it
// that are no posts (others), to the log's end. Repeats count too, so that the
// figures are never too small. whole is false where it has not counted
// everything: at most of either were found, a gap was met, or the log after from
// is longer than what a second reads.
func Since(ctx context.Context, log Log, queries []*messages.Query, from messages.Position, most int64) (posts, others int64, whole bool, err error) {
	first, last, err := log.Bounds(ctx)
	if err != nil || last < first {
		return 0, 0, err == nil, err
	}
	if from.Sequence() < first-1 || last-min(last, from.Sequence()) > sinceFrames {
		return 0, 0, false, nil
	}
	request := follow.Request{
		Queries: queries, After: follow.End(from), VoidsSince: from, Through: messages.EndOf(last), Frames: 256, Found: 1 << 20,
	}
	for request.From() < request.Through && posts < most && len(queries) > 0 {
		result, err := Run(ctx, log, nil, request)
		if err != nil {
			return 0, 0, false, err
		}
		posts += int64(len(result.Deliveries))
		request.After = follow.End(result.Through)
	}
	others, gap, err := othersSince(ctx, log, from, most)
	return posts, others, err == nil && !gap && posts < most && others < most, err
}

// othersSince counts the events that are no posts.
func othersSince(ctx context.Context, log Log, from messages.Position, most int64) (others int64, gap bool, err error) {
	frames, err := log.Read(ctx, max(from.Sequence(), 1))
	if err != nil {
		return 0, false, err
	}
	defer frames.Close()
	for others < most {
		entry, err := frames.Next(ctx)
		if errors.Is(err, io.EOF) {
			return others, gap, nil
		}
		if err != nil {
			return others, gap, err
		}
		gap = gap || entry.Frame == nil
		for i, e := range entry.Frame.GetEvents() {
			if e.GetPost() == nil && messages.At(entry.Sequence, i) > from {
				others++
			}
		}
	}
	return others, gap, nil
}
