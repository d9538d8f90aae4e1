package nats

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/cluster/store/storetest"
	"github.com/birdwire/birdwire/messages"
)

func TestReserve(t *testing.T) {
	const mib = 1 << 20
	free, asked, failing := atomic.Uint64{}, atomic.Int64{}, atomic.Bool{}
	free.Store(600 * mib)
	now := atomic.Int64{}
	s := open(t, Config{
		FreeSpace: func(string) (uint64, uint64, error) {
			asked.Add(1)
			if failing.Load() {
				return 0, 0, errors.New("no answer")
			}
			return free.Load(), 10_000 * mib, nil
		},
		Now: func() time.Time { return time.Unix(1_772_625_600+now.Load(), 0) },
	})
	ctx := context.Background()
	number := uint64(0)
	write := func() map[string]error {
		number++
		f := storetest.Frame("a", 1, number, 1)
		_, appendErr := s.Journal().Append(ctx, f)
		_, casErr := s.Control().CAS(ctx, fmt.Sprintf("k.%d", number), nil, 0)
		_, reserveErr := s.Counters().Reserve(ctx, store.Reservation{KeyID: "k", Month: "2026-11", N: 1, Op: fmt.Sprint(number)})
		_, itemsErr := s.Items().CAS(ctx, []*messages.Item{{Identity: fmt.Sprint(number)}}, []uint64{0})
		return map[string]error{
			"append": appendErr, "write": casErr, "reserve": reserveErr, "write items": itemsErr,
			"put":     s.Snapshots().Put(ctx, "id", messages.Position(number), strings.NewReader("x")),
			"healthy": s.Healthy(ctx),
		}
	}
	smallOnes := map[string]bool{"write": true, "reserve": true, "healthy": true}
	want := func(what string, large, small error) {
		t.Helper()
		for op, err := range write() {
			want := large
			if smallOnes[op] {
				want = small
			}
			if !errors.Is(err, want) {
				t.Errorf("%s, %s: %v, want %v", what, op, err, want)
			}
		}
		if err := s.Room(); !errors.Is(err, large) {
			t.Errorf("%s, room: %v, want %v", what, err, large)
		}
	}
	want("600 MiB free", nil, nil)
	free.Store(500 * mib)
	want("500 MiB free, within the second", nil, nil)
	now.Add(1)
	before := asked.Load()
	want("500 MiB free", messages.ErrFull, nil)
	if n := asked.Load() - before; n != 1 {
		t.Errorf("the disk was asked %d times in one second", n)
	}
	number += 10
	free.Store(15 * mib)
	now.Add(1)
	want("15 MiB free", messages.ErrFull, messages.ErrFull)
	number += 10
	free.Store(17 * mib)
	now.Add(1)
	want("17 MiB free", messages.ErrFull, nil)
	if _, err := s.Control().Get(ctx, "k.1"); err != nil {
		t.Errorf("reads go on: %v", err)
	}
	if got := readAll(t, s); len(got) != 2 {
		t.Errorf("reads go on: %v", got)
	}
	free.Store(513 * mib)
	now.Add(1)
	want("513 MiB free", nil, nil)
	if got := readAll(t, s); len(got) != 3 {
		t.Errorf("after there was space again: %v, want three frames", got)
	}
	failing.Store(true)
	now.Add(1)
	want("a disk that does not answer", nil, nil)
}

// What is written to a folder that is gone is acknowledged and lost: nothing is,
// until it is back.
func TestAFolderThatIsGone(t *testing.T) {
	var gone atomic.Bool
	now := atomic.Int64{}
	s := open(t, Config{
		FreeSpace: func(dir string) (uint64, uint64, error) {
			if gone.Load() {
				return 0, 0, &fs.PathError{Op: "statfs", Path: dir, Err: fs.ErrNotExist}
			}
			return 1 << 40, 1 << 41, nil
		},
		Now: func() time.Time { return time.Unix(1_772_625_600+now.Load(), 0) },
	})
	ctx := context.Background()
	for i, missing := range []bool{false, true, false} {
		gone.Store(missing)
		now.Add(5)
		_, err := s.Journal().Append(ctx, storetest.Frame("a", 1, uint64(i+1), 1))
		_, casErr := s.Control().CAS(ctx, fmt.Sprintf("k.%d", i), nil, 0)
		for _, err := range []error{err, casErr, s.Room(), s.Healthy(ctx)} {
			if missing != errors.Is(err, messages.ErrFull) || missing && !strings.Contains(err.Error(), "is not there any more") {
				t.Errorf("look %d, gone %v: %v", i, missing, err)
			}
		}
	}
}

func TestDefaultReserve(t *testing.T) {
	reserve := Config{}.withDefaults().ReserveBytes
	for total, want := range map[uint64]uint64{10 << 30: 512 << 20, 1 << 40: (1 << 40) / 50} {
		if got := reserve(total); got != want {
			t.Errorf("of %d bytes %d are kept, want %d", total, got, want)
		}
	}
}

func TestFreeSpace(t *testing.T) {
	free, total, err := freeSpace(t.TempDir())
	if err != nil || free == 0 || free > total {
		t.Fatalf("free %d of %d, %v", free, total, err)
	}
}

// The server gives JetStream up by itself when it may not write; the store
// brings it back.
func TestServerGivesUp(t *testing.T) {
	s := open(t, Config{})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	appendTo(t, s, 1)
	c, err := s.Journal().Read(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if e, err := c.Next(ctx); err != nil || e.Sequence != 1 {
		t.Fatalf("next: %d, %v", e.Sequence, err)
	}
	changes, err := s.Control().Watch(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.sess.server.ShutdownJetStream(); err != nil {
		t.Fatal(err)
	}
	f := storetest.Frame("a", 1, 2, 1)
	for {
		sequence, err := s.Journal().Append(ctx, f)
		if err == nil {
			if sequence != 2 {
				t.Fatalf("sequence %d, want 2", sequence)
			}
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("it did not come back: %v", err)
		}
	}
	for range changes { // closed, to watch again
	}
	for {
		e, err := c.Next(ctx)
		if err == nil && e.Sequence == 2 {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("the cursor did not go on: %d, %v", e.Sequence, err)
		}
	}
	if err := s.Healthy(ctx); err != nil {
		t.Errorf("healthy after it came back: %v", err)
	}
}
