package follow_test

import (
	"testing"

	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/messages"
)

// following is a follower that is live, and messages for it, as many as asked.
func following(n int) (*follow.Follower, []*messages.Deliveries) {
	cfg := follow.Config{}.WithDefaults()
	f := follow.New(&cfg, follow.Place{})
	f.Step(follow.Subscribe{Subscription: &follow.Subscription{Query: &messages.Query{}}})
	f.Step(&messages.Joined{Join: 1, Position: uint64(messages.EndOf(1)), Number: 1})
	all := make([]*messages.Deliveries, n)
	for i := range all {
		at := uint64(i + 2)
		all[i] = &messages.Deliveries{Join: 1, Number: at, Previous: at - 1, Deliveries: []*messages.Delivery{{Position: uint64(messages.At(at, 0))}}}
	}
	return &f, all
}

// A live event costs no memory.
func TestNextAllocatesNothing(t *testing.T) {
	const n = 1000
	f, all := following(n + 1)
	i := 0
	if allocs := testing.AllocsPerRun(n, func() {
		if ds, ok := f.Next(all[i]); !ok || len(ds) != 1 {
			t.Fatalf("message %d was not the next", i)
		}
		i++
	}); allocs != 0 {
		t.Errorf("%v allocations a message", allocs)
	}
}

func BenchmarkNext(b *testing.B) {
	const n = 1 << 16
	f, all := following(n)
	start := *f
	for i := 0; b.Loop(); i++ {
		if i%n == 0 {
			*f = start
		}
		f.Next(all[i%n])
	}
}
