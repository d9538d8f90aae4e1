package nats

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/birdwire/birdwire/cluster/store"
)

// Store is one node's store.Store on an embedded server. It is safe for
// concurrent use.
type Store struct {
	cfg   Config
	disk  disk
	lock  *os.File
	marks *marks
	holes holes
	epoch string // the journal's, from opening to closing

	journal   *journal
	control   *control
	counters  store.Counters
	items     *items
	snapshots *snapshots

	// suspect wakes the mender: the session may have lost its ability to write.
	// One word is enough for all who say it.
	suspect chan struct{}
	mended  chan struct{} // closed when the mender has returned

	life context.Context // ends with Close
	end  context.CancelFunc

	mu      sync.Mutex    // protects what follows
	sess    *session      // nil while there is none; set by the mender alone after Open
	down    error         // why sess is nil
	changed chan struct{} // closed, and made anew, when sess or down changes
}

// Open takes the folder, makes it a store where it is empty, and returns when
// every contract can be used. Errors: store.ErrLocked, store.ErrCorrupt, each
// with what to do.
func Open(ctx context.Context, cfg Config) (_ *Store, err error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &Store{
		cfg:     cfg,
		disk:    disk{cfg: cfg},
		suspect: make(chan struct{}, 1),
		mended:  make(chan struct{}),
		changed: make(chan struct{}),
	}
	s.life, s.end = context.WithCancel(context.Background())
	s.journal = newJournal(s)
	s.control = &control{store: s, deletedFor: time.Hour, behind: maxBehind}
	s.counters = store.NewCounters(s.control)
	s.items = newItems(s)
	s.snapshots = &snapshots{store: s}

	if s.lock, err = lockDir(cfg.Dir); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.marks.close(), closeFile(s.lock))
		}
	}()
	if s.marks, err = openMarks(cfg.Dir); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if s.sess, err = s.openSession(ctx); err != nil {
		// A full disk shows in many ways; said plainly where it may be the cause.
		return nil, errors.Join(fmt.Errorf("open store in %s: %w", cfg.Dir, err), s.disk.room())
	}
	s.epoch = s.sess.epoch()
	go s.mend()
	return s, nil
}

// lockDir makes the folder and takes it for this process.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("%w: make the folder yourself, or name another", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: the folder must be writable for this user", err)
	}
	taken, err := lockFile(f)
	if err == nil && !taken {
		err = fmt.Errorf("%w: another process runs on %s: stop it, or start this one on another folder", store.ErrLocked, dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (s *Store) Journal() store.Journal     { return s.journal }
func (s *Store) Control() store.Control     { return s.control }
func (s *Store) Counters() store.Counters   { return s.counters }
func (s *Store) Items() store.Items         { return s.items }
func (s *Store) Snapshots() store.Snapshots { return s.snapshots }

// Healthy is nil, or wraps store.ErrClosed, store.ErrFull, or the server's own
// word on why it does not write.
func (s *Store) Healthy(context.Context) error {
	sess, _, down := s.now()
	if sess == nil {
		return down
	}
	if err := s.disk.room(); err != nil {
		return err
	}
	if err := sess.sick(); err != nil {
		s.suspected()
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// Close ends what is in flight with store.ErrClosed or store.ErrAmbiguous,
// closes every watch, and returns when files and goroutines are gone. It may
// be called again.
func (s *Store) Close() error {
	s.end()
	<-s.mended // it stops the session
	return errors.Join(s.marks.close(), closeFile(s.lock))
}

// session is the one that runs. While there is none it waits for the next, as
// long as ctx lets it; not where that may take for ever: a full disk is
// answered at once.
func (s *Store) session(ctx context.Context) (*session, error) {
	for {
		sess, changed, down := s.now()
		if sess != nil {
			return sess, nil
		}
		if errors.Is(down, store.ErrFull) || errors.Is(down, store.ErrClosed) {
			return nil, down
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("the embedded server is being restarted (%w): %w", down, ctx.Err())
		}
	}
}

// now is the session, what is closed when that changes, and why there is none.
func (s *Store) now() (*session, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sess, s.changed, s.down
}

func (s *Store) become(sess *session, down error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sess, s.down = sess, down
	close(s.changed)
	s.changed = make(chan struct{})
}

// suspected asks the mender to look at the session.
func (s *Store) suspected() {
	select {
	case s.suspect <- struct{}{}:
	default: // it was asked already and has not looked yet
	}
}

// opTimeout is the longest that one exchange with the server may take, where
// the caller's own deadline is not shorter. The mender hears of a failed write
// at once; this is for what nobody foresaw.
const opTimeout = 10 * time.Second
