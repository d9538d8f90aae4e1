package memory_test

import (
	"context"
	"errors"
	"testing"

	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/messages"
)

func TestRecords(t *testing.T) {
	r, ctx := memory.NewRecords(), t.Context()
	if _, err := r.Get(ctx, "keys.a"); !errors.Is(err, messages.ErrNotFound) {
		t.Errorf("get of nothing: %v", err)
	}
	first, err := r.CAS(ctx, "keys.a", []byte("1"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.CAS(ctx, "keys.a", []byte("2"), 0); !errors.Is(err, messages.ErrConflict) {
		t.Errorf("create of what is stored: %v", err)
	}
	second := r.Put("keys.a", []byte("3"))
	if _, err := r.CAS(ctx, "keys.a", []byte("2"), first); !errors.Is(err, messages.ErrConflict) {
		t.Errorf("cas against an old revision: %v", err)
	}
	kept, err := r.Get(ctx, "keys.a")
	if err != nil || string(kept.Data) != "3" || kept.Revision != second {
		t.Errorf("get: %v %v", kept, err)
	}
	r.Put("keys.b", nil)
	r.Put("rules.a", nil)
	list, err := r.List(ctx, "keys.")
	if err != nil || len(list) != 2 || list[0].Key != "keys.a" || list[1].Key != "keys.b" {
		t.Errorf("list: %v %v", list, err)
	}
	if err := r.Delete(ctx, "keys.a", first); !errors.Is(err, messages.ErrConflict) {
		t.Errorf("delete against an old revision: %v", err)
	}
	if err := r.Delete(ctx, "keys.a", second); err != nil || len(r.All()) != 2 {
		t.Errorf("delete: %v, left %v", err, r.All())
	}
}

func TestRecordsDoNotShareBytes(t *testing.T) {
	data := []byte("a")
	r := memory.NewRecords()
	r.Put("k", data)
	data[0] = 'x'
	got, err := r.Get(t.Context(), "k")
	if err != nil || string(got.Data) != "a" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestRecordsFaults(t *testing.T) {
	r, ctx := memory.NewRecords(), t.Context()
	r.Inject(memory.RecordFault{Op: memory.ControlCAS, Prefix: "shards.", Ambiguous: true})
	r.Inject(memory.RecordFault{Op: memory.ControlCAS, Err: messages.ErrFull})

	if _, err := r.CAS(ctx, "shards.1", []byte("a"), 0); !errors.Is(err, messages.ErrAmbiguous) {
		t.Errorf("want ambiguous, got %v", err)
	}
	if kept, err := r.Get(ctx, "shards.1"); err != nil || string(kept.Data) != "a" {
		t.Errorf("the ambiguous write did not happen: %s %v", kept.Data, err)
	}
	if _, err := r.CAS(ctx, "keys.1", []byte("a"), 0); !errors.Is(err, messages.ErrFull) {
		t.Errorf("want full, got %v", err)
	}
	if _, err := r.CAS(ctx, "keys.1", []byte("a"), 0); err != nil {
		t.Errorf("a fault met two calls: %v", err)
	}
	if r.Calls(memory.ControlCAS) != 3 || r.Calls(memory.ControlGet) != 1 {
		t.Errorf("calls: %d, %d", r.Calls(memory.ControlCAS), r.Calls(memory.ControlGet))
	}

	down := errors.New("down")
	r.Down(down)
	if _, err := r.List(ctx, ""); !errors.Is(err, down) {
		t.Errorf("want down, got %v", err)
	}
	r.Down(nil)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := r.List(ended, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("want cancelled, got %v", err)
	}
}
