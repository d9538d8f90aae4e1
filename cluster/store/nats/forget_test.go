package nats

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/cluster/store/storetest"
	"github.com/birdwire/birdwire/messages"
)

// fourth is the configuration of one more member, which has the others' routes.
func (c *trio) fourth(t *testing.T, node string) Config {
	cfg := c.config(t, 0)
	own := freePorts(t, 1)[0]
	cfg.Dir, cfg.Cluster.Node, cfg.Cluster.Listen, cfg.Cluster.Advertise = filepath.Join(c.dir, node), node, own, own
	return cfg
}

func nothing() error { return nil }

// copies are the nodes that have a copy of the journal.
func copies(ctx context.Context, s *Store) string {
	var names []string
	for _, of := range s.Status(ctx).Streams {
		if of.Stream == journalStream {
			for _, r := range of.Replicas {
				names = append(names, fmt.Sprintf("%s %t", r.Node, r.Online && r.Current))
			}
		}
	}
	return strings.Join(names, ", ")
}

// TestForget: a member that is gone for good is taken out, and not one that is there,
// nor where nobody has a majority; one that takes its place has copies then; and the
// member that was taken out says what is wrong with its folder.
func TestForget(t *testing.T) {
	t.Parallel()
	c := openTrio(t)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	for n := range 20 {
		if _, err := c.stores[0].Journal().Append(ctx, storetest.Frame("a", uint64(n)+1, 1, 10)); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(s *Store, node string, want error, text string) {
		t.Helper()
		if err := s.Forget(ctx, node, nothing); !errors.Is(err, want) || !strings.Contains(err.Error(), text) {
			t.Errorf("forget %s: %v, want %v with %q", node, err, want, text)
		}
	}
	refused(c.stores[0], "n2", messages.ErrConflict, "its store is there")
	refused(c.stores[0], "n0", messages.ErrConflict, "it is this node")
	refused(c.stores[0], "n7", messages.ErrNotFound, "n7")

	closeStore(t, c.stores[2])
	if err := c.stores[0].Forget(ctx, "n2", func() error { return errors.New("not now") }); err == nil || !c.stores[0].Member("n2") {
		t.Fatalf("forgotten against its word: %v", err)
	}
	var refusal error
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("the last refusal:", refusal)
		}
	})
	until(t, ctx, "the member is forgotten", func() bool {
		err := c.stores[0].Forget(ctx, "n2", nothing) // that it is gone is not known at once
		if err != nil && !errors.Is(err, messages.ErrConflict) {
			t.Fatal(err)
		}
		refusal = err
		return err == nil
	})
	if c.stores[0].Member("n2") {
		t.Error("the store counts the node still")
	}
	refused(c.stores[0], "n2", messages.ErrNotFound, "n2")
	until(t, ctx, "two copies, and that is said", func() bool {
		return !strings.Contains(copies(ctx, c.stores[0]), "n2") && strings.Contains(fmt.Sprint(c.stores[0].Status(ctx).Trouble), "fewer than 3 copies")
	})
	if _, err := c.stores[1].Journal().Append(ctx, storetest.Frame("b", 1, 1, 10)); err != nil {
		t.Fatal(err)
	}
	d, err := Open(ctx, c.fourth(t, "n3"))
	if err != nil {
		t.Fatal(err)
	}
	until(t, ctx, "a copy is made on the new member", func() bool {
		return strings.Contains(copies(ctx, c.stores[0]), "n3 true") && len(c.stores[0].Status(ctx).Trouble) == 0
	})

	if s, err := Open(ctx, c.config(t, 2)); !errors.Is(err, messages.ErrConflict) || !strings.Contains(err.Error(), "empty folder") {
		if err == nil {
			closeStore(t, s)
		}
		t.Errorf("with its old folder: %v", err)
	}
	closeStore(t, c.stores[1])
	if c.stores[1], err = Open(ctx, c.config(t, 1)); err != nil { // was not taken out
		t.Fatal(err)
	}
	closeStore(t, c.stores[1])
	closeStore(t, d)
	until(t, ctx, "no majority is known", func() bool {
		err := c.stores[0].Forget(ctx, "n3", nothing)
		return errors.Is(err, messages.ErrConflict) && strings.Contains(err.Error(), "majority")
	})
}
