package placement

import (
	"cmp"
	"math/bits"
	"slices"
	"sync/atomic"

	"github.com/birdwire/birdwire/cluster/membership"
)

// slack is how many shards more than its even part a node may have. Of 1,024
// shards on three nodes that is 1.5 %, so that the least loaded one is within
// 3 %; on fifty nodes, where chance alone gives a fifth more, it is a quarter.
// Less slack moves more shards when a node joins (DECISIONS.md has figures).
const slack = 5

// Table is who owns each of a number of shards in one view. It never changes.
type Table struct {
	view   membership.View
	owners []int16 // by shard: index of the member; -1: nobody may own. Tables may share it
}

// Shards places so many shards.
func Shards(view membership.View, shards int) *Table {
	members := view.Members()
	var before []lately
	if all := lastPlaced.Load(); all != nil {
		before = *all
	}
	for _, p := range before {
		if len(p.owners) == shards && slices.EqualFunc(members, p.members, placedAlike) {
			return &Table{view: view, owners: p.owners}
		}
	}
	now := lately{slices.Clone(members), place(members, shards)}
	before = append([]lately{now}, before[:min(len(before), latelyMost-1)]...)
	lastPlaced.Store(&before)
	return &Table{view: view, owners: now.owners}
}

// place says by shard which member owns it.
func place(members []membership.Member, shards int) []int16 {
	owners := homes(members, shards)
	loads := make([]int, len(members))
	var orphans []int
	for shard, home := range owners {
		if home >= 0 && members[home].State == membership.Core {
			loads[home]++
			continue
		}
		owners[shard] = -1
		orphans = append(orphans, shard)
	}
	core := coreOf(members)
	room := most(shards, len(core))
	// The newest version first; an older one gets what those have no room for.
	slices.SortStableFunc(core, func(a, b int) int { return cmp.Compare(members[b].Version, members[a].Version) })
	for len(core) > 0 && len(orphans) > 0 {
		n := 1
		for n < len(core) && members[core[n]].Version == members[core[0]].Version {
			n++
		}
		orphans = deal(owners, orphans, members, core[:n], loads, room)
		core = core[n:]
	}
	return owners
}

// lately is where shards were placed, of a view with such members.
type lately struct {
	members []membership.Member
	owners  []int16
}

// lastPlaced is what Shards has found last, the newest first, at most latelyMost: views
// change more often than places do and come back to what they were, and the nodes of a
// simulation all ask for the same. A start of five nodes passes fifteen.
var lastPlaced atomic.Pointer[[]lately]

const latelyMost = 32

// placedAlike says whether the two differ in nothing that places go by.
func placedAlike(a, b membership.Member) bool {
	return a.Name == b.Name && a.Version == b.Version && (a.State == membership.Core) == (b.State == membership.Core)
}

func coreOf(members []membership.Member) (core []int) {
	for i, m := range members {
		if m.State == membership.Core {
			core = append(core, i)
		}
	}
	return core
}

// View is the one that it was made of.
func (t *Table) View() membership.View { return t.view }

// Owner is the member that owns the shard; false where nobody may.
func (t *Table) Owner(shard int) (membership.Member, bool) {
	if t.owners[shard] < 0 {
		return membership.Member{}, false
	}
	return t.view.Members()[t.owners[shard]], true
}

// dealt are the homes of a number of shards among nodes of these names.
type dealt struct {
	names  []string
	owners []int16
}

// lastDealt is what homes has found last: views change far more often by who is well
// than by who there is, and the nodes of a simulation all ask for the same.
var lastDealt atomic.Pointer[dealt]

// homes deals the shards out to all members, up or not.
func homes(members []membership.Member, shards int) []int16 {
	d := lastDealt.Load()
	if d == nil || len(d.owners) != shards || !slices.EqualFunc(members, d.names, func(m membership.Member, name string) bool { return m.Name == name }) {
		d = deals(members, shards)
		lastDealt.Store(d)
	}
	return slices.Clone(d.owners)
}

func deals(members []membership.Member, shards int) *dealt {
	d := &dealt{owners: make([]int16, shards)}
	every, nodes := make([]int, shards), make([]int, len(members))
	for s := range every {
		every[s], d.owners[s] = s, -1
	}
	for i, m := range members {
		nodes[i] = i
		d.names = append(d.names, m.Name)
	}
	deal(d.owners, every, members, nodes, make([]int, len(members)), most(shards, len(members)))
	return d
}

// most is how many shards one of n nodes may have.
func most(shards, n int) int { return shards/max(n, 1) + slack }

// pair is a shard and a node that it might go to.
type pair struct {
	score       uint64
	shard, node int
}

// deal gives shards to nodes of which each has room for so many in all, in the
// order of the pairs' scores, and returns the shards that are left.
func deal(owners []int16, shards []int, members []membership.Member, nodes []int, loads []int, most int) (left []int) {
	pairs := make([]pair, 0, len(shards)*len(nodes))
	for _, node := range nodes {
		seed := hashOf(members[node].Name)
		for _, shard := range shards {
			pairs = append(pairs, pair{mix(seed + uint64(shard)*golden), shard, node})
		}
	}
	for _, p := range byScore(pairs) {
		if owners[p.shard] < 0 && loads[p.node] < most {
			owners[p.shard] = int16(p.node)
			loads[p.node]++
		}
	}
	for _, shard := range shards {
		if owners[shard] < 0 {
			left = append(left, shard)
		}
	}
	return left
}

// byScore sorts pairs, the highest score first. Scores are hashes: dealt into as many
// drawers as there are pairs by their first bits, there is about one in each, so that
// what is left to compare is next to nothing.
func byScore(pairs []pair) []pair {
	width := bits.Len(uint(len(pairs)))
	drawer := func(p pair) int { return int(^p.score >> (64 - width)) }
	ends := make([]int, 1<<width)
	for _, p := range pairs {
		ends[drawer(p)]++
	}
	sum := 0
	for i, n := range ends {
		ends[i] = sum
		sum += n
	}
	sorted := make([]pair, len(pairs))
	for _, p := range pairs {
		sorted[ends[drawer(p)]] = p
		ends[drawer(p)]++
	}
	for i := 1; i < len(sorted); i++ {
		for j := i; j > 0 && sorted[j].before(sorted[j-1]); j-- {
			sorted[j], sorted[j-1] = sorted[j-1], sorted[j]
		}
	}
	return sorted
}

// before: pairs of one score, which are next to none, are in order of shard and node.
func (p pair) before(o pair) bool {
	if p.score != o.score {
		return p.score > o.score
	}
	return p.shard < o.shard || p.shard == o.shard && p.node < o.node
}

// Singleton is the member that owns what there is one of in the cluster, by its
// name; false where nobody may. Where it has hung it is not, unless it has hung at
// every member of the core.
func Singleton(view membership.View, name string) (membership.Member, bool) {
	seed := hashOf(name)
	score := func(m membership.Member) uint64 { return mix(hashOf(m.Name) ^ mix(seed)) }
	well := func(m membership.Member) int {
		if m.Without == name {
			return 0
		}
		return 1
	}
	var home, keeper membership.Member
	found := false
	for _, m := range view.Members() {
		if home.Name == "" || score(m) > score(home) {
			home = m
		}
		better := cmp.Or(cmp.Compare(well(m), well(keeper)), cmp.Compare(m.Version, keeper.Version), cmp.Compare(score(m), score(keeper)))
		if m.State == membership.Core && (!found || better > 0) {
			keeper, found = m, true
		}
	}
	if home.State == membership.Core && home.Without != name {
		return home, true
	}
	return keeper, found
}

const golden = 0x9e3779b97f4a7c15

// hashOf is FNV-1a, mixed once more: alone it places names that differ in their
// last digit 50/25/25.
func hashOf(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return mix(h)
}

// mix is the finisher of splitmix64.
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
