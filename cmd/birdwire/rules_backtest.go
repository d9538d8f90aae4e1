package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/birdwire/birdwire/gateway/client"
)

func (c *cli) rulesBacktest() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backtest --query QUERY [--since 24h]",
		Short: "Count what a query would have matched, and cost",
		Long: `Replay the server's log through a query, by the matching that live posts go
through: how many posts it would have matched, at what rate, and the credits
that delivering them to one connection would have cost.

It reaches back as far as the server keeps posts (--retention-age of serve).

` + keyHelp + `
Where there is none, the operators' address is asked, which needs none.`,
		Example: example(`
			birdwire rules backtest --query 'bitcoin lang:en -is:retweet'
			birdwire rules backtest --query '$BTC OR $ETH' --since 7d --json`),
		Args:    words(),
		PreRunE: need("query"),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	query := flags.String("query", "", "what posts it wants")
	var since, interval *float64
	optionalSeconds(flags, &since, "since", "how far back (default 24h)")
	optionalSeconds(flags, &interval, "interval", "of the rule that it would be, for its price (default 1s)")
	asJSON := jsonFlag(cmd)
	addSettings(cmd, append(ownerSettings, setAdmin))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		past := client.PastQuery{Query: *query, Since: duration(since), Interval: duration(interval)}
		if since != nil && past.Since < time.Second {
			return usagef("--since: want at least a second, got %v", past.Since)
		}
		cfg, err := c.loadConfig(cmd)
		if err != nil {
			return err
		}
		ask, at, err := cfg.backtester()
		if err != nil {
			return err
		}
		bar := c.newBar(c.stderr)
		found, err := ask.BacktestQuery(cmd.Context(), past, bar.show)
		bar.clear()
		if err != nil {
			return at.explain(inQuery(*query, err))
		}
		return c.showBacktest(printer{c.stdout, *asJSON}, found, past.Since)
	}
	return cmd
}

func duration(seconds *float64) time.Duration {
	if seconds == nil {
		return 0
	}
	return time.Duration(*seconds * float64(time.Second))
}

// backtester is the key's own address, else the operators'.
func (c *config) backtester() (*client.Resources, target, error) {
	r, at, err := c.resources()
	var noKey usageError
	if !errors.As(err, &noKey) {
		return r, at, err
	}
	a, err := c.operator()
	if err != nil {
		return nil, target{}, fmt.Errorf("%w; or give an API key with --key", err)
	}
	return a.Queries(), c.atAdmin(), nil
}

func (c *cli) showBacktest(p printer, b *client.Backtest, asked time.Duration) error {
	return p.value(b, func() error {
		c.warn(b.Warnings)
		if !b.Whole {
			if asked == 0 {
				asked = 24 * time.Hour
			}
			c.warn([]string{fmt.Sprintf("the server's posts begin %s ago, not %s: that is what was looked at", roughly(b.Until.Sub(b.Since)), showDuration(asked))})
		}
		share := 0.0
		if b.Posts > 0 {
			share = 100 * float64(b.Matched) / float64(b.Posts)
		}
		credits := fmt.Sprintf("%s for each connection", grouped(b.Credits))
		if month := 30 * (b.PerDay*float64(b.CreditsPerDelivery) + b.CreditsPerRulePerDay); month > 0 {
			credits += fmt.Sprintf("; %s in 30 days at this rate", grouped(month))
		}
		if err := p.sheet(
			"query", b.Query,
			"from", stamp(b.Since), "to", stamp(b.Until),
			"posts", grouped(float64(b.Posts)),
			"matched", fmt.Sprintf("%s (%.3g %%)", grouped(float64(b.Matched)), share),
			"rate", fmt.Sprintf("%s an hour, %s a day", grouped(b.PerHour), grouped(b.PerDay)),
			"credits", credits,
		); err != nil {
			return err
		}
		return c.paper(p.Writer).samples(p, b.Samples)
	})
}

// grouped is a number to read: 1,234,567, or 0.25 where it is small.
func grouped(n float64) string {
	if n < 10 && n != float64(int64(n)) {
		return strconv.FormatFloat(n, 'f', 2, 64)
	}
	s := strconv.FormatFloat(n, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// bar shows progress on a terminal, and nothing anywhere else.
type bar struct {
	w      io.Writer // nil: no terminal
	screen *screen
	drawn  bool
	text   string // as it was drawn last
}

func (c *cli) newBar(w io.Writer) *bar {
	if _, ok := terminal(w); !ok {
		return &bar{}
	}
	return &bar{w: w, screen: c.paper(w)}
}

const barWidth = 30

func (b *bar) show(p client.Progress) {
	b.draw(p.Done, fmt.Sprintf("%s of %s posts match", grouped(float64(p.Matched)), grouped(float64(p.Posts))))
}

// bytes shows how much was done of about so much.
func (b *bar) bytes(what string, done, total int64) {
	b.draw(float64(done)/float64(max(total, 1)), fmt.Sprintf("%s MiB %s", grouped(float64(done>>20)), what))
}

func (b *bar) draw(part float64, text string) {
	if text = fmt.Sprintf("%3.0f %%  %s", part*100, text); b.w == nil || text == b.text {
		return
	}
	b.drawn, b.text = true, text
	done := min(max(int(part*barWidth), 0), barWidth)
	fmt.Fprintf(b.w, "\r%s%s %s\x1b[K",
		b.screen.good.Sprint(strings.Repeat("█", done)), b.screen.time.Sprint(strings.Repeat("░", barWidth-done)), text)
}

// clear takes the bar away: what follows is the result.
func (b *bar) clear() {
	if b.drawn {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}
