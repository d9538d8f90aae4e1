package nats

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// start runs the server and makes missing streams, after it was asked for what
// it could not recover: a stream made over the files of a lost one would hide
// that. Where the loss is accepted, such files are put aside first.
func (s *Store) start(ctx context.Context, accepted bool) (*session, error) {
	sess, err := startSession(s.cfg, nil, s.bridge())
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
		s.marks.reset(markJournal, 0)
		s.holes.set(nil)
	}
	if sess.made.records {
		s.marks.reset(markControl, 0)
	}
	return sess, nil
}

// unrecovered are the streams that have files and do not run.
func (s *Store) unrecovered(ctx context.Context, sess *session) (names []string, err error) {
	entries, err := os.ReadDir(streamsDir(s.cfg.Dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a first start
	}
	if err != nil {
		return nil, err
	}
	l, err := sess.link(lookups)
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(l.conn)
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

// admit holds the server's view of the log against the notes: it is an error
// where something that was acknowledged is gone, unless that is accepted.
func (s *Store) admit(ctx context.Context, sess *session, accepted bool) (lost bool, err error) {
	found, holes, err := s.inspect(ctx, sess)
	if err != nil {
		return false, err
	}
	if len(found) > 0 && !accepted {
		return true, s.refuse(found)
	}
	if accepted {
		for i := range holes {
			holes[i].Told = false
		}
	}
	if err := s.keepHoles(holes); err != nil {
		return false, err
	}
	info, err := sess.info(ctx, journalStream)
	if err != nil {
		return false, err
	}
	if accepted {
		s.marks.reset(markJournal, info.State.LastSeq)
	}
	s.past.sawFirst(info.State.FirstSeq)
	s.past.begin(info.State.LastSeq, s.cfg.Now(), sess.made.journal)
	return len(found) > 0, nil
}

// acknowledged is the last frame of which our notes know.
func (s *Store) acknowledged() uint64 { return max(s.marks.get(markJournal), s.past.through()) }

// inspect says what was acknowledged and is gone from the log, and which holes
// it has.
//
// A hole above the mark is of a write that failed: its sequence is burnt, and
// its frame was asked for again and is elsewhere. A hole below it that was not
// known is a frame that was promised.
func (s *Store) inspect(ctx context.Context, sess *session) (found []string, holes []span, err error) {
	info, err := sess.info(ctx, journalStream, jetstream.WithDeletedDetails(true))
	if err != nil {
		return nil, nil, err
	}
	mark, state := s.acknowledged(), info.State
	if last := state.LastSeq; last < mark {
		found = append(found, fmt.Sprintf("frames %d to %d at the end of the journal", last+1, mark))
	}
	first := max(state.FirstSeq, 1) // the server names sequence 0 of a log that is still empty
	known := s.holes.known()
	if from := s.past.holds(s.cfg.Now()); from > 0 && from < first && from <= mark {
		for _, part := range split(span{From: from, To: min(first-1, mark)}, known, mark) {
			if part.Lost && !isLost(known, part) {
				found = append(found, spansText([]span{part})+" at the beginning of the journal")
			}
		}
	}
	gone := slices.DeleteFunc(state.Deleted, func(n uint64) bool { return n < first })
	for _, gap := range spans(gone) {
		for _, part := range split(gap, known, mark) {
			if part.Lost && !isLost(known, part) {
				found = append(found, spansText([]span{part})+" of the journal")
			}
			holes = append(holes, part)
		}
	}
	// What was found to be lost while the log was read stays so, also where the
	// server believes that it has it.
	for _, k := range known {
		if k.Lost && k.To >= first && !isLost(holes, k) {
			holes = append(holes, k)
		}
	}
	slices.SortFunc(holes, func(a, b span) int { return cmp.Compare(a.From, b.From) })
	return found, holes, nil
}
