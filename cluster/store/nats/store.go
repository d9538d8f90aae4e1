package nats

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

// Store is one node's store.Store on an embedded server. It is safe for
// concurrent use.
type Store struct {
	cfg    Config
	disk   disk
	lock   *os.File
	epoch  string          // the journal's, from opening to closing
	sealed map[string]bool // by stream: whether all of its records are; from opening on

	// Our own notes, in files next to the server's.
	copied                                bool // they were kept twice when they were opened
	marks                                 *marks
	past                                  *past
	holes                                 holes
	controlList, itemsList, snapshotsList *list

	// Of a member of a cluster.
	changes    *changes
	copies     ownCopies             // watchCopies' alone, once the store is open
	replaced   atomic.Bool           // the streams are others than were opened
	lostQuorum atomic.Pointer[error] // why no majority is there; nil, or of nil: one is
	quorumWord quorumWord            // watchQuorum's
	routesMu   sync.Mutex            // protects routes
	routes     []string              // besides the seeds

	reports reports
	records *records
	health  *health
	keeping sync.Mutex // held by who changes the holes
	lostMu  sync.Mutex // protects lost
	lost    []span     // frames that were found to be lost while the store is open

	journal   *journal
	control   *control
	counters  store.Counters
	items     *items
	snapshots *snapshots

	// suspect wakes the mender: the session may have lost its ability to write.
	// One word is enough for all who say it.
	suspect    chan struct{}
	mended     chan struct{}  // closed when the mender has returned
	background sync.WaitGroup // the goroutines that probe, audit and look after notes
	auditing   chan struct{}  // an audit is asked for
	audited    atomic.Int64   // how many audits are over
	vetting    vetting        // of a log that was not read through when the store was opened
	closing    sync.Once
	unsureMu   sync.Mutex // protects unsure
	unsure     map[string]struct{}
	notesOnce  sync.Once

	life context.Context // ends with Close
	end  context.CancelFunc

	mu      sync.Mutex    // protects what follows
	sess    *session      // nil while there is none; set by the mender alone after Open
	down    error         // why sess is nil
	changed chan struct{} // closed, and replaced, when sess or down changes
}

// Open takes the folder, makes it a store where it is empty, and returns when
// every contract can be used. Errors: store.ErrLocked, messages.ErrDamaged, each
// with what to do. It says how far it is where it takes long, and gives up where
// the disk does not answer.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &Store{
		cfg: cfg, disk: disk{cfg: cfg}, records: newRecords(), health: newHealth(), sealed: map[string]bool{},
		suspect: make(chan struct{}, 1), mended: make(chan struct{}), changed: make(chan struct{}),
		auditing: make(chan struct{}, 1), unsure: map[string]struct{}{},
	}
	s.vetting.store = s
	s.changes = newChanges(s)
	s.life, s.end = context.WithCancel(context.Background())
	s.journal = newJournal(s)
	s.control = &control{store: s, deletedFor: time.Hour, maxWaiting: maxWaiting, stalled: time.Second}
	s.counters = store.NewCounters(s.control)
	s.items = newItems(s)
	s.snapshots = &snapshots{store: s}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// begin opens what the folder holds, on a goroutine of its own: a disk that
// hangs must not keep whoever waits for it.
func (s *Store) begin(ctx context.Context) error {
	var step atomic.Pointer[string]
	progress := func(what string) { step.Store(&what) }
	progress("taking the folder")
	over := make(chan error, 1)
	go func() { over <- s.open(ctx, progress) }()
	returned := make(chan struct{})
	defer close(returned)
	// What is opened too late is closed again; that is waited for where it takes
	// no longer than a disk that answers.
	abandon := func(why error) error {
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			if <-over == nil {
				_ = s.Close()
			}
		}()
		patience := time.NewTimer(abandonAfter)
		defer patience.Stop()
		select {
		case <-closed:
		case <-patience.C:
		}
		return fmt.Errorf("open store in %s: %s: %w", s.cfg.Dir, *step.Load(), why)
	}
	began, word := time.Now(), time.NewTicker(wordEvery)
	defer word.Stop()
	var silent <-chan struct{}
	if s.cfg.External == nil {
		silent = diskAnswers(s.cfg.Dir, returned)
	}
	for {
		select {
		case err := <-over:
			return err
		case <-word.C:
			s.cfg.Logger.Info("the store is being opened", "step", *step.Load(), "since", time.Since(began).Round(time.Second))
		case <-silent:
			return abandon(fmt.Errorf("the disk has not answered for %v", stallMost))
		case <-ctx.Done():
			return abandon(ctx.Err())
		}
	}
}

const (
	wordEvery    = 2 * time.Second // how often Open says how far it is
	abandonAfter = 5 * time.Second
)

// misplaced is what to do where a folder is in a file's place, or a file in a
// folder's; nil for any other error.
func misplaced(err error) error {
	if !errors.Is(err, syscall.EISDIR) && !errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	return fmt.Errorf("%w: a folder is in the place of a file of the store, or a file in that of a folder: put back what was there, or the whole data folder from a backup", messages.ErrDamaged)
}

func (s *Store) open(ctx context.Context, progress func(string)) (err error) {
	if s.cfg.shared() {
		return s.join(ctx, progress)
	}
	if s.lock, err = lockDir(s.cfg.Dir); err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, misplaced(err), s.closeNotes(), closeFile(s.lock))
		}
	}()
	// Before anything is written: what fails for want of space fails in many ways.
	if err := s.disk.forStart(nil); err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	if err := refuseMember(s.cfg.Dir); err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	if err := s.openNotes(); err != nil {
		return fmt.Errorf("open store in %s: %w", s.cfg.Dir, errors.Join(err, s.disk.forStart(err)))
	}
	_ = s.disk.room(large) // so that it is known
	if s.sess, err = s.openFirst(ctx, progress); err != nil {
		// A full disk shows in many ways; said plainly where it may be the cause.
		return errors.Join(fmt.Errorf("open store in %s: %w", s.cfg.Dir, err), s.disk.known(large))
	}
	s.epoch = s.sess.epoch
	s.health.all()
	go s.mend()
	for d := range duties {
		s.regularly(func() { s.probe(d) })
	}
	s.regularly(s.keepNotes)
	s.background.Go(s.auditor)
	return nil
}

func (s *Store) Journal() store.Journal     { return s.journal }
func (s *Store) Control() store.Control     { return s.control }
func (s *Store) Counters() store.Counters   { return s.counters }
func (s *Store) Items() store.Items         { return s.items }
func (s *Store) Snapshots() store.Snapshots { return s.snapshots }

func (s *Store) acceptPath() string { return filepath.Join(s.cfg.Dir, acceptFile) }

// Close ends what is in flight with store.ErrClosed or messages.ErrAmbiguous,
// closes every watch, and returns when files and goroutines are gone. It may
// be called again.
func (s *Store) Close() error {
	s.end()
	<-s.mended // it stops the session
	s.background.Wait()
	var err error
	s.closing.Do(func() {
		if s.cfg.shared() {
			err = s.release()
			return
		}
		err = errors.Join(s.closeNotes(), s.leaveClean(), closeFile(s.lock))
	})
	return err
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
		if errors.Is(down, messages.ErrFull) || errors.Is(down, store.ErrClosed) {
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
