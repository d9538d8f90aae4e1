package story

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/engine/nearcopy"
	"github.com/birdwire/birdwire/actors/storycluster/novelty"
	"github.com/birdwire/birdwire/actors/storycluster/ranking"
	"github.com/birdwire/birdwire/messages"
)

// Bounds of one story.
const (
	keptMost       = 128 // articles
	timelineMost   = 64
	priorityMost   = 64
	publishersMost = 256
	tickersMost    = 32
	entitiesMost   = 32
	positionsMost  = 16 // of one article
)

// Story is one story. Not for concurrent use.
type Story struct {
	state    *messages.StoryState // without rank, judge and centroid, which are below
	rank     ranking.Story
	judge    novelty.State
	centroid []float32 // sum of the vectors; nil: none

	now    int64 // of what it is told
	face   *messages.StoryFace
	events []*messages.Event
	asks   *messages.StoryQuestion // that follows from what it is told
}

// New is a story without articles.
func New(id uint64) *Story { return &Story{state: &messages.StoryState{Id: id}} }

// Do takes what the newsdesk tells. An error: the state in it is damaged, or it
// says nothing; the story is as before.
func (s *Story) Do(m *messages.TellStory) (*messages.StoryTold, error) {
	s.now, s.events, s.asks = m.GetNowMs(), nil, nil
	told := &messages.StoryTold{Story: s.state.GetId(), Turn: m.GetTurn(), Step: m.GetStep()}
	switch what := m.GetWhat().(type) {
	case *messages.TellStory_Join:
		s.join(what.Join)
	case *messages.TellStory_Revise:
		s.revise(what.Revise)
	case *messages.TellStory_Withdraw:
		s.withdraw(what.Withdraw.GetNumber())
	case *messages.TellStory_Absorb:
		if err := s.absorb(what.Absorb); err != nil {
			return nil, err
		}
	case *messages.TellStory_Part:
		told.State = s.part(what.Part)
	case *messages.TellStory_Found:
		if err := s.found(what.Found); err != nil {
			return nil, err
		}
	case *messages.TellStory_Look:
		s.check()
	case *messages.TellStory_Keep:
		told.State = s.State()
	case *messages.TellStory_Verdict:
		s.judged(what.Verdict)
	default:
		return nil, fmt.Errorf("story %d: told nothing", s.state.GetId())
	}
	told.Face, told.Events, told.Question = s.Face(), s.events, s.asks
	return told, nil
}

// join takes an article in.
func (s *Story) join(j *messages.StoryJoin) {
	a := proto.CloneOf(j.GetArticle())
	fresh := j.GetFresh()
	a.Copy = a.Copy || s.state.Articles > 0 && s.repeats(a, fresh)
	a.Nearest = fresh.GetNearest()
	s.state.Articles++
	s.state.Kept = append(s.state.Kept, a)
	s.trim()
	s.embed(a, j)
	s.rank.Add(ranked(a))
	s.reported(a)
	if s.state.Head == 0 || a.GetPreferred() && !s.headPreferred() {
		s.lead(a)
	}
	s.changed()
	s.announce()
	s.developed(a, fresh)
	s.check()
	s.securities()
}

// The cosine of all terms, or the bits of the words' hash that differ, at which
// an article is a copy of one that is there. Paraphrases of one wire share a
// half; a copy with another headline differs in a few words of many.
const (
	copyCosine = 0.9
)

// repeats says whether a is nearly word for word another of the story's.
func (s *Story) repeats(a *messages.StoryArticle, fresh *messages.StoryFresh) bool {
	if fresh.GetNearest() >= copyCosine {
		return true
	}
	return slices.ContainsFunc(s.state.Kept, func(o *messages.StoryArticle) bool {
		return o.GetNumber() != a.GetNumber() && nearcopy.Copies(o.GetSimhash(), a.GetSimhash())
	})
}

// revise replaces an article of the story by what it says now.
func (s *Story) revise(j *messages.StoryJoin) {
	i := s.find(j.GetArticle().GetNumber())
	if i < 0 {
		return // forgotten, or withdrawn
	}
	old, a := s.state.Kept[i], proto.CloneOf(j.GetArticle())
	a.Positions = append(slices.Clone(old.GetPositions()), a.GetPositions()...)
	if n := len(a.Positions) - positionsMost; n > 0 {
		a.Positions = slices.Delete(a.Positions, 1, 1+n) // the first one stays
	}
	a.Logit, a.Scores, a.Nearest, a.Embedded = old.Logit, old.Scores, old.Nearest, old.Embedded
	a.DiscoveredMs = old.DiscoveredMs
	a.Copy = a.Copy || old.Copy || i > 0 && s.repeats(a, nil)
	s.state.Kept[i] = a
	s.embed(a, j)
	if a.Copy != old.Copy || a.SourceId != old.SourceId || a.PublishedMs != old.PublishedMs {
		s.recount()
	}
	if s.state.Head == a.Number {
		s.state.Headline = a.Title
	}
	s.changed()
	s.check()
	s.securities()
}

// withdraw takes an article out. What was announced stays announced.
func (s *Story) withdraw(number uint64) {
	i := s.find(number)
	if i < 0 {
		return
	}
	s.state.Kept = slices.Delete(s.state.Kept, i, i+1)
	s.state.Articles--
	s.recount()
	s.leadAgain()
	s.changed()
	s.check()
}

// find is where the article is kept; -1: nowhere.
func (s *Story) find(number uint64) int {
	return slices.IndexFunc(s.state.Kept, func(a *messages.StoryArticle) bool { return a.GetNumber() == number })
}

// trim keeps the first article, which says how the story began, and the latest.
func (s *Story) trim() {
	if n := len(s.state.Kept) - keptMost; n > 0 {
		s.state.Kept = slices.Delete(s.state.Kept, 1, 1+n)
	}
}

// lead has the article head the story.
func (s *Story) lead(a *messages.StoryArticle) {
	s.state.Head, s.state.Headline = a.GetNumber(), a.GetTitle()
}

func (s *Story) headPreferred() bool {
	i := s.find(s.state.Head)
	return i >= 0 && s.state.Kept[i].GetPreferred()
}

// leadAgain finds a new head where the article that headed the story is gone:
// the latest of the preferred, else the latest.
func (s *Story) leadAgain() {
	if s.find(s.state.Head) >= 0 || len(s.state.Kept) == 0 {
		return
	}
	best := s.state.Kept[len(s.state.Kept)-1]
	for _, a := range s.state.Kept {
		if a.GetPreferred() {
			best = a
		}
	}
	s.lead(best)
}

// ranked is the article as it is counted.
func ranked(a *messages.StoryArticle) ranking.Article {
	return ranking.Article{
		Published: a.GetPublishedMs(), Discovered: a.GetDiscoveredMs(), Publisher: a.GetSourceId(), Quality: a.GetQuality(), Copy: a.GetCopy(),
	}
}

// reported remembers who reported it. Copies are no second report.
func (s *Story) reported(a *messages.StoryArticle) {
	if i, found := slices.BinarySearch(s.state.Publishers, a.GetSourceId()); !found && !a.GetCopy() && len(s.state.Publishers) < publishersMost {
		s.state.Publishers = slices.Insert(s.state.Publishers, i, a.GetSourceId())
	}
}

// recount makes the sums again after articles went or changed, as far as all of
// them are kept; the sums of a larger story fade by themselves.
func (s *Story) recount() {
	if s.state.Articles > int64(len(s.state.Kept)) {
		return
	}
	old := s.rank
	s.rank = ranking.Story{Priority: old.Priority, Since: old.Since, Burst: old.Burst, Calm: old.Calm, Checked: old.Checked}
	s.state.Publishers = nil
	for _, a := range s.state.Kept {
		s.rank.Add(ranked(a))
		s.reported(a)
	}
	s.rank.Advance(old.Now)
}
