package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestATroubleThatGoesOnDoesNotFillTheLog(t *testing.T) {
	var text bytes.Buffer
	now := time.Unix(0, 0)
	folding := newFold(slog.NewTextHandler(&text, nil), func() time.Time { return now })
	log := slog.New(folding)
	shard, store := log.With("actor", "shard"), log.With("part", "store")
	lines := func(part string) int { return strings.Count(text.String(), part) }

	for i := range 500 {
		shard.With("shard", i).Warn("the record is not written", "error", "no leader")
		store.Error(fmt.Sprintf("nats: 10.0.0.1:%d - rid:%d - authentication error", 1000+i, i))
		log.Info("key created")
	}
	if a, b, c := lines("actor=shard"), lines("authentication error"), lines("key created"); a != foldBurst || b != foldBurst || c != 500 {
		t.Fatalf("%d, %d and %d lines, want %d, %d and 500", a, b, c, foldBurst, foldBurst)
	}
	log.With("actor", "router").Warn("the record is not written") // somebody else's
	if lines("actor=router") != 1 {
		t.Error("another actor's line was left out")
	}
	now = now.Add(foldEvery)
	log.Info("anything")
	if a, b := lines("left_out=490"), lines("shard=499 error=\"no leader\" left_out=490"); a != 2 || b != 1 {
		t.Fatalf("%d lines say what was left out, %d of them as it was said last:\n%s", a, b, text.String()[max(0, text.Len()-500):])
	}
	shard.Warn("the record is not written")
	if lines("actor=shard") != foldBurst+2 {
		t.Error("what begins again is not told")
	}

	text.Reset()
	for range foldBurst + 3 {
		store.Warn("at the end")
	}
	folding.kept.flush()
	if lines("left_out=3") != 1 {
		t.Errorf("what was left out before the end is not told:\n%s", text.String())
	}

	for i := range 2 * foldKinds { // bounded
		log.With("actor", strings.Repeat("x", i)).Warn("of a kind of its own")
	}
	if n := len(folding.kept.kinds); n != foldKinds || lines("of a kind of its own") != 2*foldKinds {
		t.Errorf("%d kinds are kept, and %d lines written", n, lines("of a kind of its own"))
	}
}
