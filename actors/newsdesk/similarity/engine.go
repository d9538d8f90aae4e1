package similarity

import (
	"cmp"
	"slices"

	"github.com/birdwire/birdwire/actors/engine/text"
)

// Article is what an Engine sees of an article. Times are Unix milliseconds.
type Article struct {
	ID         int64  // the article's number, below 2^53; the caller gives each once
	Title      string // no HTML
	Body       string // no HTML; may be empty
	Entities   []string
	Link       string // its address: what it says in words counts as the title's; may be empty
	Source     string // who reports; "": unknown
	Published  int64  // 0: unknown
	Discovered int64  // when it came; required
}

// oldest is 1995-01-01: what is dated before there was news on the web has no
// date, but a clock or a template that begins in 1970.
const oldest = 788_918_400_000

// time is when it happened as far as one may believe it: never after it came,
// and never so early that nothing could be near it.
func (a *Article) time(window int64) int64 {
	if a.Published < oldest && a.Discovered > oldest || a.Published > a.Discovered {
		return a.Discovered
	}
	return max(a.Published, a.Discovered-window)
}

// Kind says what changed.
type Kind uint8

// What happens to stories.
const (
	Created Kind = iota + 1 // Story begins with Article
	Joined                  // Article joins Story
	Merged                  // all of Other is Story's; Other is no more
	Split                   // Articles of Story are the new story Other
	Retired                 // Story ended: nothing joins it
)

// Change is one thing that happened.
type Change struct {
	Kind     Kind
	Story    int64
	Other    int64   // Merged: the story that went; Split: the one that began
	Article  int64   // Created, Joined
	Articles []int64 // Split: those that moved, in the order in which they came
	// Scores are what decided, Logit their weighted sum: Joined, Merged, Split.
	// Of Created they are those of the nearest story, all 0 where none shared a
	// word.
	Scores Features
	Logit  float64
	Fresh  Fresh // Joined: how the article differs from the story as it was
}

// Engine is the state machine. Not for concurrent use.
type Engine struct {
	cfg   Config
	words dictionary
	from  outlets
	read  reader

	slots  []*story         // live stories; nil: free
	free   []int32          // slots
	live   map[int64]*story // by id
	queue  []*story         // changed stories to look at, each once (queued)
	latest int64            // the latest event time seen
	now    int64            // the latest that two articles have reached: one wrong clock retires nothing
	swept  int64            // when stories were last retired
	made   int64            // stories that splits made
	seen   int64            // articles

	sums    []dots  // of the query in progress, by slot
	touched []int32 // slots whose sums are not 0
	changes []Change
}

// New makes an engine without articles.
func New(cfg Config) (*Engine, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Engine{
		cfg:   cfg,
		words: dictionary{terms: map[uint64]*entry{}, max: cfg.Dictionary},
		from:  outlets{},
		read:  reader{at: map[uint64]int32{}, max: cfg.Terms},
		live:  map[int64]*story{},
	}, nil
}

// Live is how many stories may still be joined.
func (e *Engine) Live() int { return len(e.live) }

// Add gives the article its story and does a bounded part of the merging and
// splitting that waits. The changes are valid until the next call.
func (e *Engine) Add(a Article) []Change {
	e.changes = e.changes[:0]
	m := e.weigh(&a)
	e.assign(m)
	e.look(e.cfg.Checks)
	return e.changes
}

// Settle looks at all stories that changed and wait, as Add does by and by:
// for the end of a stream. The changes are valid until the next call.
func (e *Engine) Settle() []Change {
	e.changes = e.changes[:0]
	e.look(len(e.queue) + len(e.live)) // a merge queues its result again; bounded all the same
	return e.changes
}

func (e *Engine) weigh(a *Article) member {
	at := a.time(e.cfg.Window)
	e.advance(at)
	terms := e.read.read(a)
	e.words.learn(terms)
	e.words.live = len(e.live)
	e.seen++
	m := member{id: a.ID, came: e.seen, at: at, body: a.Body != "", arrival: &arrival{}}
	m.v, m.scale = e.words.weigh(terms)
	if a.Source != "" {
		m.source = text.Hash(a.Source)
	}
	if e.from.see(m.source, e.seen, terms, &e.words) {
		own, _ := e.words.weighed(terms, true)
		m.own = &own
	}
	return m
}

func (e *Engine) assign(m member) {
	q := m.query()
	e.gather(&q)
	best, f, logit := e.nearest(&q, e.cfg.join, func(s *story) int64 { return s.gap(m.at) }, func(s *story) bool { return !s.over(&m) })
	change := Change{Kind: Created, Article: m.id, Scores: f, Logit: logit}
	if best != nil && logit > 0 {
		change.Kind, change.Fresh = Joined, fresh(&m, best)
		best.meet(&f)
	} else {
		best = e.begin(m.id)
	}
	e.take(best, m)
	change.Story = best.id
	e.changes = append(e.changes, change)
	e.enqueue(best)
}

// nearest is the story of those that gather touched, and that it may be, with
// the highest logit; of two alike the one with the smaller id.
func (e *Engine) nearest(q *query, w *Weights, gap func(*story) int64, may func(*story) bool) (best *story, f Features, logit float64) {
	for _, slot := range e.touched {
		s := e.slots[slot]
		if !related(&e.sums[slot], q, s) || e.cold(s) {
			continue
		}
		g := features(&e.sums[slot], q, s, gap(s))
		z := w.Logit(&g)
		if z > 0 && q.own != nil && s.source == q.source {
			own := *q
			own.v = *q.own
			g = features(dotsOf(&own, s), &own, s, gap(s))
			z = w.Logit(&g)
		}
		if (best == nil || z > logit || z == logit && s.id < best.id) && may(s) {
			best, f, logit = s, g, z
		}
	}
	return best, f, logit
}

// related says whether the cosine of titles or of all terms is at least a
// twentieth. Nearly all stories that share a word share no more than that; none
// of them would be joined, and weighing them all is what would cost.
func related(dots *dots, q *query, s *story) bool {
	for view, dot := range dots.mean {
		if float64(dot*dot) >= float64(0.0025*float64(q.norm2[view]*s.norm2[view])) && dot > 0 {
			return true
		}
	}
	return false
}

// gather adds up the products of q with every live story that shares a term.
func (e *Engine) gather(q *query) {
	for _, slot := range e.touched {
		e.sums[slot] = dots{}
	}
	e.touched = e.touched[:0]
	for view := range indexed {
		spread := q.spread(view)
		for _, c := range q.v[view] {
			steep := steep(c.weight)
			entry := e.words.terms[c.term]
			if entry == nil {
				continue // forgotten since
			}
			for _, p := range entry.posts[view] {
				sums := &e.sums[p.slot]
				if *sums == (dots{}) {
					e.touched = append(e.touched, p.slot)
				}
				sums.mean[view] += float64(float64(c.weight) * float64(p.weight))
				if spread {
					sums.root[view] += float64(steep * root(p.weight))
				}
			}
		}
	}
}

// begin makes a story without articles. Its id is the article's, unless that
// story lives already under it, which a number given twice makes happen.
func (e *Engine) begin(id int64) *story {
	for e.live[id] != nil {
		id = (id*6364136223846793005 + 1442695040888963407) & (1<<52 - 1)
	}
	if len(e.live) >= e.cfg.Live {
		e.crowd()
	}
	s := &story{id: id}
	if n := len(e.free); n > 0 {
		s.slot, e.free = e.free[n-1], e.free[:n-1]
		e.slots[s.slot] = s
	} else {
		s.slot = int32(len(e.slots))
		e.slots = append(e.slots, s)
		e.sums = append(e.sums, dots{})
	}
	e.live[id] = s
	return s
}

// end takes a story out of the index.
func (e *Engine) end(s *story) {
	for view := range s.sum {
		e.unpost(s, view)
	}
	delete(e.live, s.id)
	e.slots[s.slot] = nil
	e.free = append(e.free, s.slot)
	if s.queued {
		e.queue = slices.DeleteFunc(e.queue, func(o *story) bool { return o == s })
	}
}

func (e *Engine) cold(s *story) bool { return e.now-s.last >= e.cfg.Window }

// advance moves the time, and retires what is cold once an hour.
func (e *Engine) advance(at int64) {
	if at > e.latest {
		e.now, e.latest = e.latest, at
	} else {
		e.now = max(e.now, at)
	}
	if e.now-e.swept < hour {
		return
	}
	e.swept = e.now
	e.retire(func(s *story) bool { return e.cold(s) })
}

// crowd makes room: the hundredth part that is idle longest goes.
func (e *Engine) crowd() {
	var times []int64
	for _, s := range e.slots {
		if s != nil {
			times = append(times, s.last)
		}
	}
	slices.Sort(times)
	n := max(1, len(times)/100)
	limit, gone := times[n-1], 0
	e.retire(func(s *story) bool {
		if s.last > limit || gone == n {
			return false
		}
		gone++
		return true
	})
}

// retire ends the stories, the smallest id first.
func (e *Engine) retire(which func(*story) bool) {
	var ids []int64
	for id := range e.live {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, cmp.Compare[int64])
	for _, id := range ids {
		if s := e.live[id]; which(s) {
			e.end(s)
			e.changes = append(e.changes, Change{Kind: Retired, Story: id})
		}
	}
}
