package desk

import (
	"slices"

	"github.com/birdwire/birdwire/actors/newsdesk/similarity"
	"github.com/birdwire/birdwire/messages"
)

// article plans what follows from one change of an article.
func (m *Machine) article(p messages.Position, c *messages.ArticleChange) {
	a := c.GetArticle()
	m.learn(a.GetEntities())
	story, known := m.of[a.GetNumber()]
	switch {
	case c.GetAction() == messages.ArticleAction_ARTICLE_DELETED:
		if known {
			m.withdraw(story, a.GetNumber())
		}
	case known:
		m.revise(story, p, a)
	case c.GetAction() == messages.ArticleAction_ARTICLE_CREATED:
		m.follow(p, a, m.sim.Add(asSeen(a)))
	default:
		// Changed or enriched, and not known: its story ended, or it was seen
		// before this newsdesk was. What is news is told as created.
	}
}

// revise tells the story what one of its articles says now. The article stays:
// clients were told where it is.
func (m *Machine) revise(story uint64, p messages.Position, a *messages.Article) {
	m.sim.Revise(int64(story), asSeen(a))
	join := &messages.StoryJoin{Article: m.record(p, a), Embedding: a.GetEmbedding(), EmbeddingModel: a.GetEmbeddingModel()}
	m.wake(story)
	m.then(&messages.TellStory{Story: story, What: &messages.TellStory_Revise{Revise: join}})
}

// withdraw takes an article out of its story.
func (m *Machine) withdraw(story, number uint64) {
	changes := m.sim.Remove(int64(story), int64(number))
	m.then(&messages.TellStory{Story: story, What: &messages.TellStory_Withdraw{Withdraw: &messages.StoryWithdraw{Number: number}}})
	m.wake(story)
	e := m.stories[story]
	e.articles = slices.DeleteFunc(e.articles, func(a uint64) bool { return a == number })
	delete(m.of, number)
	for _, c := range changes {
		m.last(uint64(c.Story)) // nothing is left of it
	}
}

// follow plans what follows from the article's place among the stories.
func (m *Machine) follow(p messages.Position, a *messages.Article, changes []similarity.Change) {
	for _, c := range changes {
		story, other := uint64(c.Story), uint64(c.Other)
		switch c.Kind {
		case similarity.Created:
			m.stories[story] = &entry{}
			m.join(story, p, a, &c)
		case similarity.Joined:
			m.join(story, p, a, &c)
		case similarity.Merged:
			m.merge(story, other)
		case similarity.Split:
			m.split(story, other, c.Articles)
		case similarity.Retired:
			if e := m.stories[story]; e.awake {
				m.last(story)
			} else {
				m.end(story)
			}
		}
	}
}

func (m *Machine) join(story uint64, p messages.Position, a *messages.Article, c *similarity.Change) {
	r := m.record(p, a)
	r.Logit, r.Scores = c.Logit, slices.Clone(c.Scores[:])
	join := &messages.StoryJoin{Article: r, Embedding: a.GetEmbedding(), EmbeddingModel: a.GetEmbeddingModel()}
	if c.Kind == similarity.Joined {
		f := &c.Fresh
		join.Fresh = &messages.StoryFresh{
			Nearest: f.Nearest, NearestTitle: f.NearestTitle, Whole: f.Whole,
			NewTerms: f.NewTerms, NewTitle: f.NewTitle, NewNames: f.NewNames, Body: f.Body,
		}
	}
	m.of[a.GetNumber()] = story
	m.holds(m.stories[story], a.GetNumber())
	m.wake(story)
	m.then(&messages.TellStory{Story: story, What: &messages.TellStory_Join{Join: join}})
}

// holds adds articles to those that are found by number.
func (m *Machine) holds(e *entry, numbers ...uint64) {
	e.articles = append(e.articles, numbers...)
	if n := len(e.articles) - articlesMost; n > 0 {
		for _, a := range e.articles[:n] {
			delete(m.of, a)
		}
		e.articles = slices.Clone(e.articles[n:])
	}
}

// wake has the story looked at from now on.
func (m *Machine) wake(story uint64) {
	e := m.stories[story]
	e.touched, e.awake = m.now, true
	m.awake[story] = e
}

// merge has the one story take in the other, which is no more after it.
func (m *Machine) merge(story, other uint64) {
	into, from := m.stories[story], m.stories[other]
	for _, a := range from.articles {
		m.of[a] = story
	}
	m.holds(into, from.articles...)
	from.articles = nil
	m.wake(story)
	s := m.then(&messages.TellStory{Story: other, What: &messages.TellStory_Keep{Keep: &messages.StoryKeep{Rest: true}}})
	s.carries, s.ends = true, true
	m.then(&messages.TellStory{Story: story, What: &messages.TellStory_Absorb{Absorb: &messages.StoryAbsorb{From: other}}})
}

// split has articles of the one story begin the other.
func (m *Machine) split(story, other uint64, articles []int64) {
	from, into := m.stories[story], &entry{}
	m.stories[other] = into
	numbers := make([]uint64, len(articles))
	for i, a := range articles {
		numbers[i] = uint64(a)
		m.of[numbers[i]] = other
	}
	from.articles = slices.DeleteFunc(from.articles, func(a uint64) bool { return slices.Contains(numbers, a) })
	m.holds(into, numbers...)
	m.wake(story)
	m.wake(other)
	s := m.then(&messages.TellStory{Story: story, What: &messages.TellStory_Part{Part: &messages.StoryPart{Numbers: numbers, Into: other}}})
	s.carries = true
	m.then(&messages.TellStory{Story: other, What: &messages.TellStory_Found{Found: &messages.StoryAbsorb{From: story}}})
}

// last ends a story that its actor may have.
func (m *Machine) last(story uint64) {
	s := m.then(&messages.TellStory{Story: story, What: &messages.TellStory_Keep{Keep: &messages.StoryKeep{Rest: true}}})
	s.ends = true
}
