package assembly

import (
	"context"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/actors/enricher"
	"github.com/birdwire/birdwire/messages"
)

// enrichActors is the node's enricher, where it has one.
func (n *Node) enrichActors() []spec {
	p := n.ports
	if p.Enrich == nil {
		return nil
	}
	return []spec{{name: "enricher", group: groupUpstreams, care: lasting, props: enricher.Props(enricher.Config{
		Router: n.pid(routerID), Journal: n.Journal(), Reader: p.Enrich, Items: items{p.Store.Items()},
		Replays: enrichLog{replays{n.log, p.Repeats}}, Records: n.stored, Owns: n.ownsLane,
		Clock: p.Clock, Rand: p.Rand, Worker: p.Work.Records, Reads: p.Work.Read, Enrich: p.Work.Enrich, Props: p.Props,
		Logger: p.Logger.With("actor", "enricher"), Observe: p.Observe.Enriched,
		Follow: follow.Config{Queues: p.Queues},
	})}}
}

// ownsLane: a lane of articles is where the shard is that stands for it, so
// that lanes are dealt out and moved as shards are.
func (n *Node) ownsLane(lane int) bool { return n.owns(lane * (actors.Shards / enricher.Lanes)) }

// enrichLog is the log as an enricher reads it.
type enrichLog struct{ replays }

var _ enricher.Replays = enrichLog{}

func (l enrichLog) Begin(ctx context.Context) (epoch string, before messages.Position, err error) {
	first, _, err := l.log.Bounds(ctx)
	return l.log.Journal.Epoch(), messages.EndOf(max(first, 1) - 1), err
}
