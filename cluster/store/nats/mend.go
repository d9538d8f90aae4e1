package nats

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

// retryAfter is how long the mender waits between two tries to start a session.
const retryAfter = time.Second

// mend owns the session after Open. It ends with Close.
//
//	running --suspected, and the server says that it is sick--> stopped
//	stopped --there is space, and it started--> running
//
// The server keeps a stream's first write error for as long as it runs, so
// nothing less than another run of it brings the stream back. Disabling and
// enabling JetStream in the running server was rejected: it saves nothing that
// takes time, and is a path that only ever runs in an emergency. A connection
// that is lost takes no mending: the next use makes another.
func (s *Store) mend() {
	defer close(s.mended)
	for {
		select {
		case <-s.life.Done():
			s.drop(store.ErrClosed)
			return
		case <-s.suspect:
		}
		sick := s.sick(s.sess)
		if sick == nil {
			continue
		}
		s.cfg.Logger.Error("the embedded store stopped writing: starting it again", "error", sick)
		s.drop(fmt.Errorf("the embedded server stopped writing: %w", sick))
		s.disk.look() // most likely it is full, since less than a second
		if !s.restart() {
			s.become(nil, store.ErrClosed)
			return
		}
		s.cfg.Logger.Info("the embedded store writes again")
		s.auditSoon()
	}
}

// bridge hears what the server says, for one session.
func (s *Store) bridge() *serverLog {
	return &serverLog{log: s.cfg.Logger, trouble: s.suspected, hint: s.auditSoon, orphan: s.orphaned}
}

// drop takes the session away from its users, and stops it.
func (s *Store) drop(why error) {
	sess := s.sess
	s.become(nil, why)
	sess.stop()
}

// restart tries until a session runs, or answers false when the store closes.
func (s *Store) restart() bool {
	for {
		err := s.disk.room(small)
		if err == nil {
			var sess *session
			if sess, err = s.openAgain(s.life); err == nil && sess.epoch != s.epoch {
				sess.stop()
				err = errors.New("the journal is another one than before: restart the process")
			}
			if err == nil {
				s.health.all()
				s.become(sess, nil)
				return true
			}
			s.cfg.Logger.Error("the embedded store cannot be started, will try again", "after", retryAfter, "error", err)
		}
		s.become(nil, err)
		if !pause(s.life, retryAfter, nil) {
			return false
		}
	}
}

// openAgain starts another session of a store that is open. The files are not
// read first: that takes long where there are many, and everybody waits; an
// audit reads them afterwards.
func (s *Store) openAgain(ctx context.Context) (*session, error) {
	if s.cfg.shared() {
		return s.joinAgain()
	}
	if _, _, err := s.refused(); err != nil {
		return nil, err
	}
	sess, err := s.start(ctx, false)
	if err != nil {
		return nil, err
	}
	if sess.made.records || sess.made.journal {
		err = fmt.Errorf("%w: the files of the store were taken away while it ran", messages.ErrDamaged)
	} else {
		_, err = s.admit(ctx, sess, false)
	}
	if err != nil {
		sess.stop()
		return nil, err
	}
	return sess, nil
}
