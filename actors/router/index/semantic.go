package index

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/minio/highwayhash"

	"github.com/birdwire/birdwire/actors/engine/vector"
	"github.com/birdwire/birdwire/messages"
)

// meaning is one semantic filter: vectors of which one suffices. Documents
// that pass it have its key as they have those of their words.
type meaning struct {
	key     uint64
	content [sha256.Size]byte
	filters []*messages.EmbeddingFilter // until it is in use
	models  []string
	users   int // queries that refer to it, once for each time
}

// newMeaning names a filter, and changes nothing. Its key is a keyed hash:
// nobody can make one filter that takes another's.
func newMeaning(names *[32]byte, filters []*messages.EmbeddingFilter) *meaning {
	content := hashFilters(filters)
	return &meaning{key: highwayhash.Sum64(content[:], names[:]) | 1<<63, content: content, filters: filters}
}

// semantic is the filters in use, each once, by model.
type semantic struct {
	byKey   map[uint64]*meaning
	byQuery map[ID][]*meaning
	sets    map[string]*vector.Set
}

func (s *semantic) init() {
	s.byKey = map[uint64]*meaning{}
	s.byQuery = map[ID][]*meaning{}
	s.sets = map[string]*vector.Set{}
}

// acquireAll finds or makes the filters and counts one user of each; on an
// error nothing has changed.
func (s *semantic) acquireAll(named []*meaning) (meanings []*meaning, err error) {
	for _, n := range named {
		m, err := s.acquire(n)
		if err != nil {
			s.release(meanings)
			return nil, err
		}
		meanings = append(meanings, m)
	}
	return meanings, nil
}

func (s *semantic) acquire(named *meaning) (*meaning, error) {
	if m := s.byKey[named.key]; m != nil {
		if m.content != named.content { // once in 2^63 pairs of filters
			return nil, fmt.Errorf("%w: its semantic filter has the name of another", ErrQuery)
		}
		m.users++
		return m, nil
	}
	m := &meaning{key: named.key, content: named.content, users: 1}
	for _, f := range named.filters {
		if !slices.Contains(m.models, f.GetEmbeddingModel()) {
			m.models = append(m.models, f.GetEmbeddingModel())
		}
	}
	for i, model := range m.models {
		if err := s.add(m, model, named.filters); err != nil {
			m.models = m.models[:i+1]
			s.forget(m)
			return nil, err
		}
	}
	s.byKey[m.key] = m
	return m, nil
}

func (s *semantic) add(m *meaning, model string, filters []*messages.EmbeddingFilter) error {
	var vectors [][]float32
	var thresholds []float64
	for _, f := range filters {
		if f.GetEmbeddingModel() == model {
			vectors = append(vectors, f.GetEmbedding())
			thresholds = append(thresholds, f.GetThreshold())
		}
	}
	set := s.sets[model]
	if set == nil {
		set = vector.New()
		s.sets[model] = set
	}
	return set.Add(vector.ID(m.key), vectors, thresholds)
}

func (s *semantic) forget(m *meaning) {
	for _, model := range m.models {
		set := s.sets[model]
		set.Remove(vector.ID(m.key))
		if set.Len() == 0 {
			delete(s.sets, model)
		}
	}
}

func hashFilters(filters []*messages.EmbeddingFilter) (sum [sha256.Size]byte) {
	h := sha256.New()
	var b []byte
	for _, f := range filters {
		b = binary.LittleEndian.AppendUint64(b[:0], uint64(len(f.GetEmbeddingModel())))
		b = append(b, f.GetEmbeddingModel()...)
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(f.GetThreshold()))
		b = binary.LittleEndian.AppendUint64(b, uint64(len(f.GetEmbedding())))
		for _, n := range f.GetEmbedding() {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(n))
		}
		_, _ = h.Write(b) // never fails
	}
	h.Sum(sum[:0])
	return sum
}

// release ends one use of each.
func (s *semantic) release(meanings []*meaning) {
	for _, m := range meanings {
		if m.users--; m.users == 0 {
			delete(s.byKey, m.key)
			s.forget(m)
		}
	}
}

// own notes which filters a query uses, so that they go when it goes.
func (s *semantic) own(id ID, meanings []*meaning) {
	if len(meanings) > 0 {
		s.byQuery[id] = meanings
	}
}

func (s *semantic) disown(id ID) {
	if meanings := s.byQuery[id]; meanings != nil {
		delete(s.byQuery, id)
		s.release(meanings)
	}
}

// modelFilters are the filters of one model as a snapshot sees them: compared with
// the vectors of that model and with no others.
type modelFilters struct {
	model string
	set   *vector.Snapshot
}

func (s *semantic) snapshot() []modelFilters {
	var models []modelFilters
	for model, set := range s.sets {
		models = append(models, modelFilters{model: model, set: set.Snapshot()})
	}
	slices.SortFunc(models, func(a, b modelFilters) int { return cmp.Compare(a.model, b.model) })
	return models
}
