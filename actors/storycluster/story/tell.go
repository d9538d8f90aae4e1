package story

import (
	"cmp"
	"slices"
	"strings"

	"github.com/birdwire/birdwire/actors/engine/text"
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

// developed judges the article that joined and tells of a development, or asks
// where it cannot tell.
func (s *Story) developed(a *messages.StoryArticle, f *messages.StoryFresh) {
	verdict := s.judge.Judge(novelty.Article{
		At: a.GetDiscoveredMs(), Publisher: a.GetSourceId(), Trusted: a.GetPreferred(), Copy: a.GetCopy(),
		Text: novelty.Text{
			Nearest: f.GetNearest(), NearestTitle: f.GetNearestTitle(), Whole: f.GetWhole(),
			NewTerms: f.GetNewTerms(), NewTitle: f.GetNewTitle(), NewNames: f.GetNewNames(), Body: f.GetBody(),
		},
	})
	switch verdict {
	case novelty.Nothing:
	case novelty.Ask:
		s.asks = s.question(a)
	default:
		s.develop(a, verdict)
	}
}

// Of what a story said before, as much as a model needs to know it.
const (
	beforeMost  = 6
	beforeBytes = 300
)

// question is about an article that joined last.
func (s *Story) question(a *messages.StoryArticle) *messages.StoryQuestion {
	said := func(a *messages.StoryArticle) string {
		return text.Clip(strings.TrimSpace(a.GetTitle()+"\n"+a.GetDescription()), beforeBytes)
	}
	q := &messages.StoryQuestion{Article: a.GetNumber(), Text: strings.TrimSpace(a.GetTitle() + "\n" + a.GetDescription())}
	for _, before := range s.state.Kept {
		if before != a && !before.GetCopy() {
			q.Before = append(q.Before, said(before))
		}
	}
	if n := len(q.Before) - beforeMost; n > 0 {
		q.Before = slices.Delete(q.Before, 1, 1+n) // how it began, and the latest
	}
	return q
}

// judged takes a model's verdict. The article may have gone meanwhile, or turned
// out to be a copy; or another one was the development, and this is the same one.
func (s *Story) judged(v *messages.StoryVerdict) {
	i := s.find(v.GetArticle())
	if i < 0 || s.state.Kept[i].GetCopy() {
		return
	}
	a := s.state.Kept[i]
	if verdict := s.judge.Confirm(a.GetDiscoveredMs(), novelty.Named(v.GetSignificance())); verdict != novelty.Nothing {
		s.develop(a, verdict)
	}
}

// develop tells of a development.
func (s *Story) develop(a *messages.StoryArticle, verdict novelty.Verdict) {
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
