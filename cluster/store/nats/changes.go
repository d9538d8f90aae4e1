package nats

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	nc "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/birdwire/birdwire/messages"
)

// changes follows the control records of a store with replicas, for all of its
// watchers at once: it reads the stream in order from the nearest replica, and
// looks again when something was written here, when something is being written
// anywhere, and every now and then.
//
// A consumer of the server's was rejected: after a change of the stream's leader
// the client library does not always make it anew (nats.go#2063), or only after
// ten seconds. Here a question that is not answered within a second is asked
// again, and one that is answered with nothing is held against the leader's word.
type changes struct {
	store *Store
	kick  chan struct{}

	mu     sync.Mutex // protects what follows
	next   uint64     // all before it was given to those who had joined
	joined map[*joint]struct{}
}

// joint is one watcher. Its goroutine takes what it is given at once, or has left.
type joint struct {
	prefix  string
	updates chan jetstream.KeyValueEntry
	left    chan struct{}
}

const (
	// lookIdle is how often is looked without a hint.
	lookIdle = 250 * time.Millisecond
	// heldAgainst is how often "nothing" is held against the leader's word.
	heldAgainst = time.Second
)

func newChanges(s *Store) *changes {
	return &changes{store: s, kick: make(chan struct{}, 1), joined: map[*joint]struct{}{}}
}

// look makes it look at once.
func (c *changes) look() {
	select {
	case c.kick <- struct{}{}:
	default: // it will already
	}
}

// join gives every change under the prefix that is not in a list taken after it,
// and may give some that are.
func (c *changes) join(prefix string) (updates <-chan jetstream.KeyValueEntry, leave func()) {
	j := &joint{prefix: prefix, updates: make(chan jetstream.KeyValueEntry, 64), left: make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.joined[j] = struct{}{}
	return j.updates, sync.OnceFunc(func() {
		close(j.left)
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.joined, j)
	})
}

// begin takes the place after which changes are told.
func (c *changes) begin(ctx context.Context, sess *session) error {
	info, err := sess.info(ctx, controlStream)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next = max(c.next, info.State.LastSeq+1)
	return nil
}

// run follows until the store closes. One session after another is read from.
func (c *changes) run() {
	for c.store.life.Err() == nil {
		sess, changed, _ := c.store.now()
		if sess == nil {
			select {
			case <-changed:
			case <-c.store.life.Done():
			}
			continue
		}
		c.of(sess)
	}
}

// of follows on one session, until that stops.
func (c *changes) of(sess *session) {
	ctx, cancel := context.WithCancel(c.store.life)
	defer cancel()
	var hinted *link
	pause, held := lookIdle, time.Now()
	for {
		if l, err := sess.link(watches); err == nil && l != hinted {
			// What is published under the records' subjects, before it is written.
			sub, err := l.conn.Subscribe(controlSubject+">", func(*nc.Msg) { c.look() })
			if err == nil {
				_ = sub.SetPendingLimits(64, -1) // any one of them is a hint
				hinted = l
			}
		}
		came, err := c.read(ctx, sess, time.Since(held) > heldAgainst)
		if came || err == nil && time.Since(held) > heldAgainst {
			held = time.Now()
		}
		if came {
			pause = time.Millisecond
			continue
		}
		wait := time.NewTimer(pause)
		select {
		case <-c.kick:
			// It may not have come here yet: looked for soon, and then less often.
			pause = time.Millisecond
		case <-wait.C:
			pause = min(2*pause, lookIdle)
		case <-sess.done:
			wait.Stop()
			return
		case <-ctx.Done():
			wait.Stop()
			return
		}
		wait.Stop()
	}
}

// read reads on once; leader: where the nearest replica has nothing its leader
// has the word.
func (c *changes) read(ctx context.Context, sess *session, leader bool) (came bool, err error) {
	r := reader{sess: sess, duty: watches, stream: controlStream, filter: controlSubject + ">", next: c.at()}
	take := func(m *nc.Msg) error {
		entry, err := readEntry(m)
		if err != nil {
			return err
		}
		came = true
		c.give(ctx, entry)
		return nil
	}
	err = r.nearest(ctx, take)
	if !came && leader {
		err = r.ofLeader(ctx, math.MaxUint64-1, take)
	}
	if came {
		c.mu.Lock()
		c.next = max(c.next, r.next)
		c.mu.Unlock()
	}
	return came, err
}

func (c *changes) at() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.next
}

// give tells those who watch.
func (c *changes) give(ctx context.Context, e *entryRead) {
	c.mu.Lock()
	c.next = max(c.next, e.revision+1) // who joins now has it in its list
	var to []*joint
	for j := range c.joined {
		if strings.HasPrefix(e.key, j.prefix) {
			to = append(to, j)
		}
	}
	c.mu.Unlock()
	for _, j := range to {
		select {
		case j.updates <- e:
		case <-j.left:
		case <-ctx.Done():
		}
	}
}

// entryRead is a message of the control records as it was read.
type entryRead struct {
	key      string
	value    []byte
	revision uint64
	deleted  bool
}

func readEntry(m *nc.Msg) (*entryRead, error) {
	revision, err := sequenceOf(m)
	if err != nil {
		return nil, err
	}
	key, ok := strings.CutPrefix(m.Subject, controlSubject)
	if !ok {
		return nil, fmt.Errorf("%w: message %d of the control records is under %q", messages.ErrDamaged, revision, m.Subject)
	}
	return &entryRead{key: key, value: m.Data, revision: revision, deleted: isDeleted(m.Header)}, nil
}

var _ jetstream.KeyValueEntry = (*entryRead)(nil)

func (e *entryRead) Bucket() string     { return controlBucket }
func (e *entryRead) Key() string        { return e.key }
func (e *entryRead) Value() []byte      { return e.value }
func (e *entryRead) Revision() uint64   { return e.revision }
func (e *entryRead) Created() time.Time { return time.Time{} }
func (e *entryRead) Delta() uint64      { return 0 }
func (e *entryRead) Operation() jetstream.KeyValueOp {
	if e.deleted {
		return jetstream.KeyValuePurge
	}
	return jetstream.KeyValuePut
}
