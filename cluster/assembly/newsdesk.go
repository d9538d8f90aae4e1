package assembly

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/newsdesk"
	"github.com/birdwire/birdwire/actors/storycluster"
	"github.com/birdwire/birdwire/cluster/store"
)

// The store's snapshots are the newsdesk's port as they are.
var _ newsdesk.Snapshots = store.Snapshots(nil)

// newsdeskShard is where the newsdesk is: with this shard. One newsdesk is a
// key of its own among those that are placed, and moves as they do.
var newsdeskShard = actors.ShardOf("newsdesk")

// newsdeskHere says whether this node has the newsdesk.
func (n *Node) newsdeskHere() bool {
	return n.owns(newsdeskShard) && n.lease.Live()
}

// Newsdesk is the actor that answers about stories, on the node that has it.
func (n *Node) Newsdesk() *actor.PID {
	if p := n.placed.Load(); p != nil {
		return actor.NewPID(p.owners[newsdeskShard].GetAddress(), newsdeskID)
	}
	return n.pid(newsdeskID)
}

func (n *Node) newsdeskProps() *actor.Props {
	p := n.ports
	return newsdesk.Props(newsdesk.Config{
		Desk: n.cfg.Newsdesk, Owns: n.newsdeskHere, Router: n.pid(routerID), Journal: n.Journal(), Clock: p.Clock, Worker: p.Work.Read, Props: p.Props,
		Story: storycluster.Props(p.Props), Replays: replays{n.log, p.Repeats}, Snapshots: p.Store.Snapshots(), State: &newsdesk.State{},
		Logger: p.Logger.With("actor", "newsdesk"), Observe: p.Observe.Newsdesk,
	})
}
