package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

var snapshotTests = map[string]func(*testing.T, Subject){
	"none":                   snapshotNone,
	"the newest":             snapshotNewest,
	"of every size":          snapshotSizes,
	"torn":                   snapshotTorn,
	"survives reopening":     snapshotReopened,
	"read while overwritten": snapshotOverwritten,
}

func mustPut(t *testing.T, s store.Store, id string, at messages.Position, data []byte) {
	t.Helper()
	if err := s.Snapshots().Put(deadline(t), id, at, bytes.NewReader(data)); err != nil {
		t.Fatalf("put %s at %d: %v", id, at, err)
	}
}

func wantLatest(t *testing.T, s store.Store, id string, at messages.Position, data []byte) {
	t.Helper()
	got, r, err := s.Snapshots().Latest(deadline(t), id)
	if err != nil {
		t.Fatalf("latest of %s: %v", id, err)
	}
	all, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil || got != at || !bytes.Equal(all, data) {
		t.Fatalf("latest of %s: %d bytes at %d, %v; want %d bytes at %d", id, len(all), got, err, len(data), at)
	}
}

func snapshotNone(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	mustPut(t, s, "other", 1, []byte("x"))
	_, _, err := s.Snapshots().Latest(ctx, "id")
	wantError(t, "latest of what has none", err, messages.ErrNotFound)
}

func snapshotNewest(t *testing.T, subject Subject) {
	s, _ := begin(t, subject)
	for at := messages.Position(1); at < 6; at++ {
		mustPut(t, s, "id", at<<40, fmt.Appendf(nil, "state at %d", at))
		mustPut(t, s, "other.id/1", at, []byte("another"))
		wantLatest(t, s, "id", at<<40, fmt.Appendf(nil, "state at %d", at))
	}
	mustPut(t, s, "id", 3, []byte("late, of an earlier position"))
	wantLatest(t, s, "id", 5<<40, []byte("state at 5"))
}

func snapshotSizes(t *testing.T, subject Subject) {
	s, _ := begin(t, subject)
	for i, size := range []int{0, 1, 256 << 10, 256<<10 + 1, 5 << 20} {
		data := bytes.Repeat([]byte{byte(i), 7, 9}, size/3+1)[:size]
		mustPut(t, s, "id", messages.Position(i+1), data)
		wantLatest(t, s, "id", messages.Position(i+1), data)
	}
}

func snapshotTorn(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	broken := errors.New("the state cannot be read further")
	half := func() io.Reader {
		return io.MultiReader(bytes.NewReader(make([]byte, 700<<10)), iotest.ErrReader(broken))
	}
	wantError(t, "put of a reader that breaks", s.Snapshots().Put(ctx, "id", 1, half()), broken)
	_, _, err := s.Snapshots().Latest(ctx, "id")
	wantError(t, "latest of a torn one", err, messages.ErrNotFound)
	for at := messages.Position(1); at < 4; at++ {
		mustPut(t, s, "id", at, []byte("whole"))
		wantError(t, "put of a reader that breaks", s.Snapshots().Put(ctx, "id", at+10, half()), broken)
		wantLatest(t, s, "id", at, []byte("whole"))
	}
}

func snapshotReopened(t *testing.T, subject Subject) {
	s, _ := begin(t, subject)
	data := bytes.Repeat([]byte("state"), 100_000)
	mustPut(t, s, "id", 7, data)
	s = reopen(t, subject, s)
	wantLatest(t, s, "id", 7, data)
	mustPut(t, s, "id", 8, data[:100])
	wantLatest(t, s, "id", 8, data[:100])
}

// One that is being read survives the next: two are kept.
func snapshotOverwritten(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	data := bytes.Repeat([]byte("state"), 700_000)
	mustPut(t, s, "id", 1, data)
	_, r, err := s.Snapshots().Latest(ctx, "id")
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, "id", 2, []byte("newer"))
	if all, err := io.ReadAll(r); err != nil || !bytes.Equal(all, data) {
		t.Fatalf("read %d bytes, %v; want %d", len(all), err, len(data))
	}
}
