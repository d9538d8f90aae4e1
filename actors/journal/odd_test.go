package journal_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// Whatever a journal is sent, it goes on, answers each offer, and writes what
// others offer.
func TestWhateverAJournalIsSent(t *testing.T) {
	for seed := range uint64(8) {
		run(t, func(r *rig) {
			r.log.check = true
			chance := rand.New(rand.NewPCG(seed, 2))
			odd := r.Probe()
			offered := 0
			protoregistry.GlobalTypes.RangeMessages(func(kind protoreflect.MessageType) bool {
				if kind.Descriptor().FullName().Parent() != "birdwire.v1" {
					return true
				}
				for n := range 40 {
					m := kind.New().Interface()
					if n > 0 {
						testkit.Odd(chance, m)
					}
					if o, ok := m.(*messages.Offer); ok {
						offered++
						o.Id = uint64(offered)
						if n%3 == 0 {
							o.Events = append(o.Events, nil)
						}
						odd.Request(r.journal, o)
						continue
					}
					r.Tell(r.journal, m)
				}
				r.Settle()
				return true
			})
			r.Advance(time.Minute)
			if panics := r.Panics(); len(panics) > 0 {
				t.Fatalf("seed %d: %d restarts, the first for %v", seed, len(panics), panics[0])
			}
			var answered []uint64
			for _, m := range odd.Messages() {
				switch m := m.(type) {
				case *messages.Appended:
					answered = append(answered, m.GetId())
				case *messages.OfferRefused:
					answered = append(answered, m.GetId())
				}
			}
			slices.Sort(answered)
			if len(answered) != offered || len(slices.Compact(answered)) != offered || offered < 30 {
				t.Errorf("seed %d: %d of %d offers were answered", seed, len(answered), offered)
			}
			r.source.Request(r.journal, offer(1, "good"))
			testkit.Expect[*messages.Appended](r.source)
			if ids := r.log.ids(); ids[len(ids)-1] != "good" {
				t.Errorf("seed %d: the log ends with %q", seed, ids[len(ids)-1])
			}
		})
	}
}
