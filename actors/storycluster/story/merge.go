package story

import (
	"cmp"
	"slices"

	"github.com/birdwire/birdwire/messages"
)

// absorb takes another story in: its articles, its history, and its priority
// where that is the more urgent one, because whoever follows the other is told
// that this is where it went.
func (s *Story) absorb(m *messages.StoryAbsorb) error {
	o, err := Restore(m.GetState())
	if err != nil {
		return err
	}
	announced := o.state.GetAnnounced()
	s.rank.Absorb(&o.rank)
	s.state.Articles += o.state.GetArticles()
	s.state.Kept = append(s.state.Kept, o.state.GetKept()...)
	slices.SortStableFunc(s.state.Kept, func(a, b *messages.StoryArticle) int {
		return cmp.Or(cmp.Compare(a.GetDiscoveredMs(), b.GetDiscoveredMs()), cmp.Compare(a.GetNumber(), b.GetNumber()))
	})
	s.trim()
	for _, p := range o.state.GetPublishers() {
		s.reported(&messages.StoryArticle{SourceId: p})
	}
	s.history(o)
	s.average(o)
	s.changed()
	s.announce()
	if announced {
		c := s.clusterChange("merge")
		c.MergedFrom = m.GetFrom()
		s.sayChange(c)
	}
	if before := s.rank.Priority; o.rank.Priority > before {
		s.rank.Priority, s.rank.Since, s.rank.Burst, s.rank.Calm = o.rank.Priority, s.rank.Now, cmp.Or(o.rank.Burst, s.rank.Burst), 0
		s.sayPriority(before.String(), s.rank.Priority.String(), s.rank.Now)
	}
	s.check()
	s.securities()
	return nil
}

// history adds what the other was told and has told.
func (s *Story) history(o *Story) {
	s.state.Timeline = append(s.state.Timeline, o.state.GetTimeline()...)
	slices.SortStableFunc(s.state.Timeline, func(a, b *messages.StoryTurnpoint) int { return cmp.Compare(a.GetAtMs(), b.GetAtMs()) })
	s.state.Timeline = latest(s.state.Timeline, timelineMost)
	s.state.Developments += o.state.GetDevelopments()
	for _, t := range o.state.GetTickers() {
		s.hasTicker(t)
	}
	s.judge.Articles += o.judge.Articles
	s.judge.Last = max(s.judge.Last, o.judge.Last)
	for _, p := range o.judge.Publishers {
		if i, found := slices.BinarySearch(s.judge.Publishers, p); !found && len(s.judge.Publishers) < 2 {
			s.judge.Publishers = slices.Insert(s.judge.Publishers, i, p)
		}
	}
}

// average adds the other's vectors, where they are of one model.
func (s *Story) average(o *Story) {
	switch {
	case len(o.centroid) == 0:
	case len(s.centroid) == 0:
		s.centroid, s.state.EmbeddingModel = o.centroid, o.state.EmbeddingModel
	case s.state.EmbeddingModel == o.state.EmbeddingModel && len(s.centroid) == len(o.centroid):
		for i, x := range o.centroid {
			s.centroid[i] += x
		}
	}
}

// part gives articles away and returns the state of the story that they are.
// What that one is worth is counted from its articles; the vectors, of which
// the sum alone is known, stay here.
func (s *Story) part(m *messages.StoryPart) []byte {
	o := New(m.GetInto())
	o.now = s.now
	s.state.Kept = slices.DeleteFunc(s.state.Kept, func(a *messages.StoryArticle) bool {
		leaves := slices.Contains(m.GetNumbers(), a.GetNumber())
		if leaves {
			a.Embedded = false
			o.state.Kept = append(o.state.Kept, a)
		}
		return leaves
	})
	// Of articles that are forgotten here the number alone is known.
	o.state.Articles = min(int64(len(m.GetNumbers())), s.state.Articles-int64(len(s.state.Kept)))
	s.state.Articles -= o.state.Articles
	s.recount()
	s.leadAgain()
	s.changed()
	if s.state.Announced {
		s.sayChange(s.clusterChange("split"))
	}
	s.check()
	for _, a := range o.state.Kept {
		o.rank.Add(ranked(a))
		o.reported(a)
	}
	o.judge.Articles, o.judge.Publishers = o.state.Articles, slices.Clone(o.state.Publishers[:min(2, len(o.state.Publishers))])
	o.judge.Last, o.state.Announced, o.state.ChangedMs = s.judge.Last, s.state.Announced, s.now
	o.leadAgain()
	return o.State()
}

// found begins the story with what left another.
func (s *Story) found(m *messages.StoryAbsorb) error {
	o, err := Restore(m.GetState())
	if err != nil {
		return err
	}
	o.now, o.events = s.now, s.events
	*s = *o
	if s.state.Announced {
		c := s.clusterChange("split_created")
		c.SplitFrom = m.GetFrom()
		s.sayChange(c)
	}
	s.check()
	return nil
}
