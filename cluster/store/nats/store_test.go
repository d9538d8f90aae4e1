package nats

import (
	"bytes"
	"context"
	"log/slog"
	"os"
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

// memoryDir is a folder for what need not outlive the machine: in memory, where
// there is room for it. Of hundreds of cases most of the time would else go to
// waiting for a disk.
func memoryDir(t *testing.T) string {
	t.Helper()
	const memory, room = "/dev/shm", 2 << 30
	if free, _, err := freeSpace(memory); err != nil || free < room {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(memory, "birdwire-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func closeStore(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// flipRecord flips a bit in the newest record of the key.
func flipRecord(t *testing.T, dir, key string) {
	t.Helper()
	files, err := blockFiles(streamDir(dir, controlStream))
	if err != nil || len(files) == 0 {
		t.Fatalf("blocks: %v, %v", files, err)
	}
	edit(t, files[len(files)-1].path, func(b []byte) []byte {
		subject := []byte(controlSubject + key)
		for at := bytes.LastIndex(b, subject); at >= 0; at = bytes.LastIndex(b[:at], subject) {
			// After the subject come the length of the headers and these.
			if rest := b[at+len(subject):]; bytes.HasPrefix(rest[4:], []byte("NATS/")) {
				rest[60] ^= 1
				return b
			}
		}
		t.Fatalf("no record of %s in %s", key, files[len(files)-1].path)
		return nil
	})
}

// handle is the client library's own of a stream.
func handle(t *testing.T, s *Store, stream string) jetstream.Stream {
	t.Helper()
	l, err := s.sess.link(lookups)
	if err != nil {
		t.Fatal(err)
	}
	h, err := l.stream(context.Background(), stream)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestStore(t *testing.T) {
	storetest.Run(t, storetest.Subject{
		Open: func(t *testing.T) store.Store { return open(t, Config{DuplicateWindow: testWindow}) },
		Reopen: func(t *testing.T, s store.Store) store.Store {
			closeStore(t, s.(*Store))
			return open(t, Config{Dir: s.(*Store).cfg.Dir, DuplicateWindow: testWindow})
		},
		Trim: func(t *testing.T, s store.Store, first uint64) {
			if err := handle(t, s.(*Store), journalStream).Purge(context.Background(), jetstream.WithPurgeSequence(first)); err != nil {
				t.Fatal(err)
			}
			s.(*Store).past.sawFirst(first)
		},
		Damage: func(t *testing.T, s store.Store, key string) store.Store {
			dir := s.(*Store).cfg.Dir
			closeStore(t, s.(*Store))
			flipRecord(t, dir, key)
			return open(t, Config{Dir: dir, DuplicateWindow: testWindow})
		},
		Window: testWindow,
	})
}
