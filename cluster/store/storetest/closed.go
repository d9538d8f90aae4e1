package storetest

import (
	"errors"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

var storeTests = map[string]func(*testing.T, Subject){
	"healthy until it is closed": storeClosed,
}

func storeClosed(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	if err := s.Healthy(ctx); err != nil {
		t.Fatalf("healthy: %v", err)
	}
	mustAppend(t, ctx, s, Frame("a", 1, 1, 1))
	c := mustRead(t, ctx, s, 1)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
	_, appendErr := s.Journal().Append(ctx, Frame("a", 1, 2, 1))
	_, readErr := s.Journal().Read(ctx, 1)
	_, nextErr := c.Next(ctx)
	_, getErr := s.Control().Get(ctx, "a")
	_, casErr := s.Control().CAS(ctx, "a", nil, 0)
	_, listErr := s.Control().List(ctx, "")
	_, watchErr := s.Control().Watch(ctx, "")
	_, reserveErr := s.Counters().Reserve(ctx, store.Reservation{KeyID: "k", Month: "2026-11", N: 1, Op: "o"})
	_, itemsErr := s.Items().Get(ctx, []string{"a"})
	_, itemsCASErr := s.Items().CAS(ctx, []*messages.Item{item("a", 1)}, []uint64{0})
	_, _, latestErr := s.Snapshots().Latest(ctx, "id")
	for what, err := range map[string]error{
		"append": appendErr, "read": readErr, "next": nextErr, "get": getErr, "write": casErr, "list": listErr,
		"watch": watchErr, "reserve": reserveErr, "get items": itemsErr, "write items": itemsCASErr, "latest": latestErr,
		"put": s.Snapshots().Put(ctx, "id", 1, strings.NewReader("x")), "healthy": s.Healthy(ctx),
	} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s on a closed store: %v, want %v", what, err, store.ErrClosed)
		}
	}
}
