//go:build unix

package nats

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/cluster/store/storetest"
	"github.com/birdwire/birdwire/messages"
)

// The test binary is its own child: what it is to do is in this variable.
const childRole = "BIRDWIRE_STORE_TEST_CHILD"

func TestMain(m *testing.M) {
	role, dir, _ := strings.Cut(os.Getenv(childRole), " ")
	var err error
	switch role {
	case "":
		os.Exit(m.Run())
	case "write":
		err = writeUntilKilled(dir)
	case "full":
		err = runFull(dir)
	case "looking":
		err = runLooking(dir)
	case "member":
		err = runMember(dir)
	case "restorer":
		err = runRestorer(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
}

// child starts the test binary in a role, on dir.
func child(t *testing.T, role, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childRole+"="+role+" "+dir)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

func childConfig(dir string) Config {
	return Config{
		Dir: dir, Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		FreeSpace: func(string) (uint64, uint64, error) { return 1 << 40, 1 << 41, nil },
	}
}

// writeUntilKilled appends frames, counts a record up and writes articles, and
// prints what was acknowledged after it was. Each start is an incarnation.
func writeUntilKilled(dir string) error {
	ctx := context.Background()
	s, err := Open(ctx, childConfig(dir))
	if err != nil {
		return err
	}
	v, err := s.Control().Get(ctx, "incarnation")
	if err != nil && !errors.Is(err, messages.ErrNotFound) {
		return err
	}
	incarnation, _ := strconv.Atoi(string(v.Data)) // none is 0
	incarnation++
	if _, err := s.Control().CAS(ctx, "incarnation", fmt.Append(nil, incarnation), v.Revision); err != nil {
		return err
	}
	var out sync.Mutex
	say := func(what string, n int) {
		out.Lock()
		defer out.Unlock()
		fmt.Println(what, incarnation, n)
	}
	failed := make(chan error, 3)
	run := func(what string, write func(n int) error) {
		for n := 1; ; n++ {
			if err := write(n); err != nil {
				failed <- fmt.Errorf("%s %d: %w", what, n, err)
				return
			}
			say(what, n)
		}
	}
	go run("frame", func(n int) error {
		_, err := s.Journal().Append(ctx, storetest.Frame("a", uint64(incarnation), uint64(n), 1+n%100))
		return err
	})
	var revision uint64
	go run("record", func(n int) (err error) {
		revision, err = s.Control().CAS(ctx, fmt.Sprintf("count.%d", incarnation), fmt.Append(nil, n), revision)
		return err
	})
	go run("items", func(n int) error {
		var all []*messages.Item
		for i := range 40 {
			all = append(all, &messages.Item{Identity: fmt.Sprintf("%d/%d/%d", incarnation, n, i), Revision: uint32(n)})
		}
		each, err := s.Items().CAS(ctx, all, make([]uint64, len(all)))
		return errors.Join(append(each, err)...)
	})
	return <-failed
}

// What was acknowledged before a SIGKILL is there after it: frames once and in
// order, records and articles at least as new.
func TestKilledWhileWriting(t *testing.T) {
	dir := t.TempDir()
	const rounds = 4
	// By what was written: how much of it each incarnation has acknowledged.
	acknowledged := map[string][]int{}
	for _, what := range []string{"frame", "record", "items"} {
		acknowledged[what] = make([]int, rounds+1)
	}
	for round := 1; round <= rounds; round++ {
		cmd, lines := child(t, "write", dir)
		// Somewhere in the middle of something, elsewhere each time.
		for left := 30 + rand.IntN(300); left > 0 && lines.Scan(); left-- {
			take(t, acknowledged, lines.Text())
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it had said before it died counts
			take(t, acknowledged, lines.Text())
		}
		if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("round %d: the child ended by itself: %v", round, err)
		}
	}
	s := open(t, Config{Dir: dir})
	checkFrames(t, s, acknowledged["frame"])
	for i := 1; i <= rounds; i++ {
		v, err := s.Control().Get(context.Background(), fmt.Sprintf("count.%d", i))
		if n, _ := strconv.Atoi(string(v.Data)); n < acknowledged["record"][i] || n > acknowledged["record"][i]+1 {
			t.Errorf("round %d: record is %d, %v; %d was acknowledged", i, n, err, acknowledged["record"][i])
		}
		for n := 1; n <= acknowledged["items"][i]; n++ {
			var identities []string
			for k := range 40 {
				identities = append(identities, fmt.Sprintf("%d/%d/%d", i, n, k))
			}
			states, err := s.Items().Get(context.Background(), identities)
			if err != nil {
				t.Fatal(err)
			}
			for k, state := range states {
				if state.Item == nil {
					t.Errorf("item %s was acknowledged and is gone", identities[k])
				}
			}
		}
	}
	t.Logf("acknowledged: %v", acknowledged)
}

func take(t *testing.T, acknowledged map[string][]int, line string) {
	t.Helper()
	var what string
	var incarnation, n int
	if _, err := fmt.Sscan(line, &what, &incarnation, &n); err != nil {
		t.Fatalf("the child said %q: %v", line, err)
	}
	if have := acknowledged[what][incarnation]; n != have+1 {
		t.Fatalf("the child said %q after %d", line, have)
	}
	acknowledged[what][incarnation] = n
}

// checkFrames reads the log through: names grow by one within an incarnation,
// sequences by one throughout, and every acknowledged frame is met.
func checkFrames(t *testing.T, s *Store, acknowledged []int) {
	t.Helper()
	ctx := context.Background()
	c, err := s.Journal().Read(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	read := make([]int, len(acknowledged))
	last, sequence := 0, uint64(0)
	for {
		e, err := c.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		sequence++
		i := int(e.Frame.GetIncarnation())
		if e.Sequence != sequence || i < last || int(e.Frame.GetNumber()) != read[i]+1 {
			t.Fatalf("frame %s at %d, after number %d of it: want sequence %d", store.FrameName(e.Frame), e.Sequence, read[i], sequence)
		}
		last, read[i] = i, read[i]+1
	}
	for i, n := range acknowledged {
		if read[i] < n || read[i] > n+1 {
			t.Errorf("incarnation %d: %d frames, %d were acknowledged and one more was on its way", i, read[i], n)
		}
	}
}
