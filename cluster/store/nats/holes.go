package nats

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/birdwire/birdwire/cluster/store"
)

// holesFile keeps, as JSON, the ranges of the journal that will never be read:
// of writes that failed, and of losses that were accepted.
const holesFile = "holes"

// span is a range of sequences, both ends included.
type span struct {
	From, To uint64
	// Lost: frames were acknowledged there and are gone. Else nothing ever was.
	Lost bool `json:",omitempty"`
	// Told, of what is lost: it was found while the log was read, and is named at
	// every start until an operator accepts it. Else that has been done.
	Told bool `json:",omitempty"`
}

// spans are the ranges of sorted sequences.
func spans(sequences []uint64) (all []span) {
	slices.Sort(sequences)
	for _, n := range sequences {
		if k := len(all) - 1; k >= 0 && all[k].To+1 == n {
			all[k].To = n
		} else {
			all = append(all, span{From: n, To: n})
		}
	}
	return all
}

// holes are the known ones, in order; cursors ask them while the mender adds.
type holes struct {
	mu  sync.RWMutex // protects all
	all []span
}

func (h *holes) set(all []span) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = all
}

func (h *holes) known() []span {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.all
}

// reason is the first part of the gap that is gone for one reason. What is in
// no hole that was known before has been lost since. accepted: an operator knows
// that it is lost.
func (h *holes) reason(gap span) (_ *store.Skipped, accepted bool) {
	known := h.known()
	part := split(gap, known, math.MaxUint64)[0]
	s := &store.Skipped{From: part.From, To: part.To}
	if part.Lost {
		s.Reason = store.Damaged
	}
	return s, isLost(known, part) && !part.Told
}

// isLost says whether all of the part is known to be lost.
func isLost(known []span, part span) bool {
	return slices.ContainsFunc(known, func(k span) bool { return k.Lost && k.From <= part.From && part.To <= k.To })
}

// split parts a gap by what is known of it. Where nothing is, it is lost up to
// mark, the last sequence that was acknowledged, and never was written after it.
func split(gap span, known []span, mark uint64) (parts []span) {
	add := func(part span) {
		if part.From > part.To {
			return
		}
		if k := len(parts) - 1; k >= 0 && parts[k].Lost == part.Lost && parts[k].Told == part.Told {
			parts[k].To = part.To
			return
		}
		parts = append(parts, part)
	}
	unknown := func(from, to uint64) {
		add(span{From: from, To: min(to, mark), Lost: true})
		if mark < math.MaxUint64 {
			add(span{From: max(from, mark+1), To: to})
		}
	}
	next := gap.From
	for _, k := range known {
		if k.To < next || k.From > gap.To {
			continue
		}
		if k.From > next {
			unknown(next, k.From-1)
		}
		to := min(k.To, gap.To)
		add(span{max(next, k.From), to, k.Lost, k.Told})
		next = to + 1
	}
	unknown(next, gap.To)
	return parts
}

func (s *Store) readHoles() (holes []span, err error) {
	b, err := os.ReadFile(filepath.Join(s.cfg.Dir, holesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if store.Sealed(b) { // else it is from before it was
		b, err = store.Unseal(holesFile, b)
	}
	if err == nil {
		err = json.Unmarshal(b, &holes)
	}
	if err != nil {
		// Frames that are gone then count as lost, which an operator can accept.
		s.notes(holesFile, "which frames of the log were known to be gone, and why, is not known")
		return nil, removeNote(s.cfg.Dir, holesFile)
	}
	return holes, nil
}

// foundLost adds frames that were found to be lost while the log was read: the
// next start is to name them, and not to refuse them.
func (s *Store) foundLost(lost span) error {
	lost.Told = true
	s.keeping.Lock()
	defer s.keeping.Unlock()
	all := slices.Clone(s.holes.known())
	for _, part := range split(lost, all, math.MaxUint64) {
		if !isLost(all, part) {
			part.Told = true
			all = append(all, part)
		}
	}
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.From, b.From) })
	return s.keepHoles(all)
}

// keepHoles writes down the holes that there are, before the mark can pass them.
func (s *Store) keepHoles(all []span) error {
	defer s.holes.set(all)
	if slices.Equal(s.holes.known(), all) {
		return nil
	}
	b, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return writeNote(s.cfg.Dir, holesFile, store.Seal(holesFile, b), replaceFile)
}
