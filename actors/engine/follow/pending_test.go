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
