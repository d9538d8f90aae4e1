package similarity

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Articles are changed and withdrawn while others come: every story is still
// the sum of the articles that it has, in the index too, and an article that
// was withdrawn is in none.
func TestRevisedAndRemovedStoriesAreTheSumOfTheirArticles(t *testing.T) {
	e := engine(t, Config{Members: 48})
	r := rand.New(rand.NewPCG(3, 4))
	of, revised, removed, retired := map[int64]int64{}, 0, 0, 0
	follow := func(changes []Change) {
		for _, c := range changes {
			switch c.Kind {
			case Created, Joined:
				of[c.Article] = c.Story
			case Merged:
				for a, s := range of {
					if s == c.Other {
						of[a] = c.Story
					}
				}
			case Split:
				for _, a := range c.Articles {
					of[a] = c.Other
				}
			case Retired:
				retired++
			}
		}
	}
	articles := made(9, 300, 60, 4*minute)
	for i, a := range articles {
		follow(e.Add(a))
		old := articles[r.IntN(i+1)]
		story, known := of[old.ID]
		switch {
		case !known || e.live[story] == nil:
		case r.IntN(4) == 0:
			follow(e.Remove(story, old.ID))
			delete(of, old.ID)
			removed++
		default:
			old.Title, old.Body = articles[r.IntN(i+1)].Title, old.Body+" and Somebody New"
			e.Revise(story, old)
			revised++
		}
	}
	if revised < 50 || removed < 20 || retired == 0 {
		t.Fatalf("%d revised, %d removed, %d retired: the test does not look where it should", revised, removed, retired)
	}
	members := 0
	for id, s := range e.live {
		var want story
		for i := range s.members {
			m := s.members[i]
			want.gather(&m)
			members++
			if of[m.id] != id {
				t.Errorf("article %d is in story %d, and was last put into %d", m.id, id, of[m.id])
			}
		}
		if want.count != s.count || want.bodies != s.bodies {
			t.Errorf("story %d counts %d articles and %d bodies, has %d and %d", id, s.count, s.bodies, want.count, want.bodies)
		}
		for view := range s.sum {
			if d := distance(s.sum[view], want.sum[view]); d > 1e-3 {
				t.Errorf("story %d, view %d: its sum is %g away from its articles'", id, view, d)
			}
			for _, c := range s.sum[view] {
				if view < indexed && posted(e, c.term, view, s.slot) != c.weight {
					t.Fatalf("story %d, view %d: the index has another weight than the sum", id, view)
				}
			}
		}
	}
	if members != len(of) {
		t.Errorf("%d articles are in stories, %d should be", members, len(of))
	}
}

func distance(a, b sparse) (most float64) {
	for _, c := range a.plus(b, -1) {
		most = max(most, math.Abs(float64(c.weight)))
	}
	return most
}

func posted(e *Engine, term uint64, view int, slot int32) float32 {
	for _, p := range e.words.terms[term].posts[view] {
		if p.slot == slot {
			return p.weight
		}
	}
	return 0
}
