package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/birdwire/birdwire/cmd/birdwire/internal/fanout"
)

// clusterFigures are what 'bench cluster' has measured.
type clusterFigures struct {
	Spread    []fanout.Spread   `json:"spread"`
	Failovers *fanout.Failovers `json:"failovers,omitempty"`
}

func (c *cli) benchCluster() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cluster",
		Short: "What several nodes cost, and how fast one is replaced",
		Long: `Start nodes on this machine, each a process on one core with a folder of its own,
and spread subscribers over them, five to a key, each of which wants every post.

First 1, 2 and 3 nodes get the same load: what a delivery costs all of them
together, what they send each other for a post, and how much they deliver when
posts come as fast as they are delivered. 2 are two of three: two alone are no
cluster. All nodes share this machine, so that deliveries a second say what
dividing the work costs, and not what three machines do.

Then nodes of three are killed under a load, one after the other: how long until
the others have dealt out what it owned, and the longest that a post was on its
way, to clients of the other nodes and to those that came from the killed one;
and, to those of the others, while it comes back and takes its part of the keys.
Kills of nodes that led a part of the store are told apart: an election takes
seconds.`,
		Example: example(`
			birdwire bench cluster
			birdwire bench cluster --nodes 3 --kills 0
			birdwire bench cluster --nodes 0 --kills 6 --keys 100000 --json   # a change of the view with 100,000 keys`),
		Args: words(),
	}
	l, failover := fanout.Load{Burst: 1}, fanout.FailoverLoad{}
	flags := cmd.Flags()
	flags.SortFlags = false
	nodes := flags.IntSlice("nodes", []int{1, 2, 3}, "how many nodes to put under the load, one after the other; 0: none")
	flags.IntVar(&l.Subscribers, "subscribers", 300, "connections, each of which wants every post")
	flags.Float64Var(&l.Rate, "rate", 50, "posts a second")
	flags.DurationVar(&l.Duration, "duration", 10*time.Second, "how long, at that rate and again as fast as it goes")
	flags.IntVar(&l.Size, "size", 700, "bytes of a frame, about; at least 600")
	flags.IntVar(&failover.Kills, "kills", 30, "nodes to kill; 0: none")
	flags.IntVar(&failover.Keys, "keys", 0, "keys besides those of the clients, each with a rule, while nodes are killed")
	logs := flags.String("logs", "", "folder to keep the nodes' logs in")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if l.Subscribers < 3 || l.Rate <= 0 || l.Rate > 500 || l.Duration <= 0 || l.Size < 600 || l.Size > 32<<10 || failover.Kills < 0 || failover.Keys < 0 {
			return usagef("want 3 subscribers or more, a rate of up to 500, a size of 600 to 32768, and no less than 0 kills and keys")
		}
		for _, n := range *nodes {
			if n < 0 || n > 3 {
				return usagef("--nodes %d: want 1, 2 or 3, or 0 for none", n)
			}
		}
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find this program: %w", err)
		}
		var all clusterFigures
		for _, n := range slices.DeleteFunc(*nodes, func(n int) bool { return n == 0 }) {
			s, err := fanout.MeasureSpread(cmd.Context(), self, *logs, n, l)
			if err != nil {
				return err
			}
			all.Spread = append(all.Spread, s)
			fmt.Fprintf(c.stderr, "--nodes %d: measured\n", n)
		}
		if failover.Kills > 0 {
			failover.Rate, failover.Size = l.Rate, l.Size
			said := 0
			f, err := fanout.MeasureFailovers(cmd.Context(), self, *logs, failover, func(k fanout.Kill) {
				said++
				fmt.Fprintf(c.stderr, "%d of %d: %s killed, dealt out in %v, back in %v\n", said, failover.Kills, k.Node, short(k.View), short(k.Back))
			})
			if err != nil {
				return err
			}
			all.Failovers = &f
		}
		if *asJSON {
			return json.NewEncoder(c.stdout).Encode(all)
		}
		return all.print(c.stdout, l)
	}
	return cmd
}

func (all clusterFigures) print(w io.Writer, l fanout.Load) error {
	if len(all.Spread) > 0 {
		fmt.Fprintf(w, "%d subscribers, %g posts a second of %d bytes for %v, then bursts of 16 as fast as they are delivered\n\n", l.Subscribers, l.Rate, l.Size, l.Duration)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(t, "nodes\tµs CPU each\tp50\tp99\tmissing\tlink msgs/post\tlink B/post\tstore msgs/post\tstore B/post\tidle B/s\tfull: deliveries/s\tµs CPU each\t")
		for _, s := range all.Spread {
			fmt.Fprintf(t, "%d\t%s\t%v\t%v\t%d\t%.1f\t%.0f\t%.1f\t%.0f\t%.0f\t%.0f\t%s\t\n", s.Nodes,
				microsOf(s.Paced), short(s.Paced.Latencies.P50), short(s.Paced.Latencies.P99), s.Paced.Missing+s.Saturated.Missing,
				s.PerEvent.LinkMessages, s.PerEvent.LinkBytes, s.PerEvent.StoreMessages, s.PerEvent.StoreBytes, s.IdleEach.LinkBytes+s.IdleEach.StoreBytes,
				float64(s.Saturated.Delivered)/s.Saturated.Took.Seconds(), microsOf(s.Saturated))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	f := all.Failovers
	if f == nil {
		return nil
	}
	fmt.Fprintf(w, "\n%d kills under %g posts a second, %d clients, %d keys besides (made in %v): %d posts, %d deliveries missing, %d twice\n\n",
		len(f.Kills), l.Rate, f.Clients, f.Keys, f.MadeIn.Round(time.Second), f.Posts, f.Missing, f.Twice)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "it led\tkills\tdealt out p50\tp95\tmax\tstayed p50\tp95\tmax\tmoved p50\tp95\tmax\tgiven back p50\tp95\tmax\t")
	for _, s := range f.Summary {
		fmt.Fprintf(t, "%t\t%d", s.Led, s.Kills)
		for _, l := range []fanout.Latencies{s.View, s.Stay, s.Moved, s.Given} {
			fmt.Fprintf(t, "\t%v\t%v\t%v", short(l.P50), short(l.P95), short(l.Max))
		}
		fmt.Fprintln(t, "\t")
	}
	return t.Flush()
}

func microsOf(f fanout.Figures) string {
	if f.CPUUnknown {
		return "unknown"
	}
	return fmt.Sprintf("%.1f", float64(f.PerDelivery())/1e3)
}
