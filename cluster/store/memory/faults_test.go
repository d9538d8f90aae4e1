package memory_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/cluster/store/storetest"
	"github.com/birdwire/birdwire/messages"
)

var ctx = context.Background()

func TestAmbiguousHappened(t *testing.T) {
	s := memory.New(memory.Config{})
	s.Inject(memory.JournalAppend, memory.Fault{Ambiguous: true})
	f := storetest.Frame("a", 1, 1, 1)
	if _, err := s.Journal().Append(ctx, f); !errors.Is(err, messages.ErrAmbiguous) {
		t.Fatalf("append: %v", err)
	}
	if sequence, err := s.Journal().Append(ctx, f); err != nil || sequence != 1 {
		t.Fatalf("again: %d, %v; want the first answer", sequence, err)
	}
	if _, last, err := s.Journal().Bounds(ctx); err != nil || last != 1 {
		t.Fatalf("last %d, %v; want it once", last, err)
	}

	s.Inject(memory.ControlCAS, memory.Fault{Ambiguous: true})
	if _, err := s.Control().CAS(ctx, "k", []byte("1"), 0); !errors.Is(err, messages.ErrAmbiguous) {
		t.Fatalf("write: %v", err)
	}
	v, err := s.Control().Get(ctx, "k")
	if err != nil || string(v.Data) != "1" {
		t.Fatalf("get: %q, %v; want it written", v.Data, err)
	}
	s.Inject(memory.ControlDelete, memory.Fault{Ambiguous: true})
	if err := s.Control().Delete(ctx, "k", v.Revision); !errors.Is(err, messages.ErrAmbiguous) {
		t.Fatalf("delete: %v", err)
	}
	if _, err := s.Control().Get(ctx, "k"); !errors.Is(err, messages.ErrNotFound) {
		t.Fatalf("get: %v, want it deleted", err)
	}
	s.Inject(memory.ItemsCAS, memory.Fault{Ambiguous: true})
	if _, err := s.Items().CAS(ctx, []*messages.Item{{Identity: "a"}}, []uint64{0}); !errors.Is(err, messages.ErrAmbiguous) {
		t.Fatalf("write items: %v", err)
	}
	if states, err := s.Items().Get(ctx, []string{"a"}); err != nil || states[0].Item == nil {
		t.Fatalf("get items: %v, %v; want it written", states, err)
	}
}

// A write that is late happens after its answer, as far as nobody else has written in
// between.
func TestLate(t *testing.T) {
	s := memory.New(memory.Config{})
	var late []func()
	fault := memory.Fault{Late: func(happen func()) { late = append(late, happen) }}
	is := func(key, want string) {
		t.Helper()
		if v, err := s.Control().Get(ctx, key); string(v.Data) != want || err != nil && want != "" {
			t.Fatalf("%s is %q, %v; want %q", key, v.Data, err, want)
		}
	}
	s.Inject(memory.ControlCAS, fault, fault, fault)
	data := []byte("1")
	for _, key := range []string{"a", "b", "c"} {
		if _, err := s.Control().CAS(ctx, key, data, 0); !errors.Is(err, messages.ErrAmbiguous) {
			t.Fatalf("write: %v", err)
		}
		is(key, "")
	}
	data[0] = 'x' // it is the caller's
	if _, err := s.Control().CAS(ctx, "b", []byte("2"), 0); err != nil {
		t.Fatal(err)
	}
	made, err := s.Control().CAS(ctx, "c", []byte("2"), 0)
	if err == nil {
		err = s.Control().Delete(ctx, "c", made)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.Inject(memory.JournalAppend, fault)
	if _, err := s.Journal().Append(ctx, storetest.Frame("n", 1, 1, 1)); !errors.Is(err, messages.ErrAmbiguous) {
		t.Fatalf("append: %v", err)
	}
	if err := s.Close(); err != nil { // as a process ends that has asked for it
		t.Fatal(err)
	}
	s = s.Disk().Open(nil)
	for _, happen := range late {
		happen()
	}
	is("a", "1")
	is("b", "2")
	is("c", "") // made and deleted: it is not made again
	if sequence, err := s.Journal().Append(ctx, storetest.Frame("n", 1, 1, 1)); err != nil || sequence != 1 {
		t.Fatalf("again: %d, %v; want the first", sequence, err)
	}
}

// A credit ledger comes through every answer that says nothing.
func TestCountersUnderFaults(t *testing.T) {
	n := 0
	s := memory.New(memory.Config{Fault: func(c memory.Call) memory.Fault {
		n++
		if c.Op == memory.ControlCAS && n%3 != 0 {
			return memory.Fault{Ambiguous: n%2 == 0, Err: map[bool]error{true: nil, false: messages.ErrAmbiguous}[n%2 == 0]}
		}
		return memory.Fault{}
	}})
	for i := range 20 {
		g, err := s.Counters().Reserve(ctx, store.Reservation{KeyID: "k", Month: "m", N: 5, Limit: 1000, Op: fmt.Sprint(i)})
		if err != nil || g.GetSize() != 5 {
			t.Fatalf("reserve %d: %v, %v", i, g, err)
		}
		if err := s.Counters().Settle(ctx, g, 2); err != nil {
			t.Fatalf("settle %d: %v", i, err)
		}
	}
	if l, err := s.Counters().Usage(ctx, "k", "m"); err != nil || l.GetCharged() != 40 || len(l.GetOpen()) != 0 {
		t.Fatalf("ledger %v, %v; want 40 charged and nothing open", l, err)
	}
}

func TestFailAndDelay(t *testing.T) {
	broken := errors.New("broken")
	var slept []time.Duration
	var calls []memory.Call
	s := memory.New(memory.Config{
		Fault: func(c memory.Call) memory.Fault {
			calls = append(calls, c)
			switch c.Op {
			case memory.ControlGet:
				return memory.Fault{Err: broken}
			case memory.JournalAppend:
				return memory.Fault{Delay: time.Second}
			}
			return memory.Fault{}
		},
		Sleep: func(_ context.Context, d time.Duration) error {
			slept = append(slept, d)
			return nil
		},
	})
	if _, err := s.Control().Get(ctx, "k"); !errors.Is(err, broken) {
		t.Fatalf("get: %v, want the fault", err)
	}
	if _, err := s.Journal().Append(ctx, storetest.Frame("a", 1, 1, 1)); err != nil {
		t.Fatal(err)
	}
	s.Inject(memory.JournalAppend, memory.Fault{Err: broken})
	if _, err := s.Journal().Append(ctx, storetest.Frame("a", 1, 2, 1)); !errors.Is(err, broken) {
		t.Fatalf("append: %v, want the fault", err)
	}
	if _, last, err := s.Journal().Bounds(ctx); err != nil || last != 1 {
		t.Fatalf("last %d, %v; want that a failed append wrote nothing", last, err)
	}
	if fmt.Sprint(slept) != "[1s]" {
		t.Errorf("slept %v, want one second once", slept)
	}
	if got, want := fmt.Sprint(calls), `[control.get "k" (call 1) journal.append "a/1/1" (call 2) journal.bounds "" (call 4)]`; got != want {
		t.Errorf("calls %s, want %s", got, want)
	}
}

func TestTornSnapshot(t *testing.T) {
	s := memory.New(memory.Config{})
	put := func(at messages.Position, text string) error {
		return s.Snapshots().Put(ctx, "id", at, strings.NewReader(text))
	}
	if err := put(1, "whole"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s.Inject(memory.SnapshotsPut, memory.Fault{Torn: true})
		if err := put(2, "torn"); !errors.Is(err, messages.ErrAmbiguous) {
			t.Fatalf("put: %v", err)
		}
	}
	at, r, err := s.Snapshots().Latest(ctx, "id")
	if err != nil || at != 1 {
		t.Fatalf("latest: at %d, %v; want the whole one", at, err)
	}
	if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, []byte("whole")) {
		t.Fatalf("read %q, %v", b, err)
	}
	s.Disk().SetEpoch("another00001")
	if _, _, err := s.Snapshots().Latest(ctx, "id"); !errors.Is(err, messages.ErrNotFound) {
		t.Fatalf("latest under another epoch: %v, want none", err)
	}
}

func TestFull(t *testing.T) {
	s := memory.New(memory.Config{})
	s.Disk().SetSpace(memory.None)
	for what, err := range map[string]error{
		"append":  second(s.Journal().Append(ctx, storetest.Frame("a", 1, 1, 1))),
		"write":   second(s.Control().CAS(ctx, "k", nil, 0)),
		"items":   second(s.Items().CAS(ctx, []*messages.Item{{Identity: "a"}}, []uint64{0})),
		"reserve": second(s.Counters().Reserve(ctx, store.Reservation{KeyID: "k", Month: "m", N: 1, Op: "o"})),
		"put":     s.Snapshots().Put(ctx, "id", 1, strings.NewReader("x")),
		"healthy": s.Healthy(ctx),
	} {
		if !errors.Is(err, messages.ErrFull) {
			t.Errorf("%s on a full disk: %v", what, err)
		}
	}
	s.Disk().SetSpace(memory.Plenty)
	if _, err := s.Journal().Append(ctx, storetest.Frame("a", 1, 1, 1)); err != nil {
		t.Fatal(err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestLostHistory(t *testing.T) {
	s := memory.New(memory.Config{})
	for i := range uint64(5) {
		if _, err := s.Journal().Append(ctx, storetest.Frame("a", 1, i+1, 1)); err != nil {
			t.Fatal(err)
		}
	}
	before := s.Journal().Epoch()
	s.Disk().Lose(3, "another00001")
	if s.Journal().Epoch() == before {
		t.Error("the epoch is as before")
	}
	if sequence, err := s.Journal().Append(ctx, storetest.Frame("a", 1, 4, 1)); err != nil || sequence != 4 {
		t.Fatalf("append: %d, %v; want it after what is left", sequence, err)
	}
}

func TestRetention(t *testing.T) {
	now := time.Unix(0, 0)
	s := memory.New(memory.Config{
		Now: func() time.Time { return now }, RetentionAge: time.Hour, RetentionFrames: 3, ItemsAge: time.Hour,
	})
	for i := range uint64(5) {
		if _, err := s.Journal().Append(ctx, storetest.Frame("a", 1, i+1, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Items().CAS(ctx, []*messages.Item{{Identity: "a"}}, []uint64{0}); err != nil {
		t.Fatal(err)
	}
	if first, last, err := s.Journal().Bounds(ctx); err != nil || first != 3 || last != 5 {
		t.Fatalf("bounds %d to %d, %v; want the newest three", first, last, err)
	}
	now = now.Add(time.Hour + 1)
	if first, last, err := s.Journal().Bounds(ctx); err != nil || first != 6 || last != 5 {
		t.Fatalf("bounds %d to %d, %v; want nothing held after an hour", first, last, err)
	}
	if states, err := s.Items().Get(ctx, []string{"a"}); err != nil || states[0] != (store.ItemState{}) {
		t.Fatalf("item %v, %v; want it forgotten after an hour", states[0], err)
	}
}

func TestWatcherTooFarBehind(t *testing.T) {
	s := memory.New(memory.Config{WatchBuffer: 2})
	changes, err := s.Control().Watch(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if _, err := s.Control().CAS(ctx, fmt.Sprintf("k.%d", i), nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for range changes {
		n++
	}
	if n != 3 { // synced, and two that waited
		t.Fatalf("%d changes before it was closed, want 3", n)
	}
}

// Two handles on one disk are two nodes: what one writes the other sees, and
// each has faults of its own.
func TestTwoNodes(t *testing.T) {
	disk := memory.NewDisk(memory.Config{})
	cut := errors.New("cut off")
	a := disk.Open(nil)
	b := disk.Open(func(memory.Call) memory.Fault { return memory.Fault{Err: cut} })
	changes, err := a.Control().Watch(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	<-changes
	if _, err := b.Control().CAS(ctx, "k", nil, 0); !errors.Is(err, cut) {
		t.Fatalf("the one that is cut off: %v", err)
	}
	c := disk.Open(nil)
	if _, err := c.Control().CAS(ctx, "k", nil, 0); err != nil {
		t.Fatal(err)
	}
	if change := <-changes; change.Key != "k" {
		t.Fatalf("the other node heard %+v", change)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Control().Get(ctx, "k"); err != nil {
		t.Fatalf("a node's end is its own: %v", err)
	}
}
