package similarity

// Pair is one row to learn from: Same says whether both tell one story, and
// Weight how many rows it is drawn for.
type Pair struct {
	Features Features
	Same     bool
	Weight   float64
}

// rare is the mean cosine below which one pair in thinning is kept: nearly all
// pairs share no more than a word, and the fit needs few of them.
const (
	rare     = 0.05
	thinning = 10
)

// Teach runs over the articles with their true stories given, and calls join
// with every article beside every live story that shares a term with it, and
// merge with every finished part of a story beside the others. A part is one
// or two articles, so that both sides of a merge are seen.
func Teach(cfg Config, articles []Article, gold []string, join, merge func(Pair)) error {
	e, err := New(cfg)
	if err != nil {
		return err
	}
	t := teacher{Engine: e, whole: map[string]*story{}, gold: map[*story]string{}}
	for i := range articles {
		m := e.weigh(&articles[i])
		t.pairs(m.query(), gold[i], nil, func(s *story) int64 { return s.gap(m.at) }, join)
		t.meet(gold[i], &m)
		t.take(gold[i], m)
	}
	return t.parts(cfg, articles, gold, merge)
}

// teacher is an engine that is told which story is true.
type teacher struct {
	*Engine
	whole map[string]*story // by the true story's name
	gold  map[*story]string
	seen  int
}

// meet has the article's true story take down how alike it is.
func (t *teacher) meet(gold string, m *member) {
	if s := t.whole[gold]; s != nil && t.live[s.id] == s {
		q := m.query()
		f := features(dotsOf(&q, s), &q, s, 0)
		s.meet(&f)
	}
}

// take gives the article to its true story; one that went cold begins again.
func (t *teacher) take(gold string, m member) {
	s := t.whole[gold]
	if s == nil || t.live[s.id] != s {
		s = t.begin(m.id)
		t.whole[gold], t.gold[s] = s, gold
	}
	t.Engine.take(s, m)
}

// parts does the second half of Teach's work.
func (t teacher) parts(cfg Config, articles []Article, gold []string, merge func(Pair)) error {
	e, err := New(cfg)
	if err != nil {
		return err
	}
	t.Engine, t.gold = e, map[*story]string{}
	open := map[string]*story{}
	for i := range articles {
		m := e.weigh(&articles[i])
		s := open[gold[i]]
		if s == nil || e.live[s.id] != s {
			s = e.begin(m.id)
			open[gold[i]], t.gold[s] = s, gold[i]
		}
		e.take(s, m)
		if s.count > int(s.id%2) {
			t.pairs(s.query(), gold[i], s, func(o *story) int64 { return o.gapOf(s) }, merge)
			delete(open, gold[i])
		}
	}
	return nil
}

func (t *teacher) pairs(q query, gold string, but *story, gap func(*story) int64, see func(Pair)) {
	t.gather(&q)
	for _, slot := range t.touched {
		s := t.slots[slot]
		if s == but || t.cold(s) {
			continue
		}
		p := Pair{Features: features(&t.sums[slot], &q, s, gap(s)), Same: t.gold[s] == gold, Weight: 1}
		if !p.Same && p.Features[fMeanAll] < rare {
			if t.seen++; t.seen%thinning != 0 {
				continue
			}
			p.Weight = thinning
		}
		see(p)
	}
}
