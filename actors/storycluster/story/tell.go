package story

import (
	"cmp"

	"github.com/birdwire/birdwire/actors/storycluster/novelty"
	"github.com/birdwire/birdwire/messages"
)

// This file is what a story says.

func (s *Story) say(e *messages.Event) { s.events = append(s.events, e) }

// changed: something of the face other than its scores is another.
func (s *Story) changed() { s.face, s.state.ChangedMs = nil, max(s.state.ChangedMs, s.now) }

// clusterChange is an event about the story as a group of articles.
func (s *Story) clusterChange(action string) *messages.ClusterChange {
	f := s.Face()
	vector, model := s.vector()
	return &messages.ClusterChange{
		Action: action, ClusterId: f.GetId(), MemberCount: f.GetArticles(), Title: f.GetHeadline(), Category: f.GetCategory(),
		EntityIds: f.GetEntityIds(), Centroid: vector, EmbeddingModel: model,
	}
}

func (s *Story) sayChange(c *messages.ClusterChange) {
	s.say(&messages.Event{Body: &messages.Event_ClusterChange{ClusterChange: c}})
}

// announce tells of the story once it is one.
func (s *Story) announce() {
	if s.state.Announced || s.state.Articles < 2 {
		return
	}
	s.state.Announced = true
	s.sayChange(s.clusterChange("create"))
}

// developed judges the article that joined and tells of a development.
func (s *Story) developed(a *messages.StoryArticle, f *messages.StoryFresh) {
	verdict := s.judge.Judge(novelty.Article{
		At: a.GetDiscoveredMs(), Publisher: a.GetSourceId(), Trusted: a.GetPreferred(), Copy: a.GetCopy(),
		Text: novelty.Text{
			Nearest: f.GetNearest(), NearestTitle: f.GetNearestTitle(), Whole: f.GetWhole(),
			NewTerms: f.GetNewTerms(), NewTitle: f.GetNewTitle(), NewNames: f.GetNewNames(), Body: f.GetBody(),
		},
	})
	if verdict.String() == "" {
		return // nothing new, or for a model to judge: without one it abstains
	}
	previous := s.state.Headline
	if a.GetPreferred() || !s.headPreferred() {
		s.lead(a)
	}
	s.changed()
	s.state.Developments++
	s.state.Timeline = latest(append(s.state.Timeline, &messages.StoryTurnpoint{
		AtMs: a.GetDiscoveredMs(), Article: a.GetNumber(), Title: a.GetTitle(), Significance: verdict.String(),
		PreviousHeadline: previous, Headline: s.state.Headline,
	}), timelineMost)
	face := s.Face()
	vector, model := s.vector()
	s.say(&messages.Event{Body: &messages.Event_StoryDevelopment{StoryDevelopment: &messages.StoryDevelopment{
		ClusterId: face.GetId(), Title: a.GetTitle(), Description: cmp.Or(a.GetDescription(), a.GetTitle()), Significance: verdict.String(),
		Headline: face.GetHeadline(), Category: face.GetCategory(), PreviousHeadline: previous, NewHeadline: face.GetHeadline(),
		CreatedMs: a.GetDiscoveredMs(), EnrichmentSeq: s.state.Developments,
		EntityIds: face.GetEntityIds(), Centroid: vector, EmbeddingModel: model,
	}}})
}

// check looks at the priority, at most once a minute.
func (s *Story) check() {
	before := s.rank.Priority
	c, changed := s.rank.Check(s.now)
	if !changed {
		return
	}
	s.sayPriority(before.String(), c.To.String(), c.At)
}

// sayPriority tells of a priority that the rank has taken.
func (s *Story) sayPriority(from, to string, at int64) {
	s.changed()
	f := s.Face()
	s.state.Priorities = latest(append(s.state.Priorities, &messages.StoryPriorityAt{
		AtMs: at, From: from, To: to, OverallScore: f.GetOverallScore(), AccelerationScore: f.GetAccelerationScore(),
	}), priorityMost)
	vector, model := s.vector()
	s.say(&messages.Event{Body: &messages.Event_StoryPriority{StoryPriority: &messages.StoryPriority{
		ClusterId: f.GetId(), Headline: f.GetHeadline(), Category: f.GetCategory(), PreviousPriority: from, NewPriority: to,
		OverallScore: f.GetOverallScore(), AccelerationScore: f.GetAccelerationScore(),
		EntityIds: f.GetEntityIds(), Centroid: vector, EmbeddingModel: model,
	}}})
}

// latest keeps the last n.
func latest[T any](list []T, n int) []T { return list[max(0, len(list)-n):] }
