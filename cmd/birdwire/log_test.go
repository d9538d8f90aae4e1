package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// gate is a reader that takes nothing until it is opened.
type gate struct {
	open chan struct{}
	mu   sync.Mutex // protects text
	text bytes.Buffer
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.text.Write(p)
}

func TestLogOfASlowReader(t *testing.T) {
	g := &gate{open: make(chan struct{})}
	w := newLogWriter(g)
	var lost atomic.Int64 // told twice where the writer began late
	w.dropped = func(lines int) { lost.Add(int64(lines)) }
	line := []byte(strings.Repeat("x", 1023) + "\n")
	for range 4096 { // 4 MiB, while nobody reads
		if n, err := w.Write(line); n != len(line) || err != nil {
			t.Fatalf("wrote %d, %v", n, err)
		}
	}
	w.flush(time.Millisecond) // does not wait for ever
	close(g.open)
	w.flush(time.Minute)
	g.mu.Lock()
	defer g.mu.Unlock()
	kept := bytes.Count(g.text.Bytes(), []byte("\n"))
	if kept+int(lost.Load()) != 4096 || kept < backlogMost/len(line) || kept > 2*backlogMost/len(line) || !bytes.Equal(g.text.Bytes(), bytes.Repeat(line, kept)) {
		t.Errorf("%d lines were kept and %d dropped, of 4096", kept, lost.Load())
	}
}

func TestLogWithoutAReader(t *testing.T) {
	r, w := io.Pipe()
	_ = r.Close()
	l := newLogWriter(w)
	for i := range 1000 {
		if _, err := fmt.Fprintln(l, i); err != nil {
			t.Fatal(err)
		}
	}
	l.flush(time.Minute)
}

func TestRounded(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 7: "7ns", 1234: "1.23µs", 999_999: "1ms", 1234567890: "1.23s", 83 * time.Second: "1m23s",
		-1234567890: "-1.23s", 3*time.Hour + 25*time.Minute + 45*time.Second + 123: "3h25m45s", 250 * time.Millisecond: "250ms",
	} {
		if got := rounded(d).String(); got != want {
			t.Errorf("%d is shown as %s, want %s", d, got, want)
		}
	}
}
