package nats

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// openNotes opens our notes, after the two places of each were brought to agree.
func (s *Store) openNotes() (err error) {
	dir := s.cfg.Dir
	if _, err := os.Stat(filepath.Join(dir, copiesFolder)); err == nil {
		s.copied = true
	}
	if err := s.agreeWholes(); err != nil {
		return err
	}
	if s.marks, err = openMarks(dir); err != nil {
		return err
	}
	if err := s.agreeEntries(); err != nil {
		return err
	}
	if s.past, err = openPast(dir, retention{s.cfg.RetentionAge, uint64(max(s.cfg.RetentionBytes, 0))}, s.marks); err != nil {
		return err
	}
	if s.controlList, err = openList(dir, controlStream, s.marks, markControlList); err != nil {
		return err
	}
	if s.itemsList, err = openList(dir, itemsStream, s.marks, markItemsList); err != nil {
		return err
	}
	if s.snapshotsList, err = openList(dir, snapshotStream, s.marks, markSnapshotsList); err != nil {
		return err
	}
	s.itemsList.keeps(int64(s.cfg.ItemsAge / time.Second))
	return nil
}

// agreeWholes is for the notes that have a length of their own.
func (s *Store) agreeWholes() error {
	if err := s.agree(marksFile, 0, marksExtent); err != nil {
		return err
	}
	if err := s.agree(holesFile, 0, sealedExtent(holesFile)); err != nil {
		return err
	}
	for _, stream := range allStreams {
		if err := s.agree(filepath.Join(describedFolder, stream), 0, sealedExtent(stream)); err != nil {
			return err
		}
	}
	return nil
}

// agreeEntries is for those that grow, after the marks, which say how long they
// are.
func (s *Store) agreeEntries() error {
	if err := s.agree(pastFile, int64(s.marks.get(markPast)), entriesExtent); err != nil {
		return err
	}
	for stream, mark := range map[string]int{controlStream: markControlList, itemsStream: markItemsList, snapshotStream: markSnapshotsList} {
		newest, length := listMark(s.marks.get(mark))
		numbers := map[int]bool{}
		for _, dir := range twice(s.cfg.Dir, "") {
			found, err := listFiles(dir, stream)
			if err != nil {
				return err
			}
			for _, n := range found {
				numbers[n] = true
			}
		}
		for n := range numbers {
			least := int64(0)
			if n == newest {
				least = length
			}
			if err := s.agree(listName(stream, n), least, entriesExtent); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) lists() []*list { return []*list{s.controlList, s.itemsList, s.snapshotsList} }

// listOf is the list of a stream, nil for the journal: sequences that have no
// hole need none.
func (s *Store) listOf(stream string) *list {
	for _, l := range s.lists() {
		if l.stream == stream {
			return l
		}
	}
	return nil
}

// keepNotes makes our notes durable, and looks after what is unsure.
func (s *Store) keepNotes() {
	var errs []error
	for _, l := range s.lists() {
		errs = append(errs, l.sync())
	}
	errs = append(errs, s.marks.sync(), s.past.sync())
	if err := errors.Join(errs...); err != nil && s.life.Err() == nil {
		s.notesOnce.Do(func() {
			s.cfg.Logger.Warn("the store's own notes cannot be made durable: after a power failure less may be noticed", "error", err)
		})
	}
	for _, l := range s.lists() {
		if l.grown() {
			if err := l.shrink(s.cfg.Now()); err != nil {
				s.cfg.Logger.Warn("a list of records cannot be written again", "stream", shown(l.stream), "error", err)
			}
		}
	}
	s.resolve()
	ctx, cancel := context.WithTimeout(s.life, opTimeout)
	defer cancel()
	if first, _, err := s.journal.Bounds(ctx); err == nil {
		s.past.sawFirst(first)
	}
}

// closeNotes closes our notes, the marks last: the others note their length there.
func (s *Store) closeNotes() error {
	errs := []error{s.past.close(s.cfg.Now())}
	for _, l := range s.lists() {
		errs = append(errs, l.close())
	}
	return errors.Join(append(errs, s.marks.close())...)
}
