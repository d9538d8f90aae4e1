//go:build unix

package nats

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/birdwire/birdwire/cluster/store/storetest"
	"github.com/birdwire/birdwire/messages"
)

// runFull is a process whose files may not grow: every write fails as on a full
// disk. Then they may again.
func runFull(dir string) error {
	signal.Ignore(syscall.SIGXFSZ)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := Open(ctx, childConfig(dir))
	if err != nil {
		return err
	}
	f := storetest.Frame("a", 1, 1, 1)
	f.Events[0].GetPost().Text = strings.Repeat("x", 100_000)
	if _, err := s.Journal().Append(ctx, f); err != nil {
		return err
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	none := limit
	none.Cur = 150_000
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &none); err != nil {
		return err
	}
	f = storetest.Frame("a", 1, 2, 1)
	f.Events[0].GetPost().Text = strings.Repeat("x", 100_000)
	if _, err = s.Journal().Append(ctx, f); !errors.Is(err, messages.ErrAmbiguous) {
		return fmt.Errorf("append with no space: %w, want ambiguous", err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	for {
		sequence, err := s.Journal().Append(ctx, f)
		if err == nil {
			fmt.Println("recovered at", sequence)
			break
		}
		if ctx.Err() != nil {
			return fmt.Errorf("it did not recover: %w", err)
		}
	}
	for i := range uint64(3) {
		if _, err := s.Journal().Append(ctx, storetest.Frame("a", 1, i+3, 1)); err != nil {
			return err
		}
	}
	return s.Close()
}

func TestFailedWriteRecovers(t *testing.T) {
	dir := t.TempDir()
	cmd, lines := child(t, "full", dir)
	var said bytes.Buffer
	for lines.Scan() {
		said.WriteString(lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("child: %v", err)
	}
	if !strings.HasPrefix(said.String(), "recovered at") {
		t.Fatalf("child said %q", said.String())
	}
	s := open(t, Config{Dir: dir})
	var numbers []uint64
	c, err := s.Journal().Read(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for {
		e, err := c.Next(context.Background())
		if err != nil {
			break
		}
		if e.Frame != nil {
			numbers = append(numbers, e.Frame.GetNumber())
		}
	}
	if fmt.Sprint(numbers) != "[1 2 3 4 5]" {
		t.Fatalf("frames %v, want each of five once", numbers)
	}
}
