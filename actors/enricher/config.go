package enricher

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/messages"
)

// Lanes is how many parts articles are dealt into. It is in the names of
// records, so it never changes.
const Lanes = 32

// LaneOf is an article's, by its number.
func LaneOf(number uint64) int { return int(number % Lanes) }

// Reader enriches one article. It is called inside a Worker, by several at a
// time.
type Reader interface {
	// Read never changes what it is given. It never fails: what cannot be had is
	// left out, and Outcome says so.
	Read(ctx context.Context, t Task) Outcome
}

// Task is one article to be read.
type Task struct {
	Article *messages.Article
	Turn    time.Time // what Outcome said before; zero at first
	// Alone: with nothing but the article. It was tried otherwise, and came to
	// no end.
	Alone bool
	// Late: it has waited for its page long enough.
	Late bool
}

// Outcome is what became of a task.
type Outcome struct {
	Article *messages.Article // enriched; nil: Again
	Again   time.Duration     // the page's host wants so long to be left alone first
	Turn    time.Time
	// How each part went: "ok", "none" where there was nothing to do, or a short
	// word for why not.
	Page, Vector, Summary string
}

// Items is the item table. Called inside a Worker only.
type Items interface {
	// Get returns one item and revision an identity, in order; a nil item was
	// never seen.
	Get(ctx context.Context, identities []string) ([]*messages.Item, []uint64, error)
	// CAS writes each item against its revision, and returns one error or nil
	// each (messages.ErrConflict: another revision is stored).
	CAS(ctx context.Context, items []*messages.Item, revisions []uint64) (each []error, err error)
}

// Replays reads the log. Called inside a Worker only.
type Replays interface {
	Replay(ctx context.Context, r follow.Request) (follow.Result, error)
	// Begin is the log's epoch, and the position before the first one it holds.
	Begin(ctx context.Context) (epoch string, before messages.Position, err error)
}

// Config is what an enricher takes from its node.
type Config struct {
	Router  *actor.PID
	Journal *actor.PID
	Reader  Reader
	Items   Items
	Replays Replays
	Records actors.Records
	Owns    func(lane int) bool // as this node sees it now
	Clock   actors.Clock
	Rand    actors.Rand
	Worker  actors.Worker // the table and the records
	Reads   actors.Worker // the log
	Enrich  actors.Worker // the Reader
	Props   actors.Props
	Logger  *slog.Logger
	Observe func(Observation) // must not block

	Parallel     int           // articles worked on at a time, default 8
	MaxJobs      int           // default 4,096
	MaxBytes     int           // of articles in jobs, default 32 MiB
	ReadTimeout  time.Duration // of one article, default 60 s
	PageWait     time.Duration // for a page's host, in all, default 2 min
	TableTimeout time.Duration // of one call of the table or the records, default 10 s
	OfferTimeout time.Duration // then the same offer is made again, default 30 s
	SaveEvery    time.Duration // marks, default 5 s
	ProveEvery   time.Duration // how far the router is, default 30 s
	LookEvery    time.Duration // at which lanes are ours, default 1 s
	Follow       follow.Config
}

func (c Config) withDefaults() Config {
	c.Parallel = cmp.Or(c.Parallel, 8)
	c.MaxJobs = cmp.Or(c.MaxJobs, 4096)
	c.MaxBytes = cmp.Or(c.MaxBytes, 32<<20)
	c.ReadTimeout = cmp.Or(c.ReadTimeout, time.Minute)
	c.PageWait = cmp.Or(c.PageWait, 2*time.Minute)
	c.TableTimeout = cmp.Or(c.TableTimeout, 10*time.Second)
	c.OfferTimeout = cmp.Or(c.OfferTimeout, 30*time.Second)
	c.SaveEvery = cmp.Or(c.SaveEvery, 5*time.Second)
	c.ProveEvery = cmp.Or(c.ProveEvery, 30*time.Second)
	c.LookEvery = cmp.Or(c.LookEvery, time.Second)
	c.Follow = c.Follow.WithDefaults()
	if c.Owns == nil {
		c.Owns = func(int) bool { return true }
	}
	if c.Observe == nil {
		c.Observe = func(Observation) {}
	}
	return c
}

// Observation is what became of one article.
type Observation struct {
	Page, Vector, Summary string        // as Outcome has them
	Took                  time.Duration // from the log to the log
	// Dropped is why it was not enriched: "stale", "unwritable", "corrected" (an
	// enrichment came too late, and what is true was said again); else "".
	Dropped string
	Waiting int // articles that are not enriched yet, of those taken in
}

const (
	triesMost  = 3 // of one article with the world, before it is read alone
	tryAgain   = time.Second
	batchMost  = 32        // events in one offer
	batchBytes = 192 << 10 // and bytes, unless it is one
	eventMost  = 192 << 10 // bytes of one event: a longer one loses text
	writesMost = 64        // of the table, in one call
	writeTries = 10        // for a row that its source has not written yet
	writeAgain = 500 * time.Millisecond
	beginAgain = time.Second // after the follower has given up
	id         = "enricher"  // as the router knows it
)
