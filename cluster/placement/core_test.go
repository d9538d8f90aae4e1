package placement_test

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/birdwire/birdwire/cluster/membership"
	"github.com/birdwire/birdwire/cluster/placement"
)

// nodes are n that reach each other, the first one the oldest.
func nodes(n int) []membership.Record {
	all := make([]membership.Record, n)
	for i := range all {
		all[i] = membership.Record{Name: fmt.Sprintf("n%02d", i), Incarnation: 1, Began: int64(1000 + i)}
		for j := range n {
			all[i].Reaches = append(all[i].Reaches, fmt.Sprintf("n%02d", j))
		}
	}
	return all
}

// cut is one way: a does not reach b.
func cut(all []membership.Record, a, b int) {
	all[a].Reaches = slices.DeleteFunc(all[a].Reaches, func(name string) bool { return name == all[b].Name })
}

func TestCore(t *testing.T) {
	for name, test := range map[string]struct {
		nodes int
		cuts  [][2]int
		want  []string
	}{
		"nobody":                             {0, nil, nil},
		"one alone":                          {1, nil, []string{"n00"}},
		"all":                                {3, nil, []string{"n00", "n01", "n02"}},
		"one way is a cut":                   {3, [][2]int{{2, 1}}, []string{"n00", "n01"}},
		"a pair apart: with the older":       {3, [][2]int{{1, 2}, {2, 1}}, []string{"n00", "n01"}},
		"two apart: the older":               {2, [][2]int{{0, 1}}, []string{"n00"}},
		"the larger side, though younger":    {5, [][2]int{{0, 2}, {0, 3}, {0, 4}, {1, 2}, {1, 3}, {1, 4}}, []string{"n02", "n03", "n04"}},
		"equal sides: the oldest's":          {4, [][2]int{{0, 1}, {0, 2}, {3, 1}, {3, 2}}, []string{"n00", "n03"}},
		"the same oldest: the second oldest": {5, [][2]int{{1, 3}, {1, 4}, {2, 3}, {2, 4}}, []string{"n00", "n01", "n02"}},
		"a ring of cuts":                     {5, [][2]int{{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 0}}, []string{"n00", "n02"}},
	} {
		t.Run(name, func(t *testing.T) {
			all := nodes(test.nodes)
			for _, c := range test.cuts {
				cut(all, c[0], c[1])
			}
			if got := placement.Core(all); !slices.Equal(got, test.want) {
				t.Errorf("core %v, want %v", got, test.want)
			}
		})
	}
}

// byTrying is the same by going through all sets.
func byTrying(all []membership.Record) []string {
	live := slices.DeleteFunc(slices.Clone(all), func(r membership.Record) bool { return r.Lapsed || r.Leaving })
	slices.SortFunc(live, func(a, b membership.Record) int { return int(a.Began - b.Began) })
	best, size := uint64(0), 0
	for set := range uint64(1) << len(live) {
		whole := true
		for i, a := range live {
			for j, b := range live[:i] {
				both := set>>i&1 == 1 && set>>j&1 == 1
				whole = whole && (!both || slices.Contains(a.Reaches, b.Name) && slices.Contains(b.Reaches, a.Name))
			}
		}
		n := bits.OnesCount64(set)
		// Bit 0 is the oldest: of two sets the one whose lowest differing bit is set.
		if whole && (n > size || n == size && (set^best)&-(set^best)&set != 0) {
			best, size = set, n
		}
	}
	var core []string
	for i, r := range live {
		if best>>i&1 == 1 {
			core = append(core, r.Name)
		}
	}
	slices.Sort(core)
	return core
}

func TestCoreIsWhatTryingAllSetsFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := nodes(rapid.IntRange(0, 8).Draw(t, "nodes"))
		for i := range all {
			all[i].Began = int64(1000 + (i*5)%len(all)) // age is not the order of names
			all[i].Lapsed = rapid.IntRange(0, 9).Draw(t, "lapsed") == 0
			all[i].Leaving = rapid.IntRange(0, 9).Draw(t, "leaving") == 0
		}
		if len(all) > 1 {
			for range rapid.IntRange(0, 12).Draw(t, "cuts") {
				cut(all, rapid.IntRange(0, len(all)-1).Draw(t, "from"), rapid.IntRange(0, len(all)-1).Draw(t, "to"))
			}
		}
		shuffled := rapid.Permutation(all).Draw(t, "order")
		if got, want := placement.Core(shuffled), byTrying(all); !slices.Equal(got, want) {
			t.Fatalf("core %v, want %v", got, want)
		}
	})
}

func TestTooManyNodes(t *testing.T) {
	if got := placement.Core(nodes(placement.MostNodes)); len(got) != placement.MostNodes {
		t.Errorf("%d of %d", len(got), placement.MostNodes)
	}
	// The youngest are apart, and the next has its place where an old one ends.
	all := nodes(placement.MostNodes + 2)
	got := placement.Core(all)
	if len(got) != placement.MostNodes || slices.Contains(got, all[placement.MostNodes].Name) {
		t.Errorf("%v", got)
	}
	all[0].Lapsed = true
	got = placement.Core(all)
	if len(got) != placement.MostNodes || !slices.Contains(got, all[placement.MostNodes].Name) || slices.Contains(got, all[placement.MostNodes+1].Name) {
		t.Errorf("after the oldest has ended: %v", got)
	}
}

// BenchmarkCore is 50 nodes with the worst cuts that are known: sparse random
// ones, those of rings that touch, and sets of three that do not reach each
// other, of which there are 3^16 largest sets.
func BenchmarkCore(b *testing.B) {
	graphs := map[string]func() []membership.Record{
		"whole": func() []membership.Record { return nodes(50) },
		"threes": func() []membership.Record {
			all := nodes(50)
			for i := 0; i+2 < 50; i += 3 {
				cut(all, i, i+1)
				cut(all, i+1, i+2)
				cut(all, i, i+2)
			}
			return all
		},
	}
	for _, degree := range []int{2, 3, 4, 5, 6, 8, 12, 25} {
		graphs[fmt.Sprintf("random, %d cuts a node", degree)] = func() []membership.Record {
			all, r := nodes(50), rand.New(rand.NewPCG(uint64(degree), 7))
			for range 50 * degree / 2 {
				if i, j := r.IntN(50), r.IntN(50); i != j {
					cut(all, i, j)
				}
			}
			return all
		}
	}
	for name, graph := range graphs {
		b.Run(name, func(b *testing.B) {
			all := graph()
			for b.Loop() {
				placement.Core(all)
			}
		})
	}
}
