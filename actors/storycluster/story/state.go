package story

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/storycluster/novelty"
	"github.com/birdwire/birdwire/actors/storycluster/ranking"
	"github.com/birdwire/birdwire/messages"
)

// State is the whole story as bytes (messages.StoryState). A story restored
// from it goes on exactly as this one does.
func (s *Story) State() []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(s.Whole())
	if err != nil {
		panic(fmt.Sprintf("story %d: its state cannot be written: %v", s.state.GetId(), err)) // a text that is no UTF-8: the newsdesk lets none in
	}
	return b
}

// Whole is the state as a message. It is not to be changed, and not to be kept
// beyond the next Do.
func (s *Story) Whole() *messages.StoryState {
	m := s.state
	r := &s.rank
	m.Rank = &messages.StoryRank{
		Now: r.Now, First: r.First, Last: r.Last, Mass: r.Mass, Fast: r.Fast, Slow: r.Slow, Quality: r.Quality,
		Priority: uint32(r.Priority), Since: r.Since, Burst: r.Burst, Calm: r.Calm, Checked: r.Checked,
	}
	for _, p := range r.Seen {
		m.Rank.Seen, m.Rank.SeenAt = append(m.Rank.Seen, p.Name), append(m.Rank.SeenAt, p.At)
	}
	for _, p := range r.Printed {
		m.Rank.Printed, m.Rank.PrintedAt = append(m.Rank.Printed, p.Name), append(m.Rank.PrintedAt, p.At)
	}
	m.Judged, m.JudgedPublishers, m.DevelopedMs = s.judge.Articles, s.judge.Publishers, s.judge.Last
	// Most of a short text's vector is 0.
	m.CentroidAt, m.Centroid = nil, nil
	for i, x := range s.centroid {
		if x != 0 {
			m.CentroidAt, m.Centroid = append(m.CentroidAt, uint32(i)), append(m.Centroid, x)
		}
	}
	return m
}

// dimensions of every vector.
const dimensions = 1536

// Restore makes a story of State's bytes.
func Restore(state []byte) (*Story, error) {
	m := &messages.StoryState{}
	if err := proto.Unmarshal(state, m); err != nil {
		return nil, fmt.Errorf("story: restore: %w", err)
	}
	r := m.GetRank()
	if m.GetId() == 0 || r.GetPriority() > uint32(ranking.Breaking) || len(r.GetSeen()) != len(r.GetSeenAt()) || len(r.GetPrinted()) != len(r.GetPrintedAt()) ||
		len(m.GetCentroid()) != len(m.GetCentroidAt()) {
		return nil, fmt.Errorf("story %d: restore: no state of a story", m.GetId())
	}
	s := &Story{
		state: m,
		rank: ranking.Story{
			Now: r.GetNow(), First: r.GetFirst(), Last: r.GetLast(), Mass: r.GetMass(), Fast: r.GetFast(), Slow: r.GetSlow(), Quality: r.GetQuality(),
			Priority: ranking.Priority(r.GetPriority()), Since: r.GetSince(), Burst: r.GetBurst(), Calm: r.GetCalm(), Checked: r.GetChecked(),
		},
		judge: novelty.State{Articles: m.GetJudged(), Publishers: m.GetJudgedPublishers(), Last: m.GetDevelopedMs()},
	}
	for i, name := range r.GetSeen() {
		s.rank.Seen = append(s.rank.Seen, ranking.Publisher{Name: name, At: r.GetSeenAt()[i]})
	}
	for i, name := range r.GetPrinted() {
		s.rank.Printed = append(s.rank.Printed, ranking.Publisher{Name: name, At: r.GetPrintedAt()[i]})
	}
	for i, at := range m.GetCentroidAt() {
		if at >= dimensions || math.IsNaN(float64(m.GetCentroid()[i])) {
			return nil, fmt.Errorf("story %d: restore: a vector of more than %d numbers", m.GetId(), dimensions)
		}
		if s.centroid == nil {
			s.centroid = make([]float32, dimensions)
		}
		s.centroid[at] = m.GetCentroid()[i]
	}
	m.Rank, m.Centroid, m.CentroidAt, m.JudgedPublishers = nil, nil, nil, nil
	return s, nil
}
