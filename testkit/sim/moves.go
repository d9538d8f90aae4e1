package sim

// moves are how often each shard has gone from one process to another since what
// nodes go by changed last. Placement is a function of the view, so a shard that
// moves on and on while views stand still has owners that disagree for good.
type moves struct {
	holders map[string]string // by the name of a shard's record: who took it last
	still   map[string]int    // moves since the last change of a view
	views   uint64            // of which these are
}

// movesMost is how often a shard may move while views stand still: one that was
// being taken by what its node knew before is given up, and goes to its place. While
// one node's view is older than the others', which is for some seconds at most, two
// take it from each other about once a second.
const movesMost = 9

func newMoves() *moves { return &moves{holders: map[string]string{}, still: map[string]int{}} }

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
	if m.still[shard]++; m.still[shard] > movesMost {
		c.Violated("shards stand still while views do", "%s has moved %d times since a view changed last, now to %s\n%s", shard, m.still[shard], by, c)
	}
}
