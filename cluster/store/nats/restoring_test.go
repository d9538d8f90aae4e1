//go:build unix

package nats

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/birdwire/birdwire/cluster/store/storetest"
)

// runRestorer is a member that restores a backup and comes half way.
func runRestorer(about string) error {
	var dir, seeds, path string
	if _, err := fmt.Sscan(about, &dir, &seeds, &path); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	s, err := openMember(ctx, dir, seeds, 2, slog.LevelError)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for last := uint64(0); last == 0; { // the test has something written once the others are there
		if _, last, err = s.Journal().Bounds(ctx); err != nil {
			return err
		}
		pause(ctx, joinLook, nil)
	}
	_, err = s.Restore(ctx, bytes.NewReader(content), true, func(done int64) {
		if done >= int64(len(content))/2 {
			fmt.Println("half")
			<-ctx.Done()
		}
	})
	return err
}

// TestAHalfRestore: where the node that restores is killed half way, nodes that are
// started wait and say what to do, until the restore was made again by one that ran.
func TestAHalfRestore(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	path, epoch, revisions := backedUp(t, ctx)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c := &trio{dir: memoryDir(t), seeds: freePorts(t, 3)}
	killed, said := child(t, "restorer", fmt.Sprintf("%s %s %s", c.dir, strings.Join(c.seeds, ","), path))
	c.open(t, 0, 1)
	if _, err := c.stores[0].Journal().Append(ctx, storetest.Frame("b", 1, 1, 1)); err != nil {
		t.Fatal(err)
	}
	if !said.Scan() || said.Text() != "half" {
		t.Fatalf("the restore did not come half way: %q, %v", said.Text(), said.Err())
	}
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait() // it was killed

	closeStore(t, c.stores[0])
	var mu sync.Mutex
	waits := map[int]string{}
	var opened sync.WaitGroup
	for _, i := range []int{0, 2} {
		cfg := c.config(t, i)
		cfg.Waits = func(what string) { mu.Lock(); defer mu.Unlock(); waits[i] = what }
		opened.Go(func() {
			s, err := Open(ctx, cfg)
			if err != nil {
				t.Errorf("open %d: %v", i, err)
				return
			}
			c.stores[i] = s
			t.Cleanup(func() { closeStore(t, s) })
		})
	}
	until(t, ctx, "both say why they wait, and what to do", func() bool {
		mu.Lock()
		defer mu.Unlock()
		for _, i := range []int{0, 2} {
			if !strings.Contains(waits[i], "by n2 since") || !strings.Contains(waits[i], "run `birdwire cluster restore FILE` again") || !strings.Contains(waits[i], c.config(t, i).Dir) {
				return false
			}
		}
		return true
	})
	until(t, ctx, "it is restored", func() bool { // who leads what the cluster knows may have been killed
		_, err := c.stores[1].Restore(ctx, bytes.NewReader(content), false, func(int64) {})
		if err != nil {
			t.Logf("restore again: %v", err)
		}
		return err == nil
	})
	opened.Wait()
	if t.Failed() {
		return
	}
	closeStore(t, c.stores[1])
	c.open(t, 1)
	for i, s := range c.stores {
		holds(t, ctx, s, i, epoch, revisions)
	}
}
