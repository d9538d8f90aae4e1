package replay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/actors/engine/repeat"
	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/actors/router/replay"
	"github.com/birdwire/birdwire/messages"
)

const second = 1000

// history is a log of so many frames, one event detected after another, of
// which some are repeats and some no posts.
func history(frames int) *plainLog {
	log := &plainLog{first: 5}
	r := rand.New(rand.NewPCG(8, 9))
	ms := int64(1_000_000)
	for range frames {
		frame := &messages.Frame{}
		for range 1 + r.IntN(9) {
			ms += int64(r.IntN(9)) * second
			e := post(fmt.Sprint("n", r.IntN(frames*8)), []string{"moon", "sun", "moon sun"}[r.IntN(3)])
			if r.IntN(5) == 0 {
				e.Body = &messages.Event_Article{Article: &messages.ArticleChange{Article: &messages.Article{Title: "moon"}}}
			}
			e.DetectedMs = ms - int64(r.IntN(20))*second // nearly in order
			frame.Events = append(frame.Events, e)
		}
		log.frames = append(log.frames, frame)
	}
	return log
}

// plainly counts as a person would: by walking over everything.
func plainly(t *testing.T, log *plainLog, text string, since int64) (posts, matched int64, ids []string) {
	t.Helper()
	parsed, err := rule.Parse(text, rule.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	seen := repeat.New()
	var doc rule.Doc
	for _, f := range log.frames {
		for _, e := range f.GetEvents() {
			if seen.Add(e.GetId()) || e.GetPost() == nil || e.GetDetectedMs() < since {
				continue
			}
			posts++
			if doc.Reset(e); rule.Eval(parsed.Expr, &doc) {
				matched++
				ids = append(ids, e.GetId())
			}
		}
	}
	return posts, matched, ids
}

func backtestOf(text string) replay.Backtest {
	return replay.Backtest{Query: rules(text)[0], Samples: 3}
}

func silent(replay.Tally) error { return nil }

func TestBacktestCountsAsAWalkOverEverything(t *testing.T) {
	log := history(300)
	end := log.frames[len(log.frames)-1].GetEvents()[0].GetDetectedMs()
	for _, since := range []int64{0, 1_000_000, (1_000_000 + end) / 2, end - 30*second, end + 3600*second} {
		posts, matched, ids := plainly(t, log, "moon -sun", since)
		b := backtestOf("moon -sun")
		b.SinceMs = since
		var at []uint64
		got, err := b.Run(context.Background(), log, func(tally replay.Tally) error {
			at = append(at, tally.At)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got.Posts != posts || got.Matched != matched || got.Last != 304 || got.At < got.Last {
			t.Errorf("since %d: %d of %d posts, want %d of %d; ended at %d of %d", since, got.Matched, got.Posts, matched, posts, got.At, got.Last)
		}
		if !slices.IsSorted(at) || len(at) == 0 {
			t.Errorf("since %d: progress %v", since, at)
		}
		if since == end-30*second && len(at) > 150 {
			t.Errorf("the newest half minute took %d of 300 frames: it was not sought", len(at))
		}
		var samples []string
		for _, e := range got.Samples {
			samples = append(samples, e.GetId())
		}
		if want := ids[max(0, len(ids)-3):]; !slices.Equal(samples, want) {
			t.Errorf("since %d: samples %v, want %v", since, samples, want)
		}
	}
}

// What was before the beginning makes a repeat of what is after it.
func TestBacktestKnowsRepeatsOfWhatCameBefore(t *testing.T) {
	log := &plainLog{first: 1}
	for i := range int64(40) {
		old, e := post(fmt.Sprint("n", i%4), "moon"), post(fmt.Sprint("m", i), "moon")
		old.DetectedMs, e.DetectedMs = i*3600*second, i*3600*second
		log.frames = append(log.frames, &messages.Frame{Events: []*messages.Event{old, e}})
	}
	b := backtestOf("moon")
	b.SinceMs = 30 * 3600 * second
	got, err := b.Run(context.Background(), log, silent)
	if err != nil || got.Matched != 10 || got.FromMs != b.SinceMs {
		t.Errorf("%d matched, %v, from %d; want 10: the four that return do not count", got.Matched, err, got.FromMs)
	}
}

func TestBacktestOfTheNewest(t *testing.T) {
	log := history(50)
	tail := &plainLog{first: 45, frames: log.frames[40:]}
	b := backtestOf("moon")
	b.Newest = 10
	got, err := b.Run(context.Background(), log, silent)
	posts, matched, _ := plainly(t, tail, "moon", 0)
	if err != nil || got.Posts != posts || got.Matched != matched || got.First != 45 || got.Newest == nil {
		t.Errorf("%+v, %v; want %d of %d", got, err, matched, posts)
	}
	b.Newest = 1000
	if got, err := b.Run(context.Background(), log, silent); err != nil || got.First != 5 || got.LogFirst != 5 {
		t.Errorf("more than there are: %+v, %v", got, err)
	}
	if got, err := b.Run(context.Background(), &plainLog{first: 1}, silent); err != nil || got.Posts != 0 {
		t.Errorf("an empty log: %+v, %v", got, err)
	}
}

// overtaken is a log whose retention goes past a reader at one place.
type overtaken struct {
	*plainLog
	at uint64
}

func (l *overtaken) Read(ctx context.Context, from uint64) (replay.Frames, error) {
	f, err := l.plainLog.Read(ctx, from)
	return &overtakenReading{f, l}, err
}

type overtakenReading struct {
	replay.Frames
	log *overtaken
}

func (r *overtakenReading) Next(ctx context.Context) (replay.Entry, error) {
	entry, err := r.Frames.Next(ctx)
	if l := r.log; err == nil && entry.Sequence == l.at && l.first < l.at {
		gone := l.at + 10 - l.first
		l.first, l.frames = l.at+10, l.frames[gone:]
		return replay.Entry{}, errors.New("trimmed")
	}
	return entry, err
}

func TestBacktestPassesOverWhatRetentionTook(t *testing.T) {
	whole := history(60)
	left := &plainLog{first: whole.first}
	left.frames = append(slices.Clone(whole.frames[:20]), whole.frames[30:]...)
	_, want, _ := plainly(t, left, "moon", 0)
	b := backtestOf("moon")
	b.SinceMs = 1 // from the beginning: nothing is sought past the place
	got, err := b.Run(context.Background(), &overtaken{whole, whole.first + 20}, silent)
	if err != nil || got.Matched != want {
		t.Errorf("%d matched, %v; want %d", got.Matched, err, want)
	}
}

// broken cannot be read at one place.
type broken struct{ *plainLog }

func (l broken) Read(ctx context.Context, from uint64) (replay.Frames, error) {
	f, err := l.plainLog.Read(ctx, from)
	return brokenReading{f}, err
}

type brokenReading struct{ replay.Frames }

func (r brokenReading) Next(ctx context.Context) (replay.Entry, error) {
	entry, err := r.Frames.Next(ctx)
	if entry.Sequence == 20 {
		return replay.Entry{}, io.ErrUnexpectedEOF
	}
	return entry, err
}

func TestBacktestEnds(t *testing.T) {
	b, log := backtestOf("moon"), history(60)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	calls := 0
	_, err := b.Run(ctx, log, func(replay.Tally) error {
		if calls++; calls == 10 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || calls != 10 {
		t.Errorf("cancelled at the tenth frame: %v after %d", err, calls)
	}
	gone := errors.New("gone")
	if _, err := b.Run(context.Background(), log, func(replay.Tally) error { return gone }); !errors.Is(err, gone) {
		t.Errorf("a report that fails: %v", err)
	}
	if _, err := b.Run(context.Background(), broken{log}, silent); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a log that cannot be read: %v", err)
	}
	if _, err := backtestOf("moon (").Run(context.Background(), log, silent); err == nil || !strings.Contains(err.Error(), "position 6") {
		t.Errorf("no query: %v", err)
	}
}
