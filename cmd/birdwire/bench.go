package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/birdwire/birdwire/cmd/birdwire/internal/fanout"
)

func (c *cli) bench() *cobra.Command {
	return c.group(&cobra.Command{
		Use:   "bench",
		Short: "Measure this machine",
		Long: `Measure. Every benchmark compares the server with a plain limit in the same run:
quote the ratio, not the figure.`,
		Example: example(`
			birdwire bench fanout --subscribers 1000 --rate 20 --duration 10s
			birdwire bench ingest --clients 4 --batch 1000
			birdwire bench cluster --kills 6
			birdwire bench match --rules 1000,100000
			birdwire bench stories --data articles.jsonl.gz`),
	}, c.benchFanout(), c.benchIngest(), c.benchCluster(), c.benchMatch(), c.benchStories(), c.benchRaw())
}

func (c *cli) benchFanout() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fanout",
		Short: "Deliver every event to many subscribers",
		Long: `Start a server in a process and a folder of its own, on one core, open
subscribers that want everything, push events, and measure what a delivery
costs the server and how long it takes from the push to the subscriber. The
same load then goes to a process that only writes ready frames to sockets.

Latencies hold the whole way: HTTP, the synced log, matching, the socket and
this process's reading. Memory is what each idle connection
adds: live heap and stacks after a collection, and what the process grew by.`,
		Example: example(`
			birdwire bench fanout                                  # 1,000 subscribers, one event at a time
			birdwire bench fanout --burst 16 --rate 10             # bursts of 16
			birdwire bench fanout --api twitter --subscribers 5 --rate 1000   # from push to socket
			birdwire bench fanout --subscribers 10000 --rate 2 --json`),
		Args: words(),
	}
	l := fanout.Load{}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.IntVar(&l.Subscribers, "subscribers", 1000, "connections, each of which wants everything")
	flags.Float64Var(&l.Rate, "rate", 20, "bursts a second")
	flags.IntVar(&l.Burst, "burst", 1, "events a burst")
	flags.DurationVar(&l.Duration, "duration", 10*time.Second, "how long events are pushed")
	flags.IntVar(&l.Size, "size", 700, "bytes of a frame, about; at least 600")
	api := flags.String("api", "kite", "kite: articles; twitter: posts, five subscribers to a key and its rule")
	var write profiles
	flags.StringVar(&write.cpu, "profile", "", "file to write the server's CPU profile to")
	flags.StringVar(&write.heap, "heap", "", "file to write the server's heap to, as it is before the first event")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if l.Subscribers < 1 || l.Rate <= 0 || l.Burst < 1 || l.Burst > 256 || l.Size < 600 || l.Size > 32<<10 {
			return usagef("subscribers and rate are more than 0, a burst is 1 to 256, a size 600 to 32768")
		}
		if *api != "kite" && *api != "twitter" {
			return usagef("--api %s: want kite or twitter", *api)
		}
		figures, err := measureFanout(cmd.Context(), l, *api == "twitter", write)
		if err != nil {
			return err
		}
		if *asJSON {
			return json.NewEncoder(c.stdout).Encode(figures)
		}
		return printFanout(c.stdout, l, figures)
	}
	return cmd
}

func (c *cli) benchIngest() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ingest",
		Short: "Push posts as fast as they are taken",
		Long: `Start a server in a process and a folder of its own and push posts from several
clients, each body after the last was acknowledged: written and synced to disk.`,
		Example: example(`
			birdwire bench ingest
			birdwire bench ingest --clients 8 --batch 256 --json`),
		Args: words(),
	}
	l := fanout.IngestLoad{}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.IntVar(&l.Clients, "clients", 4, "pushing at once")
	flags.IntVar(&l.Batch, "batch", 1000, "posts a body")
	flags.IntVar(&l.Size, "size", 700, "bytes of a post, about")
	flags.DurationVar(&l.Duration, "duration", 10*time.Second, "how long")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if l.Clients < 1 || l.Clients > 8 || l.Batch < 1 || l.Size < 200 || l.Size*l.Batch > 15<<20 {
			return usagef("1 to 8 clients (a key may push 8 bodies at once), bodies of at most 15 MiB, posts of 200 bytes or more")
		}
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find this program: %w", err)
		}
		p, err := fanout.StartProduct(cmd.Context(), self, false, 1, l.Size)
		if err != nil {
			return err
		}
		f, err := p.Ingest(cmd.Context(), l)
		if err = errors.Join(err, p.Stop()); err != nil {
			return err
		}
		if *asJSON {
			return json.NewEncoder(c.stdout).Encode(f)
		}
		_, err = fmt.Fprintf(c.stdout, "%d posts in %v: %.0f a second, %.1f µs of the server's CPU each\na body of %d, until durable: p50 %v  p90 %v  p99 %v\n",
			f.Posts, f.Took.Round(time.Millisecond), float64(f.Posts)/f.Took.Seconds(), float64(f.CPU.Microseconds())/float64(max(f.Posts, 1)),
			l.Batch, short(f.Latencies.P50), short(f.Latencies.P90), short(f.Latencies.P99))
		return err
	}
	return cmd
}

// benchRaw is the process that bench fanout compares the server with.
func (c *cli) benchRaw() *cobra.Command {
	return &cobra.Command{
		Use:    "raw",
		Hidden: true,
		Args:   words(),
		RunE:   func(*cobra.Command, []string) error { return fanout.ServeRaw(c.stdin, c.stdout) },
	}
}

// profiles are the files to write, each empty where none is.
type profiles struct{ cpu, heap string }

func measureFanout(ctx context.Context, l fanout.Load, twitter bool, write profiles) (figures []fanout.Figures, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	product, err := fanout.StartProduct(ctx, self, twitter, l.Subscribers, l.Size)
	if err != nil {
		return nil, err
	}
	var cpuErr, heapErr error
	loaded := l
	if write.heap != "" {
		loaded.Idle = func() { heapErr = toFile(write.heap, func(w io.Writer) error { return product.Heap(ctx, w) }) }
	}
	if write.cpu != "" {
		loaded.Loading = func() {
			cpuErr = toFile(write.cpu, func(w io.Writer) error { return product.Profile(ctx, l.Duration, w) })
		}
	}
	f, err := fanout.Run(ctx, product, loaded)
	if err = errors.Join(err, cpuErr, heapErr, product.Stop()); err != nil {
		return nil, err
	}
	figures = append(figures, f)
	raw, err := fanout.StartRaw(ctx, l.Size, self, "bench", "raw")
	if err != nil {
		return nil, err
	}
	f, err = fanout.Run(ctx, raw, l)
	return append(figures, f), errors.Join(err, raw.Stop())
}

func toFile(name string, write func(io.Writer) error) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}

func printFanout(w io.Writer, l fanout.Load, all []fanout.Figures) error {
	fmt.Fprintf(w, "%d subscribers, %g bursts a second of %d events of %d bytes, %v\n\n", l.Subscribers, l.Rate, l.Burst, l.Size, l.Duration)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tdeliveries\t/s\tµs CPU each\tuser\tp50\tp90\tp99\tp99.9\tmissing\tlive B/conn\tof it stacks\tresident\t")
	micros := func(f fanout.Figures, d time.Duration) string {
		if f.CPUUnknown {
			return "unknown"
		}
		return fmt.Sprintf("%.2f", float64(d)/1e3)
	}
	for _, f := range all {
		fmt.Fprintf(t, "%s\t%d\t%.0f\t%s\t%s\t%v\t%v\t%v\t%v\t%d\t%d\t%d\t%d\t\n", f.Name, f.Delivered, float64(f.Delivered)/f.Took.Seconds(),
			micros(f, f.PerDelivery()), micros(f, f.UserPerDelivery()),
			short(f.Latencies.P50), short(f.Latencies.P90), short(f.Latencies.P99), short(f.Latencies.P999), f.Missing, f.LiveEach, f.StackEach, f.BytesEach)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(all) == 2 && all[1].CPU > 0 {
		fmt.Fprintf(w, "\nCPU a delivery: %.2f × raw; p99: %.2f × raw\n",
			float64(all[0].PerDelivery())/float64(all[1].PerDelivery()), float64(all[0].Latencies.P99)/float64(all[1].Latencies.P99))
	}
	return nil
}

func short(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
