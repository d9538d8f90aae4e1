package nats

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/cluster/store/storetest"
	"github.com/birdwire/birdwire/messages"
)

// load is writers and readers on every node of a cluster. Each writer asks
// again under the same name, as a journal does, and each reader goes on where it
// was.
type load struct {
	t      *testing.T
	ctx    context.Context
	stop   atomic.Bool
	work   sync.WaitGroup
	mu     sync.Mutex
	acked  map[string]uint64   // frames by name, and where
	read   [3][]string         // by node, in order
	places [3]map[string]int64 // by node: the newest value that its watcher was told of a record
	values map[string]int64    // of records, the newest that was acknowledged
	// When frames were acknowledged, and the longest from there to their reading and
	// from a record's acknowledgement to a watcher's being told of it or a newer one.
	at       map[string]time.Time
	valuesAt map[string]time.Time
	// elected is the longest from an order to step down until another leads.
	late struct{ reader, watcher, elected time.Duration }
}

func newLoad(t *testing.T) *load {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	return &load{t: t, ctx: ctx, acked: map[string]uint64{}, at: map[string]time.Time{}, valuesAt: map[string]time.Time{}, values: map[string]int64{}, places: [3]map[string]int64{{}, {}, {}}}
}

// append writes frames of one incarnation until it is told to stop.
func (l *load) append(s *Store, node string, incarnation uint64) {
	for number := uint64(1); !l.stop.Load() && l.ctx.Err() == nil; number++ {
		f := storetest.Frame(node, incarnation, number, 1)
		for {
			ctx, cancel := context.WithTimeout(l.ctx, 5*time.Second)
			sequence, err := s.Journal().Append(ctx, f)
			cancel()
			if err == nil {
				l.mu.Lock()
				l.acked[store.FrameName(f)], l.at[store.FrameName(f)] = sequence, time.Now()
				l.mu.Unlock()
				break
			}
			if errors.Is(err, store.ErrClosed) || errors.Is(err, messages.ErrFenced) || l.ctx.Err() != nil {
				if errors.Is(err, messages.ErrFenced) {
					l.t.Errorf("append %s: %v", store.FrameName(f), err)
				}
				return
			}
		}
	}
}

// count counts one record up by compare-and-set.
func (l *load) count(s *Store, key string) {
	for !l.stop.Load() && l.ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(l.ctx, 5*time.Second)
		v, err := s.Control().Get(ctx, key)
		if err == nil || errors.Is(err, messages.ErrNotFound) {
			var n int64
			_, _ = fmt.Sscan(string(v.Data), &n) // none is 0
			if _, err = s.Control().CAS(ctx, key, fmt.Append(nil, n+1), v.Revision); err == nil {
				l.mu.Lock()
				l.values[key], l.valuesAt[key] = n+1, time.Now()
				l.mu.Unlock()
			}
		}
		cancel()
		if errors.Is(err, store.ErrClosed) {
			return
		}
	}
}

// follow reads the log up to the frame that ends it.
func (l *load) follow(s *Store, node int, until func(name string) bool) {
	c, err := s.Journal().Read(l.ctx, 1)
	if err != nil {
		l.t.Errorf("read on node %d: %v", node, err)
		return
	}
	defer c.Close()
	for l.ctx.Err() == nil {
		e, err := c.Next(l.ctx)
		switch {
		case errors.Is(err, io.EOF):
			wait := time.NewTimer(5 * time.Millisecond)
			<-wait.C
		case errors.Is(err, store.ErrClosed):
			return
		case err != nil: // it goes on from there
		case e.Skipped != nil:
			l.t.Errorf("node %d was told that %d to %d are skipped", node, e.Skipped.From, e.Skipped.To)
		default:
			name := store.FrameName(e.Frame)
			l.mu.Lock()
			l.read[node] = append(l.read[node], name)
			if at, ok := l.at[name]; ok { // else it is read before its writer knows
				l.late.reader = max(l.late.reader, time.Since(at))
			}
			l.mu.Unlock()
			if until(name) {
				return
			}
		}
	}
}

// watch watches until every record was told as the newest that was written.
func (l *load) watch(s *Store, node int) {
	for l.ctx.Err() == nil {
		changes, err := s.Control().Watch(l.ctx, "count.")
		if errors.Is(err, store.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		for c := range changes {
			if c.Synced {
				continue
			}
			var n int64
			_, _ = fmt.Sscan(string(c.Data), &n)
			l.mu.Lock()
			if was := l.places[node][c.Key]; n < was {
				l.t.Errorf("node %d was told of %s: %d after %d", node, c.Key, n, was)
			}
			if at, ok := l.valuesAt[c.Key]; ok && n == l.values[c.Key] {
				l.late.watcher = max(l.late.watcher, time.Since(at))
			}
			l.places[node][c.Key] = n
			done := l.stop.Load()
			for key, value := range l.values {
				done = done && l.places[node][key] >= value
			}
			l.mu.Unlock()
			if done {
				return
			}
		}
	}
}

// start loads every node.
func (l *load) start(c *trio) {
	for i, s := range c.here() {
		l.work.Go(func() { l.append(s, fmt.Sprint("n", i), 1) })
		l.work.Go(func() { l.count(s, fmt.Sprint("count.", i)) })
	}
}

// readers has every node read the log and watch the records.
func (l *load) readers(c *trio, readers *sync.WaitGroup) {
	last := fmt.Sprint("end/1/", len(c.here()))
	for i, s := range c.here() {
		readers.Go(func() { l.follow(s, i, func(name string) bool { return name == last }) })
		readers.Go(func() { l.watch(s, i) })
	}
}

// goesOn waits until a hundred more frames were acknowledged.
func (l *load) goesOn() {
	l.t.Helper()
	acked := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.acked)
	}
	before := acked()
	until(l.t, l.ctx, "a hundred more frames are acknowledged", func() bool { return acked() > before+100 })
}

// check ends the load: every reader must have read the same, all that was
// acknowledged, and nothing twice.
func (l *load) check(c *trio, readers *sync.WaitGroup) {
	l.t.Helper()
	l.stop.Store(true)
	l.work.Wait()
	for i, s := range c.here() { // one more of each, which the readers wait for
		if _, err := s.Journal().Append(l.ctx, storetest.Frame("end", 1, uint64(i)+1, 1)); err != nil {
			l.t.Fatal(err)
		}
		if _, err := s.Control().CAS(l.ctx, fmt.Sprint("count.end.", i), []byte("1"), 0); err != nil {
			l.t.Fatal(err)
		}
	}
	readers.Wait()
	for i := range c.here() {
		if !slices.Equal(l.read[i], l.read[0]) {
			l.t.Errorf("node %d read %d frames, and not the same as node 0, which read %d", i, len(l.read[i]), len(l.read[0]))
		}
	}
	seen := map[string]int{}
	for n, name := range l.read[0] {
		if _, twice := seen[name]; twice {
			l.t.Errorf("frame %s is in the log twice", name)
		}
		seen[name] = n + 1
	}
	for name, sequence := range l.acked {
		if at, ok := seen[name]; !ok {
			l.t.Errorf("frame %s was acknowledged at %d and is lost", name, sequence)
		} else if uint64(at) != sequence {
			l.t.Errorf("frame %s was acknowledged at %d and is at %d", name, sequence, at)
		}
	}
	l.t.Logf("%d frames acknowledged; read %v later at most, and watchers told %v later; leaders were chosen within %v", len(l.acked), l.late.reader, l.late.watcher, l.late.elected)
}

// stepDown has the leader of a stream give that up, to whoever is named where one
// is, as soon as there is one who can follow.
func stepDown(t *testing.T, ctx context.Context, s *Store, stream, to string) (leader string) {
	t.Helper()
	until(t, ctx, "the leader of "+stream+" steps down", func() (done bool) {
		var err error
		if leader, err = s.StepDown(ctx, shown(stream), to); err != nil && !errors.Is(err, messages.ErrConflict) {
			t.Fatal(err)
		}
		return err == nil
	})
	return leader
}

func TestLeaderStepsDown(t *testing.T) {
	t.Parallel()
	c := openTrio(t)
	l := newLoad(t)
	var readers sync.WaitGroup
	l.readers(c, &readers)
	l.start(c)
	for n := range 4 {
		for _, stream := range []string{journalStream, controlStream} {
			began := time.Now()
			stepDown(t, l.ctx, c.stores[n%3], stream, "")
			l.late.elected = max(l.late.elected, time.Since(began))
			l.goesOn()
		}
	}
	l.check(c, &readers)
}

// TestASilentLeaderIsAskedAgain: one that steps down answers no question that it had.
// It is asked again often enough that who reads goes on within a second.
func TestASilentLeaderIsAskedAgain(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	var most time.Duration // until the third question, whatever this machine adds to it
	asked := 0
	err := s.sess.insist(t.Context(), journalStream, func(ctx context.Context) error {
		if asked++; asked == 3 {
			return nil
		}
		deadline, _ := ctx.Deadline()
		most += time.Until(deadline) + askAgain/10
		<-ctx.Done()
		return ctx.Err()
	})
	if err != nil || asked != 3 || most > time.Second {
		t.Errorf("asked %d times, the last time after %v: %v; want 3 within a second", asked, most, err)
	}
}
