package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestBacktest(t *testing.T) {
	d, url := openDesk(t)
	c := newTestClient(t, url)
	d.answer = golden(t, "backtest") + "\n"
	var told []Progress
	got, err := c.BacktestQuery(context.Background(), PastQuery{Query: "moon", Since: 36 * time.Hour, Interval: time.Minute}, func(p Progress) { told = append(told, p) })
	if err != nil {
		t.Fatal(err)
	}
	if got.Matched != 96 || got.Posts != 1000 || !got.Whole || got.PerDay != 48 || got.Credits != 96 || len(got.Samples) != 1 || got.PricingTier != "Minimal" {
		t.Errorf("%+v", got)
	}
	if !slices.Equal(told, []Progress{{0.123, 100, 7}}) {
		t.Errorf("progress %v", told)
	}
	if want := `POST /v1/twitter/stream/filter-rules/backtest {"interval_seconds":60,"query":"moon","since":"129600s"}`; d.asked != want {
		t.Errorf("asked %s, want %s", d.asked, want)
	}
	if _, err := newTestAdmin(t, url).Queries().BacktestQuery(context.Background(), PastQuery{Query: "moon"}, nil); err != nil || d.asked != `POST /admin/v1/rules/backtest {"query":"moon"}` {
		t.Errorf("asked %s, %v", d.asked, err)
	}
}

func TestBacktestFails(t *testing.T) {
	d, url := openDesk(t)
	c := newTestClient(t, url)
	run := func() error {
		_, err := c.BacktestQuery(context.Background(), PastQuery{Query: "moon"}, nil)
		return err
	}
	d.answer = golden(t, "backtest_broken")
	if err := run(); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "could not read on") {
		t.Errorf("an error half way: %v", err)
	}
	d.answer = `{"type":"progress","done":0.5}` + "\n" + `{"type":"news"}`
	if err := run(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("an answer that ends early: %v", err)
	}
	d.answer = "<html>"
	if err := run(); err == nil {
		t.Error("no JSON was taken")
	}
	d.status, d.answer = 422, `{"error":"validation_failed","detail":"query: x","status":422,"field":"query","position":3}`
	var e *Error
	if err := run(); !errors.As(err, &e) || *e.Position != 3 {
		t.Errorf("a bad query: %v", err)
	}
}

func TestBacktestGivesASilentServerUp(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"type":"progress"}`+"\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer s.Close()
	c, err := New(Config{URL: s.URL, Key: testKey, Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.BacktestQuery(context.Background(), PastQuery{Query: "moon"}, nil); err == nil || !strings.Contains(err.Error(), "sent nothing for") {
		t.Errorf("%v", err)
	}
}
