package story

import (
	"cmp"
	"math"
	"slices"

	"github.com/birdwire/birdwire/messages"
)

// Face is what a list shows of the story as of the time that it was last told.
// It is not to be changed.
func (s *Story) Face() *messages.StoryFace {
	scores := s.rank.Scores()
	if s.face == nil {
		s.face = s.newFace()
	} else {
		f := s.face
		s.face = &messages.StoryFace{
			Id: f.Id, Headline: f.Headline, Category: f.Category, TopSource: f.TopSource, Articles: f.Articles, Publishers: f.Publishers,
			FirstMs: f.FirstMs, LastMs: f.LastMs, EntityIds: f.EntityIds, Tickers: f.Tickers, Developments: f.Developments, ChangedMs: f.ChangedMs,
		}
	}
	s.face.Priority = s.rank.Priority.String()
	s.face.OverallScore, s.face.AccelerationScore = scores.Overall, scores.Acceleration
	s.face.Velocity = hundredths(scores.Velocity)
	return s.face
}

func (s *Story) newFace() *messages.StoryFace {
	categories, sources := counts[string]{}, counts[string]{}
	entities := counts[int64]{}
	for _, a := range s.state.Kept {
		categories.add(a.GetCategory())
		if !a.GetCopy() {
			sources.add(cmp.Or(a.GetSourceName(), a.GetSourceId()))
		}
		for _, id := range a.GetEntityIds() {
			entities.add(id)
		}
	}
	return &messages.StoryFace{
		Id: s.state.GetId(), Headline: s.state.GetHeadline(), Category: categories.top(), TopSource: sources.top(),
		Articles: s.state.GetArticles(), Publishers: int64(len(s.state.GetPublishers())),
		FirstMs: s.rank.First, LastMs: s.rank.Last, EntityIds: entities.most(entitiesMost), Tickers: slices.Clone(s.state.GetTickers()),
		Developments: s.state.GetDevelopments(), ChangedMs: s.state.GetChangedMs(),
	}
}

// counts counts values in the order in which they first came.
type counts[T comparable] struct {
	values []T
	n      []int
}

func (c *counts[T]) add(v T) {
	var none T
	if v == none {
		return
	}
	i := slices.Index(c.values, v)
	if i < 0 {
		i = len(c.values)
		c.values, c.n = append(c.values, v), append(c.n, 0)
	}
	c.n[i]++
}

// most are the commonest values; of two alike the one that came first.
func (c *counts[T]) most(n int) []T {
	order := make([]int, len(c.values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(c.n[b], c.n[a]) })
	out := make([]T, 0, min(n, len(order)))
	for _, i := range order[:min(n, len(order))] {
		out = append(out, c.values[i])
	}
	return out
}

func (c *counts[T]) top() (v T) {
	if top := c.most(1); len(top) > 0 {
		v = top[0]
	}
	return v
}

// embed adds the article's vector to the story's centroid. Vectors of another
// model than the centroid's are never added to it: the newer model begins anew.
func (s *Story) embed(a *messages.StoryArticle, j *messages.StoryJoin) {
	v, model := j.GetEmbedding(), j.GetEmbeddingModel()
	if len(v) == 0 || a.GetEmbedded() && model == s.state.EmbeddingModel {
		return
	}
	if model != s.state.EmbeddingModel || len(v) != len(s.centroid) {
		s.centroid, s.state.EmbeddingModel = make([]float32, len(v)), model
		for _, k := range s.state.Kept {
			k.Embedded = false
		}
	}
	for i, x := range v {
		s.centroid[i] += x
	}
	a.Embedded = true
}

// vector is the direction of the centroid, of length 1; nil where there is none.
func (s *Story) vector() ([]float32, string) {
	sum := 0.0
	for _, x := range s.centroid {
		sum += float64(float64(x) * float64(x))
	}
	if sum == 0 {
		return nil, ""
	}
	length := math.Sqrt(sum)
	out := make([]float32, len(s.centroid))
	for i, x := range s.centroid {
		out[i] = float32(float64(x) / length)
	}
	return out, s.state.EmbeddingModel
}

// hundredths are what anybody reads; the last bits of exponentials differ
// between kinds of machines.
func hundredths(x float64) float64 { return math.Round(x*100) / 100 }
