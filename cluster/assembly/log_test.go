package assembly

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/birdwire/birdwire/actors/router/replay"
	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/cluster/store/storetest"
	"github.com/birdwire/birdwire/messages"
)

// A reading goes on over whatever is gone, and says of each stretch why.
func TestReadingSaysWhatIsGone(t *testing.T) {
	ctx := context.Background()
	s := memory.New(memory.Config{})
	for i := range uint64(20) {
		if _, err := s.Journal().Append(ctx, storetest.Frame("a", 1, i+1, 1)); err != nil {
			t.Fatal(err)
		}
	}
	s.Disk().Trim(4)
	s.Disk().Skip(6, 7, store.Damaged)
	s.Disk().Skip(8, 8, store.NeverWritten)
	reading, err := Log{s.Journal()}.Read(ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Close()
	var gone []replay.Entry
	next := uint64(2)
	for {
		e, err := reading.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || e.From != next || e.Sequence < e.From {
			t.Fatalf("entry %d to %d, %v; want one from %d", e.From, e.Sequence, err, next)
		}
		next = e.Sequence + 1
		if e.Frame == nil {
			gone = append(gone, e)
		}
		if e.Sequence == 10 {
			s.Disk().Trim(15) // retention overtakes the reader
		}
	}
	want := []replay.Entry{
		{From: 2, Sequence: 3, Loss: messages.Trimmed},
		{From: 6, Sequence: 7, Loss: messages.Damaged},
		{From: 8, Sequence: 8, Loss: messages.NotLost},
		{From: 11, Sequence: 14, Loss: messages.Trimmed},
	}
	if !slices.Equal(gone, want) || next != 21 {
		t.Errorf("gone %+v, read up to %d; want %+v and up to 20", gone, next-1, want)
	}
}
