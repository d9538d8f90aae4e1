package assembly

import (
	"context"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/singleton"
	"github.com/birdwire/birdwire/actors/source"
	"github.com/birdwire/birdwire/actors/upstreams"
	"github.com/birdwire/birdwire/cluster/membership"
	"github.com/birdwire/birdwire/cluster/placement"
	"github.com/birdwire/birdwire/messages"
)

const (
	// sampleInterval is how often the sample is asked for what is due; it paces itself.
	sampleInterval = 100 * time.Millisecond
	sampleID       = "sample"
)

// upstreamsReady is after the shards' numbers.
const upstreamsReady = actors.Shards

// upstreamsProps are those of what the node reads from: every feed, what is
// pushed, and the sample where there is one.
func (n *Node) upstreamsProps() *actor.Props {
	p, supervisor := n.ports, n.pid(supervisorID)
	others := []upstreams.Other{{ID: pushID, Kind: pushID, Here: true, Props: source.PushProps(n.sourceConfig(pushID, pushID))}}
	if p.Sample != nil {
		cfg := n.sourceConfig(sampleID, sampleID)
		cfg.Adapter, cfg.Interval = p.Sample, sampleInterval
		others = append(others, upstreams.Other{ID: cfg.ID, Kind: cfg.Kind, Props: n.single(cfg)})
	}
	var changed func()
	refresh := time.Duration(0)
	if p.Cluster != nil {
		changed, refresh = n.feedsChanged, refreshFeeds
	}
	return upstreams.Props(upstreams.Config{
		Changed: changed, Refresh: refresh,
		Records: n.stored, Clock: p.Clock, Worker: p.Work.Records, Props: p.Props,
		Logger: p.Logger.With("actor", "upstreams"), Feed: n.feedProps, Others: others, Absent: []string{sampleID},
		Started: func() { p.System.Root.Send(supervisor, &ready{upstreamsReady}) },
	})
}

func (n *Node) feedProps(f *messages.Feed) (*actor.Props, error) {
	adapter, err := n.ports.Feed(f)
	if err != nil {
		return nil, err
	}
	cfg := n.sourceConfig(f.GetId(), "feed")
	cfg.URL, cfg.Adapter, cfg.Interval = f.GetUrl(), adapter, time.Duration(f.GetIntervalMs())*time.Millisecond
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return n.single(cfg), nil
}

// refreshFeeds is how often a node reads the feeds again that may have been changed
// by way of others.
const refreshFeeds = 30 * time.Second

// feedsChanged tells the upstreams of the other nodes.
func (n *Node) feedsChanged() {
	for _, relay := range n.placed.Load().relays {
		n.ports.System.Root.Send(actor.NewPID(relay.GetAddress(), upstreamsID), &messages.FeedsChanged{})
	}
}

// single are the props of a source of which one runs in the cluster.
func (n *Node) single(cfg source.Config) *actor.Props {
	if n.ports.Cluster == nil {
		return source.Props(cfg)
	}
	return n.singleton(upstreams.SingletonName(cfg.ID), upstreamsID+"/"+cfg.ID, func(records actors.Records) *actor.Props {
		cfg := cfg
		cfg.Records = records
		return source.Props(cfg)
	}, func(question proto.Message) proto.Message {
		if _, ok := question.(*messages.DescribeSource); !ok {
			return nil
		}
		return &messages.SourceDescribed{Id: cfg.ID, Kind: cfg.Kind, Status: "starting", Url: cfg.URL}
	})
}

// singleton are the props of an actor of which one runs in the cluster, under the
// id on every node.
func (n *Node) singleton(name, id string, child func(actors.Records) *actor.Props, absent func(proto.Message) proto.Message) *actor.Props {
	p := n.ports
	place := func() (membership.Member, bool) { return placement.Singleton(n.View(), name) }
	return singleton.Props(singleton.Config{
		Name: name, Node: p.Node, Incarnation: p.Incarnation, Records: n.stored, Clock: p.Clock, Worker: p.Work.Records,
		Props: p.Props, Lease: n.lease, Logger: p.Logger.With("actor", "singleton"),
		Owns: func() bool {
			m, ok := place()
			return ok && peerOf(m) == n.peer()
		},
		Owner: func() *actor.PID {
			m, ok := place()
			if !ok {
				return nil
			}
			return actor.NewPID(peerOf(m).Address(), id)
		},
		Holder: func(ctx context.Context, node string, incarnation uint64) (*actor.PID, error) {
			return n.held(ctx, node, incarnation, id)
		},
		Child:  func(_ uint64, records actors.Records) *actor.Props { return child(records) },
		Absent: absent,
	})
}

func (n *Node) sourceConfig(id, kind string) source.Config {
	p := n.ports
	return source.Config{
		ID: id, Kind: kind, Items: items{p.Store.Items()}, Log: n.log, Records: n.stored,
		Clock: p.Clock, Rand: p.Rand, Worker: p.Work.Records, Polls: p.Work.Poll, Props: p.Props, Journal: n.Journal(),
		Logger: p.Logger.With("actor", "source"), Observe: p.Observe.Source,
	}
}
