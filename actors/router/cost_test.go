package router_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors/router"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// What the router's own turn takes for a subscription, by the benchmarks of
// rule and index.
const (
	perTerm = 2 * time.Microsecond         // to compile it
	perWord = time.Millisecond / (1 << 16) // to put it
	others  = 250 * time.Millisecond       // what one key may cost another's event
	greedy  = 200                          // connections of the greedy key
	asking  = 20                           // Joins of each
)

// However one key spends its budget, all of it at once, another's event waits
// no longer than 250 ms for it. It is counted in work and not in time: terms
// compiled and words put in the router's own turns between the event's arrival
// and its handling.
func TestWhatOneKeyCostsIsBoundedForOthers(t *testing.T) {
	for _, keywords := range []int{1, 16, 60, 64, 900} {
		t.Run(fmt.Sprint(keywords, " keywords"), func(t *testing.T) {
			run(t, func(r *rig) {
				other := r.Probe()
				r.subscribe(other, "other", "gold")
				words := make([]string, keywords)
				for i := range words {
					words[i] = fmt.Sprint("w", i)
				}
				p := r.Probe()
				elsewhere := 0 // subscriptions that a worker has compiled
				r.spoil = func(any) { elsewhere++ }
				size := r.state.Words(join(1, p, "", words...).GetQuery())
				before := r.state.Put()
				for c := range greedy {
					for n := range asking {
						m := join(uint64(n+1), p, fmt.Sprint("c", c), words...)
						m.KeyId = "key-1"
						p.Request(r.pid, m)
					}
				}
				r.Tell(r.pid, r.log.append(article("1", "gold")))
				cost, handled := time.Duration(0), false
				r.observed = func(o router.Observation) {
					if o.Sequence == 1 && !handled {
						handled = true
						put := r.state.Put() - before
						cost = time.Duration(put*size)*perWord + time.Duration((put-elsewhere)*keywords)*perTerm
					}
				}
				r.Settle()
				testkit.Expect[*messages.Deliveries](other)
				if !handled || cost > others {
					t.Errorf("handled: %v; another key's event waited for %v of work, want at most %v", handled, cost, others)
				}
				if taken := len(answers[*messages.Joined](p)); taken == 0 || keywords == 60 && cost < others/4 {
					t.Errorf("%d subscriptions were taken, for %v of work: the test shows nothing", taken, cost)
				}
			})
		})
	}
}
