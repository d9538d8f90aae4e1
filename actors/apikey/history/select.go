package history

import (
	"container/heap"

	"github.com/birdwire/birdwire/messages"
)

// Selection is which of a key's deliveries are asked for. Zero fields select
// everything, newest first.
type Selection struct {
	K             uint32 // of a monitor or rule
	Author        string // a username, compared without the case of ASCII
	Status        string // as Status has it
	Kind          messages.OriginKind
	Oldest        bool // oldest first
	Offset, Limit int  // no limit, or one past PageMost, is PageMost
}

func (s *Selection) takes(e *Entry) bool {
	return (s.Status == "" || e.status().String() == s.Status) &&
		(s.Kind == messages.OriginKind_ORIGIN_KIND_UNSPECIFIED || e.origin.GetKind() == s.Kind) &&
		(s.Author == "" || sameName(e.author.Value(), s.Author))
}

// all says that every entry is taken.
func (s *Selection) all() bool {
	return s.Status == "" && s.Kind == messages.OriginKind_ORIGIN_KIND_UNSPECIFIED && s.Author == ""
}

// of is the page, by (position, k), and how many are selected altogether.
func (s *Selection) of(rings []*ring) (page []Found, total int) {
	m := merge{oldest: s.Oldest}
	for _, r := range rings {
		if s.K != 0 && r.k != s.K {
			continue
		}
		c := &reading{ring: r, step: 1, next: 0}
		if !s.Oldest {
			c.step, c.next = -1, len(r.all)-1
		}
		if total += s.count(r); c.advance(s) {
			m.readings = append(m.readings, c)
		}
	}
	limit := s.Limit
	if limit <= 0 || limit > PageMost {
		limit = PageMost
	}
	heap.Init(&m)
	for at := 0; len(m.readings) > 0 && len(page) < limit; at++ {
		c := m.readings[0]
		if at >= s.Offset {
			page = append(page, Found{c.ring.k, c.entry})
		}
		if c.advance(s) {
			heap.Fix(&m, 0)
		} else {
			heap.Pop(&m)
		}
	}
	return page, total
}

func (s *Selection) count(r *ring) (n int) {
	if s.all() {
		return len(r.all)
	}
	for i := range r.all {
		if s.takes(&r.all[i]) {
			n++
		}
	}
	return n
}

// reading goes through one ring.
type reading struct {
	ring  *ring
	step  int // 1 or -1
	next  int
	entry Entry // that it is at
}

// advance goes to the next entry that is selected; false where there is none.
func (c *reading) advance(s *Selection) bool {
	for c.next >= 0 && c.next < len(c.ring.all) {
		c.entry = c.ring.at(c.next)
		c.next += c.step
		if s.takes(&c.entry) {
			return true
		}
	}
	return false
}

// merge is a heap of readings by what each is at.
type merge struct {
	oldest   bool
	readings []*reading
}

func (m *merge) Len() int      { return len(m.readings) }
func (m *merge) Swap(i, j int) { m.readings[i], m.readings[j] = m.readings[j], m.readings[i] }
func (m *merge) Push(x any)    { m.readings = append(m.readings, x.(*reading)) }

func (m *merge) Less(i, j int) bool {
	a, b := m.readings[i], m.readings[j]
	before := a.entry.Position < b.entry.Position || a.entry.Position == b.entry.Position && a.ring.k < b.ring.k
	return before == m.oldest
}

func (m *merge) Pop() any {
	last := m.readings[len(m.readings)-1]
	m.readings = m.readings[:len(m.readings)-1]
	return last
}

// sameName compares usernames without the case of ASCII alone.
func sameName(a, b string) bool {
	lower := func(c byte) byte {
		if 'A' <= c && c <= 'Z' {
			return c | 0x20
		}
		return c
	}
	for i := range min(len(a), len(b)) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return len(a) == len(b)
}
