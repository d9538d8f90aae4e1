package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

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
		if errors.Is(each[i], messages.ErrConflict) != conflict || (each[i] == nil) == conflict {
			t.Errorf("%s: %v, conflict wanted: %v", all[i].GetIdentity(), each[i], conflict)
		}
	}
	for i, want := range []uint32{1, 2, 2, 0} {
		if got := mustGetItems(t, s, "a", "b", "c", "d")[i].Item.GetRevision(); got != want {
			t.Errorf("%s is at revision %d, want %d", all[i].GetIdentity(), got, want)
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
			t.Fatalf("%s is at revision %d, want 2", identities[i], state.Item.GetRevision())
		}
	}
}

func itemsTwice(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	each, err := s.Items().CAS(ctx, []*messages.Item{item("a", 1), item("b", 1), item("a", 2)}, []uint64{0, 0, 0})
	if err != nil || each[0] != nil || each[1] != nil || !errors.Is(each[2], messages.ErrConflict) {
		t.Fatalf("answers: %v, %v; want a conflict for the third", each, err)
	}
	if got := mustGetItems(t, s, "a")[0].Item.GetRevision(); got != 1 {
		t.Fatalf("a is at revision %d, want 1", got)
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
			case !errors.Is(err, messages.ErrConflict):
				t.Fatalf("item %d, writer %d: %v", i, w, err)
			}
		}
		if got := mustGetItems(t, s, fmt.Sprintf("x/%d", i))[0].Item.GetRevision(); winner == 0 || got != uint32(winner) {
			t.Fatalf("item %d: writer %d won, %d's is stored", i, winner, got)
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
	if err != nil || each[0] != nil || !errors.Is(each[1], messages.ErrConflict) {
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
