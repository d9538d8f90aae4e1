package desk

import (
	"cmp"
	"maps"
	"slices"

	"github.com/birdwire/birdwire/actors/newsdesk/similarity"
	"github.com/birdwire/birdwire/messages"
)

// This file is what readers ask. Nothing in it changes the machine.

// entitiesMost is how many entities' names are known. Past it all are
// forgotten: those that are in the news are named again within minutes.
const entitiesMost = 20_000

// learn remembers what entities' ids mean.
func (m *Machine) learn(entities []*messages.Entity) {
	for _, e := range entities {
		if m.entities[e.GetId()] != nil {
			continue
		}
		if len(m.entities) >= entitiesMost {
			clear(m.entities)
		}
		m.entities[e.GetId()] = &messages.Entity{Id: e.GetId(), Name: e.GetName(), Kind: e.GetKind(), Ticker: e.GetTicker()}
	}
}

// Wanted says which stories a list is about. Zero values are any.
type Wanted struct {
	Category, Priority string
	Since              int64 // an article since then
	Entity             int64
}

// List is the announced stories that are wanted, at most most: those that are
// awake, best first, and then those at rest, the latest first: their scores are
// of the time when they came to rest. The faces are not to be changed.
func (m *Machine) List(w Wanted, most int) []*messages.StoryFace {
	var awake, rest []*messages.StoryFace
	for _, e := range m.stories {
		f := e.face
		switch {
		case f.GetArticles() < 2, w.Category != "" && f.GetCategory() != w.Category, w.Priority != "" && f.GetPriority() != w.Priority,
			f.GetLastMs() < w.Since, w.Entity != 0 && !slices.Contains(f.GetEntityIds(), w.Entity):
		case e.awake:
			awake = append(awake, f)
		default:
			rest = append(rest, f)
		}
	}
	slices.SortFunc(awake, better)
	slices.SortFunc(rest, func(a, b *messages.StoryFace) int {
		return cmp.Or(cmp.Compare(b.GetLastMs(), a.GetLastMs()), cmp.Compare(a.GetId(), b.GetId()))
	})
	all := append(awake, rest...)
	return all[:min(len(all), most)]
}

// Story says whether the story is there, and what its actor is to be made of:
// nil where it has one.
func (m *Machine) Story(id uint64) (state []byte, ok bool) {
	e := m.stories[id]
	if e == nil || e.face == nil {
		return nil, false
	}
	return e.state, true
}

// Of is the story of an article, 0 where it is in none that lives.
func (m *Machine) Of(article uint64) uint64 { return m.of[article] }

// Entities are those that most announced stories are about, at most most.
func (m *Machine) Entities(most int) []*messages.EntityCount {
	counts := map[int64]*messages.EntityCount{}
	for _, e := range m.stories {
		if e.face.GetArticles() < 2 {
			continue
		}
		for _, id := range e.face.GetEntityIds() {
			c := counts[id]
			if c == nil {
				c = &messages.EntityCount{Entity: &messages.Entity{Id: id}}
				if known := m.entities[id]; known != nil {
					c.Entity = known
				}
				counts[id] = c
			}
			c.Stories++
			c.Articles += e.face.GetArticles()
		}
	}
	all := slices.SortedFunc(maps.Values(counts), func(a, b *messages.EntityCount) int {
		return cmp.Or(cmp.Compare(b.Stories, a.Stories), cmp.Compare(b.Articles, a.Articles), cmp.Compare(a.Entity.GetId(), b.Entity.GetId()))
	})
	return all[:min(len(all), most)]
}

// ScoreNames are the names of an article's scores, in their order.
func ScoreNames() []string { return similarity.FeatureNames[:] }
