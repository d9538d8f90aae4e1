package main

import (
	"io"
	"log/slog"
	"sync"
	"time"
)

// backlogMost is how much of the log waits for a reader that is slow or gone,
// in bytes.
const backlogMost = 1 << 20

// logWriter writes the log so that nobody ever waits for its reader: lines are
// queued, and one goroutine writes them. Past backlogMost lines are dropped,
// counted, and the count is told once the reader is back. A reader that is gone
// (a broken pipe) loses the lines and ends nothing.
type logWriter struct {
	to      io.Writer
	dropped func(lines int) // tells of it, through the log

	mu      sync.Mutex // protects what follows
	waiting []byte     // whole lines; at most backlogMost
	lost    int        // lines since the last word on it
	writing bool       // the goroutine has lines that it has not written
	grown   *sync.Cond // something changed
}

// newLogWriter starts the goroutine, which ends with the process.
func newLogWriter(to io.Writer) *logWriter {
	w := &logWriter{to: to, dropped: func(int) {}}
	w.grown = sync.NewCond(&w.mu)
	go w.run()
	return w
}

// Write takes one line. It never waits and never fails.
func (w *logWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting)+len(line) > backlogMost {
		w.lost++
		return len(line), nil
	}
	w.waiting = append(w.waiting, line...)
	w.grown.Broadcast()
	return len(line), nil
}

func (w *logWriter) run() {
	var lines []byte
	for {
		w.mu.Lock()
		w.writing = false
		w.grown.Broadcast()
		for len(w.waiting) == 0 {
			w.grown.Wait()
		}
		lines, w.waiting = w.waiting, lines[:0]
		lost := w.lost
		w.writing, w.lost = true, 0
		w.mu.Unlock()
		_, _ = w.to.Write(lines) // there is nobody to tell
		if lost > 0 {
			w.dropped(lost)
		}
	}
}

// flush waits until everything is written, but no longer than that.
func (w *logWriter) flush(most time.Duration) {
	late := false
	timer := time.AfterFunc(most, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		late = true
		w.grown.Broadcast()
	})
	defer timer.Stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	for (len(w.waiting) > 0 || w.writing) && !late {
		w.grown.Wait()
	}
}

// serverLog is the log of "serve". Its level can be changed while it is used.
type serverLog struct {
	*slog.Logger
	level  slog.LevelVar
	writer *logWriter
	folded *folded
}

func (c *cli) serverLog(cfg *config) *serverLog {
	l := &serverLog{writer: newLogWriter(c.stderr)}
	l.level.Set(cfg.level("log.level"))
	options := &slog.HandlerOptions{Level: &l.level, ReplaceAttr: readable}
	var lines slog.Handler = slog.NewTextHandler(l.writer, options)
	if cfg.str("log.format") == "json" {
		lines = slog.NewJSONHandler(l.writer, options)
	}
	folding := newFold(lines, time.Now)
	l.Logger, l.folded = slog.New(folding), folding.kept
	l.writer.dropped = func(lines int) {
		l.Warn("lines of the log were dropped: it is not read fast enough", "lines", lines)
	}
	return l
}

// end writes what is still to be written, but no longer than that.
func (l *serverLog) end(most time.Duration) {
	l.folded.flush()
	l.writer.flush(most)
}

// readable shows a duration as a person would write it, in either format:
// "1.23s" and not 1234567890, nor 1.23456789s.
func readable(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(rounded(a.Value.Duration()).String())
	}
	return a
}

// rounded keeps three digits, and all seconds.
func rounded(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for unit <= d.Abs()/1000 && unit < time.Second {
		unit *= 10
	}
	return d.Round(unit)
}
