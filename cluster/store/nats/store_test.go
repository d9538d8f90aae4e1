package nats

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/cluster/store/storetest"
)

// testWindow is the smallest that the server takes, so that a test gets past it.
const testWindow = 100 * time.Millisecond

// open opens a store on dir that does not depend on how full the disk is.
func open(t *testing.T, cfg Config) *Store {
	t.Helper()
	s, err := Open(context.Background(), quiet(t, cfg))
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

func quiet(t *testing.T, cfg Config) Config {
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	if cfg.FreeSpace == nil {
		cfg.FreeSpace = func(string) (uint64, uint64, error) { return 1 << 40, 1 << 41, nil }
	}
	return cfg
}

func closeStore(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func TestStore(t *testing.T) {
	storetest.Run(t, storetest.Subject{
		Open: func(t *testing.T) store.Store { return open(t, Config{DuplicateWindow: testWindow}) },
		Reopen: func(t *testing.T, s store.Store) store.Store {
			closeStore(t, s.(*Store))
			return open(t, Config{Dir: s.(*Store).cfg.Dir, DuplicateWindow: testWindow})
		},
		Trim: func(t *testing.T, s store.Store, first uint64) {
			if err := s.(*Store).sess.journal.Purge(context.Background(), jetstream.WithPurgeSequence(first)); err != nil {
				t.Fatal(err)
			}
		},
		Window: testWindow,
	})
}
