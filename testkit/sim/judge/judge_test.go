package judge_test

import (
	"strings"
	"testing"

	"github.com/birdwire/birdwire/testkit/sim/judge"
)

func TestPlacesGrowByPositionAndThenByDelivery(t *testing.T) {
	at := judge.Place{Position: 7, K: 2}
	for place, after := range map[judge.Place]bool{{6, 9}: false, {7, 1}: false, {7, 2}: false, {7, 3}: true, {8, 0}: true} {
		if place.After(at) != after {
			t.Errorf("%v after %v is %v", place, at, !after)
		}
	}
}

func TestDelivered(t *testing.T) {
	want := []string{"a", "b", "c"}
	for _, c := range []struct {
		got   string
		right int
		says  string // "": it is as it should be
	}{
		{"a b c", 3, ""},
		{"a b", 2, "2 of 3; the first 2 are right, then it was handed nothing, want c"},
		{"a b c c", 3, "then it was handed c, want nothing"},
		{"a c b", 1, "then it was handed c, want b"},
	} {
		right, err := judge.Delivered(strings.Fields(c.got), want)
		if right != c.right || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %d, %v; want %d, %q", c.got, right, err, c.right, c.says)
		}
	}
}

func TestLimitAndCharge(t *testing.T) {
	if judge.Limit("key", []string{"a", "b"}, 2) != nil || judge.Limit("key", []string{"a", "b"}, 1) == nil {
		t.Error("two connections are two")
	}
	for _, c := range []struct {
		charged int64
		exactly bool
		well    bool
	}{{9, false, false}, {10, true, true}, {12, true, true}, {13, true, false}, {13, false, true}} {
		if err := judge.Charged("key", 10, c.charged, 2, c.exactly); (err == nil) != c.well {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestTermsAndViews(t *testing.T) {
	for what, c := range map[string]struct {
		err  error
		well bool
	}{
		"nobody has taken it":      {judge.Term("shard 7", 3, "", "a@1"), true},
		"taken by the same":        {judge.Term("shard 7", 3, "a@1", "a@1"), true},
		"taken by another":         {judge.Term("shard 7", 3, "a@1", "a@2"), false},
		"nobody serves it":         {judge.Owner("shard 7", nil), true},
		"one serves it":            {judge.Owner("shard 7", []string{"a@1"}), true},
		"two serve it":             {judge.Owner("shard 7", []string{"a@1", "b@1"}), false},
		"the first view":           {judge.Growing("a@1", 0, 1), true},
		"a later view":             {judge.Growing("a@1", 3, 5), true},
		"the same number":          {judge.Growing("a@1", 3, 3), false},
		"all see the same":         {judge.Agree(map[string]string{"a@1": "x", "b@1": "x", "c@1": "x"}), true},
		"the last sees another":    {judge.Agree(map[string]string{"a@1": "x", "b@1": "x", "c@1": "y"}), false},
		"one that has no word yet": {judge.Agree(map[string]string{"a@1": "", "b@1": "x"}), false},
	} {
		if (c.err == nil) != c.well {
			t.Errorf("%s: %v", what, c.err)
		}
	}
}
