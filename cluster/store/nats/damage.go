package nats

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/birdwire/birdwire/cluster/store"
)

// Files of the folder that are about damage.
const (
	damageFile = "damage"      // what was found; written here
	acceptFile = "accept-loss" // made by an operator to go on with what is left; removed here
	lostFolder = "lost"        // what an accepted loss put aside
)

// openSession starts a session over the folder, and refuses one in which
// something that was acknowledged is gone. The server itself repairs by
// leaving out and says nothing, so the question is asked here, at every start.
func (s *Store) openSession(ctx context.Context) (*session, error) {
	accepted, err := s.refused()
	if err != nil {
		return nil, err
	}
	sess, err := s.start(ctx, accepted)
	if err != nil {
		return nil, err
	}
	if err := s.admit(ctx, sess, accepted); err != nil {
		sess.stop()
		return nil, err
	}
	return sess, nil
}

// admit is nil for a session that has everything that was acknowledged, or
// whose loss was accepted.
func (s *Store) admit(ctx context.Context, sess *session, accepted bool) error {
	found, holes, err := s.inspect(ctx, sess)
	if err != nil {
		return err
	}
	if len(found) > 0 && !accepted {
		return s.refuse(found)
	}
	if err := s.keepHoles(holes); err != nil || !accepted {
		return err
	}
	s.cfg.Logger.Warn("going on without what was lost, under a new epoch", "lost", found)
	if err := sess.renewEpoch(ctx); err != nil {
		return err
	}
	return s.settleMarks(ctx, sess)
}

// start runs the server and makes missing streams, after it was asked for what
// it could not recover: a stream made over the files of a lost one would hide
// that. Where the loss is accepted, such files are put aside first.
func (s *Store) start(ctx context.Context, accepted bool) (*session, error) {
	sess, err := startSession(s.cfg, s.suspected)
	if err != nil {
		return nil, err
	}
	lost, err := s.unrecovered(ctx, sess)
	if err != nil {
		sess.stop()
		return nil, err
	}
	if len(lost) > 0 {
		sess.stop()
		if !accepted {
			return nil, s.refuse([]string{"the files of " + strings.Join(lost, ", ") + " cannot be read"})
		}
		if err := s.putAside(lost); err != nil {
			return nil, err
		}
		return s.start(ctx, accepted)
	}
	if err := sess.ensureStreams(ctx, s.cfg); err != nil {
		sess.stop()
		return nil, err
	}
	if sess.made.journal {
		if last := s.marks.get(markJournal); last > 0 {
			s.cfg.Logger.Warn("the journal's files were taken away: it begins anew, under a new epoch", "last_sequence_before", last)
		}
		s.marks.reset(markJournal, 0)
		if sess.made.records { // the whole folder's, on purpose
			s.marks.reset(markControl, 0)
		}
	}
	return sess, nil
}

// unrecovered are the streams that have files and do not run.
func (s *Store) unrecovered(ctx context.Context, sess *session) (names []string, err error) {
	entries, err := os.ReadDir(s.streamsDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a first start
	}
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(sess.reads)
	if err != nil {
		return nil, err
	}
	running := map[string]bool{}
	list := js.StreamNames(ctx)
	for name := range list.Name() {
		running[name] = true
	}
	for _, e := range entries {
		// A name with a dot in front is one that the server is deleting.
		if e.IsDir() && !running[e.Name()] && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, list.Err()
}

func (s *Store) streamsDir() string {
	return filepath.Join(s.cfg.Dir, "jetstream", "$G", "streams")
}

func (s *Store) putAside(streams []string) error {
	dir := filepath.Join(s.cfg.Dir, lostFolder, s.cfg.Now().UTC().Format("20060102T150405.000000000"))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, name := range streams {
		if err := os.Rename(filepath.Join(s.streamsDir(), name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// inspect says what was acknowledged and is gone, and which holes of the
// journal were there or never acknowledged.
//
// A hole above the mark is of a write that failed: its sequence is burnt, and
// its frame was asked for again and stands elsewhere. A hole below it that was
// not known is a frame that was promised.
func (s *Store) inspect(ctx context.Context, sess *session) (found []string, holes []span, err error) {
	info, err := sess.journal.Info(ctx, jetstream.WithDeletedDetails(true))
	if err != nil {
		return nil, nil, wrap(journalStream, err)
	}
	known, err := s.readHoles()
	if err != nil {
		return nil, nil, err
	}
	s.holes.set(known)
	mark := s.marks.get(markJournal)
	if last := info.State.LastSeq; last < mark {
		found = append(found, fmt.Sprintf("frames %d to %d at the end of the journal", last+1, mark))
	}
	// The server names sequence 0 of a log that is still empty.
	gone := slices.DeleteFunc(info.State.Deleted, func(n uint64) bool { return n < max(info.State.FirstSeq, 1) })
	for _, gap := range spans(gone) {
		for _, part := range split(gap, known, mark) {
			if part.Lost && !slices.ContainsFunc(known, func(k span) bool { return k.Lost && k.From <= part.From && part.To <= k.To }) {
				found = append(found, fmt.Sprintf("frames %d to %d of the journal", part.From, part.To))
			}
			holes = append(holes, part)
		}
	}
	records, err := sess.records.Info(ctx)
	if err != nil {
		return nil, nil, wrap(controlStream, err)
	}
	if last, mark := records.State.LastSeq, s.marks.get(markControl); last < mark {
		found = append(found, fmt.Sprintf("control records of revisions %d to %d", last+1, mark))
	}
	return found, holes, nil
}

// settleMarks makes the loss the new truth and takes the operator's word away,
// last: a crash on the way asks for it again.
func (s *Store) settleMarks(ctx context.Context, sess *session) error {
	info, err := sess.journal.Info(ctx)
	if err != nil {
		return wrap(journalStream, err)
	}
	s.marks.reset(markJournal, info.State.LastSeq)
	s.marks.reset(markControl, 0)
	for _, name := range []string{damageFile, acceptFile} {
		if err := os.Remove(filepath.Join(s.cfg.Dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// refused is an error while the folder is marked as damaged and the operator
// has not accepted the loss: the server has mended itself by then, and a second
// look would find nothing.
func (s *Store) refused() (accepted bool, err error) {
	if _, err := os.Stat(filepath.Join(s.cfg.Dir, acceptFile)); err == nil {
		return true, nil
	}
	b, err := os.ReadFile(filepath.Join(s.cfg.Dir, damageFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return false, s.damaged(string(b))
}

func (s *Store) refuse(found []string) error {
	text := strings.Join(found, "; ")
	err := writeSynced(filepath.Join(s.cfg.Dir, damageFile), []byte(text))
	return errors.Join(s.damaged(text), err)
}

func (s *Store) damaged(what string) error {
	return fmt.Errorf("%w: lost: %s. Put a backup of the whole folder in its place; or, to go on without what was lost, create the file %s and start again (clients' cursors then end)",
		store.ErrCorrupt, what, filepath.Join(s.cfg.Dir, acceptFile))
}
