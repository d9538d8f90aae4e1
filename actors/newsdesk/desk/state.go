package desk

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/newsdesk/similarity"
	"github.com/birdwire/birdwire/messages"
)

// stateVersion is of the form of a snapshot, and of what it means: a newsdesk
// whose code tells other stories than the one that wrote it replays the log.
const stateVersion = 4

// ErrState: the bytes are no snapshot of this version and Config. The caller
// replays the log instead.
var ErrState = errors.New("desk: no snapshot that can be restored")

// Save begins a turn in which all stories are asked for their state. Once it
// is over, Snapshot has the whole.
func (m *Machine) Save() {
	m.number++
	m.saved = map[uint64][]byte{}
	m.turn = &turn{position: m.place}
	var s *step
	for _, id := range slices.Sorted(maps.Keys(m.stories)) {
		if m.stories[id].state != nil {
			continue
		}
		if s == nil || len(s.tells) == stepMost {
			s = &step{}
			m.turn.steps = append(m.turn.steps, s)
		}
		s.tells = append(s.tells, &messages.TellStory{Story: id, What: &messages.TellStory_Keep{Keep: &messages.StoryKeep{}}})
	}
	if len(m.turn.steps) > 0 {
		m.goOn()
	} else {
		m.turn = nil
	}
}

// Snapshot is the whole newsdesk after a Save that is over, as of Place. One
// that is restored from it goes on exactly as this one does.
func (m *Machine) Snapshot() ([]byte, error) {
	state := &messages.DeskState{
		Version: stateVersion, Position: uint64(m.place), NowMs: m.now, LatestMs: m.latest, LookedMs: m.looked,
		RankedMs: m.rankedAt, Ranked: m.ranked, Reranked: m.rerank, Similarity: m.sim.Snapshot(), Pending: m.pending, Turn: m.number, Begun: m.begun,
		Questions: m.questions,
	}
	for _, id := range slices.Sorted(maps.Keys(m.stories)) {
		e := m.stories[id]
		s := &messages.DeskStory{Face: e.face, State: e.state, Articles: e.articles, Awake: e.awake, TouchedMs: e.touched}
		if s.State == nil {
			s.State = m.saved[id]
		}
		state.Stories = append(state.Stories, s)
	}
	m.saved = nil
	for _, id := range slices.Sorted(maps.Keys(m.entities)) {
		state.Entities = append(state.Entities, m.entities[id])
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(state)
	if err != nil {
		return nil, fmt.Errorf("desk: snapshot: %w", err)
	}
	return b, nil
}

// Restore makes a newsdesk of a snapshot that one with the same Config wrote.
// Its errors are ErrState.
func Restore(cfg Config, snapshot []byte) (*Machine, error) {
	m, err := New(cfg)
	if err != nil {
		return nil, err
	}
	state := &messages.DeskState{}
	if err := proto.Unmarshal(snapshot, state); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	if state.GetVersion() != stateVersion {
		return nil, fmt.Errorf("%w: version %d, want %d", ErrState, state.GetVersion(), stateVersion)
	}
	if m.sim, err = similarity.Restore(cfg.Similarity, state.GetSimilarity()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	m.place, m.now, m.latest, m.looked = messages.Position(state.GetPosition()), state.GetNowMs(), state.GetLatestMs(), state.GetLookedMs()
	m.ranked, m.rankedAt, m.rerank = state.GetRanked(), state.GetRankedMs(), state.GetReranked()
	m.pending, m.number, m.begun, m.questions = state.GetPending(), state.GetTurn(), state.GetBegun(), state.GetQuestions()
	m.learn(state.GetEntities())
	for _, s := range state.GetStories() {
		id := s.GetFace().GetId()
		if id == 0 || len(s.GetState()) == 0 || m.stories[id] != nil {
			return nil, fmt.Errorf("%w: a story without a state, or twice", ErrState)
		}
		e := &entry{face: s.GetFace(), state: s.GetState(), articles: s.GetArticles(), awake: s.GetAwake(), touched: s.GetTouchedMs()}
		m.stories[id] = e
		if e.awake {
			m.awake[id] = e
		}
		for _, a := range e.articles {
			m.of[a] = id
		}
	}
	if m.sim.Live() != len(m.stories) {
		return nil, fmt.Errorf("%w: %d stories, of which %d are known by their words", ErrState, len(m.stories), m.sim.Live())
	}
	return m, nil
}
