package node

import (
	"context"
	"testing"

	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/cluster/store/storetest"
)

// Every start has a higher number than all before it, whatever became of the
// record that counts them.
func TestIncarnationsGrow(t *testing.T) {
	ctx := context.Background()
	s := memory.New(memory.Config{})
	last := uint64(0)
	begin := func(what string) {
		t.Helper()
		got, err := beginIncarnation(ctx, s, "n1")
		if err != nil || got <= last {
			t.Fatalf("%s: %d after %d, %v", what, got, last, err)
		}
		last = got
	}
	for range 3 {
		begin("a start")
	}
	s.Disk().DamageRecord("nodes.n1")
	begin("the record is damaged, and the log is empty")
	if _, err := s.Journal().Append(ctx, storetest.Frame("n1", last, 5, 1)); err != nil {
		t.Fatal(err)
	}
	begin("a start after that")
	s.Disk().DamageRecord("nodes.n1")
	begin("the record is damaged, and the log has frames")
	if _, err := s.Journal().Append(ctx, storetest.Frame("n1", last, 1, 1)); err != nil {
		t.Errorf("the first frame of it: %v", err)
	}
	s.Disk().DamageRecord("nodes.n1")
	s.Disk().Accept() // the record is gone, as if there had been none
	begin("its loss was accepted")
	if _, err := s.Journal().Append(ctx, storetest.Frame("n1", last, 1, 1)); err != nil {
		t.Errorf("the first frame of it: %v", err)
	}
}
