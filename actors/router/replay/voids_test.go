package replay_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/actors/engine/repeat"
	"github.com/birdwire/birdwire/actors/router/replay"
	"github.com/birdwire/birdwire/messages"
)

// countingLog counts the frames that are read.
type countingLog struct {
	*plainLog
	read int
}

type countingFrames struct {
	replay.Frames
	log *countingLog
}

func (l *countingLog) Read(ctx context.Context, from uint64) (replay.Frames, error) {
	f, err := l.plainLog.Read(ctx, from)
	return countingFrames{f, l}, err
}

func (f countingFrames) Next(ctx context.Context) (replay.Entry, error) {
	f.log.read++
	return f.Frames.Next(ctx)
}

// A replay from long before the router's memory, in stretches as small as a
// connection's, reads its part twice and the window before it once.
func TestTheRepeatWindowIsReadOnceAReplay(t *testing.T) {
	const frames, window = 1400, repeat.Size / 256
	log := &countingLog{plainLog: &plainLog{first: 1}}
	for f := range frames {
		frame := &messages.Frame{}
		for i := range 256 {
			frame.Events = append(frame.Events, post(fmt.Sprint("n", f, "-", i), "sun"))
		}
		frame.Events[7] = post(fmt.Sprint("n", f-f%2, "-x"), "moon") // every second one is a repeat
		log.frames = append(log.frames, frame)
	}
	memory := replay.NewVoids()
	run := func(from uint64) (found, stretches int) {
		r := follow.Request{
			Queries: rules("moon"), After: follow.End(messages.EndOf(from)), Through: messages.EndOf(frames),
			VoidsSince: messages.EndOf(frames), Frames: 16, Found: 4,
		}
		for r.From() < r.Through {
			result, err := replay.Run(t.Context(), log, memory, r)
			if err != nil || result.Through <= r.From() {
				t.Fatalf("after %d: through %d, %v", r.From(), result.Through, err)
			}
			found += len(result.Deliveries)
			stretches++
			r.After = follow.End(result.Through)
		}
		return found, stretches
	}
	found, stretches := run(600)
	if found != 400 || stretches < 100 {
		t.Fatalf("%d found in %d stretches, want 400 in many", found, stretches)
	}
	// The window is found by doubling, and each reading looks one frame too far.
	if most := 2*800 + 2*window + 2*stretches; log.read > most {
		t.Errorf("%d frames were read for 800 in %d stretches, want at most %d", log.read, stretches, most)
	}
	log.read = 0
	if found, stretches = run(800); found != 300 || log.read > 600+2*stretches {
		t.Errorf("another one found %d and read %d frames for 600: what is known is read again", found, log.read)
	}
}

// Voids against a plain set, whatever is learnt in whatever order.
func TestVoidsAgainstAPlainSet(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		v := replay.NewVoids()
		known := map[uint64]bool{}
		repeats := func(from, through uint64) (voids []uint64) {
			for s := from; s <= through; s++ {
				if s%3 == 0 {
					voids = append(voids, uint64(messages.At(s, 1)), uint64(messages.At(s, int(s%200))))
				}
			}
			slices.Sort(voids)
			return voids
		}
		for range 60 {
			if from := 1 + r.Uint64N(200); r.IntN(2) == 0 {
				through := from + r.Uint64N(30)
				v.Learn(from, through, repeats(from, through))
				for s := from; s <= through; s++ {
					known[s] = true
				}
			}
			ask := 1 + r.Uint64N(240)
			voids, through := v.Known(ask)
			if known[ask] != (through != 0) {
				t.Fatalf("seed %d: %d is known: %v, told through %d", seed, ask, known[ask], through)
			}
			if through == 0 {
				continue
			}
			for s := ask; s <= through; s++ {
				if !known[s] {
					t.Fatalf("seed %d: told through %d, and %d was never learnt", seed, through, s)
				}
			}
			if known[through+1] {
				t.Fatalf("seed %d: told through %d, and more is known", seed, through)
			}
			if want := repeats(ask, through); !slices.Equal(voids, want) {
				t.Fatalf("seed %d: from %d through %d: %v, want %v", seed, ask, through, voids, want)
			}
		}
	}
}

func TestVoidsAreBounded(t *testing.T) {
	v := replay.NewVoids()
	remembered := func(last uint64) (n int) {
		for s := uint64(1); s <= last; {
			voids, through := v.Known(s)
			n += len(voids)
			s = max(through, s) + 1
		}
		return n
	}
	frame := func(s uint64) (voids []uint64) {
		for i := range 256 {
			voids = append(voids, uint64(messages.At(s, i)))
		}
		return voids
	}
	for s := uint64(1); s <= 9000; s++ { // one long part, then many that do not touch
		v.Learn(s, s, frame(s))
	}
	if n := remembered(9000); n > 1<<20 || n < 1<<19 {
		t.Errorf("%d are remembered of one part", n)
	}
	for s := uint64(10_000); s <= 30_000; s += 2 {
		v.Learn(s, s, nil)
	}
	if _, through := v.Known(30_000); through != 30_000 {
		t.Error("the newest is forgotten")
	}
	if _, through := v.Known(10_000); through != 0 {
		t.Error("the oldest of ten thousand parts is remembered")
	}
	for s := range uint64(20) {
		v.Keep(s*10_000+1, repeat.New())
	}
	kept := 0
	for s := range uint64(20) {
		if w, before := v.Take(s*10_000 + 100); w != nil && before == s*10_000+1 {
			kept++
		}
	}
	if kept != 4 {
		t.Errorf("%d windows are kept, want 4", kept)
	}
}
