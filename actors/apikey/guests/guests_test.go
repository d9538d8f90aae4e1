package guests_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors/apikey/guests"
	"github.com/birdwire/birdwire/messages"
)

func slot(api messages.Api, id string) *messages.Slot {
	return &messages.Slot{Api: api, ConnectionId: id}
}

const (
	kite    = messages.Api_API_KITE
	twitter = messages.Api_API_TWITTER
)

// ids are those of slots, in order.
func ids(slots []*messages.Slot) (s string) {
	for _, slot := range slots {
		s += slot.GetConnectionId()
	}
	return s
}

func known(g *guests.Guests, connection string) bool {
	api, known := g.Api(connection)
	return known && api == kite
}

func TestAStay(t *testing.T) {
	g := guests.New(guests.Config{ProbeWithin: 3 * time.Second, Grace: 30 * time.Second})
	if !g.None() || known(g, "a") || g.Of("a") != nil {
		t.Error("somebody is there at first")
	}
	if !g.Admit(slot(kite, "a"), "who") || g.None() || !known(g, "a") || g.Of("a") != nil {
		t.Error("who waits is known, and has no slot")
	}
	w, ok := g.Take("a")
	if !ok || w.To != "who" || w.Slot.GetConnectionId() != "a" {
		t.Errorf("%v waited", w)
	}
	if _, again := g.Take("a"); again || known(g, "a") {
		t.Error("an admission ends once")
	}
	g.Add(0, w.Slot, slot(kite, "b"), slot(twitter, "c"))
	if g.Add(0, slot(kite, "a")); ids(g.Slots()) != "abc" || g.Of("b").GetApi() != kite {
		t.Errorf("slots %s", ids(g.Slots()))
	}
	g.Remove("a")
	g.Admit(slot(kite, "d"), nil)
	g.Remove("d")
	if _, ok := g.Take("d"); ok || ids(g.Slots()) != "bc" {
		t.Errorf("after two have left: %s", ids(g.Slots()))
	}
}

func TestThoseThatWaitAreBounded(t *testing.T) {
	g := guests.New(guests.Config{ProbeWithin: time.Second, Grace: time.Second})
	for i := range guests.Most + 1 {
		if g.Admit(slot(kite, fmt.Sprintf("%04d", i)), i) != (i < guests.Most) {
			t.Fatalf("the %d-th", i)
		}
	}
	for i, w := range g.GiveUp() {
		if w.To != i {
			t.Fatalf("%v is in the place of %d", w.To, i)
		}
	}
	if !g.None() || len(g.GiveUp()) != 0 {
		t.Error("somebody waits still")
	}
}

func TestProbesAndWatches(t *testing.T) {
	g := guests.New(guests.Config{ProbeWithin: 3 * time.Second, Grace: 30 * time.Second})
	g.Add(time.Second, slot(kite, "a"), slot(twitter, "b"), slot(kite, "c"))
	for _, c := range []struct {
		at   time.Duration
		api  messages.Api
		want string
	}{{time.Second, kite, "ac"}, {2 * time.Second, twitter, "b"}, {3 * time.Second, kite, ""}, {4 * time.Second, kite, "ac"}} {
		if got := ids(g.Probe(c.at, c.api)); got != c.want {
			t.Errorf("at %v: %q, want %q", c.at, got, c.want)
		}
	}
	a := g.Of("a")
	if g.Watch(20*time.Second, a, "actor-a") {
		t.Error("a young slot's connection may be on its way")
	}
	if !g.Watch(31*time.Second, a, "actor-a") || g.Watch(32*time.Second, a, "actor-a") {
		t.Error("an old one is watched, and once")
	}
	if id, ok := g.Gone("actor-a"); !ok || id != "a" {
		t.Errorf("%q is gone", id)
	}
	if _, ok := g.Gone("actor-a"); ok {
		t.Error("it is gone twice")
	}
	g.Watch(40*time.Second, g.Of("c"), "actor-c")
	g.Remove("c")
	if _, ok := g.Gone("actor-c"); ok {
		t.Error("one that has left is not missed")
	}
}
