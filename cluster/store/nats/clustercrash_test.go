//go:build unix

package nats

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/cluster/store/storetest"
	"github.com/birdwire/birdwire/messages"
)

// openMember is one of three members, in a process of its own.
func openMember(ctx context.Context, dir, seeds string, index int, level slog.Level) (*Store, error) {
	c := trio{dir: dir, seeds: strings.Split(seeds, ",")}
	cfg := c.member(index)
	cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	cfg.FreeSpace = childConfig(dir).FreeSpace
	return Open(ctx, cfg)
}

// runMember is a process that is one member: it appends frames of its own until it
// is killed, and prints each that was acknowledged.
func runMember(about string) error {
	var dir, seeds string
	var index int
	if _, err := fmt.Sscan(about, &dir, &index, &seeds); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	s, err := openMember(ctx, dir, seeds, index, slog.LevelError)
	if err != nil {
		return err
	}
	node := s.cfg.Cluster.Node
	var tail store.Name
	for {
		if tail, err = s.Journal().Tail(ctx, node); err == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return err
	}
	for number := uint64(1); ctx.Err() == nil; number++ {
		f := storetest.Frame(node, tail.Incarnation+1, number, 4)
		for ctx.Err() == nil {
			once, done := context.WithTimeout(ctx, 10*time.Second)
			sequence, err := s.Journal().Append(once, f)
			done()
			if err == nil {
				fmt.Println(store.FrameName(f), sequence)
				break
			}
		}
	}
	return ctx.Err()
}

// killed is a cluster of processes, and what they said was acknowledged.
type killed struct {
	t     *testing.T
	c     *trio
	procs [3]*exec.Cmd
	mu    sync.Mutex
	acked map[string]uint64
	count [3]int // frames acknowledged, by node
	more  chan struct{}
	read  sync.WaitGroup
}

func (k *killed) start(which ...int) {
	for _, i := range which {
		cmd, out := child(k.t, "member", fmt.Sprintf("%s %d %s", k.c.dir, i, strings.Join(k.c.seeds, ",")))
		k.procs[i] = cmd
		k.read.Go(func() { k.take(i, out) })
	}
}

func (k *killed) take(i int, out *bufio.Scanner) {
	for out.Scan() {
		var name string
		var sequence uint64
		if _, err := fmt.Sscan(out.Text(), &name, &sequence); err != nil {
			continue // its last line was cut off
		}
		k.mu.Lock()
		k.acked[name] = sequence
		k.count[i]++
		k.mu.Unlock()
		select {
		case k.more <- struct{}{}:
		default:
		}
	}
}

// kill ends them as a power cut does, but for the disk's own memory.
func (k *killed) kill(which ...int) {
	for _, i := range which {
		if err := k.procs[i].Process.Kill(); err != nil {
			k.t.Error(err)
		}
	}
	for _, i := range which {
		_ = k.procs[i].Wait() // it was killed
	}
}

// goesOn waits until each of them has had more frames acknowledged.
func (k *killed) goesOn(frames int, which ...int) {
	k.t.Helper()
	k.mu.Lock()
	until := k.count
	k.mu.Unlock()
	patience := time.NewTimer(5 * time.Minute)
	defer patience.Stop()
	for {
		k.mu.Lock()
		done := true
		for _, i := range which {
			done = done && k.count[i] >= until[i]+frames
		}
		k.mu.Unlock()
		if done {
			return
		}
		select {
		case <-k.more:
		case <-patience.C:
			k.t.Fatalf("after five minutes %v frames were acknowledged, and %v before", k.count, until)
		}
	}
}

// TestMembersAreKilled: one of three, then the two others at once, then all at
// once, each under load and started again. Nothing that was acknowledged is lost,
// and nothing is there twice.
func TestMembersAreKilled(t *testing.T) {
	t.Parallel()
	k := &killed{t: t, c: &trio{dir: memoryDir(t), seeds: freePorts(t, 3)}, acked: map[string]uint64{}, more: make(chan struct{}, 1)}
	t.Cleanup(func() {
		for _, p := range k.procs {
			if p != nil && p.ProcessState == nil {
				_ = p.Process.Kill()
				_ = p.Wait()
			}
		}
	})
	k.start(0, 1, 2)
	k.goesOn(50, 0, 1, 2)
	k.kill(0)
	k.goesOn(50, 1, 2)
	k.start(0)
	k.goesOn(20, 0, 1, 2)
	k.kill(1, 2)
	k.start(2, 1)
	k.goesOn(20, 0, 1, 2)
	k.kill(0, 1, 2)
	k.start(1)
	k.start(2)
	k.goesOn(20, 1, 2)
	k.kill(1, 2)
	k.read.Wait()
	k.c.open(t, 0, 1, 2)
	for i, s := range k.c.stores {
		k.check(i, s)
	}
	t.Logf("%d frames acknowledged", len(k.acked))
}

// check reads the whole log on one node.
func (k *killed) check(node int, s *Store) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := s.Journal().Read(ctx, 1)
	if err != nil {
		k.t.Fatal(err)
	}
	defer c.Close()
	at := map[string]uint64{}
	for {
		e, err := c.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || e.Skipped != nil {
			k.t.Fatalf("node %d: %+v, %v", node, e, err)
		}
		name := store.FrameName(e.Frame)
		if before, twice := at[name]; twice {
			k.t.Errorf("node %d: frame %s is at %d and at %d", node, name, before, e.Sequence)
		}
		at[name] = e.Sequence
	}
	for name, sequence := range k.acked {
		if at[name] != sequence {
			k.t.Errorf("node %d: frame %s was acknowledged at %d and is at %d", node, name, sequence, at[name])
		}
	}
}

// TestNoMajority: a member that is left alone says so within seconds, fails writes
// within their deadlines, and goes on when another is back.
func TestNoMajority(t *testing.T) {
	t.Parallel()
	c := openTrio(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	alone := c.stores[0]
	if _, err := alone.Journal().Append(ctx, storetest.Frame("a", 1, 1, 1)); err != nil {
		t.Fatal(err)
	}
	closeStore(t, c.stores[1])
	closeStore(t, c.stores[2])
	short, end := context.WithTimeout(ctx, 5*time.Second)
	defer end()
	_, err := alone.Journal().Append(short, storetest.Frame("a", 1, 2, 1))
	if err == nil || !strings.Contains(err.Error(), "no majority of 3") {
		t.Fatalf("append with no majority: %v, want that it says so", err)
	}
	until(t, ctx, "the store says that there is no majority", func() bool {
		err := alone.Healthy(ctx)
		return err != nil && strings.Contains(err.Error(), "no majority of 3")
	})
	if status := alone.Status(ctx); len(status.Trouble) == 0 {
		t.Fatalf("status %+v, want that it names the trouble", status)
	}
	c.open(t, 1)
	// Written first, as a member's lease is: see DECISIONS.md on the probe.
	sequence := uint64(0)
	until(t, ctx, "the frame is written", func() bool {
		sequence, err = alone.Journal().Append(ctx, storetest.Frame("a", 1, 2, 1))
		return err == nil
	})
	until(t, ctx, "the store is healthy again", func() bool {
		lease, err := alone.Control().Get(ctx, "lease")
		if err == nil || errors.Is(err, messages.ErrNotFound) {
			_, err = alone.Control().CAS(ctx, "lease", nil, lease.Revision)
		}
		return err == nil && alone.Healthy(ctx) == nil
	})
	if sequence != 2 {
		t.Fatalf("the frame is at %d, want 2", sequence)
	}
}

// TestLeaderIsKilled: the member that leads the log and the records is killed while
// the two others write, read and watch.
func TestLeaderIsKilled(t *testing.T) {
	t.Parallel()
	c := &trio{dir: memoryDir(t), seeds: freePorts(t, 3)}
	k := &killed{t: t, c: c, acked: map[string]uint64{}, more: make(chan struct{}, 1)}
	k.start(2)
	t.Cleanup(func() {
		if k.procs[2].ProcessState == nil {
			k.kill(2)
		}
	})
	c.open(t, 0, 1)
	l := newLoad(t)
	var readers sync.WaitGroup
	l.readers(c, &readers)
	l.start(c)
	for range 2 {
		for _, stream := range []string{journalStream, controlStream} {
			until(t, l.ctx, "the third leads "+stream, func() bool {
				info, err := c.stores[0].sess.info(l.ctx, stream)
				if err == nil && info.Cluster.Leader == "n2" {
					return true
				}
				stepDown(t, l.ctx, c.stores[0], stream, "n2")
				return false
			})
		}
		l.goesOn()
		k.kill(2)
		l.goesOn()
		k.start(2)
		k.goesOn(20, 2)
	}
	k.kill(2)
	k.read.Wait()
	l.check(c, &readers)
	k.check(0, c.stores[0])
}
