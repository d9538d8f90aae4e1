package nats

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	nc "github.com/nats-io/nats.go"

	"github.com/birdwire/birdwire/cluster/store/storetest"
	"github.com/birdwire/birdwire/messages"
)

// cut ends a duty's connection as the server does that takes it for too slow.
func cut(t *testing.T, s *Store, d duty) {
	t.Helper()
	sess, _, down := s.now()
	if sess == nil {
		t.Fatalf("no session: %v", down)
	}
	l, err := sess.link(d)
	if err != nil {
		t.Fatal(err)
	}
	id, err := l.conn.GetClientID()
	if err != nil {
		return // it is gone already
	}
	_ = s.sess.server.DisconnectClientByID(id)
	<-l.gone
}

// Connections are made again whenever they are lost, whatever is under way on
// them: nothing hangs, what was acknowledged is there once, and the store is
// healthy all the time.
func TestLostConnectionsAreMadeAgain(t *testing.T) {
	s := open(t, Config{})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for i := range uint64(200) {
		appendTo(t, s, i+1)
	}
	sess := s.sess
	var over atomic.Bool
	var all sync.WaitGroup
	work := func(what string, do func(n int) error) {
		all.Go(func() {
			failed := 0
			for n := 0; !over.Load() || failed > 0; n++ {
				err := do(n)
				if failed = 0; err != nil {
					if failed, n = failed+1, n-1; ctx.Err() != nil {
						t.Errorf("%s: %v", what, err)
						return
					}
				}
			}
		})
	}
	appended := uint64(200)
	work("append", func(n int) error {
		sequence, err := s.Journal().Append(ctx, storetest.Frame("a", 1, uint64(201+n), 2))
		if err == nil && sequence != uint64(201+n) {
			t.Errorf("frame %d is at %d", 201+n, sequence)
		}
		if err == nil {
			appended = sequence
		}
		return err
	})
	work("write", func(n int) error {
		key := fmt.Sprintf("k.%d", n)
		_, err := s.Control().CAS(ctx, key, []byte("x"), 0)
		if errors.Is(err, messages.ErrConflict) { // it happened, and the answer was lost
			_, err = s.Control().Get(ctx, key)
		}
		return err
	})
	work("write items", func(n int) error {
		var items []*messages.Item
		for i := range 20 {
			items = append(items, &messages.Item{Identity: fmt.Sprintf("%d/%d", n, i)})
		}
		each, err := s.Items().CAS(ctx, items, make([]uint64, len(items)))
		for _, e := range each {
			if !errors.Is(e, messages.ErrConflict) { // as above
				err = errors.Join(err, e)
			}
		}
		return err
	})
	work("list", func(int) error {
		_, err := s.Control().List(ctx, "k.")
		return err
	})
	for range 2 {
		work("read", func(int) error {
			c, err := s.Journal().Read(ctx, 1)
			if err != nil {
				return err
			}
			defer c.Close()
			for next := uint64(1); next <= 200; {
				e, err := c.Next(ctx)
				if err != nil {
					if ctx.Err() != nil {
						return err
					}
					continue // it goes on after an error
				}
				if e.Sequence != next {
					return fmt.Errorf("read %d, want %d", e.Sequence, next)
				}
				next++
			}
			return nil
		})
	}
	for range 40 {
		for d := range duties {
			cut(t, s, d)
			if err := s.Healthy(ctx); err != nil {
				t.Errorf("healthy after the %s were cut: %v", d, err)
			}
		}
	}
	over.Store(true)
	all.Wait()
	if after, _, _ := s.now(); after != sess {
		t.Error("the embedded server was started again for a lost connection")
	}
	read := readAll(t, s)
	if uint64(len(read)) != appended {
		t.Errorf("%d frames, want %d", len(read), appended)
	}
}

// However many read at once and however slow they are, the server has no reason
// to take a connection for a slow consumer, and writes go on at the same time.
func TestManySlowReaders(t *testing.T) {
	s := open(t, Config{})
	// 400 MB pass here, which the race detector makes slow on a busy machine.
	ctx, cancel := context.WithTimeout(context.Background(), 5*patience)
	defer cancel()
	const readers, frames = 80, 120
	large := strings.Repeat("x", 40_000)
	for i := range uint64(frames) {
		f := storetest.Frame("a", 1, i+1, 1)
		f.Events[0].GetPost().Text = large
		if _, err := s.Journal().Append(ctx, f); err != nil {
			t.Fatal(err)
		}
	}
	before, err := s.sess.link(replays)
	if err != nil {
		t.Fatal(err)
	}
	var begun, all sync.WaitGroup
	begun.Add(readers)
	hold := make(chan struct{})
	for range readers {
		all.Go(func() {
			c, err := s.Journal().Read(ctx, 1)
			if err != nil {
				t.Error(err)
				begun.Done()
				return
			}
			defer c.Close()
			for next := uint64(1); next <= frames; next++ {
				e, err := c.Next(ctx)
				if err != nil || e.Sequence != next {
					t.Errorf("next: %d, %v; want %d", e.Sequence, err, next)
					break
				}
				if next == 20 { // with more on its way
					begun.Done()
					<-hold
				}
			}
		})
	}
	begun.Wait()
	for i := range uint64(20) {
		if _, err := s.Journal().Append(ctx, storetest.Frame("a", 1, frames+1+i, 1)); err != nil {
			t.Fatal(err)
		}
	}
	close(hold)
	all.Wait()
	after, err := s.sess.link(replays)
	if err != nil || after != before {
		t.Errorf("the connection was lost, %v", err)
	}
	if stats, err := s.sess.server.Varz(nil); err != nil || stats.SlowConsumers > 0 {
		t.Errorf("slow consumers: %d, %v", stats.SlowConsumers, err)
	}
}

// An answer that nobody waits for any more gives its share back, and an answer
// that never comes costs its own question alone.
func TestAnswersThatWereGivenUp(t *testing.T) {
	s := open(t, Config{})
	ctx := context.Background()
	appendTo(t, s, 1)
	l, err := s.sess.link(replays)
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	for range 100 {
		a, err := l.ask(ctx, directGet+journalStream, request{from: 1, batch: 1}.question(), inFlightMost)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.wait(gone, s.sess.done); err != nil {
			a.leave()
		}
	}
	eventually(t, "all is given back", func() bool { return l.flow.TryAcquire(inFlightMost) })
	if _, err := l.ask(gone, directGet+journalStream, nil, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("ask without room and with a context that has ended: %v", err)
	}
	if a, err := l.tryAsk(directGet+journalStream, nil, 1); a != nil || err != nil {
		t.Errorf("ask ahead without room: %v, %v; want nothing", a, err)
	}
}

// Questions that are never answered, as those that a leader had when it stepped down,
// take nothing from later ones.
func TestQuestionsThatNobodyAnswers(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	l, err := s.sess.link(lookups)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.conn.Subscribe("silent", func(*nc.Msg) {}); err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 * inFlightMost / ackWeight {
		a, err := l.question(t.Context(), &nc.Msg{Subject: "silent"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.word(gone, s.sess.done); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if !l.flow.TryAcquire(inFlightMost) || len(l.asked) > 0 {
		t.Errorf("%d questions are remembered that nobody waits for", len(l.asked))
	}
}

// The word on a write that nobody waits for any more is not taken for that on
// another, whichever comes first, and gives its room back.
func TestLateWordsOnWritesAreNobodyElses(t *testing.T) {
	s := open(t, Config{})
	ctx := context.Background()
	gone, cancel := context.WithCancel(ctx)
	cancel()
	identity := func(i, n int) string { return fmt.Sprintf("%d/%d", i, n) }
	for i := range 100 {
		if _, err := s.Control().CAS(gone, fmt.Sprintf("late.%d", i), []byte("x"), 0); err != nil && !errors.Is(err, messages.ErrAmbiguous) {
			t.Fatalf("a write that was given up: %v", err)
		}
		key := fmt.Sprintf("k.%d", i)
		revision, err := s.Control().CAS(ctx, key, []byte("x"), 0)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := s.Control().Get(ctx, key); err != nil || v.Revision != revision {
			t.Fatalf("%s is at %d, %v; its write said %d", key, v.Revision, err, revision)
		}
		var late, items []*messages.Item
		for n := range 5 {
			late = append(late, &messages.Item{Identity: "late/" + identity(i, n)})
			items = append(items, &messages.Item{Identity: identity(i, n)})
		}
		each := make([]error, 5)
		chosen, err := s.items.encode(late, make([]uint64, 5), each)
		if err == nil {
			err = s.items.oneByOne(gone, chosen, each)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range each {
			if err != nil && !errors.Is(err, messages.ErrAmbiguous) {
				t.Fatalf("an item that was given up: %v", err)
			}
		}
		wrong := []uint64{0, 7, 0, 7, 0} // the odd ones are refused, and no others
		each, err = s.Items().CAS(ctx, items, wrong)
		if err != nil {
			t.Fatal(err)
		}
		for n, err := range each {
			if errors.Is(err, messages.ErrConflict) != (wrong[n] > 0) || err != nil && wrong[n] == 0 {
				t.Fatalf("item %d at revision %d: %v", n, wrong[n], err)
			}
		}
	}
	l, err := s.sess.link(writes)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "all is given back", func() bool { return l.flow.TryAcquire(inFlightMost) })
	l.flow.Release(inFlightMost)
}

// A write to the embedded server ends in about the time that was asked for,
// however seldom its deadline is set.
func TestDeadlinesAreSetWhereTheyAreNear(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	p := &pipe{Conn: ours}
	defer p.Close()
	set := func(f func(time.Time) error, at time.Time) {
		t.Helper()
		if err := f(at); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	set(p.SetWriteDeadline, now.Add(time.Minute))
	first := p.until
	set(p.SetWriteDeadline, time.Time{})
	set(p.SetWriteDeadline, now.Add(time.Minute+deadlineSlack/2))
	if p.until != first {
		t.Error("a deadline that is far away was set again")
	}
	set(p.SetWriteDeadline, now.Add(time.Minute+deadlineSlack))
	if p.until == first {
		t.Error("a deadline that is nearer than asked for was left")
	}
	set(p.SetDeadline, time.Time{})
	set(p.SetWriteDeadline, now)
	if p.until != now {
		t.Error("after all deadlines were taken away none was set")
	}
	set(p.SetDeadline, now) // past
	if _, err := p.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a write that nobody reads: %v", err)
	}
}
