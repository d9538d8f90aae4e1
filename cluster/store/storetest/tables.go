package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

var itemTests = map[string]func(*testing.T, Subject){
	"never seen":         itemsUnknown,
	"written and read":   itemsWritten,
	"each by itself":     itemsEach,
	"many":               itemsMany,
	"twice in one write": itemsTwice,
	"one wins":           itemsOneWins,
	"survives reopening": itemsReopened,
	"odd identities":     itemsOdd,
}

var snapshotTests = map[string]func(*testing.T, Subject){
	"none":                   snapshotNone,
	"the newest":             snapshotNewest,
	"of every size":          snapshotSizes,
	"torn":                   snapshotTorn,
	"survives reopening":     snapshotReopened,
	"read while overwritten": snapshotOverwritten,
}

var storeTests = map[string]func(*testing.T, Subject){
	"healthy until it is closed": storeClosed,
}

func item(identity string, revision uint32) *messages.Item {
	return &messages.Item{
		Identity: identity, Revision: revision, ContentHash: []byte{1, 2, byte(revision)},
		Article: &messages.Article{Identity: identity, Title: fmt.Sprintf("%s, revision %d", identity, revision)},
	}
}

func mustCASItems(t *testing.T, s store.Store, all []*messages.Item, revisions []uint64) {
	t.Helper()
	each, err := s.Items().CAS(deadline(t), all, revisions)
	if err := errors.Join(append(each, err)...); err != nil {
		t.Fatalf("write items: %v", err)
	}
	if len(each) != len(all) {
		t.Fatalf("%d answers for %d items", len(each), len(all))
	}
}

func mustGetItems(t *testing.T, s store.Store, identities ...string) []store.ItemState {
	t.Helper()
	states, err := s.Items().Get(deadline(t), identities)
	if err != nil {
		t.Fatalf("get items: %v", err)
	}
	if len(states) != len(identities) {
		t.Fatalf("%d states for %d identities", len(states), len(identities))
	}
	return states
}

func itemsUnknown(t *testing.T, subject Subject) {
	s, _ := begin(t, subject)
	for _, state := range mustGetItems(t, s, "a", "b", "a") {
		if state.Item != nil || state.Revision != 0 {
			t.Errorf("never seen: %+v", state)
		}
	}
	mustGetItems(t, s)
	mustCASItems(t, s, nil, nil)
}

func itemsWritten(t *testing.T, subject Subject) {
	s, _ := begin(t, subject)
	want := item("a", 1)
	mustCASItems(t, s, []*messages.Item{want}, []uint64{0})
	states := mustGetItems(t, s, "b", "a", "a")
	if states[0].Item != nil || !proto.Equal(states[1].Item, want) || !proto.Equal(states[2].Item, want) || states[1].Revision == 0 {
		t.Fatalf("states: %v", states)
	}
	want = item("a", 2)
	mustCASItems(t, s, []*messages.Item{want}, []uint64{states[1].Revision})
	now := mustGetItems(t, s, "a")[0]
	if !proto.Equal(now.Item, want) || now.Revision <= states[1].Revision {
		t.Fatalf("state after the second write: %v, revision before %d", now, states[1].Revision)
	}
}

func itemsEach(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	mustCASItems(t, s, []*messages.Item{item("a", 1), item("c", 1)}, []uint64{0, 0})
	states := mustGetItems(t, s, "a", "c")
	all := []*messages.Item{item("a", 2), item("b", 2), item("c", 2), item("d", 2)}
	each, err := s.Items().CAS(ctx, all, []uint64{0, 0, states[1].Revision, 99})
	if err != nil {
		t.Fatal(err)
	}
	for i, conflict := range []bool{true, false, false, true} {
		if errors.Is(each[i], store.ErrConflict) != conflict || (each[i] == nil) == conflict {
			t.Errorf("%s: %v, conflict wanted: %v", all[i].GetIdentity(), each[i], conflict)
		}
	}
	for i, want := range []uint32{1, 2, 2, 0} {
		if got := mustGetItems(t, s, "a", "b", "c", "d")[i].Item.GetRevision(); got != want {
			t.Errorf("%s stands at revision %d, want %d", all[i].GetIdentity(), got, want)
		}
	}
}

func itemsMany(t *testing.T, subject Subject) {
	s, _ := begin(t, subject)
	const n = 1_500
	var all []*messages.Item
	var identities []string
	for i := range n {
		identities = append(identities, fmt.Sprintf("feed/%d", i))
		all = append(all, item(identities[i], 1))
	}
	all[3].Article.Content = strings.Repeat("long ", 50_000)
	mustCASItems(t, s, all, make([]uint64, n))
	revisions := make([]uint64, n)
	for i, state := range mustGetItems(t, s, identities...) {
		if !proto.Equal(state.Item, all[i]) {
			t.Fatalf("%s came back as %s", identities[i], state.Item.GetIdentity())
		}
		revisions[i] = state.Revision
		all[i] = item(identities[i], 2)
	}
	mustCASItems(t, s, all, revisions)
	for i, state := range mustGetItems(t, s, identities...) {
		if state.Item.GetRevision() != 2 {
			t.Fatalf("%s stands at revision %d, want 2", identities[i], state.Item.GetRevision())
		}
	}
}

func itemsTwice(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	each, err := s.Items().CAS(ctx, []*messages.Item{item("a", 1), item("b", 1), item("a", 2)}, []uint64{0, 0, 0})
	if err != nil || each[0] != nil || each[1] != nil || !errors.Is(each[2], store.ErrConflict) {
		t.Fatalf("answers: %v, %v; want a conflict for the third", each, err)
	}
	if got := mustGetItems(t, s, "a")[0].Item.GetRevision(); got != 1 {
		t.Fatalf("a stands at revision %d, want 1", got)
	}
}

func itemsOneWins(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	const writers, n = 5, 40
	won := make([][]error, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			var all []*messages.Item
			for i := range n {
				all = append(all, item(fmt.Sprintf("x/%d", (i+w*7)%n), uint32(w+1)))
			}
			each, err := s.Items().CAS(ctx, all, make([]uint64, n))
			if err != nil {
				t.Errorf("writer %d: %v", w, err)
				each = make([]error, n)
			}
			won[w] = make([]error, n)
			for i := range n {
				won[w][(i+w*7)%n] = each[i]
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for i := range n {
		winner := 0
		for w := range writers {
			switch err := won[w][i]; {
			case err == nil && winner != 0:
				t.Fatalf("item %d: writers %d and %d won", i, winner, w+1)
			case err == nil:
				winner = w + 1
			case !errors.Is(err, store.ErrConflict):
				t.Fatalf("item %d, writer %d: %v", i, w, err)
			}
		}
		if got := mustGetItems(t, s, fmt.Sprintf("x/%d", i))[0].Item.GetRevision(); winner == 0 || got != uint32(winner) {
			t.Fatalf("item %d: writer %d won, %d's stands", i, winner, got)
		}
	}
}

func itemsReopened(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	mustCASItems(t, s, []*messages.Item{item("a", 1), item("b", 1)}, []uint64{0, 0})
	before := mustGetItems(t, s, "a", "b")
	s = reopen(t, subject, s)
	after := mustGetItems(t, s, "a", "b")
	for i := range before {
		if !proto.Equal(before[i].Item, after[i].Item) || before[i].Revision != after[i].Revision {
			t.Fatalf("before %v, after %v", before[i], after[i])
		}
	}
	each, err := s.Items().CAS(ctx, []*messages.Item{item("a", 2), item("b", 2)}, []uint64{after[0].Revision, 0})
	if err != nil || each[0] != nil || !errors.Is(each[1], store.ErrConflict) {
		t.Fatalf("answers: %v, %v; want a conflict for the second", each, err)
	}
}

func itemsOdd(t *testing.T, subject Subject) {
	s, _ := begin(t, subject)
	identities := []string{"", " ", "a.*", "a.>", "https://example.com/?a=1&b=ü", strings.Repeat("x", 5_000)}
	for i, identity := range identities {
		mustCASItems(t, s, []*messages.Item{item(identity, uint32(i+1))}, []uint64{0})
	}
	for i, state := range mustGetItems(t, s, identities...) {
		if state.Item.GetRevision() != uint32(i+1) || state.Item.GetIdentity() != identities[i] {
			t.Errorf("identity %.20q: %v", identities[i], state.Item.GetRevision())
		}
	}
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
	wantError(t, "latest of what has none", err, store.ErrNotFound)
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
	wantError(t, "latest of a torn one", err, store.ErrNotFound)
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

func storeClosed(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	if err := s.Healthy(ctx); err != nil {
		t.Fatalf("healthy: %v", err)
	}
	mustAppend(t, ctx, s, Frame("a", 1, 1, 1))
	c := mustRead(t, ctx, s, 1)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
	_, appendErr := s.Journal().Append(ctx, Frame("a", 1, 2, 1))
	_, readErr := s.Journal().Read(ctx, 1)
	_, nextErr := c.Next(ctx)
	_, getErr := s.Control().Get(ctx, "a")
	_, casErr := s.Control().CAS(ctx, "a", nil, 0)
	_, listErr := s.Control().List(ctx, "")
	_, watchErr := s.Control().Watch(ctx, "")
	_, reserveErr := s.Counters().Reserve(ctx, store.Reservation{KeyID: "k", Month: "2026-11", N: 1, Op: "o"})
	_, itemsErr := s.Items().Get(ctx, []string{"a"})
	_, itemsCASErr := s.Items().CAS(ctx, []*messages.Item{item("a", 1)}, []uint64{0})
	_, _, latestErr := s.Snapshots().Latest(ctx, "id")
	for what, err := range map[string]error{
		"append": appendErr, "read": readErr, "next": nextErr, "get": getErr, "write": casErr, "list": listErr,
		"watch": watchErr, "reserve": reserveErr, "get items": itemsErr, "write items": itemsCASErr, "latest": latestErr,
		"put": s.Snapshots().Put(ctx, "id", 1, strings.NewReader("x")), "healthy": s.Healthy(ctx),
	} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s on a closed store: %v, want %v", what, err, store.ErrClosed)
		}
	}
}
