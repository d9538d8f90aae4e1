package nats

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

// The audit reads, while the server runs, what was not read through before it,
// which after a clean end is most of the log. It reads everything after the
// server has hinted at damage, and once a day.
const (
	auditEvery = 24 * time.Hour
	auditPause = time.Minute // between two that were hinted at
	// auditShare is how much longer than its own reading it leaves the disk and
	// a core to others.
	auditShare = 1
	// auditFirst is how much is read without a pause: of a small store damage is
	// then known within a second.
	auditFirst = 256 << 20
)

// auditSoon asks for an audit.
func (s *Store) auditSoon() {
	select {
	case s.auditing <- struct{}{}:
	default: // it was asked for already
	}
}

// auditor audits until the store closes.
func (s *Store) auditor() {
	if !s.tried("the log", s.auditUnread()) {
		return
	}
	s.audited.Add(1)
	daily := time.NewTicker(auditEvery)
	defer daily.Stop()
	for {
		select {
		case <-s.life.Done():
			return
		case <-daily.C:
		case <-s.auditing:
		}
		for _, stream := range allStreams {
			if !s.tried(shown(stream), s.auditStream(stream)) {
				return
			}
		}
		s.audited.Add(1)
		if !pause(s.life, auditPause, nil) {
			return
		}
	}
}

// tried says what an audit could not do. False: the store closes.
func (s *Store) tried(what string, err error) bool {
	if s.life.Err() != nil {
		return false
	}
	if err != nil {
		s.cfg.Logger.Warn("files of the store could not be read through; the next audit tries again", "of", what, "error", err)
	}
	return true
}

// auditUnread vets what is left to vet, from the oldest block on: retention
// makes the server read from there.
func (s *Store) auditUnread() error {
	v := &s.vetting
	if v.oldest() == nil {
		return nil
	}
	pace := s.newPace()
	for b := v.oldest(); b != nil; b = v.oldest() {
		if err := pace.next(b.size); err != nil {
			return err
		}
		if err := v.vet(b); err != nil {
			return err
		}
	}
	frames, through := v.all()
	return s.auditJournal(frames, 0, min(through, s.marks.get(markJournal)))
}

// pace leaves the disk and a core to others once some has been read.
type pace struct {
	store *Store
	read  int64
	last  time.Time
}

func (s *Store) newPace() *pace { return &pace{store: s, last: time.Now()} }

// next waits before so many bytes are read.
func (p *pace) next(size int64) error {
	took := time.Since(p.last)
	if p.read += size; p.read > auditFirst {
		pause(p.store.life, auditShare*took, nil)
	}
	p.last = time.Now()
	return p.store.life.Err()
}

func (s *Store) auditStream(stream string) error {
	mark := s.marks.get(markJournal) // before the files: all up to it must be in them
	var l *listing
	to, through := s.listOf(stream), 0
	if to != nil {
		var err error
		if through, err = to.rotate(); err != nil {
			return err
		}
		if l, err = to.read(through); err != nil {
			return err
		}
	}
	pace := s.newPace()
	k, err := lookAt(s.cfg.Dir, stream, nil, func(f file) error { return pace.next(f.size) })
	if err != nil {
		return err
	}
	if err := s.mendBeside(k); err != nil {
		return err
	}
	switch stream {
	case journalStream:
		return s.auditJournal(k, 0, mark)
	case controlStream:
		err = s.auditControl(k, l)
	default:
		err = s.auditRecords(k, l)
	}
	if err != nil {
		return err
	}
	return to.replace(through, l.records, l.floor, l.age)
}

// auditJournal has a cursor read over every place from from to to that does not
// look right: it says of each what is lost there, if anything.
func (s *Store) auditJournal(k *look, from, to uint64) error {
	ctx, cancel := context.WithCancel(s.life)
	defer cancel()
	first, _, err := s.journal.Bounds(ctx) // after the files: retention takes from the front in between
	if err != nil {
		return err
	}
	for _, lost := range k.lostFrames(max(first, from), to, s.holes.known()) {
		if err := s.readOver(ctx, lost.From, lost.To); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) readOver(ctx context.Context, from, to uint64) error {
	if from > to {
		return nil
	}
	c, err := s.journal.Read(ctx, from)
	if err != nil {
		var trimmed *messages.TrimmedError
		if errors.As(err, &trimmed) {
			return nil
		}
		return err
	}
	defer c.Close()
	for {
		e, err := c.Next(ctx)
		var trimmed *messages.TrimmedError
		if errors.Is(err, io.EOF) || errors.As(err, &trimmed) || err == nil && (e.Sequence >= to || e.Skipped != nil && e.Skipped.To >= to) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// auditControl asks the server for every record that the files do not have:
// what it has none of either is closed.
func (s *Store) auditControl(k *look, l *listing) error {
	d := k.compare(l, func(listed) bool { return false })
	for _, key := range d.lost {
		if s.records.isClosed(key) {
			continue
		}
		v, deleted, err := s.control.read(s.life, key)
		switch {
		case err == nil && (deleted || v.Revision >= l.records[key].sequence), errors.Is(err, messages.ErrDamaged):
		case err == nil, isNotFound(err):
			s.quarantine(key)
		default:
			return err
		}
	}
	return nil
}

// auditRecords is for streams whose records can be had again.
func (s *Store) auditRecords(k *look, l *listing) error {
	now := s.cfg.Now()
	s.judgeList(k, l)
	d := k.compare(l, func(r listed) bool { return l.expired(r, now) })
	lost := d.lost[:0:0]
	for _, name := range d.lost {
		// It may have been taken away since the list was read.
		sess, err := s.session(s.life)
		if err != nil {
			return err
		}
		_, err = sess.message(s.life, k.stream, lastOf(subjectOf(k.stream, name)))
		if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			return err
		}
		if err != nil {
			lost = append(lost, name)
		}
	}
	s.forgotten(k.stream, lost)
	k.adopt(l, d)
	for name, r := range l.records {
		if l.expired(r, now) {
			delete(l.records, name)
		}
	}
	return nil
}

// forgotten says of records that can be had again that they are lost.
func (s *Store) forgotten(stream string, names []string) {
	if len(names) == 0 {
		return
	}
	d := store.Damage{Stream: shown(stream)}
	if stream == itemsStream {
		d.Lost = count(len(names), "record") + " of the table of articles (an article has one, and two if it was pushed with an id)"
		d.Advice = "each comes as a new one when its source sends it again: nothing need be done"
	} else {
		d.Lost = count(len(names), "snapshot")
		d.Advice = "an older one is used, or what they held is computed from the log: nothing need be done"
	}
	s.report(d)
}
