package assembly

import (
	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/actors/newsdesk"
	"github.com/birdwire/birdwire/actors/storycluster"
	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

// The store's snapshots are the newsdesk's port as they are.
var _ newsdesk.Snapshots = store.Snapshots(nil)

// NewsdeskName names the newsdesk's record and decides its place.
const NewsdeskName = "newsdesk"

// Newsdesk is the actor that answers about stories, or hands the question on to
// the node that has them.
func (n *Node) Newsdesk() *actor.PID { return n.pid(newsdeskID) }

// newsdeskProps are those of the newsdesk, of which one runs in the cluster. It
// writes no records: what it offers is the same whoever offers it.
func (n *Node) newsdeskProps() *actor.Props {
	p := n.ports
	desk := newsdesk.Props(newsdesk.Config{
		Desk: n.cfg.Newsdesk, Lease: n.lease, Router: n.pid(routerID), Journal: n.Journal(), Clock: p.Clock, Worker: p.Work.Read, Props: p.Props,
		Story: storycluster.Props(p.Props), Replays: replays{n.log, p.Repeats}, Snapshots: p.Store.Snapshots(), State: &newsdesk.State{},
		Judge: p.Judge, Judging: p.Work.judge(),
		Logger: p.Logger.With("actor", "newsdesk"), Observe: p.Observe.Newsdesk,
		Follow: follow.Config{Queues: p.Queues},
	})
	if p.Cluster == nil {
		return desk
	}
	return n.singleton(NewsdeskName, newsdeskID, func(actors.Records) *actor.Props { return desk }, func(proto.Message) proto.Message {
		return &messages.Rejected{Rejection: messages.Rejection_REJECTION_UNAVAILABLE, Detail: "no node has the newsdesk at the moment: try again"}
	})
}
