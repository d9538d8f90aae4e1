package similarity

import (
	"cmp"
	"slices"
)

// enqueue has the story looked at when its turn comes.
func (e *Engine) enqueue(s *story) {
	if !s.queued {
		s.queued = true
		e.queue = append(e.queue, s)
	}
}

// look takes up to n stories from the queue: each is split, or merged with the
// one that it resembles most, if the weights say so.
func (e *Engine) look(n int) {
	for ; n > 0 && len(e.queue) > 0; n-- {
		s := e.queue[0]
		e.queue[0] = nil
		e.queue = e.queue[1:]
		s.queued = false
		if !e.part(s) {
			e.join(s)
		}
	}
}

// join merges s with the story that it resembles most. The one that began
// with the smaller number of articles goes into the other, which keeps its id;
// of two alike the smaller id stays.
func (e *Engine) join(s *story) {
	q := s.query()
	e.gather(&q)
	best, f, logit := e.nearest(&q, e.cfg.merge,
		func(o *story) int64 { return o.gapOf(s) },
		func(o *story) bool {
			return o != s && !o.over(&s.members[0]) && !s.over(&o.members[0])
		})
	if best == nil || logit <= 0 {
		return
	}
	if s.source != 0 && best.source == s.source {
		if own := e.from.without(s.source, &q, &e.words); own != nil {
			q.v = *own
			f = features(dotsOf(&q, best), &q, best, best.gapOf(s))
			if logit = e.cfg.merge.Logit(&f); logit <= 0 {
				return
			}
		}
	}
	into, from := best, s
	if s.count > best.count || s.count == best.count && s.id < best.id {
		into, from = s, best
	}
	e.end(from)
	e.shift(into, &from.sum, 1)
	if into.source != from.source {
		into.source = 0
	}
	into.count += from.count
	into.bodies += from.bodies
	for view := range into.met {
		into.met[view] += from.met[view]
	}
	into.meetings += from.meetings
	into.last = max(into.last, from.last)
	into.members = append(into.members, from.members...)
	slices.SortFunc(into.members, func(a, b member) int { return cmp.Compare(a.came, b.came) })
	into.trim(e.cfg.Members)
	e.changes = append(e.changes, Change{Kind: Merged, Story: into.id, Other: from.id, Scores: f, Logit: logit})
	e.enqueue(into)
}
