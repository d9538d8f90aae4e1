package similarity

import (
	"math"
	"slices"
)

// Fresh says how an article differs from the story that it joins: what the
// decision about developments is made from. Times are not in it: what comes
// late is not news for that.
type Fresh struct {
	Nearest      float64 // cosine of all terms with the nearest article of the story
	NearestTitle float64 // the same of titles
	Whole        float64 // cosine of all terms with the story
	NewTerms     float64 // share of the article's terms, by weight, that the story has not had
	NewTitle     float64 // the same of the title's
	NewNames     float64 // the same of names
	Body         bool    // it has a body
}

// fresh compares an article with a story that it is not in yet.
func fresh(m *member, s *story) (f Fresh) {
	v := &m.v
	f.Body = m.body
	for i := range s.members {
		o := &s.members[i].v
		f.Nearest = max(f.Nearest, v[all].dot(o[all]))
		f.NearestTitle = max(f.NearestTitle, v[title].dot(o[title]))
	}
	f.Whole = cosine(v[all].dot(s.sum[all]), 1, s.norm2[all])
	f.NewTerms, f.NewTitle, f.NewNames = absent(v[all], s.sum[all]), absent(v[title], s.sum[all]), absent(v[entities], s.sum[all])
	return f
}

// absent is the share of v's squared length on terms that o has not.
func absent(v, o sparse) float64 {
	sum, j := 0.0, 0
	for _, c := range v {
		for j < len(o) && o[j].term < c.term {
			j++
		}
		if j == len(o) || o[j].term != c.term {
			sum += float64(float64(c.weight) * float64(c.weight))
		}
	}
	return sum
}

// Case is an article beside a story, and whether people say that it tells
// something else.
type Case struct {
	Fresh Fresh
	New   bool
}

// What a later story must be to try a story with: as like it as this, and
// begun within this time of it.
const (
	caseLike   = 0.1
	caseWithin = 30 * day
)

// overlap is the cosine of the sets of terms: which cases there are does not
// depend on how terms are weighed.
func overlap(a, b sparse) float64 {
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	shared := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i].term < b[j].term:
			i++
		case a[i].term > b[j].term:
			j++
		default:
			shared++
			i++
			j++
		}
	}
	return float64(shared) / math.Sqrt(float64(len(a)*len(b)))
}

// Cases tries every true story of three articles or more by its first two: the
// third tells it again; the first article of the later story that is most like
// it tells something new.
func Cases(cfg Config, articles []Article, gold []*string) ([]Case, error) {
	e, err := New(cfg)
	if err != nil {
		return nil, err
	}
	type event struct {
		told         story // by the first two articles
		third        *member
		first        *member
		began, after int64
	}
	t := teacher{Engine: e, whole: map[string]*story{}, gold: map[*story]string{}}
	var events []*event
	by := map[string]*event{}
	for i := range articles {
		m := e.weigh(&articles[i])
		if gold[i] == nil {
			e.take(e.begin(m.id), m)
			continue
		}
		t.take(*gold[i], m)
		x := by[*gold[i]]
		if x == nil {
			x = &event{first: &m, began: m.at}
			by[*gold[i]] = x
			events = append(events, x)
		}
		switch x.told.count {
		case 0, 1:
			x.told.gather(&m)
			x.told.members = append(x.told.members, m)
			x.after = m.at
		case 2:
			if x.third == nil {
				x.third = &m
			}
		}
	}
	slices.SortStableFunc(events, func(a, b *event) int { return int(min(max(a.began-b.began, -1), 1)) })
	var cases []Case
	for n, x := range events {
		if x.third == nil {
			continue
		}
		var next *event
		like := caseLike
		for _, y := range events[n+1:] {
			if y.began <= x.after || y.began-x.began > caseWithin {
				continue
			}
			if c := overlap(x.told.sum[all], y.told.sum[all]); c > like {
				next, like = y, c
			}
		}
		cases = append(cases, Case{Fresh: fresh(x.third, &x.told)})
		if next != nil {
			cases = append(cases, Case{Fresh: fresh(next.first, &x.told), New: true})
		}
	}
	return cases, nil
}
