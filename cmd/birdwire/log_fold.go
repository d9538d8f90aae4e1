package main

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// fold keeps a trouble that goes on from filling the log: five hundred shards that
// wait for a store without a majority say the same every few seconds, each. Of
// warnings and errors that differ in figures alone, foldBurst are written in
// foldEvery; then one line says how many were left out. What is written for the
// record, at the level of information, is never left out.
type fold struct {
	slog.Handler
	said string // what With and WithGroup have added that tells kinds apart
	kept *folded
}

const (
	foldBurst = 10
	foldEvery = 30 * time.Second
	foldKinds = 256 // that are told apart; of what is past it nothing is left out
)

// folded is shared by all that was derived from one handler.
type folded struct {
	now func() time.Time

	mu    sync.Mutex // protects what follows
	kinds map[string]*foldKind
	swept time.Time
}

type foldKind struct {
	since   time.Time
	lines   int
	handler slog.Handler
	last    slog.Record // of those that were left out
	left    int
}

func newFold(h slog.Handler, now func() time.Time) *fold {
	return &fold{Handler: h, kept: &folded{now: now, kinds: map[string]*foldKind{}}}
}

func (f *fold) Handle(ctx context.Context, r slog.Record) error {
	write := r.Level < slog.LevelWarn || f.kept.admits(f, r)
	for _, k := range f.kept.over(foldEvery) {
		k.tell(ctx)
	}
	if !write {
		return nil
	}
	return f.Handler.Handle(ctx, r)
}

func (f *fold) WithAttrs(attrs []slog.Attr) slog.Handler {
	said := f.said
	for _, a := range attrs {
		if a.Key == "actor" || a.Key == "part" {
			said += a.Key + "=" + a.Value.String() + " "
		}
	}
	return &fold{Handler: f.Handler.WithAttrs(attrs), said: said, kept: f.kept}
}

func (f *fold) WithGroup(name string) slog.Handler {
	return &fold{Handler: f.Handler.WithGroup(name), said: f.said + name + " ", kept: f.kept}
}

// admits says whether the line is to be written, and counts it.
func (k *folded) admits(f *fold, r slog.Record) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := f.said + withoutFigures(r.Message)
	of := k.kinds[name]
	if of == nil {
		if len(k.kinds) == foldKinds {
			return true
		}
		of = &foldKind{since: k.now()}
		k.kinds[name] = of
	}
	if of.lines++; of.lines <= foldBurst {
		return true
	}
	of.handler, of.last = f.Handler, r.Clone()
	of.left++
	return false
}

// over takes away the kinds that are as old, and returns those of which something
// was left out.
func (k *folded) over(age time.Duration) (left []*foldKind) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if age > 0 && now.Sub(k.swept) < time.Second {
		return nil
	}
	k.swept = now
	for name, of := range k.kinds {
		if now.Sub(of.since) < age {
			continue
		}
		delete(k.kinds, name)
		if of.left > 0 {
			left = append(left, of)
		}
	}
	return left
}

// tell writes the last line that was left out, and how many there were.
func (k *foldKind) tell(ctx context.Context) {
	k.last.AddAttrs(slog.Int("left_out", k.left))
	_ = k.handler.Handle(ctx, k.last) // a log that cannot be written has nobody to tell
}

// flush tells what was left out, at the end.
func (k *folded) flush() {
	for _, of := range k.over(0) {
		of.tell(context.Background())
	}
}

// withoutFigures is what two lines of one kind have in common: an embedded server
// writes addresses and numbers of connections into its messages.
func withoutFigures(message string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, message)
}
