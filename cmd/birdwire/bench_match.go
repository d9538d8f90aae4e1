package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/birdwire/birdwire/cluster/node"
)

func (c *cli) benchMatch() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "match",
		Short: "Match posts against many rules, and vectors against many filters",
		Long: `Make rules and posts from a seed, and measure on one core what matching a post
costs: with the index, and with every rule asked in turn. Broad rules name any
word but the 150 commonest, selective ones none of the 3,000 commonest. A rule
is added between posts while merges run: update is from its being added
to the state of the index that has it.

Semantic filters are compared with plain reading of as much memory as their
float32 takes: exact reads all of it, the prefilter its int8, for the same
answers; batch is a share of eight events matched together.

A million rules take 2 GB and a minute or two each, 100,000 filters 2 GB.`,
		Example: example(`
			birdwire bench match
			birdwire bench match --rules 1000000 --words selective --vectors 0
			birdwire bench match --rules 0 --vectors 10000,100000 --json`),
		Args: words(),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	rules := flags.IntSlice("rules", []int{1000, 10_000, 100_000}, "how many rules; several, one after the other; 0: none")
	kinds := flags.StringSlice("words", []string{"broad", "selective"}, "what rules name: broad, selective")
	posts := flags.Int("posts", 10_000, "posts to match, each time")
	updates := flags.Int("updates", 500, "rules to add while matching goes on")
	vectors := flags.IntSlice("vectors", []int{20_000}, "how many semantic filters; several, one after the other; 0: none")
	seed := flags.Uint64("seed", 1, "what rules and posts are made from")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		m := matchBench{cli: c, ctx: cmd.Context(), seed: *seed}
		if err := m.plan(*rules, *kinds, *vectors, node.MatchLoad{Posts: *posts, Updates: *updates, Seed: *seed}); err != nil {
			return err
		}
		if err := m.run(); err != nil {
			return err
		}
		if *asJSON {
			return json.NewEncoder(c.stdout).Encode(m.figures())
		}
		return m.print(c.stdout)
	}
	return cmd
}

// matchBench is one run: what to measure, and what was.
type matchBench struct {
	*cli
	ctx     context.Context // of the command: a signal ends the wait
	loads   []node.MatchLoad
	filters []int
	seed    uint64
	matched []node.MatchFigures
	vectors []node.VectorFigures
}

func (m *matchBench) plan(rules []int, kinds []string, vectors []int, l node.MatchLoad) error {
	if l.Posts < 10 || l.Posts > 1_000_000 || l.Updates < 1 || l.Updates > 100_000 {
		return usagef("posts are 10 to 1000000, updates 1 to 100000")
	}
	for _, kind := range kinds {
		if kind != "broad" && kind != "selective" {
			return usagef("--words %s: want broad or selective", kind)
		}
		for _, n := range rules {
			if n < 0 || n > 10_000_000 {
				return usagef("--rules %d: want 0 to 10000000", n)
			}
			if l.Rules, l.Selective = n, kind == "selective"; n > 0 {
				m.loads = append(m.loads, l)
			}
		}
	}
	for _, n := range vectors {
		if n < 0 || n > 1_000_000 {
			return usagef("--vectors %d: want 0 to 1000000", n)
		}
		if n > 0 {
			m.filters = append(m.filters, n)
		}
	}
	if len(m.loads)+len(m.filters) == 0 {
		return usagef("nothing to measure: give --rules or --vectors")
	}
	return nil
}

func (m *matchBench) run() error {
	for _, l := range m.loads {
		m.say("measuring %s %s rules …", grouped(float64(l.Rules)), wordsOf(l.Selective))
		f, err := within(m.ctx, func() (node.MatchFigures, error) { return node.MeasureMatch(l) })
		if err != nil {
			return err
		}
		m.matched = append(m.matched, f)
	}
	for _, n := range m.filters {
		m.say("measuring %s semantic filters …", grouped(float64(n)))
		f, err := within(m.ctx, func() (node.VectorFigures, error) { return node.MeasureVectors(n, m.seed) })
		if err != nil {
			return err
		}
		m.vectors = append(m.vectors, f)
	}
	return nil
}

// say tells a person that waits.
func (m *matchBench) say(format string, args ...any) {
	if _, ok := terminal(m.stderr); ok {
		fmt.Fprintf(m.stderr, format+"\n", args...)
	}
}

// within waits for what cannot be ended half way no longer than ctx; the
// process ends then, and the goroutine with it.
func within[T any](ctx context.Context, measure func() (T, error)) (T, error) {
	type measured struct {
		value T
		err   error
	}
	done := make(chan measured, 1)
	go func() {
		v, err := measure()
		done <- measured{v, err}
	}()
	select {
	case m := <-done:
		return m.value, m.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

func wordsOf(selective bool) string {
	if selective {
		return "selective"
	}
	return "broad"
}

// matchFigure and vectorFigure are the figures for programs; times in
// microseconds.
type (
	matchFigure struct {
		Rules            int     `json:"rules"`
		Distinct         int     `json:"distinct"`
		Words            string  `json:"words"`
		Document         float64 `json:"document_us"`
		Match            times   `json:"match_us"`
		Hits             float64 `json:"hits_per_post"`
		PerHit           float64 `json:"per_hit_us"`
		EvaluateAll      times   `json:"evaluate_all_us"`
		TimesEvaluateAll float64 `json:"times_evaluate_all"`
		BytesPerRule     float64 `json:"bytes_per_rule"`
		HeapPerRule      float64 `json:"heap_bytes_per_rule"`
		Compile          float64 `json:"compile_us"`
		Build            float64 `json:"build_s"`
		Update           times   `json:"update_us"`
		Merges           int     `json:"merges"`
		Unmerged         times   `json:"unmerged_us"`
		During           times   `json:"during_merge_us"`
	}
	vectorFigure struct {
		Filters     int     `json:"filters"`
		Bytes       int64   `json:"bytes"`
		ReadGB      float64 `json:"read_gb_per_s"`
		Read        times   `json:"read_us"`
		Exact       times   `json:"exact_us"`
		ExactShare  float64 `json:"exact_share_of_read"`
		Prefilter   times   `json:"prefilter_us"`
		PrefilterOf float64 `json:"prefilter_times_read"`
		Batch       times   `json:"batch_us"`
	}
	times struct {
		Mean float64 `json:"mean"`
		P50  float64 `json:"p50"`
		P99  float64 `json:"p99"`
		Max  float64 `json:"max"`
	}
)

func micros(d time.Duration) float64 { return float64(d) / 1e3 }

func ratio(a, b time.Duration) float64 {
	if b <= 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// figures are everything that was measured.
func (m *matchBench) figures() any {
	out := struct {
		Match   []matchFigure  `json:"match"`
		Vectors []vectorFigure `json:"vectors"`
	}{[]matchFigure{}, []vectorFigure{}}
	for i, f := range m.matched {
		out.Match = append(out.Match, matchFigure{
			Rules: f.Rules, Distinct: f.Distinct, Words: wordsOf(m.loads[i].Selective), Document: micros(f.Document.Mean),
			Match: timesOf(f.Match), Hits: f.Hits, PerHit: micros(f.PerHit()),
			EvaluateAll: timesOf(f.EvaluateAll), TimesEvaluateAll: ratio(f.EvaluateAll.Mean, f.Match.Mean),
			BytesPerRule: f.Bytes, HeapPerRule: f.Heap, Compile: micros(f.Compile), Build: f.Build.Seconds(),
			Update: timesOf(f.Update), Merges: f.Merges, Unmerged: timesOf(f.Unmerged), During: timesOf(f.During),
		})
	}
	for _, f := range m.vectors {
		out.Vectors = append(out.Vectors, vectorFigure{
			Filters: f.Filters, Bytes: f.Bytes, ReadGB: f.PerSecond(f.Read.P50) / 1e9, Read: timesOf(f.Read),
			Exact: timesOf(f.Scan), ExactShare: ratio(f.Read.P50, f.Scan.P50),
			Prefilter: timesOf(f.Match), PrefilterOf: ratio(f.Read.P50, f.Match.P50), Batch: timesOf(f.Batch),
		})
	}
	return out
}

func timesOf(t node.Times) times {
	return times{micros(t.Mean), micros(t.P50), micros(t.P99), micros(t.Max)}
}

func (m *matchBench) print(w io.Writer) error {
	matching := [][]string{strings.Split("rules|words|µs a post|p50|p99|hits|µs a hit|evaluate all|×|B a rule|µs a document", "|")}
	changing := [][]string{strings.Split("rules|words|µs to compile|s to build|update µs p50|p99|unmerged p99|while merging p99|×", "|")}
	for i, f := range m.matched {
		name := []string{grouped(float64(f.Rules)), wordsOf(m.loads[i].Selective)}
		matching = append(matching, append(slices.Clone(name),
			inMicros(f.Match.Mean), inMicros(f.Match.P50), inMicros(f.Match.P99), grouped(f.Hits), fmt.Sprintf("%.2f", micros(f.PerHit())),
			inMicros(f.EvaluateAll.Mean), fmt.Sprintf("%.0f", ratio(f.EvaluateAll.Mean, f.Match.Mean)), fmt.Sprintf("%.0f", f.Bytes), inMicros(f.Document.Mean)))
		changing = append(changing, append(name,
			inMicros(f.Compile), fmt.Sprintf("%.2f", f.Build.Seconds()), inMicros(f.Update.P50), inMicros(f.Update.P99),
			inMicros(f.Unmerged.P99), inMicros(f.During.P99), inTimes(ratio(f.During.P99, f.Unmerged.P99))))
	}
	semantic := [][]string{strings.Split("filters|read GB/s|read ms|exact|of read|prefilter|× read|batch", "|")}
	for _, f := range m.vectors {
		semantic = append(semantic, []string{
			grouped(float64(f.Filters)), fmt.Sprintf("%.1f", f.PerSecond(f.Read.P50)/1e9), inMillis(f.Read.P50),
			inMillis(f.Scan.P50), fmt.Sprintf("%.2f", ratio(f.Read.P50, f.Scan.P50)),
			inMillis(f.Match.P50), fmt.Sprintf("%.1f", ratio(f.Read.P50, f.Match.P50)), inMillis(f.Batch.P50),
		})
	}
	return printTables(w, matching, changing, semantic)
}

// inMicros leaves out what was not measured: small indexes have no merge.
func inMicros(d time.Duration) string {
	switch {
	case d == 0:
		return "–"
	case d >= time.Millisecond:
		return grouped(micros(d))
	}
	return fmt.Sprintf("%.1f", micros(d))
}

func inTimes(r float64) string {
	if r == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", r)
}

func inMillis(d time.Duration) string { return fmt.Sprintf("%.2f", micros(d)/1e3) }

// printTables leaves out those that have nothing but their heading.
func printTables(w io.Writer, tables ...[][]string) error {
	between := ""
	for _, rows := range tables {
		if len(rows) < 2 {
			continue
		}
		if _, err := io.WriteString(w, between); err != nil {
			return err
		}
		between = "\n"
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		for _, row := range rows {
			fmt.Fprintln(t, strings.Join(row, "\t")+"\t")
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}
