package definitions

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
)

// pastMost bounds the versions kept of one key, in bytes. A key whose rules are
// changed so often that there were more within the log's retention loses the
// oldest, and says so (Since).
const pastMost = 1 << 20

// past are the versions that were replaced, of deleted monitors and rules too.
type past struct {
	all    []*messages.Query // by until
	byName map[name]*messages.Query
	bytes  int    // of all; at most pastMost
	since  uint64 // what held at or before it is not kept any more
}

type name struct{ k, version uint32 }

func nameOf(q *messages.Query) name { return name{q.GetK(), q.GetVersion()} }

func newPast() past { return past{byName: map[name]*messages.Query{}} }

func (p *past) add(q *messages.Query) {
	p.all = append(p.all, q)
	p.byName[nameOf(q)] = q
	p.bytes += proto.Size(q)
}

func (p *past) sort() {
	slices.SortFunc(p.all, func(a, b *messages.Query) int {
		return cmp.Or(cmp.Compare(a.GetUntil(), b.GetUntil()), cmp.Compare(a.GetK(), b.GetK()), cmp.Compare(a.GetVersion(), b.GetVersion()))
	})
}

func (p *past) newest() uint64 {
	if len(p.all) == 0 {
		return 0
	}
	return p.all[len(p.all)-1].GetUntil()
}

func (p *past) decide(k, version uint32, position uint64) (*messages.Origin, Verdict) {
	switch q := p.byName[name{k, version}]; {
	case q == nil || position > q.GetUntil():
		return nil, Stale
	case position <= q.GetAfter():
		return nil, Skip
	default:
		return q.GetOrigin(), Deliver
	}
}

// first takes the n oldest out.
func (p *past) first(n int) []*messages.Query {
	gone := slices.Clone(p.all[:n])
	p.all = slices.Delete(p.all, 0, n)
	for _, q := range gone {
		delete(p.byName, nameOf(q))
		p.bytes -= proto.Size(q)
	}
	return gone
}

// Past are the versions that were replaced and are kept, the oldest first.
func (s *Set) Past() []*messages.Query { return s.past.all }

// Since is the position up to which it is not known any more what held.
func (s *Set) Since() uint64 { return s.past.since }

// Expire forgets the versions that decided only events before the log's first
// position, and returns them.
func (s *Set) Expire(first uint64) []*messages.Query {
	n := 0
	for n < len(s.past.all) && s.past.all[n].GetUntil() < first {
		n++
	}
	return s.past.first(n)
}

// Shrink forgets the oldest versions where the bound is passed, and returns
// them: a quarter of all, so that it is rarely done. What is not known then is
// Since.
func (s *Set) Shrink() []*messages.Query {
	if s.past.bytes <= pastMost {
		return nil
	}
	n, bytes := 0, s.past.bytes
	for bytes > pastMost/4*3 {
		bytes -= proto.Size(s.past.all[n])
		n++
	}
	gone := s.past.first(n)
	if n > 0 {
		s.past.since = max(s.past.since, gone[n-1].GetUntil())
	}
	return gone
}
