package gossip

import (
	"slices"
	"strings"
	"time"
)

// State is what gossip knows of a node at the moment.
type State uint8

const (
	// Seen: it answers this node or another one.
	Seen State = iota
	// Gone: it has stopped answering. It may have ended, hang, or be cut off.
	Gone
	// Left: it has said that it leaves, and does not answer any more.
	Left
)

func (s State) String() string { return [...]string{"seen", "gone", "left"}[s] }

// Node is one node as gossip knows it.
type Node struct {
	Meta   // as it was said last
	Name   string
	State  State
	Gossip string // host:port at which it was seen last
	// Since is when State became so, by this process's clock.
	Since time.Time
}

// Snapshot is what gossip knows, at one moment. It is never changed.
type Snapshot struct {
	Number uint64 // grows with every one that this process makes; the first is 1
	Nodes  []Node // by name; this one is among them
	// Rival is where others know a process of this node's name, while this one has
	// no incarnation yet; "": nowhere. It may be this node itself, at the address
	// that it had before.
	Rival string
}

// Node is the one of that name.
func (s *Snapshot) Node(name string) (Node, bool) {
	i, found := slices.BinarySearchFunc(s.Nodes, name, func(n Node, name string) int { return strings.Compare(n.Name, name) })
	if !found {
		return Node{}, false
	}
	return s.Nodes[i], true
}

func (n Node) same(o Node) bool {
	return n.Name == o.Name && n.State == o.State && n.Gossip == o.Gossip && n.Since.Equal(o.Since) && n.Meta.same(o.Meta)
}

func (m Meta) same(o Meta) bool {
	return m.Cluster == o.Cluster && m.Incarnation == o.Incarnation && m.Wire == o.Wire && m.WireLeast == o.WireLeast && m.Link == o.Link &&
		m.Routes == o.Routes && m.Version == o.Version && m.Leaving == o.Leaving &&
		slices.Equal(m.Roles, o.Roles) && slices.Equal(m.Capabilities, o.Capabilities)
}
