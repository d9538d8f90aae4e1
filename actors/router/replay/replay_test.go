package replay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/actors/engine/repeat"
	"github.com/birdwire/birdwire/actors/router/replay"
	"github.com/birdwire/birdwire/messages"
)

// plainLog is a log in memory that begins at first.
type plainLog struct {
	first  uint64
	frames []*messages.Frame        // nil where there is none
	loss   map[uint64]messages.Loss // of those: why, by sequence
}

func (l *plainLog) Bounds(context.Context) (uint64, uint64, error) {
	return l.first, l.first + uint64(len(l.frames)) - 1, nil
}

func (l *plainLog) Read(_ context.Context, from uint64) (replay.Frames, error) {
	return &reading{l, max(from, l.first)}, nil
}

type reading struct {
	log  *plainLog
	next uint64
}

func (r *reading) Next(context.Context) (replay.Entry, error) {
	i := r.next - r.log.first
	if i >= uint64(len(r.log.frames)) {
		return replay.Entry{}, io.EOF
	}
	r.next++
	return replay.Entry{From: r.next - 1, Sequence: r.next - 1, Frame: r.log.frames[i], Loss: r.log.loss[r.next-1]}, nil
}

func (r *reading) Close() error { return nil }

func post(id, text string) *messages.Event {
	return &messages.Event{Id: id, Body: &messages.Event_Post{Post: &messages.Post{Id: id, Text: text, Author: &messages.Author{Username: "a"}}}}
}

func rules(texts ...string) (queries []*messages.Query) {
	for i, text := range texts {
		queries = append(queries, &messages.Query{K: uint32(i + 1), Want: &messages.Query_Rule{Rule: text}})
	}
	return queries
}

func names(ds []*messages.Delivery) (list []string) {
	for _, d := range ds {
		list = append(list, fmt.Sprintf("%s.%d", d.GetEvent().GetId(), d.GetK()))
	}
	return list
}

// all reads in stretches, as a connection does.
func all(t *testing.T, log replay.Log, r follow.Request) (ds []*messages.Delivery) {
	t.Helper()
	memory := replay.NewVoids()
	for r.From() < r.Through {
		result, err := replay.Run(context.Background(), log, memory, r)
		if err != nil {
			t.Fatal(err)
		}
		if result.Through <= r.From() {
			t.Fatalf("a stretch from %d ended at %d: no progress", r.From(), result.Through)
		}
		ds = append(ds, result.Deliveries...)
		r.After = follow.End(result.Through)
	}
	return ds
}

func TestStretchesTogetherAreTheWhole(t *testing.T) {
	log := &plainLog{first: 1}
	var want []string
	r := rand.New(rand.NewPCG(3, 4))
	for f := range 60 {
		frame := &messages.Frame{}
		for e := range 1 + r.IntN(5) {
			id, text := fmt.Sprintf("e%d-%d", f, e), []string{"moon", "sun", "moon sun"}[r.IntN(3)]
			frame.Events = append(frame.Events, post(id, text))
			if text != "sun" {
				want = append(want, id+".1")
			}
			if text != "moon" {
				want = append(want, id+".2")
			}
		}
		log.frames = append(log.frames, frame)
	}
	for _, frames := range []int{1, 7, 1000} {
		for _, deliveries := range []int{1, 10, 1000} {
			got := all(t, log, follow.Request{
				Queries: rules("moon", "sun"), Through: messages.EndOf(60), Frames: frames, Found: deliveries,
			})
			if !slices.Equal(names(got), want) {
				t.Fatalf("stretches of %d frames and %d deliveries: %d deliveries, want %d", frames, deliveries, len(got), len(want))
			}
		}
	}
}

func TestAQueryIsNotDeliveredThePast(t *testing.T) {
	log := &plainLog{first: 1, frames: []*messages.Frame{{Events: []*messages.Event{post("a", "moon"), post("b", "moon")}}, {Events: []*messages.Event{post("c", "moon")}}}}
	queries := rules("moon", "moon")
	queries[1].After = uint64(messages.At(1, 0))
	got := all(t, log, follow.Request{Queries: queries, Through: messages.EndOf(2), Frames: 10, Found: 10})
	if want := []string{"a.1", "b.1", "b.2", "c.1", "c.2"}; !slices.Equal(names(got), want) {
		t.Fatalf("replayed %v, want %v", names(got), want)
	}
}

func TestFromAndThroughBound(t *testing.T) {
	log := &plainLog{first: 1, frames: []*messages.Frame{
		{Events: []*messages.Event{post("a", "moon"), post("b", "moon")}},
		{Events: []*messages.Event{post("c", "moon"), post("d", "moon")}},
	}}
	got := all(t, log, follow.Request{
		Queries: rules("moon"), After: follow.End(messages.At(1, 0)), Through: messages.At(2, 0), Frames: 10, Found: 10,
	})
	if want := []string{"b.1", "c.1"}; !slices.Equal(names(got), want) {
		t.Fatalf("replayed %v, want %v", names(got), want)
	}
}

// Repeats before the router's memory are found by reading the window, those
// after it are told; both ways must give what the whole history says.
func TestRepeatsFromTheLogAndFromTheRouter(t *testing.T) {
	log := &plainLog{first: 1}
	window := repeat.New()
	var voids []uint64
	var fresh []messages.Position
	r := rand.New(rand.NewPCG(5, 6))
	const frames = 700
	for f := range uint64(frames) {
		frame := &messages.Frame{}
		for i := range 256 {
			id := fmt.Sprint("n", r.IntN(400_000))
			frame.Events = append(frame.Events, post(id, "moon"))
			if p := messages.At(f+1, i); window.Add(id) {
				voids = append(voids, uint64(p))
			} else {
				fresh = append(fresh, p)
			}
		}
		log.frames = append(log.frames, frame)
	}
	from := messages.At(frames-20, 5)
	for _, since := range []messages.Position{0, messages.At(frames-10, 100), messages.EndOf(frames)} {
		i, _ := slices.BinarySearch(voids, uint64(since)+1)
		got := all(t, log, follow.Request{
			Queries: rules("moon"), After: follow.End(from), Through: messages.EndOf(frames), Frames: 9, Found: 1 << 20,
			Voids: voids[i:], VoidsSince: since,
		})
		j, _ := slices.BinarySearch(fresh, from+1)
		if len(got) != len(fresh[j:]) {
			t.Fatalf("since %d: %d deliveries, want %d", since, len(got), len(fresh[j:]))
		}
		for n, d := range got {
			if d.GetPosition() != uint64(fresh[j+n]) {
				t.Fatalf("since %d: delivery %d is at %d, want %d", since, n, d.GetPosition(), fresh[j+n])
			}
		}
	}
}

func TestTrimmed(t *testing.T) {
	log := &plainLog{first: 10, frames: []*messages.Frame{{Events: []*messages.Event{post("a", "moon")}}}}
	run := func(from messages.Position) error {
		_, err := replay.Run(context.Background(), log, nil, follow.Request{Queries: rules("moon"), After: follow.End(from), Through: messages.EndOf(10), Frames: 1, Found: 1})
		return err
	}
	var trimmed *messages.TrimmedError
	if err := run(messages.At(8, 3)); !errors.As(err, &trimmed) || trimmed.Position() != messages.At(10, 0) {
		t.Errorf("from before the first frame: %v", err)
	}
	if err := run(messages.EndOf(9)); err != nil {
		t.Errorf("from right before the first frame: %v", err)
	}
}

// A leader that was suspended or cut off answers with the log that it had: a reading
// that took its end for the log's would skip what came after it.
func TestALogThatEndsTooEarlyIsNoAnswer(t *testing.T) {
	log := &plainLog{first: 10, frames: []*messages.Frame{{Events: []*messages.Event{post("a", "moon")}}, {Events: []*messages.Event{post("b", "sun")}}}}
	for _, c := range []struct {
		after, through messages.Position
		behind         bool
	}{
		{messages.EndOf(9), messages.EndOf(11), false},
		{messages.EndOf(9), messages.At(12, 0), true},
		{messages.EndOf(11), messages.EndOf(11), false},
		{messages.EndOf(11), messages.EndOf(12), true},
		{messages.EndOf(12), messages.EndOf(14), true},
		{messages.EndOf(12), messages.EndOf(12), false},
	} {
		_, err := replay.Run(context.Background(), log, nil, follow.Request{Queries: rules("moon"), After: follow.End(c.after), VoidsSince: c.after, Through: c.through, Frames: 9, Found: 9})
		if errors.Is(err, replay.ErrBehind) != c.behind || !c.behind && err != nil {
			t.Errorf("after %d through %d: %v, want one that is behind: %t", c.after.Sequence(), c.through.Sequence(), err, c.behind)
		}
	}
	if _, err := replay.WindowBefore(context.Background(), log, 13, 10); !errors.Is(err, replay.ErrBehind) {
		t.Errorf("the window before frame 13: %v", err)
	}
	if _, err := replay.WindowBefore(context.Background(), log, 12, 10); err != nil {
		t.Errorf("the window before frame 12: %v", err)
	}
}

func TestRankedListsAreFilteredEntryByEntry(t *testing.T) {
	event := &messages.Event{Id: "r", Body: &messages.Event_ClustersRanked{ClustersRanked: &messages.ClustersRanked{
		Clusters: []*messages.RankedCluster{{Id: 1, Category: "business"}, {Id: 2, Category: "health"}, {Id: 3, Category: "business"}},
	}}}
	log := &plainLog{first: 1, frames: []*messages.Frame{{Events: []*messages.Event{event}}}}
	for category, want := range map[string][]uint64{"business": {1, 3}, "health": {2}, "sports": nil} {
		q := &messages.Query{Want: &messages.Query_Newsrank{Newsrank: &messages.NewsrankFilters{Categories: []string{category}}}}
		got := all(t, log, follow.Request{Queries: []*messages.Query{q}, Through: messages.EndOf(1), Frames: 1, Found: 1})
		var ids []uint64
		for _, d := range got {
			for _, c := range d.GetEvent().GetClustersRanked().GetClusters() {
				ids = append(ids, c.GetId())
			}
		}
		if !slices.Equal(ids, want) || len(want) == 0 && len(got) != 0 {
			t.Errorf("%s: clusters %v in %d events, want %v", category, ids, len(got), want)
		}
	}
}

// What was acknowledged and is gone is told, in positions, once; what was never
// there is not.
func TestReplayTellsWhatIsLost(t *testing.T) {
	log := &plainLog{first: 10, loss: map[uint64]messages.Loss{11: messages.Damaged, 12: messages.NotLost, 14: messages.Trimmed}}
	for i := range 6 {
		frame := &messages.Frame{Events: []*messages.Event{post(fmt.Sprint(i), "moon"), post(fmt.Sprint(i, "b"), "moon")}}
		if i == 1 || i == 2 || i == 4 {
			frame = nil
		}
		log.frames = append(log.frames, frame)
	}
	request := follow.Request{Queries: rules("moon"), After: follow.End(messages.At(10, 1)), Through: messages.EndOf(15), Frames: 100, Found: 100}
	request.VoidsSince = request.From()
	got, err := replay.Run(context.Background(), log, nil, request)
	if err != nil {
		t.Fatal(err)
	}
	want := []messages.Lost{
		{From: messages.At(11, 0), To: messages.EndOf(11), Why: messages.Damaged},
		{From: messages.At(14, 0), To: messages.EndOf(14), Why: messages.Trimmed},
	}
	if !slices.Equal(got.Lost, want) || len(got.Deliveries) != 4 || got.Through != request.Through {
		t.Errorf("lost %v and %d deliveries through %d; want %v and 4", got.Lost, len(got.Deliveries), got.Through, want)
	}
	// A client in the middle of what is gone is told of what it did not have.
	request.After, request.Through = follow.End(messages.At(11, 7)), messages.At(11, 9)
	request.VoidsSince = request.From()
	got, err = replay.Run(context.Background(), log, nil, request)
	if want := []messages.Lost{{From: messages.At(11, 8), To: messages.At(11, 9), Why: messages.Damaged}}; err != nil || !slices.Equal(got.Lost, want) {
		t.Errorf("lost %v, %v; want %v", got.Lost, err, want)
	}
}
