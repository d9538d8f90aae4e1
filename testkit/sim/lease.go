package sim

import (
	"errors"

	"github.com/birdwire/birdwire/cluster/assembly"
	"github.com/birdwire/birdwire/cluster/membership"
)

// live says whether the node may act by its lease.
func (n *Node) live() bool { return !errors.Is(n.Actors.Serving(), assembly.ErrLapsed) }

// Drain has the node say that it leaves: others take what it owns, while its
// clients stay. Stay takes that back.
func (n *Node) Drain() { n.Actors.Drain(true) }

// Stay ends what Drain has begun.
func (n *Node) Stay() { n.Actors.Drain(false) }

// Agree says whether all nodes that are awake see the same members, and themselves
// in the core.
func (c *Cluster) Agree() bool {
	var first []membership.Member
	for _, n := range c.nodes {
		if !n.Awake() {
			continue
		}
		members := n.Actors.View().Members()
		if first == nil {
			first = members
		}
		if len(members) != len(first) || n.Actors.Serving() != nil {
			return false
		}
		for i, m := range members {
			if m != first[i] {
				return false
			}
		}
	}
	return true
}
