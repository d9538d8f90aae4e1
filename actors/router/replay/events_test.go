package replay_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/birdwire/birdwire/actors/router/replay"
	"github.com/birdwire/birdwire/messages"
)

// counted counts the frames that are read.
type counted struct {
	*plainLog
	read int
}

func (l *counted) Read(ctx context.Context, from uint64) (replay.Frames, error) {
	f, err := l.plainLog.Read(ctx, from)
	return countedFrames{f, l}, err
}

type countedFrames struct {
	replay.Frames
	log *counted
}

func (f countedFrames) Next(ctx context.Context) (replay.Entry, error) {
	f.log.read++
	return f.Frames.Next(ctx)
}

func TestEventsAreReadByPosition(t *testing.T) {
	log := &counted{plainLog: &plainLog{first: 100}}
	for i := range 20_000 {
		log.frames = append(log.frames, &messages.Frame{Events: []*messages.Event{
			post(fmt.Sprint("a", 100+i), "x"), post(fmt.Sprint("b", 100+i), "x"),
		}})
	}
	log.frames[50] = nil // gone for good
	r := rand.New(rand.NewPCG(1, 2))
	positions := []messages.Position{messages.At(150, 0), messages.At(150, 1), messages.At(99, 0), messages.At(1<<40, 0), messages.At(120, 7)}
	for range 200 {
		positions = append(positions, messages.At(100+r.Uint64N(20_000), r.IntN(2)))
	}
	got, err := replay.Events(context.Background(), log, positions)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range positions {
		want := ""
		if n := p.Sequence(); n >= 100 && n < 20_100 && n != 150 && p.Index() < 2 {
			want = fmt.Sprintf("%c%d", "ab"[p.Index()], n)
		}
		if got[i].GetId() != want {
			t.Errorf("%d.%d: %q, want %q", p.Sequence(), p.Index(), got[i].GetId(), want)
		}
	}
	if most := len(positions) * 33; log.read > most {
		t.Errorf("%d frames were read for %d positions", log.read, len(positions))
	}
	if slices.ContainsFunc(positions, func(p messages.Position) bool { return p == 0 }) {
		t.Error("the test asks for nothing")
	}
}
