package nats

import (
	"slices"
	"testing"

	"github.com/birdwire/birdwire/cluster/store"
)

func TestSplit(t *testing.T) {
	known := []span{{From: 5, To: 6}, {From: 8, To: 9, Lost: true}, {From: 20, To: 20}}
	for name, c := range map[string]struct {
		gap  span
		mark uint64
		want []span
	}{
		"known":                          {span{From: 5, To: 6}, 100, []span{{From: 5, To: 6}}},
		"known in part":                  {span{From: 4, To: 6}, 100, []span{{From: 4, To: 4, Lost: true}, {From: 5, To: 6}}},
		"lost and accepted":              {span{From: 8, To: 9}, 100, []span{{From: 8, To: 9, Lost: true}}},
		"lost next to what was":          {span{From: 7, To: 10}, 100, []span{{From: 7, To: 10, Lost: true}}},
		"several":                        {span{From: 5, To: 21}, 100, []span{{From: 5, To: 6}, {From: 7, To: 19, Lost: true}, {From: 20, To: 20}, {From: 21, To: 21, Lost: true}}},
		"past the mark":                  {span{From: 30, To: 31}, 29, []span{{From: 30, To: 31}}},
		"on both sides of it":            {span{From: 28, To: 31}, 29, []span{{From: 28, To: 29, Lost: true}, {From: 30, To: 31}}},
		"where nothing was acknowledged": {span{From: 28, To: 31}, 0, []span{{From: 28, To: 31}}},
	} {
		if got := split(c.gap, known, c.mark); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	h := new(holes)
	h.set(known)
	got, accepted := h.reason(span{From: 5, To: 9})
	if *got != (store.Skipped{From: 5, To: 6, Reason: store.NeverWritten}) || accepted {
		t.Errorf("the first part: %+v, accepted %v", got, accepted)
	}
	got, accepted = h.reason(span{From: 8, To: 9})
	if *got != (store.Skipped{From: 8, To: 9, Reason: store.Damaged}) || !accepted {
		t.Errorf("what was accepted: %+v, accepted %v", got, accepted)
	}
	got, accepted = h.reason(span{From: 30, To: 31})
	if *got != (store.Skipped{From: 30, To: 31, Reason: store.Damaged}) || accepted {
		t.Errorf("what is new: %+v, accepted %v", got, accepted)
	}
}
