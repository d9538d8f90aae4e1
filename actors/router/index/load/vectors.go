package load

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/birdwire/birdwire/actors/engine/vector"
)

// VectorOptions say what to measure of semantic filters.
type VectorOptions struct {
	Seed    uint64
	Filters int // default 10,000; each takes 8 KB
	Events  int // default 30
	Now     func() time.Time
}

func (o VectorOptions) withDefaults() VectorOptions {
	if o.Filters <= 0 {
		o.Filters = 10_000
	}
	if o.Events <= 0 {
		o.Events = 30
	}
	return o
}

// VectorResult is one measurement. All times are of one event.
type VectorResult struct {
	Filters int
	Bytes   int64 // of the filters' float32

	Read  Times // reading as many bytes and doing nothing with them
	Scan  Times // every cosine exactly
	Match Times // by the prefilter, the same answers
	Batch Times // a share of eight events matched together
}

// PerSecond is bytes a second at a time an event.
func (r VectorResult) PerSecond(t time.Duration) float64 {
	if t <= 0 {
		return 0
	}
	return float64(r.Bytes) / t.Seconds()
}

// MeasureVectors makes semantic filters, about as far from each other as texts
// are, and measures events that each are near one of them.
func MeasureVectors(o VectorOptions) (VectorResult, error) {
	o = o.withDefaults()
	r := rand.New(rand.NewPCG(o.Seed, 3))
	set, events := vector.New(), make([][]float32, vector.BatchMax)
	theme := gaussian(r, nil, 0.5)
	for i := range o.Filters {
		v := gaussian(r, theme, 1)
		if err := set.Add(vector.ID(i), [][]float32{v}, []float64{0.75}); err != nil {
			return VectorResult{}, fmt.Errorf("measure vectors: %w", err)
		}
		if i < len(events) {
			events[i] = gaussian(r, v, 0.5)
		}
	}
	for i := range events {
		if events[i] == nil {
			events[i] = gaussian(r, theme, 1)
		}
	}
	m := vectorMeasurement{o: o, snapshot: set.Snapshot(), events: events}
	return m.run(), nil
}

// gaussian is center with noise of the given size.
func gaussian(r *rand.Rand, center []float32, size float64) []float32 {
	v := make([]float32, vector.Dim)
	copy(v, center)
	for i := range v {
		v[i] += float32(r.NormFloat64() * size)
	}
	return v
}

type vectorMeasurement struct {
	o        VectorOptions
	snapshot *vector.Snapshot
	events   [][]float32
	scratch  vector.Scratch
	hits     []vector.Hit
	sum      uint64 // of what was read, so that reading is not optimised away
}

func (m *vectorMeasurement) run() VectorResult {
	r := VectorResult{Filters: m.o.Filters, Bytes: int64(m.o.Filters) * vector.Dim * 4}
	memory := make([]uint64, r.Bytes/8)
	for i := range memory {
		memory[i] = uint64(i) // a page that was never written is no memory
	}
	r.Read = m.times(1, func(int) { m.sum += read(memory) })
	r.Scan = m.times(1, func(i int) {
		m.hits = m.snapshot.Scan(m.events[i%len(m.events)], &m.scratch, m.hits[:0])
	})
	r.Match = m.times(1, func(i int) {
		m.hits = m.snapshot.Match(m.events[i%len(m.events)], &m.scratch, m.hits[:0])
	})
	batch := make([][]vector.Hit, len(m.events))
	r.Batch = m.times(len(m.events), func(int) {
		for i := range batch {
			batch[i] = batch[i][:0]
		}
		m.snapshot.MatchBatch(m.events, &m.scratch, batch)
	})
	return r
}

// times runs f once for each event and once before; a run is so many events.
func (m *vectorMeasurement) times(events int, f func(i int)) Times {
	f(0)
	all := make([]time.Duration, 0, m.o.Events)
	for i := range m.o.Events {
		start := m.o.Now()
		f(i)
		all = append(all, m.o.Now().Sub(start)/time.Duration(events))
	}
	return timesOf(all)
}

// read loads a word of each cache line.
func read(w []uint64) uint64 {
	var a, b, c, d uint64
	for len(w) >= 32 {
		x := w[:32:32]
		a += x[0]
		b += x[8]
		c += x[16]
		d += x[24]
		w = w[32:]
	}
	return a + b + c + d
}
