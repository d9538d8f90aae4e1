package node

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/birdwire/birdwire/cluster/link/grpc"
	"github.com/birdwire/birdwire/cluster/membership"
	"github.com/birdwire/birdwire/cluster/store/nats"
)

// links are the figures of the link with each other node, read when somebody asks.
type links struct{ link *grpc.Link }

// linkMetric is one figure of a peer.
type linkMetric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	of   func(grpc.Status) float64
}

func linkDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("birdwire_link_"+name, help, append([]string{"peer"}, labels...), nil)
}

var (
	linkMetrics = []linkMetric{
		{linkDesc("up", "1 while there is a session with the node."), prometheus.GaugeValue, func(s grpc.Status) float64 {
			if s.Up {
				return 1
			}
			return 0
		}},
		{linkDesc("queue_bytes", "What waits for the node."), prometheus.GaugeValue, func(s grpc.Status) float64 { return float64(s.QueueBytes) }},
		{linkDesc("round_trip_seconds", "Of the newest ping."), prometheus.GaugeValue, func(s grpc.Status) float64 { return s.RoundTrip.Seconds() }},
		{linkDesc("sessions_total", "Sessions with the node."), prometheus.CounterValue, func(s grpc.Status) float64 { return float64(s.Sessions) }},
		{linkDesc("sent_total", "Messages sent to the node."), prometheus.CounterValue, func(s grpc.Status) float64 { return float64(s.Sent) }},
		{linkDesc("received_total", "Messages received from the node."), prometheus.CounterValue, func(s grpc.Status) float64 { return float64(s.Received) }},
		{linkDesc("sent_bytes_total", "Bytes of the messages sent to the node."), prometheus.CounterValue, func(s grpc.Status) float64 { return float64(s.SentBytes) }},
		{linkDesc("received_bytes_total", "Bytes of the messages received from the node."), prometheus.CounterValue, func(s grpc.Status) float64 { return float64(s.ReceivedBytes) }},
	}
	linkDropped = linkDesc("dropped_total", "Messages to the node that were not sent, by reason.", "reason")
)

func (l links) Describe(to chan<- *prometheus.Desc) {
	for _, m := range linkMetrics {
		to <- m.desc
	}
	to <- linkDropped
}

func (l links) Collect(to chan<- prometheus.Metric) {
	for _, s := range l.link.Status() {
		for _, m := range linkMetrics {
			to <- prometheus.MustNewConstMetric(m.desc, m.kind, m.of(s), s.Node)
		}
		for reason, n := range s.Dropped {
			to <- prometheus.MustNewConstMetric(linkDropped, prometheus.CounterValue, float64(n), s.Node, reason)
		}
	}
}

// routes are the figures of the store's routes to each other node.
type routes struct{ store *nats.Store }

func routeDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("birdwire_store_routes_"+name, help+" It begins again with the routes.", []string{"peer"}, nil)
}

var routeMetrics = []struct {
	desc *prometheus.Desc
	of   func(nats.RouteTraffic) int64
}{
	{routeDesc("sent_total", "Messages that the store has sent to the node."), func(t nats.RouteTraffic) int64 { return t.Sent }},
	{routeDesc("received_total", "Messages that the store has received from the node."), func(t nats.RouteTraffic) int64 { return t.Received }},
	{routeDesc("sent_bytes_total", "Bytes of the messages that the store has sent to the node."), func(t nats.RouteTraffic) int64 { return t.SentBytes }},
	{routeDesc("received_bytes_total", "Bytes of the messages that the store has received from the node."), func(t nats.RouteTraffic) int64 { return t.ReceivedBytes }},
}

func (r routes) Describe(to chan<- *prometheus.Desc) {
	for _, m := range routeMetrics {
		to <- m.desc
	}
}

func (r routes) Collect(to chan<- prometheus.Metric) {
	for _, t := range r.store.Traffic() {
		for _, m := range routeMetrics {
			to <- prometheus.MustNewConstMetric(m.desc, prometheus.CounterValue, float64(m.of(t)), t.Node)
		}
	}
}

// placed are the figures of the view that the node goes by.
type placed struct{ n *Node }

var (
	viewNodes  = prometheus.NewDesc("birdwire_cluster_nodes", "Nodes of the cluster by state, as this one knows.", []string{"state"}, nil)
	viewShards = prometheus.NewDesc("birdwire_cluster_shards", "Of the 1,024, how many have their place on this node.", nil, nil)
)

func (placed) Describe(to chan<- *prometheus.Desc) {
	to <- viewNodes
	to <- viewShards
}

func (p placed) Collect(to chan<- prometheus.Metric) {
	a := p.n.running.Load()
	if a == nil {
		return // it starts
	}
	states := map[membership.State]int{membership.Core: 0, membership.Leaving: 0, membership.Apart: 0, membership.Down: 0}
	shards := 0
	for _, s := range a.Standings() {
		states[s.State]++
		if s.Name == p.n.cfg.Name {
			shards = s.Shards
		}
	}
	for state, n := range states {
		to <- prometheus.MustNewConstMetric(viewNodes, prometheus.GaugeValue, float64(n), state.String())
	}
	to <- prometheus.MustNewConstMetric(viewShards, prometheus.GaugeValue, float64(shards))
}
