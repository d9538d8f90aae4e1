package assembly

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/upstreams"
	"github.com/birdwire/birdwire/cluster/membership"
	"github.com/birdwire/birdwire/cluster/placement"
	"github.com/birdwire/birdwire/messages"
)

// Standing is what one node of the cluster is, as this one knows.
type Standing struct {
	membership.Member
	Reaches []string // nodes that its link reaches both ways, by its own word
	Unfit   string   // why it may own nothing, by its own word; "" where it may
	Shards  int      // that are placed on it
}

// Standings are those of all nodes that have a record, by name; none of a node that
// is alone, or that has read no records yet.
func (n *Node) Standings() []Standing {
	p := n.placed.Load()
	if p == nil {
		return nil
	}
	said := map[string]membership.Record{}
	if records := n.records.Load(); records != nil {
		for _, r := range *records {
			said[r.Name] = r
		}
	}
	shards := map[string]int{}
	for number := range actors.Shards {
		if m, ok := p.table.Owner(number); ok {
			shards[m.Name]++
		}
	}
	var all []Standing
	for _, m := range p.table.View().Members() {
		s := Standing{Member: m, Shards: shards[m.Name]}
		if r, ok := said[m.Name]; ok && r.Incarnation == m.Incarnation {
			s.Reaches, s.Unfit = r.Reaches, r.Unfit
		}
		all = append(all, s)
	}
	return all
}

// OwnerNode is the node that owns the key, as far as this one knows; "" where none
// does, and of one that is alone.
func (n *Node) OwnerNode(keyID string) string {
	if p := n.placed.Load(); p != nil {
		if m, ok := p.table.Owner(actors.ShardOf(keyID)); ok {
			return m.Name
		}
	}
	return ""
}

// Operated is the actor of the node's process that takes what operators ask of it:
// messages.DrainNode, ListConnections and CloseConnection; nil where the process is not
// known, or down.
func (n *Node) Operated(name string) *actor.PID { return n.on(name, leaseID) }

// UpstreamsOf is Upstreams of another node; nil where it is not known, or down.
func (n *Node) UpstreamsOf(name string) *actor.PID { return n.on(name, upstreamsID) }

func (n *Node) on(name, id string) *actor.PID {
	m, ok := n.View().Member(name)
	if !ok || m.State == membership.Down {
		return nil
	}
	return actor.NewPID(peerOf(m).Address(), id)
}

// SourceNode is the node that has the source of that id, of which there is one in the
// cluster; "" where nobody may have it now.
func (n *Node) SourceNode(id string) string {
	if n.placed.Load() == nil {
		return n.ports.Node
	}
	m, _ := placement.Singleton(n.View(), upstreams.SingletonName(id))
	return m.Name
}

// Others are the names of the nodes that are up besides this one.
func (n *Node) Others() (names []string) {
	for _, m := range n.View().Members() {
		if m.Name != n.ports.Node && m.State != membership.Down {
			names = append(names, m.Name)
		}
	}
	return names
}

// EndConnection has a connection of this node end, as evicted by an operator; false:
// there is none of that id.
func (n *Node) EndConnection(id string) bool {
	pid := n.Connection(id)
	if _, ok := n.ports.System.ProcessRegistry.Get(pid); !ok {
		return false
	}
	n.ports.System.Root.Send(pid, &messages.End{Reason: messages.EndReason_END_EVICTED, Detail: "closed by an operator"})
	return true
}
