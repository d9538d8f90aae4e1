package nats

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	nc "github.com/nats-io/nats.go"

	"github.com/birdwire/birdwire/messages"
)

// A list misses no record that is there all the time, however often it is written
// over while the list is read, in several answers or of the leader alone.
func TestAListMissesNoneThatIsWrittenOver(t *testing.T) {
	t.Parallel()
	c := openTrio(t)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	const records, size, writes = 400, 8 << 10, 2000 // three megabytes: several answers
	name := func(n int) string { return fmt.Sprintf("leases.n%d", n) }
	revisions := make([]uint64, records)
	// One that is not answered may have been written, and is written again.
	write := func(s *Store, n int) error {
		for {
			revision, err := s.Control().CAS(ctx, name(n), make([]byte, size), revisions[n])
			if err == nil {
				revisions[n] = revision
				return nil
			}
			if ctx.Err() != nil {
				return err
			}
			if kept, err := s.Control().Get(ctx, name(n)); err == nil {
				revisions[n] = kept.Revision
			}
		}
	}
	// Each of so many writers has records of its own.
	const writers = 8
	all := func(work func(s *Store, w int) error) {
		var wait sync.WaitGroup
		for w := range writers {
			wait.Go(func() {
				if err := work(c.stores[w%len(c.stores)], w); err != nil {
					t.Errorf("writer %d: %v", w, err)
				}
			})
		}
		wait.Wait()
	}
	all(func(s *Store, w int) error {
		for n := w; n < records; n += writers {
			if err := write(s, n); err != nil {
				return err
			}
		}
		return nil
	})
	written := make(chan struct{})
	go func() {
		defer close(written)
		all(func(s *Store, w int) error {
			random := rand.New(rand.NewPCG(1, uint64(w)))
			for range writes / writers {
				if err := write(s, w+writers*random.IntN(records/writers)); err != nil {
					return err
				}
			}
			return nil
		})
	}()
	lists := 0
	for done := false; !done && !t.Failed(); lists++ {
		select {
		case <-written:
			done = true
		default:
		}
		listed, err := c.stores[lists%len(c.stores)].Control().List(ctx, "leases.")
		if err != nil || len(listed) != records {
			t.Errorf("list %d has %d records, %v; %d are there", lists, len(listed), err, records)
		}
	}
	<-written
	t.Logf("%d lists", lists)
}

// An answer that is as long as it may be says nothing of what comes after it, though it
// has what was asked for: a record that was written over may be there.
func TestAScanThatIsCutIsNotOfOneMoment(t *testing.T) {
	t.Parallel()
	c := openTrio(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s := c.stores[0]
	var all []uint64
	for n := range 10 {
		name := fmt.Sprintf("leases.n%d", n)
		revision, err := s.Control().CAS(ctx, name, make([]byte, 200<<10), 0) // five to an answer
		for errors.Is(err, messages.ErrAmbiguous) {
			var kept messages.KeptRecord
			if kept, err = s.Control().Get(ctx, name); errors.Is(err, messages.ErrNotFound) {
				revision, err = s.Control().CAS(ctx, name, make([]byte, 200<<10), 0)
			} else {
				revision = kept.Revision
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, revision)
	}
	sess, err := s.session(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range []int{0, 7} {
		once, err := sess.scan(ctx, controlStream, controlSubject+"leases.>", all[from], all[from], func(*nc.Msg) error { return nil })
		if err != nil || once != (from == 7) {
			t.Errorf("from record %d on: once %v, %v", from, once, err)
		}
	}
}

// What is read of the leader, one message at a time, is not of one moment, and says so.
func TestAScanOfTheLeaderIsNotOfOneMoment(t *testing.T) {
	t.Parallel()
	c := openTrio(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s := c.stores[0]
	var last uint64
	for _, name := range []string{"leases.a", "leases.b"} {
		var err error
		if last, err = s.Control().CAS(ctx, name, []byte("1"), 0); err != nil {
			t.Fatal(err)
		}
	}
	sess, err := s.session(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r := reader{sess: sess, duty: lookups, stream: controlStream, filter: controlSubject + "leases.>", next: 1}
	kept, err := s.Control().Get(ctx, "leases.a")
	if err == nil {
		_, err = s.Control().CAS(ctx, "leases.a", []byte("2"), kept.Revision)
	}
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for r.next <= last {
		if err := r.ofLeader(ctx, last, func(*nc.Msg) error { seen++; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if !r.led || seen != 1 {
		t.Fatalf("%d of two records were seen, led %v: want one, since the other was written over", seen, r.led)
	}
	var listed []messages.KeptRecord
	if listed, err = s.Control().List(ctx, "leases."); err != nil || len(listed) != 2 {
		t.Fatalf("the list has %d records, %v; want 2", len(listed), err)
	}
}
