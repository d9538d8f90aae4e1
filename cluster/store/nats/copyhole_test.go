package nats

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/cluster/store/storetest"
)

// takeOut takes a frame out of the middle of a member's files, of a store that is
// closed: what is left reads as if it had never been there.
func takeOut(t *testing.T, dir string, sequence uint64) {
	t.Helper()
	files, err := blockFiles(streamDir(dir, journalStream))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := newBlock(journalStream, f.number)
		if err != nil {
			t.Fatal(err)
		}
		edit(t, f.path, func(content []byte) []byte {
			for at := 0; at < len(content); {
				r, size, whole := b.record(content[at:])
				if !whole {
					t.Fatalf("%s is damaged at %d", f.path, at)
				}
				if r.sequence == sequence {
					return slices.Delete(content, at, at+size)
				}
				at += size
			}
			return content
		})
	}
	if err := removeIndex(streamDir(dir, journalStream)); err != nil {
		t.Fatal(err)
	}
}

// frames are what a reader at the store is given, "-4" for a frame that it is told is
// gone.
func framesOf(t *testing.T, ctx context.Context, s *Store) (all []string) {
	t.Helper()
	cursor, err := s.Journal().Read(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer cursor.Close()
	for {
		e, err := cursor.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		case e.Skipped != nil:
			all = append(all, fmt.Sprintf("-%d..%d", e.Skipped.From, e.Skipped.To))
		default:
			all = append(all, strings.TrimPrefix(store.FrameName(e.Frame), "a/1/"))
		}
	}
}

// TestAHoleInOneCopy: where one member's copy of the log lacks a frame in the middle,
// its readers are given that frame all the same, by the leader's word; the audit names
// the copy; and where the member leads, readers are given it by another copy or told of
// the gap, and not led over it.
func TestAHoleInOneCopy(t *testing.T) {
	t.Parallel()
	c := openTrio(t)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var want []string
	for n := range uint64(40) {
		if _, err := c.stores[0].Journal().Append(ctx, storetest.Frame("a", 1, n+1, 3)); err != nil {
			t.Fatal(err)
		}
		want = append(want, fmt.Sprint(n+1))
	}
	stepDown(t, ctx, c.stores[0], journalStream, "n0")
	closeStore(t, c.stores[2])
	takeOut(t, c.config(t, 2).Dir, 17)
	c.open(t, 2)
	until(t, ctx, "its copy is there", func() bool { return strings.Contains(copies(ctx, c.stores[0]), "n2 true") })
	for i, s := range c.stores {
		if got := framesOf(t, ctx, s); !slices.Equal(got, want) {
			t.Errorf("a reader at node %d is given %v, want all 40", i, got)
		}
	}
	findings, err := c.stores[1].Audit(ctx, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	if len(findings) != 1 || findings[0].Node != "n2" || findings[0].Stream != journalStream || !strings.Contains(findings[0].What, "lacks frame 17") {
		t.Errorf("the audit finds %+v, want that the copy of n2 lacks frame 17", findings)
	}
	stepDown(t, ctx, c.stores[0], journalStream, "n2")
	gap := slices.Clone(want)
	gap[16] = "-17..17"
	for i, s := range c.stores { // whichever copy is read
		if got := framesOf(t, ctx, s); !slices.Equal(got, want) && !slices.Equal(got, gap) {
			t.Errorf("where n2 leads a reader at node %d is given %v, want all 40, or a word of the gap", i, got)
		}
	}
}

// TestAnAuditWhileEventsCome names no copy that is well.
func TestAnAuditWhileEventsCome(t *testing.T) {
	t.Parallel()
	c := openTrio(t)
	l := newLoad(t)
	l.start(c)
	l.goesOn()
	for i, s := range c.stores {
		findings, err := s.Audit(l.ctx, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		if len(findings) > 0 {
			t.Errorf("an audit by node %d while events come finds %+v", i, findings)
		}
		l.goesOn()
	}
	l.stop.Store(true)
	l.work.Wait()
}
