package similarity

import "slices"

// Revise replaces what the story knows of one of its articles by what the
// article says now. It stays in its story, because clients were told so;
// whether the story now resembles another is looked at like any change. An
// article that the story keeps no vectors of any more changes nothing. How alike
// it was when it joined stays in the story's bond.
func (e *Engine) Revise(story int64, a Article) {
	s, i := e.member(story, a.ID)
	if s == nil {
		return
	}
	old := s.members[i]
	terms := e.read.read(&a)
	e.words.learn(terms)
	e.words.live = len(e.live)
	m := member{id: a.ID, came: old.came, at: old.at, body: a.Body != ""}
	m.v, _ = e.words.weigh(terms)
	e.shift(s, &old.v, -1)
	e.words.told(m.v[all], s.sum[all])
	e.shift(s, &m.v, 1)
	s.bodies += count(m.body) - count(old.body)
	s.members[i] = m
	e.enqueue(s)
}

// Remove takes an article out of its story; one without articles is retired.
// Of an article that the story keeps no vectors of any more, what it said
// stays in the sums until the story ends. The changes are valid until the next
// call.
func (e *Engine) Remove(story, article int64) []Change {
	e.changes = e.changes[:0]
	s, i := e.member(story, article)
	if s == nil {
		return nil
	}
	old := s.members[i]
	e.shift(s, &old.v, -1)
	s.count--
	s.bodies -= count(old.body)
	s.parted = min(s.parted, s.count)
	s.members = slices.Delete(s.members, i, i+1)
	if len(s.members) == 0 {
		e.end(s)
		e.changes = append(e.changes, Change{Kind: Retired, Story: story})
		return e.changes
	}
	e.enqueue(s)
	return e.changes
}

// member is where the story keeps the article; nil where it does not.
func (e *Engine) member(id, article int64) (*story, int) {
	s := e.live[id]
	if s == nil {
		return nil, 0
	}
	i := slices.IndexFunc(s.members, func(m member) bool { return m.id == article })
	if i < 0 {
		return nil, 0
	}
	return s, i
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}
