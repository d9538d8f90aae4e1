package load

import (
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/actors/router/index"
	"github.com/birdwire/birdwire/messages"
)

// Options say what to measure.
type Options struct {
	Config
	Rules   int
	Posts   int // measured; default 10,000
	Updates int // rules added while matching goes on; default 500

	Now func() time.Time // the clock
	// Go runs work at the same time as the caller, as a worker would; nil: merges run in
	// between, and their effect on matching is not measured. Now must be safe
	// to be called from there.
	Go func(work func())
}

func (o Options) withDefaults() Options {
	if o.Posts <= 0 {
		o.Posts = 10_000
	}
	if o.Updates <= 0 {
		o.Updates = 500
	}
	return o
}

// Times are of many events.
type Times struct {
	Mean, P50, P99, Max time.Duration
}

func timesOf(all []time.Duration) Times {
	if len(all) == 0 {
		return Times{}
	}
	slices.Sort(all)
	sum := time.Duration(0)
	for _, d := range all {
		sum += d
	}
	n := len(all)
	return Times{Mean: sum / time.Duration(n), P50: all[n/2], P99: all[n*99/100], Max: all[n-1]}
}

// Result is one measurement.
type Result struct {
	Rules, Distinct, Skip int

	Compile time.Duration // of one rule, parsing included, on average
	Build   time.Duration // of the whole index, merges included, compiling not
	Bytes   float64       // a rule, as the index counts them
	Heap    float64       // a rule, as the runtime counts them

	Document    Times   // a post made a document: tokenised, its keys listed
	Match       Times   // a post
	Hits        float64 // a post, on average
	EvaluateAll Times   // a post, by asking every rule's program
	Update      Times   // from a rule being put to the snapshot that has it, while matching goes on
	Merges      int     // that ran while rules were added

	// Matching a post on the segments that a bulk load leaves, before the merge
	// of them all and while it runs.
	Unmerged, During Times
}

// PerHit is what one hit costs.
func (r Result) PerHit() time.Duration {
	if r.Hits == 0 {
		return 0
	}
	return time.Duration(float64(r.Match.Mean) / r.Hits)
}

// Measure makes an index of generated rules and measures it.
func Measure(o Options) (Result, error) {
	o = o.withDefaults()
	m := measurement{o: o, g: New(o.Config), index: index.New(index.Config{})}
	m.result.Rules, m.result.Skip = o.Rules, o.Skip
	if err := m.build(); err != nil {
		return Result{}, err
	}
	m.match()
	m.evaluateAll()
	if err := m.update(); err != nil {
		return Result{}, err
	}
	return m.result, nil
}

type measurement struct {
	o       Options
	g       *Generator
	index   *index.Index
	scratch index.Scratch
	doc     rule.Doc
	hits    []index.Hit
	result  Result
}

// compile is the next rule.
func (m *measurement) compile() (*rule.Compiled, error) {
	text := m.g.Rule()
	q, err := rule.Compile(&messages.Query{Want: &messages.Query_Rule{Rule: text}})
	if err != nil {
		return nil, fmt.Errorf("measure: rule %q: %w", text, err)
	}
	return q, nil
}

// build puts the rules, lets the index see some posts and merges until there
// is nothing left to merge.
func (m *measurement) build() error {
	before := heap()
	var compiling, putting time.Duration
	for i := range m.o.Rules {
		start := m.o.Now()
		q, err := m.compile()
		if err != nil {
			return err
		}
		middle := m.o.Now()
		if err := m.index.Put(index.ID(i), q); err != nil {
			return fmt.Errorf("measure: %w", err)
		}
		compiling += middle.Sub(start)
		putting += m.o.Now().Sub(middle)
	}
	s := m.index.Snapshot()
	for range min(m.o.Posts, 10_000) {
		m.doc.Reset(m.g.Post())
		m.hits = s.Match(&m.doc, &m.scratch, m.hits[:0])
	}
	merging := m.firstMerge()
	start := m.o.Now()
	for job := m.index.Merge(); job != nil; job = m.index.Merge() {
		job.Run()
		m.index.Install(job)
	}
	m.index.Snapshot()
	m.result.Build = putting + merging + m.o.Now().Sub(start)
	m.result.Compile = compiling / time.Duration(max(m.o.Rules, 1))
	stats := m.index.Stats()
	m.result.Distinct = stats.Programs
	m.result.Bytes = float64(stats.Bytes) / float64(max(m.o.Rules, 1))
	m.result.Heap = float64(int64(heap())-int64(before)) / float64(max(m.o.Rules, 1))
	return nil
}

// firstMerge runs the first merge, which is the largest, while posts are matched,
// and returns how long it took by its own clock.
func (m *measurement) firstMerge() time.Duration {
	job := m.index.Merge()
	if job == nil {
		return 0
	}
	done := make(chan time.Duration, 1)
	run := func() {
		start := m.o.Now()
		job.Run()
		done <- m.o.Now().Sub(start)
	}
	if m.o.Go == nil {
		run()
		m.index.Install(job)
		return <-done
	}
	posts := make([]*messages.Event, min(m.o.Posts, 1000))
	for i := range posts {
		posts[i] = m.g.Post()
	}
	m.result.Unmerged = timesOf(m.each(posts, nil))
	m.o.Go(run)
	const some = 50
	during := m.each(posts[:min(some, len(posts))], nil)
	for at := some; len(done) == 0; at += some {
		from := at % len(posts)
		during = m.each(posts[from:min(from+some, len(posts))], during)
	}
	m.index.Install(job)
	m.result.During = timesOf(during)
	return <-done
}

// each appends how long each post took to match.
func (m *measurement) each(posts []*messages.Event, times []time.Duration) []time.Duration {
	s := m.index.Snapshot()
	for _, e := range posts {
		m.doc.Reset(e)
		start := m.o.Now()
		m.hits = s.Match(&m.doc, &m.scratch, m.hits[:0])
		times = append(times, m.o.Now().Sub(start))
	}
	return times
}

func heap() uint64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

func (m *measurement) match() {
	posts := make([]*messages.Event, m.o.Posts)
	for i := range posts {
		posts[i] = m.g.Post()
	}
	runtime.GC()
	documents, matches := make([]time.Duration, 0, len(posts)), make([]time.Duration, 0, len(posts))
	s, hits := m.index.Snapshot(), 0
	for _, e := range posts {
		start := m.o.Now()
		m.doc.Reset(e)
		middle := m.o.Now()
		m.hits = s.Match(&m.doc, &m.scratch, m.hits[:0])
		matches = append(matches, m.o.Now().Sub(middle))
		documents = append(documents, middle.Sub(start))
		hits += len(m.hits)
	}
	m.result.Document, m.result.Match = timesOf(documents), timesOf(matches)
	m.result.Hits = float64(hits) / float64(len(posts))
}

func (m *measurement) evaluateAll() {
	s := m.index.Snapshot()
	n := max(5, min(m.o.Posts, 2_000_000/max(m.o.Rules, 1)))
	all := make([]time.Duration, 0, n)
	for range n {
		m.doc.Reset(m.g.Post())
		start := m.o.Now()
		m.hits = s.MatchAll(&m.doc, &m.scratch, m.hits[:0])
		all = append(all, m.o.Now().Sub(start))
	}
	m.result.EvaluateAll = timesOf(all)
}

// postsEach is how many posts are matched between two updates.
const postsEach = 10

// update adds rules while posts are matched and merges run.
func (m *measurement) update() error {
	var updates []time.Duration
	var running *index.Merge
	done := make(chan struct{}, 1)
	begin := func() {
		if running = m.index.Merge(); running == nil {
			return
		}
		m.result.Merges++
		if m.o.Go == nil {
			running.Run()
			done <- struct{}{}
			return
		}
		job := running
		m.o.Go(func() { job.Run(); done <- struct{}{} })
	}
	s := m.index.Snapshot()
	for i := range m.o.Updates {
		for range postsEach {
			m.doc.Reset(m.g.Post())
			m.hits = s.Match(&m.doc, &m.scratch, m.hits[:0])
		}
		q, err := m.compile()
		if err != nil {
			return err
		}
		start := m.o.Now()
		if running != nil && len(done) == 1 {
			<-done
			m.index.Install(running)
			running = nil
		}
		if running == nil {
			begin()
		}
		if err := m.index.Put(index.ID(m.o.Rules+i), q); err != nil {
			return fmt.Errorf("measure: %w", err)
		}
		s = m.index.Snapshot()
		updates = append(updates, m.o.Now().Sub(start))
	}
	if running != nil {
		<-done
	}
	m.result.Update = timesOf(updates)
	return nil
}
