package nats

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

// Files of the folder that are about damage.
const (
	damageFile = "damage"      // what was found gone from a log that the server has mended since; written here
	acceptFile = "accept-loss" // made by an operator to go on with what is left; removed here
	lostFolder = "lost"        // damaged files as they were, before they were mended
)

// refused is an error while the folder is marked as damaged and the operator
// has not accepted the loss: the server has mended itself by then, and a second
// look would find nothing.
func (s *Store) refused() (accepted, lost bool, err error) {
	b, err := os.ReadFile(filepath.Join(s.cfg.Dir, damageFile))
	lost = err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, false, err
	}
	if _, err := os.Stat(filepath.Join(s.cfg.Dir, acceptFile)); err == nil {
		return true, lost, nil
	}
	if lost {
		return false, true, s.damaged(string(b))
	}
	return false, false, nil
}

// refuse marks the folder as damaged.
func (s *Store) refuse(found []string) error {
	text := strings.Join(found, "; ")
	err := writeSynced(filepath.Join(s.cfg.Dir, damageFile), []byte(text))
	return errors.Join(s.damaged(text), err)
}

func (s *Store) damaged(what string) error {
	return fmt.Errorf("%w: lost: %s. Put a backup of the whole folder %s in its place; or, to go on without what was lost, create the file %s and start again (clients' cursors then end)",
		messages.ErrDamaged, what, s.cfg.Dir, filepath.Join(s.cfg.Dir, acceptFile))
}

// accept takes the operator's word away, last: a crash on the way asks for it
// again.
func (s *Store) accept() error {
	for _, name := range []string{damageFile, acceptFile} {
		if err := os.Remove(filepath.Join(s.cfg.Dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// aside is a new folder's name for what is damaged.
func (s *Store) aside(stream string) string {
	return filepath.Join(s.cfg.Dir, lostFolder, s.cfg.Now().UTC().Format("20060102T150405.000000000"), stream)
}

// putAside moves whole streams away.
func (s *Store) putAside(streams []string) error {
	for _, name := range streams {
		dir := s.aside(name)
		if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
			return err
		}
		if err := os.Rename(streamDir(s.cfg.Dir, name), dir); err != nil {
			return err
		}
	}
	return nil
}

// framesLost says that frames of the journal were acknowledged and are gone.
// Stretches that touch are one.
func (s *Store) framesLost(from, to uint64) {
	s.lostMu.Lock()
	defer s.lostMu.Unlock()
	grown := span{From: from, To: to, Lost: true}
	kept := s.lost[:0:0]
	for _, l := range s.lost {
		switch {
		case l.From <= from && to <= l.To:
			return // it is known
		case l.To+1 < grown.From || grown.To+1 < l.From:
			kept = append(kept, l)
		default:
			grown.From, grown.To = min(grown.From, l.From), max(grown.To, l.To)
		}
	}
	s.lost = append(kept, grown)
	if s.cfg.shared() {
		// The replicas are the note of it.
	} else if err := s.foundLost(span{From: from, To: to, Lost: true}); err != nil {
		s.cfg.Logger.Warn("what is lost cannot be noted: the next start will find it again", "error", err)
	}
	s.reports.drop(func(d store.Damage) bool { return d.Stream == journalStream && d.File == "" })
	for _, l := range s.lost {
		d := store.Damage{Stream: journalStream, Lost: spansText([]span{l}), Advice: "clients that read over it are told; a backup of the whole folder may hold it"}
		if s.reports.add(d) && l == grown {
			s.cfg.Logger.Error("damage in the store", "stream", d.Stream, "lost", d.Lost, "advice", d.Advice)
		}
	}
}
