package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/actors/engine/price"
	"github.com/birdwire/birdwire/messages"
)

// spentFrames is how many frames Spent reads at most: what a second reads.
const spentFrames = 4096

// Spent is the most that the spenders can have been charged for the events at
// or before through (0: the log's end): of posts, for each that one of the
// queries matches, of all others for each. Repeats count too, so that it is
// never too little. It is most where that is less, where the log does not hold
// all of them, and where they are more than what a second reads.
func Spent(ctx context.Context, log Log, queries []*messages.Query, spenders []*messages.Spender, through messages.Position, most int64) (int64, error) {
	if len(spenders) == 0 {
		return most, nil // who has spent is not known
	}
	first, last, err := log.Bounds(ctx)
	if err != nil {
		return 0, fmt.Errorf("read what was spent: bounds: %w", err)
	}
	t := tally{spenders: spenders, from: math.MaxUint64, through: messages.EndOf(last), most: most}
	for _, s := range spenders {
		t.from = min(t.from, messages.Position(s.GetAfter()))
	}
	if through > 0 {
		t.through = min(t.through, through)
	}
	switch {
	case t.from >= t.through:
		return 0, nil
	case max((t.from+1).Sequence(), 1) < first, t.through.Sequence()-t.from.Sequence() > spentFrames:
		return most, nil
	}
	if err := t.posts(ctx, log, queries); err != nil {
		return 0, fmt.Errorf("read what was spent: %w", err)
	}
	if err := t.others(ctx, log); err != nil {
		return 0, fmt.Errorf("read what was spent: %w", err)
	}
	return min(t.spent, most), nil
}

type tally struct {
	spenders      []*messages.Spender
	from, through messages.Position
	spent, most   int64
}

// charge is for one frame of an event to each spender that has it before it.
func (t *tally) charge(at messages.Position, e *messages.Event) {
	for _, s := range t.spenders {
		if messages.Position(s.GetAfter()) < at {
			t.spent += price.Of(s.GetApi()).Frame(e)
		}
	}
}

func (t *tally) posts(ctx context.Context, log Log, queries []*messages.Query) error {
	request := follow.Request{
		Queries: queries, After: follow.End(t.from), VoidsSince: t.from, Through: t.through, Frames: 256, Found: 1 << 20,
	}
	for request.From() < request.Through && t.spent < t.most && len(queries) > 0 {
		result, err := Run(ctx, log, nil, request)
		if err != nil {
			return err
		}
		for _, d := range result.Deliveries {
			t.charge(messages.Position(d.GetPosition()), d.GetEvent())
		}
		request.After = follow.End(result.Through)
	}
	return nil
}

// others is for the events that are no posts. What the log has lost may have
// been anything.
func (t *tally) others(ctx context.Context, log Log) error {
	frames, err := log.Read(ctx, max((t.from+1).Sequence(), 1))
	if err != nil {
		return err
	}
	defer frames.Close()
	for t.spent < t.most {
		entry, err := frames.Next(ctx)
		if errors.Is(err, io.EOF) || err == nil && messages.At(entry.From, 0) > t.through {
			return nil
		}
		if err != nil {
			return err
		}
		if entry.Frame == nil {
			t.spent = t.most
			return nil
		}
		for i, e := range entry.Frame.GetEvents() {
			if at := messages.At(entry.Sequence, i); e.GetPost() == nil && at <= t.through {
				t.charge(at, e)
			}
		}
	}
	return nil
}
