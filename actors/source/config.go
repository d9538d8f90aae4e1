package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// Adapter reads one upstream. It is called by one worker at a time, except for a
// call that outlived its deadline.
type Adapter interface {
	// Poll reads what is new since mark (nil: the beginning). The drafts are
	// in the order in which they are to be offered, oldest first; they are the
	// caller's from then on (see package item for what a draft is). next is
	// the mark to go on from once the drafts are durable; nil says that the
	// upstream was not asked, and nothing can be concluded. after is how long
	// the upstream asks to be left alone, 0 where it says nothing; it counts
	// with an error too (Retry-After), and so does next (a moved feed). An
	// error that is a Warning failed nothing.
	Poll(ctx context.Context, mark []byte) (drafts []*messages.Event, next []byte, after time.Duration, err error)
}

// Warning is an error that comes with drafts that were read: its text is what the
// operator has to know of them, a document that was cut off for example.
type Warning interface {
	error
	Warning() string
}

// Remembering is an Adapter that can tell the warning that belongs to a mark: a
// source that begins again shows it before it has read anything.
type Remembering interface {
	// Remembered is what Warning said with the poll that made the mark; "" for
	// nothing.
	Remembered(mark []byte) string
}

// Items is the item table: articles' last known states. Called inside a
// Worker only.
type Items interface {
	// Get returns one item and revision an identity, in order; a nil item was
	// never seen.
	Get(ctx context.Context, identities []string) ([]*messages.Item, []uint64, error)
	// CAS writes each item against its revision, and returns one error or nil
	// each (messages.ErrConflict: another revision is stored). err is set when
	// nothing is known of any.
	CAS(ctx context.Context, items []*messages.Item, revisions []uint64) (each []error, err error)
}

// Log reads back events that the journal said the log already holds. Called
// inside a Worker only, and rarely: after a crash between an append and the
// table's write, and when two nodes read the same article at once.
type Log interface {
	// Events returns the event at each position, in order; nil where the log
	// does not hold it any more.
	Events(ctx context.Context, positions []messages.Position) ([]*messages.Event, error)
}

// Config is what a source takes from its node.
type Config struct {
	ID      string // [A-Za-z0-9_-], at most 64: names its mark and its events
	Kind    string // feed | push | sample
	URL     string // shown, without its query; "" where there is none
	Adapter Adapter
	Items   Items
	Log     Log // nil: a repeat is taken to be the same article
	Records actors.Records
	Clock   actors.Clock
	Rand    actors.Rand
	Worker  actors.Worker // the table and the records
	Polls   actors.Worker // the adapter; default Worker. With one of their own, slow feeds do not keep the table waiting
	Props   actors.Props
	Journal *actor.PID
	Logger  *slog.Logger
	Observe func(Observation) // must not block

	Interval     time.Duration // between polls, default 5 min, at least 50 ms
	PollTimeout  time.Duration // of one poll, default 45 s
	TableTimeout time.Duration // of one call of the table or the records, default 10 s
	LogTimeout   time.Duration // of reading repeats back from the log, default 2 s
	OfferTimeout time.Duration // then the same offer is made again, default 30 s
	BackoffMost  time.Duration // between polls that fail, default 1 h
	MaxUnacked   int           // push: events taken and not yet answered, default 8,192
	HoldMost     time.Duration // push: the rest of a body that was taken in part waits for room, default 30 s
	MaxBytes     int           // push: and bytes of them, default 64 MiB
}

// Observation is what a source did.
type Observation struct {
	Source     string
	Kind       string
	Polled     bool          // a poll ended; else a batch was appended
	Took       time.Duration // of the poll
	Events     int           // appended
	Duplicates int           // the log or the table held them already
	Err        error
}

var validID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func (c Config) withDefaults() Config {
	c.Interval = cmp.Or(c.Interval, 5*time.Minute)
	c.PollTimeout = cmp.Or(c.PollTimeout, 45*time.Second)
	c.TableTimeout = cmp.Or(c.TableTimeout, 10*time.Second)
	c.LogTimeout = cmp.Or(c.LogTimeout, 2*time.Second)
	c.OfferTimeout = cmp.Or(c.OfferTimeout, 30*time.Second)
	c.BackoffMost = cmp.Or(c.BackoffMost, time.Hour)
	c.HoldMost = cmp.Or(c.HoldMost, 30*time.Second)
	if c.MaxUnacked == 0 {
		c.MaxUnacked = 8192
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = 64 << 20
	}
	if c.Polls == nil {
		c.Polls = c.Worker
	}
	if c.Observe == nil {
		c.Observe = func(Observation) {}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Logger = c.Logger.With("source", c.ID)
	return c
}

// Validate says what a source cannot be started with.
func (c Config) Validate() error {
	switch {
	case !validID.MatchString(c.ID):
		return fmt.Errorf("source: id %q: want 1 to 64 of letters, digits, '_' and '-'", c.ID)
	case c.Interval != 0 && c.Interval < minInterval:
		return fmt.Errorf("source %s: interval %v is shorter than %v", c.ID, c.Interval, minInterval)
	case c.Items == nil || c.Clock == nil || c.Rand == nil || c.Worker == nil || c.Props == nil || c.Journal == nil:
		return fmt.Errorf("source %s: %w", c.ID, errPorts)
	case c.Kind != "push" && (c.Adapter == nil || c.Records == nil):
		return fmt.Errorf("source %s: %w", c.ID, errPorts)
	}
	return nil
}

var errPorts = errors.New("a port is missing")

const (
	minInterval  = 50 * time.Millisecond
	poolRetry    = 100 * time.Millisecond // the worker pool's queue was full
	backoffFirst = 10 * time.Second       // the second try; the first where the interval is shorter
	maxAfter     = 24 * time.Hour         // no upstream is left alone for longer
	refusedMost  = 30 * time.Second       // an offer that was refused is made again after it at the latest
	spreadMost   = 10 * time.Second       // first polls after a restart are spread over it
	maxLooks     = 8                      // at one draft, while others write the same identity
	tableTries   = 4                      // of one read or write of the table
	tableRetry   = 250 * time.Millisecond // doubles
	MaxOffer     = 256                    // events in one offer
)
