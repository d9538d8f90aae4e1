package replay

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/birdwire/birdwire/actors/engine/repeat"
	"github.com/birdwire/birdwire/messages"
)

// Backtest asks what one query would have matched of the posts that the log
// holds: the same index, matcher and rule about repeats as what is live. One
// of SinceMs and Newest says where it begins.
type Backtest struct {
	Query   *messages.Query
	SinceMs int64  // Unix milliseconds of detection; posts from before do not count
	Newest  uint64 // frames at the log's end; 0: SinceMs decides
	Samples int    // of the newest matches that are kept
}

// Tally is what a backtest has found so far.
type Tally struct {
	First, Last uint64 // sequences of the frames that are looked at; First > Last where there are none
	At          uint64 // the last one that was read; below First before any was
	LogFirst    uint64 // where the log begins
	Posts       int64  // repeats not counted
	Matched     int64
	FromMs      int64             // detection of the first event that was read; 0: there is none
	Newest      *messages.Event   // the last post that counted; nil: there is none
	Samples     []*messages.Event // the newest that matched, oldest first
}

// slackMs is how far events may be in the log out of the order in which
// they were detected: one may wait for the journal for some seconds.
const slackMs = 60_000

// Run reads from where the backtest begins to the log's end as it is now.
// report is told the tally at every frame, and an error of its ends the run,
// as does ctx. What retention takes while the run goes on is passed over.
func (b Backtest) Run(ctx context.Context, log Log, report func(Tally) error) (Tally, error) {
	queries, err := newQueries([]*messages.Query{b.Query}, false)
	if err != nil {
		return Tally{}, err
	}
	first, last, err := log.Bounds(ctx)
	if err != nil {
		return Tally{}, fmt.Errorf("backtest: bounds: %w", err)
	}
	run := backtest{Backtest: b, log: log, queries: queries, report: report}
	run.tally = Tally{LogFirst: first, First: max(first, 1), Last: last}
	if last < first {
		return run.tally, nil
	}
	if err := run.begin(ctx); err != nil {
		return run.tally, err
	}
	return run.tally, run.read(ctx)
}

type backtest struct {
	Backtest
	log     Log
	queries *queries
	window  *repeat.Window
	report  func(Tally) error
	tally   Tally
}

// begin finds the first frame, and reads what is before it for repeats. Of
// the newest frames only repeats among themselves are found: they are a
// sample, and not worth reading the window for.
func (b *backtest) begin(ctx context.Context) (err error) {
	t := &b.tally
	if b.Newest > 0 {
		if t.Last-t.First >= b.Newest {
			t.First = t.Last - b.Newest + 1
		}
		b.window = repeat.New()
	} else {
		if t.First, err = seek(ctx, b.log, t.First, t.Last, b.SinceMs-slackMs); err != nil {
			return err
		}
		if b.window, err = WindowBefore(ctx, b.log, t.First, t.LogFirst); err != nil {
			return err
		}
	}
	t.At = t.First - 1
	return b.report(*t)
}

// seek finds the first frame whose first event was detected at ms or later, by
// halving: a log of days is not read to find its last hour.
func seek(ctx context.Context, log Log, first, last uint64, ms int64) (uint64, error) {
	low, high := first, last+1
	for low < high {
		middle := low + (high-low)/2
		detected, err := detectedAt(ctx, log, middle)
		if err != nil {
			return 0, err
		}
		if detected >= ms {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low, nil
}

const never = 1<<63 - 1

// detectedAt is when the first event at or after sequence was detected; never
// where the log ends before one.
func detectedAt(ctx context.Context, log Log, sequence uint64) (int64, error) {
	frames, err := log.Read(ctx, sequence)
	if err != nil {
		return 0, fmt.Errorf("backtest: read at %d: %w", sequence, err)
	}
	defer frames.Close()
	for {
		entry, err := frames.Next(ctx)
		if errors.Is(err, io.EOF) {
			return never, nil
		}
		if err != nil {
			return 0, fmt.Errorf("backtest: read at %d: %w", sequence, err)
		}
		if events := entry.Frame.GetEvents(); len(events) > 0 {
			return events[0].GetDetectedMs(), nil
		}
	}
}

// read goes through the frames. A reading that retention has overtaken begins
// again where the log now begins.
func (b *backtest) read(ctx context.Context) error {
	for b.tally.At < b.tally.Last {
		err := b.stretch(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		first, _, unknown := b.log.Bounds(ctx)
		if unknown != nil || first <= b.tally.At+1 {
			return err
		}
		b.tally.At = first - 1
	}
	return nil
}

func (b *backtest) stretch(ctx context.Context) error {
	frames, err := b.log.Read(ctx, b.tally.At+1)
	if err != nil {
		return fmt.Errorf("backtest: read from %d: %w", b.tally.At+1, err)
	}
	defer frames.Close()
	for b.tally.At < b.tally.Last && ctx.Err() == nil {
		entry, err := frames.Next(ctx)
		if errors.Is(err, io.EOF) || err == nil && entry.Sequence > b.tally.Last {
			b.tally.At = b.tally.Last
			break
		}
		if err != nil {
			return fmt.Errorf("backtest: %w", err)
		}
		for _, e := range entry.Frame.GetEvents() {
			b.event(e)
		}
		b.tally.At = entry.Sequence
		if err := b.report(b.tally); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (b *backtest) event(e *messages.Event) {
	t := &b.tally
	if t.FromMs == 0 {
		t.FromMs = e.GetDetectedMs()
	}
	if b.window.Add(e.GetId()) || e.GetDetectedMs() < b.SinceMs || e.GetPost() == nil {
		return
	}
	t.Posts++
	t.Newest = e
	if len(b.queries.matcher.Match(b.queries.snapshot, e)) == 0 {
		return
	}
	t.Matched++
	if b.Samples == 0 {
		return
	}
	if len(t.Samples) == b.Samples {
		copy(t.Samples, t.Samples[1:])
		t.Samples = t.Samples[:b.Samples-1]
	}
	t.Samples = append(t.Samples, e)
}
