package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// PastQuery asks what a query would have matched of the posts that the server
// still holds.
type PastQuery struct {
	Query    string
	Since    time.Duration // ago; 0: the server's default, 24 h
	Interval time.Duration // of the rule that it would be, for its price; 0: the default
}

// Progress is how far a backtest is.
type Progress struct {
	Done    float64 `json:"done"` // 0 to 1
	Posts   int     `json:"posts"`
	Matched int     `json:"matched"`
}

// Backtest is what a query would have matched, and cost.
type Backtest struct {
	Query                string    `json:"query"`
	Since                time.Time `json:"since"` // from where posts were looked at
	Until                time.Time `json:"until"`
	Whole                bool      `json:"whole"` // false: what is held begins later than was asked for
	Posts                int       `json:"posts"`
	Matched              int       `json:"matched"`
	PerHour              float64   `json:"per_hour"`
	PerDay               float64   `json:"per_day"`
	CreditsPerDelivery   int       `json:"credits_per_delivery"` // to one connection
	CreditsPerRulePerDay float64   `json:"credits_per_rule_per_day"`
	PricingTier          string    `json:"pricing_tier"`
	Credits              float64   `json:"credits"` // with one connection open
	Warnings             []string  `json:"warnings,omitempty"`
	Samples              []Sample  `json:"samples,omitempty"`
}

// BacktestQuery replays the log through a query. It takes as long as the log
// is: progress, which may be nil, is told a few times a second. A server that
// is silent for the Config's Timeout is given up.
func (r *Resources) BacktestQuery(ctx context.Context, q PastQuery, progress func(Progress)) (*Backtest, error) {
	in := map[string]any{"query": q.Query}
	if q.Since > 0 {
		in["since"] = strconv.FormatInt(int64(q.Since/time.Second), 10) + "s"
	}
	if q.Interval > 0 {
		in["interval_seconds"] = q.Interval.Seconds()
	}
	var out *Backtest
	err := r.caller.lines(ctx, r.rules+"/backtest", in, func(line []byte) error {
		var kind struct{ Type string }
		if json.Unmarshal(line, &kind) != nil {
			return foreign(http.StatusOK, line)
		}
		switch kind.Type {
		case "progress":
			var p Progress
			if err := json.Unmarshal(line, &p); err != nil {
				return err
			}
			if progress != nil {
				progress(p)
			}
		case "result":
			out = new(Backtest)
			return json.Unmarshal(line, out)
		case "error":
			return failedAt(line)
		}
		return nil // a newer server may say more
	})
	if err == nil && out == nil {
		err = fmt.Errorf("POST %s/backtest: the answer ends early: %w", r.rules, io.ErrUnexpectedEOF)
	}
	return out, err
}

// Queries are what can be asked about queries without a key: ValidateQuery and
// BacktestQuery alone work on it.
func (a *Admin) Queries() *Resources { return &Resources{caller: a.caller, rules: "/admin/v1/rules"} }

// failedAt is an error that came as a line, its status too.
func failedAt(line []byte) error {
	var p struct {
		Error, Detail string
		Status        int
	}
	if err := json.Unmarshal(line, &p); err != nil {
		return err
	}
	return &Error{Status: p.Status, Short: p.Error, Detail: p.Detail}
}

// maxAnswerLine bounds one line of an answer.
const maxAnswerLine = 1 << 20

var errSilent = errors.New("the server has sent nothing")

// lines posts in and hands on each line of the answer as it comes.
func (c *caller) lines(ctx context.Context, path string, in any, each func(line []byte) error) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("POST %s: encode: %w", path, err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(c.cfg.Timeout, func() { cancel(errSilent) })
	defer silence.Stop()
	res, err := c.do(ctx, http.MethodPost, path, nil, http.Header{"Content-Type": {"application/json"}}, bytes.NewReader(body))
	if err == nil {
		defer func() { _ = res.Body.Close() }()
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, maxAnswerLine)
		for err == nil && lines.Scan() {
			silence.Reset(c.cfg.Timeout)
			err = each(lines.Bytes())
		}
		if err = errors.Join(err, lines.Err()); err != nil {
			err = fmt.Errorf("POST %s: %w", path, err)
		}
	}
	if err != nil && errors.Is(context.Cause(ctx), errSilent) {
		return fmt.Errorf("POST %s: %w for %v", path, errSilent, c.cfg.Timeout)
	}
	return err
}
