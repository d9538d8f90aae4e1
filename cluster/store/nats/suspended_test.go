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
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/birdwire/birdwire/cluster/store/storetest"
	"github.com/birdwire/birdwire/messages"
)

// lookKey is a record that counts up under the eyes of everybody.
const lookKey = "count.looks"

// tailRead is how many frames a look reads: what was appended in a second.
const tailRead = 64

// looks asks a store again and again for the log's end, a record and a list, and hands
// over what was asked, when, and what it was told.
func looks(ctx context.Context, s *Store, told func(what string, asked time.Time, value uint64)) {
	first := uint64(1)
	for ctx.Err() == nil {
		asked := time.Now()
		if _, last, err := s.Journal().Bounds(ctx); err == nil {
			told("the log's end", asked, last)
		}
		asked = time.Now()
		if c, err := s.Journal().Read(ctx, first); err == nil {
			last := uint64(0)
			for {
				e, err := c.Next(ctx)
				if err == nil {
					last = e.Sequence
					continue
				}
				if errors.Is(err, io.EOF) {
					told("a reading's end", asked, last)
					// The whole log each time would be slower with each look.
					first = max(first, last-min(last, tailRead))
				}
				break
			}
			_ = c.Close()
		}
		asked = time.Now()
		if v, err := s.Control().Get(ctx, lookKey); err == nil {
			told("a record", asked, counted(v))
		}
		asked = time.Now()
		if all, err := s.Control().List(ctx, "count."); err == nil && len(all) == 1 {
			told("a list", asked, counted(all[0]))
		}
		pause(ctx, 5*time.Millisecond, nil)
	}
}

func counted(v messages.KeptRecord) (n uint64) {
	_, _ = fmt.Sscan(string(v.Data), &n)
	return n
}

// runLooking is a process that is one member and prints what it reads.
func runLooking(about string) error {
	var dir, seeds string
	var index int
	if _, err := fmt.Sscan(about, &dir, &index, &seeds); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	s, err := openMember(ctx, dir, seeds, index, slog.LevelWarn)
	if err != nil {
		return err
	}
	looks(ctx, s, func(what string, asked time.Time, value uint64) {
		fmt.Println(asked.UnixNano(), value, what)
	})
	return ctx.Err()
}

// floor is what was acknowledged, and when.
type floor struct {
	mu    sync.Mutex
	at    []time.Time
	value []uint64
}

func (f *floor) rise(value uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at, f.value = append(f.at, time.Now()), append(f.value, value)
}

// before is the highest that was acknowledged before then.
func (f *floor) before(then time.Time) (value uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(f.at) - 1; i >= 0; i-- {
		if f.at[i].Before(then) {
			return f.value[i]
		}
	}
	return 0
}

// TestTheLeaderIsSuspended: the member that leads the log and the records is stopped for
// longer than the others wait for it. Neither it nor they are told, by whoever answers,
// anything that is older than what was acknowledged before they asked.
func TestTheLeaderIsSuspended(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	t.Parallel()
	c := &trio{dir: memoryDir(t), seeds: freePorts(t, 3)}
	third, out := child(t, "looking", fmt.Sprintf("%s 2 %s", c.dir, strings.Join(c.seeds, ",")))
	var reading sync.WaitGroup
	t.Cleanup(func() {
		_ = third.Process.Kill()
		_ = third.Wait() // it was killed
		reading.Wait()
	})
	c.open(t, 0, 1)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var log, record floor
	var mu sync.Mutex
	counts := map[string]int{}
	check := func(who string) func(string, time.Time, uint64) {
		return func(what string, asked time.Time, value uint64) {
			least := &log
			if what == "a record" || what == "a list" {
				least = &record
			}
			if want := least.before(asked); value < want {
				t.Errorf("%s is told of %s %d, after %d was acknowledged", who, what, value, want)
			}
			mu.Lock()
			counts[who]++
			mu.Unlock()
		}
	}
	reading.Go(func() { lines(out, check("the third")) })
	looking, stop := context.WithCancel(ctx)
	defer stop()
	for i := range 2 {
		reading.Go(func() { looks(looking, c.stores[i], check(fmt.Sprint("member ", i))) })
	}
	reading.Go(func() { grow(looking, c.stores[0], &log, &record) })
	for _, long := range []time.Duration{10 * time.Second, 5 * time.Second, 7 * time.Second} {
		for _, stream := range []string{journalStream, controlStream} {
			until(t, ctx, "the third leads "+stream, func() bool {
				info, err := c.stores[0].sess.info(ctx, stream)
				if err == nil && info.Cluster.Leader == "n2" {
					return true
				}
				stepDown(t, ctx, c.stores[0], stream, "n2")
				return false
			})
		}
		tell(t, third.Process, syscall.SIGSTOP)
		pause(ctx, long, nil)
		tell(t, third.Process, syscall.SIGCONT)
		mu.Lock()
		clear(counts)
		mu.Unlock()
		until(t, ctx, "all three read again", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return counts["the third"] > 200 && counts["member 0"] > 200 && counts["member 1"] > 200
		})
	}
	stop()
}

func tell(t *testing.T, p *os.Process, s syscall.Signal) {
	t.Helper()
	if err := p.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// lines reads what the process prints.
func lines(out *bufio.Scanner, told func(what string, asked time.Time, value uint64)) {
	for out.Scan() {
		var asked int64
		var value uint64
		first, what, _ := strings.Cut(out.Text(), " ")
		second, what, _ := strings.Cut(what, " ")
		if n, err := fmt.Sscan(first+" "+second, &asked, &value); n == 2 && err == nil {
			told(what, time.Unix(0, asked), value)
		}
	}
}

// grow appends frames and counts the record up.
func grow(ctx context.Context, s *Store, log, record *floor) {
	for number := uint64(1); ctx.Err() == nil; number++ {
		f := storetest.Frame("n0", 1, number, 1)
		for ctx.Err() == nil {
			if last, err := s.Journal().Append(ctx, f); err == nil {
				log.rise(last)
				break
			}
		}
		v, err := s.Control().Get(ctx, lookKey)
		if err == nil || isNotFound(err) {
			n := counted(v) + 1
			if _, err := s.Control().CAS(ctx, lookKey, fmt.Append(nil, n), v.Revision); err == nil {
				record.rise(n)
			}
		}
		pause(ctx, 20*time.Millisecond, nil)
	}
}
