package hold_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors/engine/hold"
	"github.com/birdwire/birdwire/messages"
)

func TestAQueueIsBoundedInBytes(t *testing.T) {
	q := hold.Queue[string]{Most: 10}
	for _, c := range []struct {
		item  string
		size  int
		taken bool
	}{{"a", 4, true}, {"b", 6, true}, {"c", 1, false}} {
		if got := q.Add(c.item, c.size); got != c.taken {
			t.Errorf("%s: taken %v", c.item, got)
		}
	}
	q.Keep(func(s string) bool { return s != "a" })
	if q.Bytes() != 6 || q.Len() != 1 || !q.Add("d", 4) || q.Add("e", 1) {
		t.Errorf("after one was dropped: %d bytes of %d items", q.Bytes(), q.Len())
	}
	if got := q.Take(); !slices.Equal(got, []string{"b", "d"}) || q.Len() != 0 || q.Bytes() != 0 {
		t.Errorf("took %v", got)
	}
	if !q.Add("larger than the bound", 99) || q.Add("f", 1) {
		t.Error("one item that is larger than the bound is taken by an empty queue, and nothing after it")
	}
	if none := (&hold.Queue[string]{}); none.Add("a", 0) {
		t.Error("the zero queue has no room")
	}
}

func TestSize(t *testing.T) {
	long := &messages.Event{Id: strings.Repeat("x", 1000)}
	matched := &messages.Matched{Hits: []*messages.Hit{{Event: long}}}
	small, counted := hold.Size(&messages.AskThrough{}), &messages.Matched{Hits: matched.GetHits(), Bytes: 5000}
	if small <= 0 || hold.Size(matched) < small+1000 || hold.Size(counted) < 5000 || hold.Size(struct{}{}) <= 0 {
		t.Errorf("sizes %d, %d, %d", small, hold.Size(matched), hold.Size(counted))
	}
}

func TestBackoff(t *testing.T) {
	b := hold.Backoff{First: time.Second, Most: 5 * time.Second}
	var waits []time.Duration
	for range 5 {
		waits = append(waits, b.Failed()/time.Second)
	}
	b.Succeeded()
	if waits = append(waits, b.Failed()/time.Second); !slices.Equal(waits, []time.Duration{1, 2, 4, 5, 5, 1}) {
		t.Errorf("waited %v", waits)
	}
}
