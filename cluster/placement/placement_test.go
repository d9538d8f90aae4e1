package placement_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/birdwire/birdwire/cluster/membership"
	"github.com/birdwire/birdwire/cluster/placement"
)

const shards = 1024

func up(names ...string) (all []membership.Member) {
	for _, name := range names {
		all = append(all, membership.Member{Name: name, Incarnation: 1, Version: 1, State: membership.Core})
	}
	return all
}

func numbered(prefix string, n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprint(prefix, i+1))
	}
	return names
}

// owners is who has each shard, "" for nobody.
func owners(members []membership.Member) []string {
	table := placement.Shards(membership.NewView(1, members...), shards)
	all := make([]string, shards)
	for s := range all {
		m, _ := table.Owner(s)
		all[s] = m.Name
	}
	return all
}

func loads(owners []string) map[string]int {
	n := map[string]int{}
	for _, name := range owners {
		n[name]++
	}
	return n
}

// moved lists the shards whose owner differs.
func moved(a, b []string) (all []int) {
	for s := range a {
		if a[s] != b[s] {
			all = append(all, s)
		}
	}
	return all
}

func TestThreeNodesHaveAThirdEach(t *testing.T) {
	worst := 0.0
	for _, prefix := range []string{"a", "b", "node", "node-", "birdwire-", "10.0.0.", "db-eu-west-1-", "n0000"} {
		for from := range 20 {
			three := numbered(fmt.Sprint(prefix, from, "-"), 3)
			for name, n := range loads(owners(up(three...))) {
				off := math.Abs(float64(n)*3/shards - 1)
				if worst = max(worst, off); off > 0.03 {
					t.Errorf("%s of %v has %d of %d shards: %.1f %% off a third", name, three, n, shards, 100*off)
				}
			}
		}
	}
	t.Logf("the worst of 160 clusters is %.2f %% off", 100*worst)
}

// A shard and a node agree on each other where neither could do better: shards
// ask the nodes in the order of their wishes, and a node keeps those that it
// scores highest. Whoever asks first, the outcome is one and the same.
func TestHomesAreWhatShardsAndNodesAgreeOn(t *testing.T) {
	const shards = 200
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,4}[0-9]{0,3}`), 1, 12, rapid.ID[string]).Draw(t, "nodes")
		table := placement.Shards(membership.NewView(1, up(names...)...), shards)
		room := shards/len(names) + 5
		keeps, wishes := map[string][]int{}, make([][]string, shards)
		for s := range wishes {
			wishes[s] = slices.SortedFunc(slices.Values(names), func(a, b string) int { return cmp.Compare(score(b, s), score(a, s)) })
		}
		for free := rapid.Permutation(each(shards)).Draw(t, "order"); len(free) > 0; {
			s := free[0]
			node := wishes[s][0]
			free, wishes[s] = free[1:], wishes[s][1:]
			keeps[node] = append(keeps[node], s)
			if len(keeps[node]) > room {
				slices.SortFunc(keeps[node], func(a, b int) int { return cmp.Compare(score(node, b), score(node, a)) })
				free = append(free, keeps[node][room])
				keeps[node] = keeps[node][:room]
			}
		}
		for node, kept := range keeps {
			for _, s := range kept {
				if m, _ := table.Owner(s); m.Name != node {
					t.Fatalf("shard %d is %s's, want %s", s, m.Name, node)
				}
			}
		}
	})
}

func each(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// score is how a node scores a shard, written down once more: were it changed,
// every cluster's shards would move at its next upgrade.
func score(name string, shard int) uint64 {
	h := uint64(0xcbf29ce484222325)
	for _, c := range []byte(name) {
		h ^= uint64(c)
		h *= 0x100000001b3
	}
	return finish(finish(h) + uint64(shard)*0x9e3779b97f4a7c15)
}

func finish(z uint64) uint64 {
	z ^= z >> 30
	z *= 0xbf58476d1ce4e5b9
	z ^= z >> 27
	z *= 0x94d049bb133111eb
	return z ^ z>>31
}

// A new node takes its part. Beyond that only shards move that are, before or
// after it, not where they are wanted most because that node is full.
func TestAJoinMovesWhatTheNewNodeGetsAndFewOthers(t *testing.T) {
	for n, want := range map[int]struct{ newcomers, others int }{2: {346, 1}, 3: {261, 6}, 4: {203, 13}, 9: {101, 6}} {
		names := numbered("node-", n+1)
		before, after := owners(up(names[:n]...)), owners(up(names...))
		all := moved(before, after)
		got := loads(after)[names[n]]
		if got != want.newcomers || len(all)-got != want.others {
			t.Errorf("%d nodes and one: it gets %d shards and %d others move, want %d and %d", n, got, len(all)-got, want.newcomers, want.others)
		}
	}
	excess, runs := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,8}[0-9]{0,3}`), 2, 20, rapid.ID[string]).Draw(t, "nodes")
		before, after := owners(up(names[1:]...)), owners(up(names...))
		others := 0
		for _, s := range moved(before, after) {
			if after[s] == names[0] {
				continue
			}
			others++
			if !squeezed(before, names[1:], s) && !squeezed(after, names, s) {
				t.Fatalf("shard %d moves from %s to %s, which were its first wishes", s, before[s], after[s])
			}
		}
		excess, runs = excess+others, runs+1
		if others > 50 {
			t.Fatalf("%d shards move that do not go to the new node", others)
		}
	})
	t.Logf("in %d joins %.1f shards moved on average that did not go to the new node", runs, float64(excess)/float64(runs))
}

// squeezed: the shard is not where it is wanted most.
func squeezed(owners, names []string, s int) bool {
	return owners[s] != slices.MaxFunc(names, func(a, b string) int { return cmp.Compare(score(a, s), score(b, s)) })
}

// members draws some, of which at least one is in the core.
func members(t *rapid.T) []membership.Member {
	names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,4}[0-9]{0,2}`), 1, 10, rapid.ID[string]).Draw(t, "nodes")
	all := up(names...)
	for i := range all[1:] {
		all[i+1].State = membership.State(rapid.IntRange(0, 3).Draw(t, "state"))
		all[i+1].Version = uint32(rapid.IntRange(1, 2).Draw(t, "version"))
	}
	return all
}

// What is absent moves what it is home of, and nothing else; and back.
func TestAnAbsenceMovesThatNodesShardsAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := members(t)
		i := rapid.IntRange(0, len(before)-1).Draw(t, "absent")
		before[i].State = membership.Core
		after := slices.Clone(before)
		after[i].State = rapid.SampledFrom([]membership.State{membership.Down, membership.Apart, membership.Leaving}).Draw(t, "as")
		all := up(names(before)...)
		home, a, b := owners(all), owners(before), owners(after)
		for _, s := range moved(a, b) {
			others := slices.ContainsFunc(after, func(m membership.Member) bool { return m.State == membership.Core })
			if home[s] != before[i].Name && others && inCore(before, home[s]) {
				t.Fatalf("shard %d of %s moves from %s to %s when %s goes", s, home[s], a[s], b[s], before[i].Name)
			}
		}
	})
}

func names(all []membership.Member) (list []string) {
	for _, m := range all {
		list = append(list, m.Name)
	}
	return list
}

func inCore(all []membership.Member, name string) bool {
	return slices.ContainsFunc(all, func(m membership.Member) bool { return m.Name == name && m.State == membership.Core })
}

// Nobody outside the core owns, nobody owns more than there is room for, and
// everything is owned.
func TestEveryShardIsOwnedInTheCore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := members(t)
		inside := 0
		for _, m := range all {
			if m.State == membership.Core {
				inside++
			}
		}
		for name, n := range loads(owners(all)) {
			if !inCore(all, name) || n > shards/inside+5 {
				t.Fatalf("%q has %d shards in %v", name, n, all)
			}
		}
	})
	for s, name := range owners([]membership.Member{{Name: "a", State: membership.Apart}}) {
		if name != "" {
			t.Fatalf("shard %d is owned by %s, which is apart", s, name)
		}
	}
	if _, owned := placement.Shards(membership.View{}, shards).Owner(7); owned {
		t.Error("nobody is there, and a shard is owned")
	}
}

// One node after the other is stopped and comes back as the next version, or, where
// that one is no good, as the one before: each shard moves away once and back once.
// What must move goes to the newer version.
func TestARollingRestartMovesEachShardTwice(t *testing.T) {
	for _, n := range []int{2, 3, 5, 9} {
		for _, versions := range [][2]uint32{{1, 2}, {2, 1}} {
			t.Run(fmt.Sprintf("%d nodes from %d to %d", n, versions[0], versions[1]), func(t *testing.T) { restart(t, n, versions[0], versions[1]) })
		}
	}
}

func restart(t *testing.T, n int, from, to uint32) {
	all := up(numbered("n", n)...)
	for i := range all {
		all[i].Version = from
	}
	first := owners(all)
	before, moves := first, make([]int, shards)
	step := func() {
		now := owners(all)
		for _, s := range moved(before, now) {
			moves[s]++
		}
		before = now
	}
	for i := range all {
		older := loads(before)
		all[i].State = membership.Leaving
		step()
		for _, m := range all {
			if grown := loads(before)[m.Name] - older[m.Name]; m.Version == 1 && grown > 0 && hasRoom(all, before, 2) {
				t.Errorf("without %s: %s of the older version gets %d shards, and a newer one has room", all[i].Name, m.Name, grown)
			}
		}
		all[i].State = membership.Down
		step()
		all[i].State, all[i].Version, all[i].Incarnation = membership.Core, to, 2
		step()
	}
	for s, times := range moves {
		if times != 2 {
			t.Fatalf("shard %d has moved %d times", s, times)
		}
	}
	if len(moved(first, before)) > 0 {
		t.Errorf("after it %d shards are elsewhere", len(moved(first, before)))
	}
}

// hasRoom says whether a node of the core and the version could have more.
func hasRoom(all []membership.Member, owners []string, version uint32) bool {
	inside := 0
	for _, m := range all {
		if m.State == membership.Core {
			inside++
		}
	}
	return slices.ContainsFunc(all, func(m membership.Member) bool {
		return m.Version == version && m.State == membership.Core && loads(owners)[m.Name] < shards/inside+5
	})
}

func TestSingletons(t *testing.T) {
	owner := func(all []membership.Member, name string) string {
		m, ok := placement.Singleton(membership.NewView(1, all...), name)
		if !ok {
			return ""
		}
		return m.Name
	}
	three := up("node1", "node2", "node3")
	got := map[string]int{}
	for i := range 3000 {
		got[owner(three, fmt.Sprint("feed-", i))]++
	}
	for name, n := range got {
		if n < 900 || n > 1100 { // 1,000 expected, four standard deviations
			t.Errorf("%s has %d of 3,000 sources", name, n)
		}
	}
	home := owner(three, "newsdesk")
	i := slices.IndexFunc(three, func(m membership.Member) bool { return m.Name == home })
	three[i].State = membership.Down
	three[(i+1)%3].Version = 2
	if got := owner(three, "newsdesk"); got != three[(i+1)%3].Name {
		t.Errorf("while %s is down %s has the newsdesk, want %s, which is newer", home, got, three[(i+1)%3].Name)
	}
	three[i].State = membership.Core
	if got := owner(three, "newsdesk"); got != home {
		t.Errorf("%s is back, and %s has the newsdesk", home, got)
	}
	three[i].Without = "newsdesk"
	if got := owner(three, "newsdesk"); got != three[(i+1)%3].Name {
		t.Errorf("it has hung on %s, and %s has the newsdesk, want %s, which is newer", home, got, three[(i+1)%3].Name)
	}
	three[(i+1)%3].Without = "newsdesk"
	if got := owner(three, "newsdesk"); got != three[(i+2)%3].Name {
		t.Errorf("it has hung on all but %s, and %s has the newsdesk", three[(i+2)%3].Name, got)
	}
	three[(i+2)%3].Without = "newsdesk"
	if got := owner(three, "newsdesk"); got == "" {
		t.Error("it has hung everywhere, and nobody tries again")
	}
	if got := owner([]membership.Member{{Name: "a"}}, "newsdesk"); got != "" {
		t.Errorf("%s is down and has the newsdesk", got)
	}
}

// BenchmarkShards places 1,024 shards on so many nodes.
func BenchmarkShards(b *testing.B) {
	for _, n := range []int{1, 3, 5, 50} {
		view := membership.NewView(1, up(numbered("node-", n)...)...)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				placement.Shards(view, shards)
			}
		})
	}
}
