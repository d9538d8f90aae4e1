package nats

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	nc "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/birdwire/birdwire/messages"
)

// Health is that reads and a write went through a short while ago on the very
// connections in use, whoever caused them. A probe makes sure that there are
// some to judge by: each duty has a goroutine of its own, so that one that
// hangs says nothing of the others, and Healthy only looks at when each last
// succeeded.
const (
	probeEvery = 2 * time.Second
	// staleAfter is how long a duty may be without a success: two probes and
	// what one may take on a busy disk.
	staleAfter = 6 * time.Second
	// sickMost is how long the server may take to say how it is.
	sickMost = 2 * time.Second
)

// health is when each duty last succeeded.
type health struct {
	began time.Time // times are kept as monotonic nanoseconds since then
	good  [duties]atomic.Int64

	mu  sync.Mutex    // protects bad
	bad [duties]error // the last failure; nil: none since the last success
}

func newHealth() *health { return &health{began: time.Now()} }

func (h *health) succeeded(d duty) {
	h.good[d].Store(int64(time.Since(h.began)))
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bad[d] = nil
}

// went is told of what others than the probe got through, which is much.
func (h *health) went(d duty) { h.good[d].Store(int64(time.Since(h.began))) }

func (h *health) failed(d duty, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bad[d] = err
}

// all begins again: every duty has just succeeded.
func (h *health) all() {
	for d := range duties {
		h.succeeded(d)
	}
}

// err is why the store is not healthy.
func (h *health) err() error {
	now := time.Since(h.began)
	h.mu.Lock()
	defer h.mu.Unlock()
	for d := range duties {
		if ago := now - time.Duration(h.good[d].Load()); ago > staleAfter {
			err := h.bad[d]
			if err == nil {
				err = errors.New("no answer: the disk may not answer")
			}
			return fmt.Errorf("the store's %s have not gone through for %v: %w", d, ago.Round(time.Second), err)
		}
	}
	return nil
}

// Healthy is nil, or wraps store.ErrClosed, messages.ErrFull, or says what has not
// gone through and since when. It never waits.
func (s *Store) Healthy(context.Context) error {
	sess, _, down := s.now()
	if sess == nil {
		return down
	}
	if err := s.disk.known(small); err != nil {
		return err
	}
	if s.replaced.Load() {
		return errReplaced
	}
	if err := s.LostMajority(); err != nil {
		return err
	}
	return s.health.err()
}

// errReplaced: what is stored is another store's.
var errReplaced = errors.New("the store was replaced by a restore: start this node again once that has ended")

// watchQuorum keeps what the own server knows of the others. That no majority is
// there is known long before a write has waited for it in vain.
func (s *Store) watchQuorum() {
	sess, _, _ := s.now()
	if sess == nil {
		return
	}
	err := sess.quorum()
	s.lostQuorum.Store(&err)
	if level, say := s.quorumWord.next(err, time.Now()); say && err == nil {
		s.cfg.Logger.Info("the store takes writes again: a majority of the nodes is there")
	} else if say {
		s.cfg.Logger.Log(context.Background(), level, "the store takes no writes", "error", err)
	}
}

// electionMost is how long an election may take before it is a fault.
const electionMost = 10 * time.Second

// quorumWord is what was said of the majority. An election is what follows on the end
// of a node, and nobody has to do anything; one that goes on, or no majority, is a fault.
type quorumWord struct {
	since time.Time  // of the trouble; zero: there is none
	told  slog.Level // of the newest word in this trouble; LevelInfo: none
}

// next says at which level to say err, which is what was found now, or that it is over
// where err is nil; false: that is known.
func (w *quorumWord) next(err error, now time.Time) (level slog.Level, say bool) {
	if err == nil {
		say = w.told > slog.LevelInfo
		*w = quorumWord{}
		return slog.LevelInfo, say
	}
	if w.since.IsZero() {
		w.since = now
	}
	level = slog.LevelError
	if errors.Is(err, errElecting) && now.Sub(w.since) < electionMost {
		level = slog.LevelWarn
	}
	say = level > w.told
	w.told = max(w.told, level)
	return level, say
}

// LostMajority is nil, or says that this member reaches no majority of the others, as
// far as is known. It never waits.
func (s *Store) LostMajority() error {
	if lost := s.lostQuorum.Load(); lost != nil {
		return *lost
	}
	return nil
}

// regularly does f on a goroutine of its own, again and again until the store closes.
func (s *Store) regularly(f func()) {
	s.background.Go(func() {
		ticker := time.NewTicker(probeEvery)
		defer ticker.Stop()
		for {
			select {
			case <-s.life.Done():
				return
			case <-ticker.C:
				f()
			}
		}
	})
}

// probe brings one duty's health up to date.
func (s *Store) probe(d duty) {
	sess, _, _ := s.now()
	if sess == nil {
		return
	}
	ctx, cancel := context.WithTimeout(s.life, opTimeout)
	defer cancel()
	err := s.try(ctx, sess, d)
	if err == nil {
		s.health.succeeded(d)
		return
	}
	if s.life.Err() == nil && !errors.Is(err, messages.ErrFull) {
		s.health.failed(d, err)
		s.suspected()
	}
}

// try does on a duty's connection what the duty is. That the connection was
// lost meanwhile says nothing: the next use makes another.
func (s *Store) try(ctx context.Context, sess *session, d duty) error {
	for {
		l, err := sess.link(d)
		if err != nil {
			return err
		}
		if err = s.tryOn(ctx, sess, l, d); err == nil || !l.lost() || ctx.Err() != nil {
			return err
		}
	}
}

func (s *Store) tryOn(ctx context.Context, sess *session, l *link, d duty) error {
	switch d {
	case writes:
		_ = s.disk.room(large) // so that what is known of the disk is new
		if err := s.disk.room(small); err != nil {
			return err
		}
		if err := sess.ensureProbe(ctx, l, s.cfg); err != nil {
			return err
		}
		answer, err := sess.publish(ctx, nc.NewMsg(probeSubject))
		if err != nil {
			return err
		}
		_, err = readAck(answer)
		return err
	case lookups:
		info, err := sess.info(ctx, journalStream)
		if err == nil && sess.shared && info.Config.Metadata[epochKey] != s.epoch {
			s.replaced.Store(true)
		}
		if err == nil && sess.shared {
			_, err = sess.leaders(ctx, controlStream, lastOf(controlSubject+">"))
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				err = nil
			}
		}
		return err
	case replays:
		a, err := l.ask(ctx, directGet+journalStream, request{from: 1, batch: 1}.question(), 1)
		if err != nil {
			return err
		}
		if err := a.wait(ctx, sess.done); err != nil {
			a.leave()
			return err
		}
		return nil
	}
	return l.conn.FlushWithContext(ctx)
}

// sick is why the session cannot write, or nil. A server that does not say so
// in time is sick.
func (s *Store) sick(sess *session) error {
	said := make(chan error, 1)
	go func() { said <- sess.sick() }() // ends when the server answers
	patience := time.NewTimer(sickMost)
	defer patience.Stop()
	select {
	case err := <-said:
		return err
	case <-patience.C:
		return errors.New("the embedded server does not say how it is: the disk may not answer")
	}
}
