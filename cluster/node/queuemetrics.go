package node

import (
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/birdwire/birdwire/actors/engine/gauge"
)

// queueFigures are how full the queues inside actors were: of each kind the fullest,
// since there may be as many as connections.
//
// A queue says only that it has grown, and it may be empty again long before anybody
// asks. So what is shown is the most of the present minute and of the one before it,
// whoever asks and how often.
type queueFigures struct {
	now func() time.Time

	mu sync.Mutex // protects of
	of map[string]*queueFigure
}

type queueFigure struct {
	minute       int64
	most, before float64 // of its bound: in the minute, and in the one before it
	full         uint64
}

var (
	queueFullness = prometheus.NewDesc("birdwire_queue_fullness_ratio",
		"Of each kind of queue inside actors: how full the fullest was in the last minute or two, as a part of its bound.", []string{"queue"}, nil)
	queueFull = prometheus.NewDesc("birdwire_queue_full_total",
		"How often a queue inside an actor has come to its bound, or was found there: what comes then is read from the log, refused or asked for again, or its connection ends.", []string{"queue"}, nil)
)

func newQueueFigures(now func() time.Time) *queueFigures {
	return &queueFigures{now: now, of: map[string]*queueFigure{}}
}

// grown is gauge.Told; from any goroutine.
func (q *queueFigures) grown(g gauge.Queue) {
	full := 0.0
	if g.MostItems > 0 {
		full = float64(g.Items) / float64(g.MostItems)
	}
	if g.MostBytes > 0 {
		full = max(full, float64(g.Bytes)/float64(g.MostBytes))
	}
	minute := q.now().Unix() / 60
	q.mu.Lock()
	defer q.mu.Unlock()
	f := q.of[g.Name]
	if f == nil {
		f = &queueFigure{}
		q.of[g.Name] = f
	}
	f.turn(minute)
	f.most = math.Max(f.most, full)
	if full >= 1 {
		f.full++
	}
}

// turn begins the minute, where it is another one.
func (f *queueFigure) turn(minute int64) {
	switch {
	case minute == f.minute:
		return
	case minute == f.minute+1:
		f.before = f.most
	default:
		f.before = 0
	}
	f.minute, f.most = minute, 0
}

// Describe is prometheus.Collector's.
func (q *queueFigures) Describe(to chan<- *prometheus.Desc) {
	to <- queueFullness
	to <- queueFull
}

// Collect is prometheus.Collector's.
func (q *queueFigures) Collect(to chan<- prometheus.Metric) {
	minute := q.now().Unix() / 60
	q.mu.Lock()
	defer q.mu.Unlock()
	for name, f := range q.of {
		f.turn(minute)
		to <- prometheus.MustNewConstMetric(queueFullness, prometheus.GaugeValue, math.Max(f.most, f.before), name)
		to <- prometheus.MustNewConstMetric(queueFull, prometheus.CounterValue, float64(f.full), name)
	}
}
