package similarity

// A story is split when its kept articles fall into two halves of at least
// splitHalf articles that the merge weights hold for different stories, and
// not narrowly: between splitBelow and 0 a pair neither merges nor splits, so
// that no story is split and merged in turn.
const (
	splitHalf  = 3
	splitBelow = -3.0
)

// part splits s if its halves drifted apart, and says whether it did. A story
// is looked at again once it has a quarter more articles.
func (e *Engine) part(s *story) bool {
	if len(s.members) < 2*splitHalf || s.count*4 < s.parted*5 {
		return false
	}
	s.parted = s.count
	second := halves(s.members)
	var stay, leave story
	var kept, gone []member
	for i, m := range s.members {
		half, list := &stay, &kept
		if second[i] {
			half, list = &leave, &gone
		}
		half.gather(&m)
		*list = append(*list, m)
	}
	if min(len(kept), len(gone)) < splitHalf {
		return false
	}
	stay.members, leave.members = kept, gone
	q := leave.query()
	f := features(dotsOf(&q, &stay), &q, &stay, stay.gapOf(&leave))
	logit := e.cfg.merge.Logit(&f)
	if logit > splitBelow {
		return false
	}
	e.separate(s, gone, kept, &leave)
	e.changes[len(e.changes)-1].Scores, e.changes[len(e.changes)-1].Logit = f, logit
	return true
}

// separate moves gone, whose sums are leave's, to a story of their own.
func (e *Engine) separate(s *story, gone, kept []member, leave *story) {
	e.made++
	other := e.begin(int64(uint64(gone[0].id)*6364136223846793005+uint64(e.made)) & (1<<52 - 1))
	e.shift(s, &leave.sum, -1)
	e.shift(other, &leave.sum, 1)
	s.count -= leave.count
	s.bodies -= leave.bodies
	other.count, other.bodies, other.last = leave.count, leave.bodies, leave.last
	s.members, other.members = kept, gone
	other.met, other.meetings = s.met, s.meetings
	s.parted, other.parted, other.source = s.count, other.count, s.source
	moved := make([]int64, len(gone))
	for i := range gone {
		moved[i] = gone[i].id
	}
	e.changes = append(e.changes, Change{Kind: Split, Story: s.id, Other: other.id, Articles: moved})
	e.enqueue(s)
	e.enqueue(other)
}

// gather adds an article to a story that is in no index.
func (s *story) gather(m *member) {
	for view := range m.v {
		s.sum[view] = s.sum[view].plus(m.v[view], 1)
		s.norm2[view] = s.sum[view].norm2()
	}
	s.count++
	if m.body {
		s.bodies++
	}
	s.last = max(s.last, m.at)
}

// dotsOf is what Engine.gather adds up, by walking both.
func dotsOf(q *query, s *story) *dots {
	var d dots
	for view := range indexed {
		d.mean[view] = q.v[view].dot(s.sum[view])
		if q.spread(view) {
			d.root[view] = q.v[view].steepDot(s.sum[view])
		}
	}
	return &d
}

// halves parts articles into two groups: those nearer to one article and those
// nearer to the one that is least like it, and then, four times, those nearer
// to the one group's mean and to the other's.
func halves(members []member) (second []bool) {
	like := func(v *vectors, i int) float64 {
		m := &members[i].v
		return v[title].dot(m[title]) + v[all].dot(m[all])
	}
	unlike := func(v *vectors) int {
		far, least := 0, 0.0
		for i := range members {
			if d := like(v, i); i == 0 || d < least {
				far, least = i, d
			}
		}
		return far
	}
	b := members[unlike(&members[0].v)].v
	a := members[unlike(&b)].v
	second = make([]bool, len(members))
	for range 4 {
		var sums [2]story
		for i := range members {
			second[i] = like(&b, i) > like(&a, i)
			half := 0
			if second[i] {
				half = 1
			}
			sums[half].gather(&members[i])
		}
		if sums[0].count == 0 || sums[1].count == 0 {
			return make([]bool, len(members))
		}
		a, b = sums[0].unit(), sums[1].unit()
	}
	return second
}

func (s *story) unit() vectors {
	for view := range s.sum {
		s.sum[view].unit()
	}
	return s.sum
}
