package rest

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
)

// ErrBusy: as much as may be asked of the log at once is under way.
var ErrBusy = errors.New("too many queries are tried on the log at once")

// The lines of a backtest's answer, NDJSON: progress from time to time, then
// one result, or an error where it fails half way.
type (
	backtestProgress struct {
		Type    string  `json:"type"` // progress
		Done    float64 `json:"done"` // 0 to 1
		Posts   int64   `json:"posts"`
		Matched int64   `json:"matched"`
	}
	backtestResult struct {
		Type                 string   `json:"type"` // result
		Query                string   `json:"query"`
		Since                string   `json:"since"` // from where posts were looked at
		Until                string   `json:"until"`
		Whole                bool     `json:"whole"` // since is the moment asked for: nothing after it is held no longer
		Posts                int64    `json:"posts"`
		Matched              int64    `json:"matched"`
		PerHour              float64  `json:"per_hour"`
		PerDay               float64  `json:"per_day"`
		CreditsPerDelivery   int64    `json:"credits_per_delivery"` // to one connection
		CreditsPerRulePerDay float64  `json:"credits_per_rule_per_day"`
		PricingTier          string   `json:"pricing_tier"`
		Credits              float64  `json:"credits"` // with one connection open
		Warnings             []string `json:"warnings,omitempty"`
		Samples              []Sample `json:"samples,omitempty"`
	}
	backtestFailure struct {
		Type string `json:"type"` // error
		gateway.Problem
	}
)

const (
	backtestSince    = "24h"
	backtestLongest  = 10 * 366 * 24 * time.Hour
	backtestEach     = 200 * time.Millisecond // between two lines of progress
	backtestPatience = 30 * time.Second       // for a client to take a line
	defaultInterval  = 1                      // seconds, of a rule that names none
	rateLeast        = time.Minute            // that a rate is made of: seconds say nothing of an hour
)

// backtest streams: a log of days takes a minute to read. A key runs one at a
// time, and a client that leaves ends its own.
func (s *Resources) backtest(w http.ResponseWriter, r *http.Request, keyID string) {
	f, ok := gateway.ReadFields(w, r)
	if !ok {
		return
	}
	f.Only("a backtest", "query", "since", "interval_seconds")
	f.Need("query")
	query, now := f.String("query"), time.Now()
	since := sinceField(f, "since", now)
	tier := tierOf(s.Tiers, f.Number("interval_seconds", 0.1, 86400, defaultInterval))
	if f.Bad != nil {
		gateway.WriteInvalid(w, f.Bad)
		return
	}
	if !s.backtests.begin(keyID) {
		gateway.WriteRetry(w, http.StatusTooManyRequests, 5*time.Second, "busy", "a backtest of this key is under way; wait for it or end it")
		return
	}
	defer s.backtests.end(keyID)
	lines := &lineWriter{w: w, to: http.NewResponseController(w)}
	_ = lines.to.SetReadDeadline(time.Time{}) // the body's time: at its end the client would be taken to have left
	found, err := s.Queries.Backtest(r.Context(), keyID, query, since, func(b messages.Backtested) error {
		if at := time.Now(); at.Sub(lines.last) >= backtestEach {
			return lines.write(at, backtestProgress{"progress", math.Round(b.Done*1000) / 1000, b.Posts, b.Matched})
		}
		return nil
	})
	if err != nil {
		s.backtestFailed(w, r, lines, err)
		return
	}
	// The client has what there is or is gone: either way nothing is left to do.
	_ = lines.write(time.Now(), resultOf(query, since, found, tier))
}

// sinceField is a moment, RFC 3339, or how long ago it is: "24h", "7d".
func sinceField(f *gateway.Fields, field string, now time.Time) time.Time {
	text := f.String(field)
	if !f.Has(field) {
		text = backtestSince
	}
	// RFC 3339 allows small letters, Go's parser does not.
	if at, err := time.Parse(time.RFC3339, strings.ToUpper(text)); err == nil && !at.After(now) {
		return at
	}
	ago, err := time.ParseDuration(text)
	if days, isDays := strings.CutSuffix(text, "d"); isDays {
		var n float64
		n, err = strconv.ParseFloat(days, 64)
		ago = time.Duration(min(n, 1e5) * float64(24*time.Hour))
	}
	if err != nil || ago <= 0 || ago > backtestLongest {
		f.Fail(field, "must be how long ago (24h, 7d) or a past moment (2026-03-04T12:00:00Z)", "24h")
	}
	return now.Add(-ago)
}

func resultOf(query string, since time.Time, b messages.Backtested, tier Tier) backtestResult {
	days := max(b.Ends.Sub(b.Begins), rateLeast).Hours() / 24
	cents := func(x float64) float64 { return math.Round(x*100) / 100 }
	return backtestResult{
		Type: "result", Query: query, Since: stamp(b.Begins.UnixMilli()), Until: stamp(b.Ends.UnixMilli()), Whole: !b.Begins.After(since),
		Posts: b.Posts, Matched: b.Matched, PerHour: cents(float64(b.Matched) / days / 24), PerDay: cents(float64(b.Matched) / days),
		CreditsPerDelivery: b.CreditsPerDelivery, CreditsPerRulePerDay: tier.CreditsPerRulePerDay, PricingTier: tier.Label,
		Credits:  cents(float64(b.Matched*b.CreditsPerDelivery) + tier.CreditsPerRulePerDay*days),
		Warnings: b.Warnings, Samples: samplesOf(b.Samples),
	}
}

// backtestFailed answers by status where no line was written yet, else by a
// last line: the status is gone.
func (s *Resources) backtestFailed(w http.ResponseWriter, r *http.Request, lines *lineWriter, err error) {
	var invalid *messages.SyntaxError
	switch {
	case errors.As(err, &invalid):
		position := int32(invalid.Position)
		gateway.WriteInvalid(w, &gateway.Invalid{Field: "query", Reason: invalid.Error(), Expected: invalid.Expected, Position: &position})
	case errors.Is(err, ErrBusy):
		gateway.WriteRetry(w, http.StatusTooManyRequests, 5*time.Second, "busy", "as many backtests as the server runs at once are under way; try again")
	case lines.last.IsZero():
		s.unavailable(w, r, err)
	default:
		if !errors.Is(err, context.Canceled) {
			gateway.RequestLog(r, s.Log).Warn("backtest failed", "path", gateway.LoggedPath(r), "error", err)
		}
		_ = lines.write(time.Now(), backtestFailure{"error", gateway.Problem{
			Error: "unavailable", Detail: "the server could not read on; try again", Status: http.StatusServiceUnavailable,
		}})
	}
}

// lineWriter writes JSON lines, each at once. The first says that it is 200.
type lineWriter struct {
	w    http.ResponseWriter
	to   *http.ResponseController
	last time.Time // of the last line; zero: none was written
}

func (l *lineWriter) write(now time.Time, v any) error {
	if l.last.IsZero() {
		l.w.Header().Set("Content-Type", "application/x-ndjson")
		l.w.Header().Set("X-Content-Type-Options", "nosniff")
	}
	l.last = now
	_ = l.to.SetWriteDeadline(now.Add(backtestPatience)) // an error means that the writer is no connection
	e := json.NewEncoder(l.w)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	return l.to.Flush()
}

// oneEach lets each owner do one at a time. "" is the operators: as many as
// the server runs.
type oneEach struct {
	mu sync.Mutex // protects of
	of map[string]bool
}

func (o *oneEach) begin(owner string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.of[owner] && owner != "" {
		return false
	}
	if o.of == nil {
		o.of = map[string]bool{}
	}
	o.of[owner] = true
	return true
}

func (o *oneEach) end(owner string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.of, owner)
}
