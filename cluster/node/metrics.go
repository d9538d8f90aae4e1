package node

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/birdwire/birdwire/actors/enricher"
	"github.com/birdwire/birdwire/actors/journal"
	"github.com/birdwire/birdwire/actors/router"
	"github.com/birdwire/birdwire/actors/source"
	"github.com/birdwire/birdwire/cluster/openai"
	"github.com/birdwire/birdwire/cluster/store"
)

// metrics are the node's own figures, on a registry of its own: two nodes in
// one process (tests) must not share counters.
type metrics struct {
	registry *prometheus.Registry

	supervision *prometheus.CounterVec
	drops       *prometheus.CounterVec
	deadLetters prometheus.Counter
	workPanics  prometheus.Counter
	gossip      *prometheus.CounterVec
	link        *prometheus.CounterVec
	keyEvents   *prometheus.CounterVec

	requestPanics  prometheus.Counter
	requests       *prometheus.CounterVec
	requestSeconds *prometheus.HistogramVec

	appendSeconds prometheus.Histogram
	appendEvents  prometheus.Counter
	appendErrors  prometheus.Counter
	duplicates    prometheus.Counter

	polls        *prometheus.CounterVec
	sourceEvents *prometheus.CounterVec

	enriched      *prometheus.CounterVec
	enrichSeconds prometheus.Histogram
	questions     *prometheus.CounterVec
	tokens        *prometheus.CounterVec

	routedEvents, repeats, hits, routed prometheus.Counter
	mended, skipped, matchPanics        prometheus.Counter
	lag, laneLag                        prometheus.Histogram
	position, behind, laneBehind        prometheus.Gauge
	enrichWaiting                       prometheus.Gauge
	queues                              *queueFigures
}

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "birdwire", Name: name, Help: help})
		m.registry.MustRegister(c)
		return c
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "birdwire", Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	seconds := func(name, help string) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "birdwire", Name: name, Help: help,
			Buckets: []float64{.0005, .001, .002, .003, .005, .01, .015, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		})
		m.registry.MustRegister(h)
		return h
	}
	m.supervision = counters("actor_failures_total", "Actor failures by kind and what was done.", "kind", "directive")
	m.gossip = counters("gossip_events_total", "What gossip has seen and refused, by event; of a node that is one of several.", "event")
	m.link = counters("link_trouble_total", "Messages between nodes that were not sent or not understood, by reason.", "reason")
	m.drops = counters("mailbox_dropped_total", "Messages dropped at a full mailbox, by kind of actor.", "kind")
	m.deadLetters = counter("dead_letters_total", "Messages that reached no actor.")
	m.workPanics = counter("work_panics_total", "Blocking work that panicked.")
	m.keyEvents = counters("key_events_total", "What happened to keys and shards: restarts, stops, fences, records that could not be read.", "event")
	m.requestPanics = counter("http_panics_total", "HTTP requests that a panic ended.")
	m.requests = counters("http_requests_total", "HTTP requests by route, method and status.", "route", "method", "status")
	m.requestSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "birdwire", Name: "http_request_seconds", Help: "How long HTTP requests took, by route.",
		Buckets: prometheus.DefBuckets,
	}, []string{"route"})
	m.registry.MustRegister(m.requestSeconds)
	m.appendSeconds = seconds("journal_append_seconds", "From a frame made to its durable acknowledgement.")
	m.appendEvents = counter("journal_events_total", "Events made durable.")
	m.appendErrors = counter("journal_append_errors_total", "Appends that failed and were tried again or given back.")
	m.duplicates = counter("journal_duplicates_total", "Offered events that the log held already.")
	m.polls = counters("source_polls_total", "Readings of upstreams, by kind of source and how they ended.", "kind", "outcome")
	m.sourceEvents = counters("source_events_total", "Events by kind of source: new, or duplicates.", "kind", "outcome")
	m.enriched = counters("enriched_total", "Articles by what enrichment did with a part of them (page, vector, summary) and how it ended; part article: those that were not enriched, and why.", "part", "outcome")
	m.questions = counters("model_questions_total", "Questions to the model's endpoint by kind (embedding, chat, verdict) and how they ended.", "kind", "outcome")
	m.tokens = counters("model_tokens_total", "Tokens that questions to the model's endpoint cost, as it counts them, by kind.", "kind")
	m.enrichSeconds = seconds("enrich_seconds", "From an article in the log to its enrichment in the log.")
	m.routedEvents = counter("router_events_total", "Events taken from the log, repeats included.")
	m.repeats = counter("router_repeats_total", "Events dropped as repeats.")
	m.hits = counter("router_hits_total", "Standing queries that wanted an event.")
	m.routed = counter("router_deliveries_total", "Deliveries handed to this node's connections by the router.")
	m.mended = counter("router_frames_from_log_total", "Frames read from the log because they had not come by message.")
	m.skipped = counter("router_frames_skipped_total", "Frames gone from the log for good.")
	m.matchPanics = counter("router_match_panics_total", "Events and requests that the router failed on and passed over.")
	m.lag = seconds("router_lag_seconds", "From a frame's coming to its being handed on.")
	m.laneLag = seconds("router_semantic_lag_seconds", "From a frame's coming to its being handed on to semantic filters.")
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "birdwire", Name: name, Help: help})
		m.registry.MustRegister(g)
		return g
	}
	m.enrichWaiting = gauge("enrich_waiting", "Articles that were taken in and are not enriched yet; more of them wait in the log.")
	m.position = gauge("router_sequence", "The newest frame handled.")
	m.behind = gauge("router_behind_seconds", "For how long the log has held a frame that is not handled yet.")
	m.laneBehind = gauge("router_semantic_behind_seconds", "For how long the log has held a frame that is not compared with semantic filters yet.")
	m.queues = newQueueFigures(time.Now)
	m.registry.MustRegister(m.queues, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// store shows what is wrong with the disk under the log.
func (m *metrics) store(s store.Store) {
	gauge := func(name, help string, value func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "birdwire", Name: name, Help: help}, value))
	}
	gauge("store_damage", "What is known to be damaged or lost of what was acknowledged; the node's health names it.", func() float64 {
		return float64(len(s.Damage()))
	})
	gauge("store_full", "1 while the disk has reached its reserve and ingest is refused.", func() float64 {
		if s.Room() != nil {
			return 1
		}
		return 0
	})
}

func (m *metrics) supervised(kind, _ string, directive actor.Directive, _ any) {
	m.supervision.WithLabelValues(kind, strings.ToLower(strings.TrimSuffix(directive.String(), "Directive"))).Inc()
}

// requested counts one HTTP request. route is a pattern of ours, never what a
// client sent. A WebSocket lasts as long as its client: it has no duration here.
func (m *metrics) requested(route, method string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, method, strconv.Itoa(status)).Inc()
	if status != http.StatusSwitchingProtocols {
		m.requestSeconds.WithLabelValues(route).Observe(took.Seconds())
	}
}

func (m *metrics) keyed(event string) { m.keyEvents.WithLabelValues(event).Inc() }

func (m *metrics) dropped(kind string) interface{ Inc() } { return m.drops.WithLabelValues(kind) }

func (m *metrics) appended(o journal.Observation) {
	if o.Err != nil {
		m.appendErrors.Inc()
		return
	}
	m.appendSeconds.Observe(o.Took.Seconds())
	m.appendEvents.Add(float64(o.Events))
	m.duplicates.Add(float64(o.Duplicates))
}

func (m *metrics) read(o source.Observation) {
	if o.Polled {
		outcome := "ok"
		if o.Err != nil {
			outcome = "failed"
		}
		m.polls.WithLabelValues(o.Kind, outcome).Inc()
		return
	}
	m.sourceEvents.WithLabelValues(o.Kind, "new").Add(float64(o.Events))
	m.sourceEvents.WithLabelValues(o.Kind, "duplicate").Add(float64(o.Duplicates))
}

func (m *metrics) enrichedOne(o enricher.Observation) {
	m.enrichWaiting.Set(float64(o.Waiting))
	if o.Dropped != "" {
		m.enriched.WithLabelValues("article", o.Dropped).Inc()
		return
	}
	m.enriched.WithLabelValues("article", "ok").Inc()
	m.enriched.WithLabelValues("page", o.Page).Inc()
	m.enriched.WithLabelValues("vector", o.Vector).Inc()
	m.enriched.WithLabelValues("summary", o.Summary).Inc()
	m.enrichSeconds.Observe(o.Took.Seconds())
}

func (m *metrics) asked(o openai.Observation) {
	m.questions.WithLabelValues(o.Kind, o.Reason).Inc()
	m.tokens.WithLabelValues(o.Kind).Add(float64(max(o.Tokens, 0)))
}

// compared is what the semantic router did. It takes the same events as the
// other one, so only what is its own is counted.
func (m *metrics) compared(o router.Observation) {
	if o.Sequence == 0 {
		m.matchPanics.Add(float64(o.Panics))
		return
	}
	m.hits.Add(float64(o.Hits))
	m.routed.Add(float64(o.Deliveries))
	m.matchPanics.Add(float64(o.Panics))
	if !o.FromLog && o.Skipped == 0 {
		m.laneLag.Observe(o.Lag.Seconds())
	}
}

func (m *metrics) handled(o router.Observation) {
	if o.Sequence == 0 {
		m.matchPanics.Add(float64(o.Panics))
		return
	}
	m.position.Set(float64(o.Sequence))
	m.routedEvents.Add(float64(o.Events))
	m.repeats.Add(float64(o.Repeats))
	m.hits.Add(float64(o.Hits))
	m.routed.Add(float64(o.Deliveries))
	m.skipped.Add(float64(o.Skipped))
	m.matchPanics.Add(float64(o.Panics))
	if o.FromLog {
		m.mended.Inc()
		return
	}
	if o.Skipped == 0 {
		m.lag.Observe(o.Lag.Seconds())
	}
}

func (m *metrics) gossiped(event string) { m.gossip.WithLabelValues(event).Inc() }

func (m *metrics) linked(reason string) { m.link.WithLabelValues(reason).Inc() }
