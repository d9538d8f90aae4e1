package sim

import (
	"maps"
	"slices"

	"github.com/birdwire/birdwire/actors"
)

// moves are how often each shard has gone from one process to another since what
// nodes go by changed last. Placement is a function of the view, so a shard that
// moves on and on while views stand still has owners that disagree for good.
type moves struct {
	holders map[string]string // by the name of a shard's record: who took it last
	still   map[string]int    // moves since the last change of a view
	views   uint64            // of which these are

	homes   map[string]string // by record: the node that each shard was on when counting began; nil: nothing is counted
	all     map[string]int    // moves since then
	planned map[string]int    // by node: how often it was drained, or more than that
	others  bool              // something else has befallen the cluster
}

// movesMost is how often a shard may move while views stand still: one that was
// being taken by what its node knew before is given up, and goes to its place. While
// one node's view is older than the others', which is for some seconds at most, two
// take it from each other about once a second.
const movesMost = 9

func newMoves() *moves {
	return &moves{holders: make(map[string]string, actors.Shards), still: make(map[string]int, actors.Shards)}
}

// look begins again where a view has changed, or who goes by one.
func (m *moves) look(c *Cluster) {
	views := uint64(0)
	for _, n := range c.nodes {
		views += n.incarnation << 32
		if n.frozen {
			views += 1 << 60
		}
		if n.Actors != nil {
			views += n.Actors.View().Number()
		}
	}
	if views != m.views {
		m.views = views
		clear(m.still)
	}
}

// taken is that a process has written the record as its owner.
func (m *moves) taken(c *Cluster, shard, by string) {
	if m.holders[shard] == by {
		return
	}
	m.holders[shard] = by
	if m.homes != nil {
		m.all[shard]++
	}
	if m.still[shard]++; m.still[shard] > movesMost {
		c.Violated("shards stand still while views do", "%s has moved %d times since a view changed last, now to %s\n%s", shard, m.still[shard], by, c)
	}
}

// planned are kinds that move what a node has away from it and back, and still those
// that move nothing.
var (
	planned = []Fault{Drain, Upgrade}
	still   = []Fault{Duplicate, ClockJump, ClockDrift, Trim}
)

// away is that such a thing befalls the node. The first time the cluster is whole.
func (m *moves) away(c *Cluster, kind Fault, node string) {
	if m.homes == nil {
		m.homes, m.all, m.planned = map[string]string{}, map[string]int{}, map[string]int{}
		for number, id := range keysOfShards() {
			m.homes[actors.ShardRecord(number)] = c.nodes[0].Owner(id)
		}
	}
	switch {
	case slices.Contains(planned, kind):
		m.planned[node]++
	case !slices.Contains(still, kind):
		m.others = true
	}
}

// CheckMoves holds that no shard has moved more than twice for each time that the node
// on which it was has been away: to another node, and back. So much a rolling restart
// of all nodes costs each shard. Where other things have befallen the cluster too it
// holds nothing.
func (c *Cluster) CheckMoves() {
	c.TB.Helper()
	c.checkTerms()
	if c.moves.others {
		return
	}
	for _, shard := range slices.Sorted(maps.Keys(c.moves.all)) {
		home := c.moves.homes[shard]
		if n, most := c.moves.all[shard], 2*c.moves.planned[home]; n > most {
			c.Violated("a shard moves away from its place and back", "%s has moved %d times, and %s, where it was, was away: %d at most", shard, n, home, most)
			return
		}
	}
}
