package node

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/birdwire/birdwire/cluster/link/grpc"
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
