package nats

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/birdwire/birdwire/cluster/store/storetest"
)

// TestOneDiskIsFull: the disk of one member fills to its last byte. The others go
// on; it says so, and when there is space again it catches up by itself.
func TestOneDiskIsFull(t *testing.T) {
	t.Parallel()
	c := &trio{dir: memoryDir(t), seeds: freePorts(t, 3)}
	small := filepath.Join(c.dir, "0")
	if err := os.Mkdir(small, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=48m"); err != nil {
		t.Skipf("a small disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(small, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	c.open(t, 0, 1, 2)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	number := uint64(0)
	appendOn := func(s *Store, frames int) {
		t.Helper()
		for range frames {
			number++
			f := storetest.Frame("a", 1, number, 100)
			until(t, ctx, "a frame is written", func() bool {
				once, done := context.WithTimeout(ctx, 10*time.Second)
				defer done()
				_, err := s.Journal().Append(once, f)
				return err == nil
			})
		}
	}
	appendOn(c.stores[1], 20)
	filler := filepath.Join(small, "filler")
	fill(t, filler)
	appendOn(c.stores[1], 200)
	until(t, ctx, "the member with the full disk says that it cannot write", func() bool {
		appendOn(c.stores[2], 1)
		return c.stores[0].Healthy(ctx) != nil
	})
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, "it is healthy again", func() bool { return c.stores[0].Healthy(ctx) == nil })
	appendOn(c.stores[0], 5)
	until(t, ctx, "its copies are whole", func() bool {
		for _, of := range c.stores[0].Status(ctx).Streams {
			for _, r := range of.Replicas {
				if !r.Current {
					return false
				}
			}
		}
		return true
	})
	if findings, err := c.stores[1].Audit(ctx, func(string) {}); err != nil || len(findings) > 0 {
		t.Fatalf("audit: %v, %v; want that all copies agree", findings, err)
	}
	cursor, err := c.stores[0].Journal().Read(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer cursor.Close()
	for n := range number {
		e, err := cursor.Next(ctx)
		if err != nil || e.Skipped != nil || e.Frame.GetNumber() != n+1 {
			t.Fatalf("on the member whose disk was full, at %d: %+v, %v", n+1, e, err)
		}
	}
}

// fill leaves no byte free.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		_, err := f.Write(bytes.Repeat([]byte{1}, size))
		switch {
		case errors.Is(err, syscall.ENOSPC):
			size /= 2
		case err != nil:
			t.Fatal(err)
		}
	}
}
