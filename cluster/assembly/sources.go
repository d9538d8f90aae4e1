package assembly

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/source"
	"github.com/birdwire/birdwire/actors/upstreams"
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
	others := []upstreams.Other{{ID: pushID, Kind: pushID, Props: source.PushProps(n.sourceConfig(pushID, pushID))}}
	if p.Sample != nil {
		cfg := n.sourceConfig(sampleID, sampleID)
		cfg.Adapter, cfg.Interval = p.Sample, sampleInterval
		others = append(others, upstreams.Other{ID: cfg.ID, Kind: cfg.Kind, Props: source.Props(cfg)})
	}
	return upstreams.Props(upstreams.Config{
		Records: p.Store.Control(), Clock: p.Clock, Worker: p.Work.Records, Props: p.Props,
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
	return source.Props(cfg), nil
}

func (n *Node) sourceConfig(id, kind string) source.Config {
	p := n.ports
	return source.Config{
		ID: id, Kind: kind, Items: items{p.Store.Items()}, Log: n.log, Records: p.Store.Control(),
		Clock: p.Clock, Rand: p.Rand, Worker: p.Work.Records, Polls: p.Work.Poll, Props: p.Props, Journal: n.Journal(),
		Logger: p.Logger.With("actor", "source"), Observe: p.Observe.Source,
	}
}
