package apikey_test

import (
	"testing"

	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// BenchmarkMatched is one frame of 64 posts that hit two of a key's rules each,
// with five connections: through shard, key and the rules' actors.
func BenchmarkMatched(b *testing.B) {
	testkit.Run(b, func(k *testkit.Kit) {
		r := newRig(b, k).create()
		r.rule("A", "a")
		r.rule("B", "b")
		for _, id := range []string{"1", "2", "3", "4", "5"} {
			r.join(id)
		}
		b.ReportAllocs()
		for b.Loop() {
			hits := make([]*messages.Hit, 64)
			for i := range hits {
				r.router.position++
				hits[i] = &messages.Hit{Position: r.router.position, K: []uint32{1, 2}, Version: r.router.versions([]uint32{1, 2}), Event: &messages.Event{}}
			}
			r.router.number++
			r.tell(&messages.Matched{KeyId: keyID, Term: r.router.term, Number: r.router.number, Hits: hits})
			for _, p := range r.conns {
				p.Messages()
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/128, "ns/delivery")
	})
}
