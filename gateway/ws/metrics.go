package ws

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// figures are counted for each API. Nothing of a client's (key, address,
// query) becomes a label.
type figures struct {
	connections atomic.Int64
	frames      atomic.Uint64
	bytes       atomic.Uint64
	slow        atomic.Uint64
	panics      atomic.Uint64
	refusals    [refusedReasons]atomic.Uint64
}

// refused is why a connection was not let in.
type refused int

const (
	refusedKey refused = iota
	refusedPlan
	refusedConnections
	refusedCredits
	refusedOverload
	refusedThrottled
	refusedMalformed
	refusedUpgrade
	refusedReasons
)

var refusedNames = [refusedReasons]string{
	"key", "plan", "connections", "credits", "overload", "throttled", "malformed", "upgrade",
}

// refusedWords are the same for a person.
var refusedWords = [refusedReasons]string{
	"no key, a wrong one, or one that was revoked", "its plan or scopes do not include this", "as many connections as its plan allows are open",
	"the month's credits are used up", "this node is full, busy or stopping", "too many wrong keys", "no WebSocket handshake", "it cannot be upgraded",
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("birdwire_ws_"+name, help, labels, nil)
}

var (
	descConnections = desc("connections", "Open connections.", "api")
	descFrames      = desc("frames_total", "Frames written.", "api")
	descBytes       = desc("bytes_total", "Bytes written, before TLS.", "api")
	descSlow        = desc("slow_closes_total", "Connections closed because their client did not read.", "api")
	descPanics      = desc("panics_total", "Connections that a panic ended.", "api")
	descRefusals    = desc("refusals_total", "Connections not let in.", "api", "reason")
	descRefusing    = desc("refusing", "Sockets that are open only to be told why they are refused.")
	descHits        = desc("encode_cache_hits_total", "Frames that another connection's encoding served.")
	descMisses      = desc("encode_cache_misses_total", "Frames that had to be encoded.")
)

// Describe implements prometheus.Collector.
func (s *Server) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descConnections, descFrames, descBytes, descSlow, descPanics, descRefusals, descRefusing, descHits, descMisses,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (s *Server) Collect(ch chan<- prometheus.Metric) {
	count := func(d *prometheus.Desc, n uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	for _, r := range s.apis {
		f := r.figures
		ch <- prometheus.MustNewConstMetric(descConnections, prometheus.GaugeValue, float64(f.connections.Load()), r.name)
		count(descFrames, f.frames.Load(), r.name)
		count(descBytes, f.bytes.Load(), r.name)
		count(descSlow, f.slow.Load(), r.name)
		count(descPanics, f.panics.Load(), r.name)
		for reason, name := range refusedNames {
			count(descRefusals, f.refusals[reason].Load(), r.name, name)
		}
	}
	s.mu.Lock()
	refusing := s.parting
	s.mu.Unlock()
	ch <- prometheus.MustNewConstMetric(descRefusing, prometheus.GaugeValue, float64(refusing))
	count(descHits, s.cache.hits.Load())
	count(descMisses, s.cache.misses.Load())
}
