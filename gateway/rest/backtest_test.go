package rest

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// at is a request whose result has no moving clock in it.
const at = `"since":"2026-03-02T12:00:00Z"`

func TestBacktest(t *testing.T) {
	f := start(t, func(c *Config) {
		c.Tiers = []Tier{{Label: "Ultra", MaxIntervalSeconds: 1, CreditsPerRulePerDay: 24}, {Label: "Minimal", MaxIntervalSeconds: 86400}}
	})
	for _, c := range []struct{ name, body string }{
		{"backtest", `{"query":"moon -rocket",` + at + `,"interval_seconds":60}`},
		{"backtest_late", `{"query":"late",` + at + `}`},
		{"backtest_broken", `{"query":"broken",` + at + `}`},
	} {
		a := f.do("POST", rules+"/backtest", c.body)
		if a.status != 200 || a.header.Get("Content-Type") != "application/x-ndjson" {
			t.Errorf("%s: %d %q", c.name, a.status, a.header.Get("Content-Type"))
		}
		golden(t, c.name, strings.TrimSuffix(a.body, "\n"))
	}
	if log := f.log.String(); !strings.Contains(log, "the log is gone") {
		t.Errorf("what failed is not in the log: %s", log)
	}
}

func TestBacktestRefusals(t *testing.T) {
	f := start(t, nil)
	for _, c := range []struct {
		body   string
		status int
		field  string
	}{
		{`{}`, 422, "query"},
		{`{"query":"bad"}`, 422, "query"},
		{`{"query":"a","since":"yesterday"}`, 422, "since"},
		{`{"query":"a","since":"-3h"}`, 422, "since"},
		{`{"query":"a","since":"NaNd"}`, 422, "since"},
		{`{"query":"a","since":"9999d"}`, 422, "since"},
		{`{"query":"a","since":"2999-01-01T00:00:00Z"}`, 422, "since"},
		{`{"query":"a","since":7}`, 422, "since"},
		{`{"query":"a","interval_seconds":0}`, 422, "interval_seconds"},
		{`{"query":"busy"}`, 429, ""},
	} {
		a := f.do("POST", rules+"/backtest", c.body)
		if p := f.problem(a); a.status != c.status || p.Field != c.field {
			t.Errorf("%s: %d %s", c.body, a.status, a.body)
		}
		if c.status == 429 && a.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", c.body)
		}
	}
	if a := f.do("POST", rules+"/backtest", `{"query":"bad"}`); !strings.Contains(a.body, `"position":3,"expected":"a keyword"`) {
		t.Errorf("the place of the error is not said: %s", a.body)
	}
	for _, since := range []string{"7d", "0.5d", "90m", "2026-03-02T12:00:00+01:00", "2026-03-02t12:00:00z"} {
		if a := f.do("POST", rules+"/backtest", `{"query":"a","since":"`+since+`"}`); a.status != 200 {
			t.Errorf("since %s: %d %s", since, a.status, a.body)
		}
	}
	if a := f.do("POST", rules+"/backtest", `{"query":"a"}`, "X-API-Key", f.byName["connect"]); a.status != 403 {
		t.Errorf("a key that may not read rules: %d", a.status)
	}
	f = start(t, func(c *Config) { c.Queries = queries{err: errors.New("no log")} })
	if a := f.do("POST", rules+"/backtest", `{"query":"a"}`); a.status != 503 {
		t.Errorf("a log that cannot be read: %d %s", a.status, a.body)
	}
}

// A key runs one backtest at a time, and ends it by leaving.
func TestBacktestEndsWithItsClient(t *testing.T) {
	f := start(t, nil)
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	req, err := http.NewRequestWithContext(ctx, "POST", f.url+rules+"/backtest", strings.NewReader(`{"query":"slow"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", f.key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	line, err := bufio.NewReader(res.Body).ReadString('\n')
	if err != nil || line != `{"type":"progress","done":0.123,"posts":100,"matched":7}`+"\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if a := f.do("POST", rules+"/backtest", `{"query":"a"}`); a.status != 429 || f.problem(a).Error != "busy" {
		t.Errorf("a second one at the same time: %d %s", a.status, a.body)
	}
	if a := f.do("POST", rules+"/backtest", `{"query":"a"}`, "X-API-Key", f.byName["reader"]); a.status != 200 {
		t.Errorf("another key's at the same time: %d %s", a.status, a.body)
	}
	leave()
	deadline := time.Now().Add(10 * time.Second)
	for f.do("POST", rules+"/backtest", `{"query":"a"}`).status != 200 {
		if time.Now().After(deadline) {
			t.Fatal("the backtest goes on though its client has left")
		}
	}
}
