package nats

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// holesFile keeps, as JSON, the ranges of the journal that will never be read:
// of writes that failed, and of losses that were accepted.
const holesFile = "holes"

type span struct{ From, To uint64 }

// spans are the ranges of sorted sequences.
func spans(sequences []uint64) (all []span) {
	slices.Sort(sequences)
	for _, n := range sequences {
		if k := len(all) - 1; k >= 0 && all[k].To+1 == n {
			all[k].To = n
		} else {
			all = append(all, span{n, n})
		}
	}
	return all
}

func covered(known []span, h span) bool {
	return slices.ContainsFunc(known, func(k span) bool { return k.From <= h.From && h.To <= k.To })
}

func (s *Store) readHoles() (holes []span, err error) {
	b, err := os.ReadFile(filepath.Join(s.cfg.Dir, holesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &holes)
	}
	return holes, wrap(holesFile, err)
}

// keepHoles writes down the holes that stand, before the mark can pass them.
func (s *Store) keepHoles(holes []span) error {
	known, err := s.readHoles()
	if err != nil || slices.Equal(known, holes) {
		return err
	}
	b, err := json.Marshal(holes)
	if err != nil {
		return err
	}
	path := filepath.Join(s.cfg.Dir, holesFile)
	if err := writeSynced(path+".new", b); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func writeSynced(path string, b []byte) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(b); err != nil {
		return err
	}
	return f.Sync()
}
