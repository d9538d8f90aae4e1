package follow_test

import (
	"strings"
	"testing"

	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/messages"
)

// What a client asks for faster than it is answered is bounded in bytes: 64
// subscriptions of a quarter of a MiB would be sixteen for each connection.
func TestSubscriptionsThatWaitAreBoundedInBytes(t *testing.T) {
	cfg := follow.Config{}.WithDefaults()
	f := follow.New(&cfg, follow.Place{})
	big := &messages.Query{Want: &messages.Query_Kite{Kite: &messages.KiteFilters{Keywords: []string{strings.Repeat("x", 256<<10)}}}}
	refused := 0
	for range 20 {
		for _, o := range f.Step(follow.Subscribe{Subscription: &follow.Subscription{Query: big}}) {
			if r, ok := o.(follow.Refused); ok {
				if refused++; !strings.Contains(r.Detail, "too many") {
					t.Errorf("refused: %s", r.Detail)
				}
			}
		}
	}
	if refused != 20-1-3 { // one is tried, and three wait
		t.Errorf("%d of 20 were refused", refused)
	}
}

// What is held between Joined and live is bounded in bytes: past it the
// follower leaves, reads on, and joins again.
func TestWhatIsHeldIsBoundedInBytes(t *testing.T) {
	cfg := follow.Config{}.WithDefaults()
	f := follow.New(&cfg, follow.End(messages.EndOf(1)))
	var join, ask, reading uint64
	var left bool
	step := func(in any) {
		for _, o := range f.Step(in) {
			switch o := o.(type) {
			case follow.Join:
				join = o.Join
			case follow.AskVoids:
				ask = o.Ask
			case follow.ReadLog:
				reading = o.Reading
			case follow.Leave:
				left = true
			}
		}
	}
	step(follow.Subscribe{Subscription: &follow.Subscription{Query: &messages.Query{}}})
	step(&messages.VoidsKnown{Ask: ask, Through: uint64(messages.EndOf(2))})
	step(follow.Read{Reading: reading, Result: follow.Result{Through: messages.EndOf(2)}})
	step(&messages.VoidsKnown{Ask: ask, Through: uint64(messages.EndOf(2))})
	step(&messages.Joined{Join: join, Position: uint64(messages.EndOf(9)), Number: 9})
	for n := uint64(10); n < 14; n++ {
		if left {
			t.Fatalf("it left with %d MiB held", n-10)
		}
		step(&messages.Deliveries{
			Join: join, Previous: n - 1, Number: n, Bytes: 1 << 20,
			Deliveries: []*messages.Delivery{{Position: uint64(messages.At(n, 0))}},
		})
	}
	step(&messages.Deliveries{
		Join: join, Previous: 13, Number: 14, Bytes: 1,
		Deliveries: []*messages.Delivery{{Position: uint64(messages.At(14, 0))}},
	})
	if !left {
		t.Error("more than 4 MiB are held")
	}
}
