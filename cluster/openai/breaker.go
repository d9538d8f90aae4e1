package openai

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// breaker keeps questions from an endpoint that fails.
//
//	closed --some failures in a row, or told to wait--> open --time--> trying --ok--> closed
//	                                                      ^             |
//	                                                      +---failed----+
//
// While trying, one question goes through and the others do not.
type breaker struct {
	now func() time.Time

	mu       sync.Mutex // protects what follows
	failures int        // in a row
	until    time.Time  // open before it
	trying   bool
	last     error
}

const (
	failuresMost = 3
	openFirst    = 5 * time.Second
	openMost     = 5 * time.Minute
	waitMost     = time.Hour // of Retry-After
)

// enter says why nothing is asked now, nil where it is. Whoever entered leaves.
func (b *breaker) enter() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until.IsZero() {
		return nil
	}
	if b.trying || b.now().Before(b.until) {
		return fmt.Errorf("left alone after %d failures, the last: %w", b.failures, b.last)
	}
	b.trying = true
	return nil
}

// leave tells how it went, and how long the endpoint asked to be left alone.
func (b *breaker) leave(err error, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trying = false
	if err == nil {
		b.failures, b.until, b.last = 0, time.Time{}, nil
		return
	}
	b.failures++
	b.last = err
	pause := wait
	if b.failures >= failuresMost {
		doubled := openFirst << min(b.failures-failuresMost, 10)
		pause = max(pause, min(doubled, openMost))
	}
	if pause > 0 {
		b.until = b.now().Add(min(pause, waitMost))
	}
}

// failure is nil while questions go through.
func (b *breaker) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until.IsZero() {
		return nil
	}
	return fmt.Errorf("left alone after %d failures, the last: %w", b.failures, b.last)
}

// budget is the tokens of a day.
type budget struct {
	now  func() time.Time
	most int64 // 0: any number

	mu    sync.Mutex // protects what follows
	used  int64
	since time.Time
}

func (b *budget) spent() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn()
	return b.most > 0 && b.used >= b.most
}

func (b *budget) spend(tokens int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn()
	b.used += max(tokens, 0)
}

func (b *budget) turn() {
	if now := b.now(); now.Sub(b.since) >= 24*time.Hour || now.Before(b.since) {
		b.since, b.used = now, 0
	}
}

// retryAfter reads the header: seconds, or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseFloat(v, 64); err == nil && n > 0 {
		return time.Duration(min(n, waitMost.Seconds()) * float64(time.Second))
	}
	if t, err := http.ParseTime(v); err == nil {
		return min(max(0, t.Sub(now)), waitMost)
	}
	return 0
}

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}
