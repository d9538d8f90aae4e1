package router_test

import (
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// Whatever a router is sent, it goes on, and what others asked for comes.
func TestWhateverARouterIsSent(t *testing.T) {
	for seed := range uint64(8) {
		run(t, func(r *rig) {
			chance := rand.New(rand.NewPCG(seed, 1))
			c := r.Probe()
			r.subscribe(c, "listener", "gold")
			odd := r.Probe()
			sent := 0
			protoregistry.GlobalTypes.RangeMessages(func(kind protoreflect.MessageType) bool {
				if kind.Descriptor().FullName().Parent() != "birdwire.v1" {
					return true
				}
				for n := range 20 {
					m := kind.New().Interface()
					if n > 0 {
						testkit.Odd(chance, m)
					}
					if f, ok := m.(*messages.FrameAppended); ok && f.GetSequence() == 1 {
						f.Sequence = 2 // the next one is believed: only journals say so
					}
					sent++
					if n%2 == 0 {
						odd.Request(r.pid, m)
						continue
					}
					r.Tell(r.pid, m)
				}
				r.Settle()
				return true
			})
			r.Tell(r.pid, "not even a message")
			r.Advance(1e9)
			if panics := r.Panics(); len(panics) > 0 {
				t.Fatalf("seed %d: %d restarts, the first for %v", seed, len(panics), panics[0])
			}
			c.Messages()
			r.Tell(r.pid, r.log.append(article("1", "gold")))
			r.Advance(1e9)
			if n := len(answers[*messages.Deliveries](c)); n != 1 || sent < 500 {
				t.Errorf("seed %d: after %d odd messages %d of 1 came", seed, sent, n)
			}
		})
	}
}
