package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/birdwire/birdwire/gateway/client"
)

func (c *cli) publish() *cobra.Command {
	return c.group(&cobra.Command{
		Use:   "publish",
		Short: "Push posts or articles into the server",
		Long: `Push events from a file or a pipe: NDJSON, a JSON array, or one object. Lines
from a pipe are pushed as they come. Events that the server holds already are
counted as duplicates: to push a file again is safe.

The key needs the scope ingest:write. By default it is BIRDWIRE_KEY, else the
one that 'serve --dev' made.`,
		Example: example(`
			birdwire publish posts posts.ndjson --key bw_…
			echo '{"id":"1","text":"hello","created_at":"2026-03-04T12:00:00Z","author":{"id":"7","username":"ada"}}' | birdwire publish posts -
			birdwire publish articles articles.json --json`),
	}, c.publishKind(client.Posts), c.publishKind(client.Articles))
}

func (c *cli) publishKind(kind client.Kind) *cobra.Command {
	cmd := &cobra.Command{
		Use:   string(kind) + " FILE|-",
		Short: "Push " + string(kind),
		Long: `Push ` + string(kind) + ` from a file, or from stdin with "-". A line that is refused is named by
its number and the rest is accepted; the command then exits 1. While the server
is busy it waits and goes on; a server that cannot be reached is tried five
times. Each time stderr says why.`,
		Example: example(fmt.Sprintf("birdwire publish %s %s.ndjson", kind, kind)),
		Args:    words(`a FILE (or "-")`),
	}
	asJSON := jsonFlag(cmd)
	addSettings(cmd, ownerSettings)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := c.loadConfig(cmd)
		if err != nil {
			return err
		}
		key, err := cfg.apiKey("twitter")
		if err != nil {
			return err
		}
		server, err := cfg.owner(key)
		if err != nil {
			return err
		}
		options := client.PublishOptions{Retrying: func(why error, wait time.Duration) {
			fmt.Fprintf(c.stderr, "%v; again in %s\n", briefly(why), showDuration(wait.Round(time.Second)))
		}}
		if args[0] == "-" {
			sum, err := publishPipe(cmd.Context(), server, kind, c.stdin, options)
			return c.published(sum, err, cfg, *asJSON)
		}
		file, err := os.Open(args[0])
		if err != nil {
			return err
		}
		defer file.Close()
		sum, err := server.Publish(cmd.Context(), kind, file, options)
		return c.published(sum, err, cfg, *asJSON)
	}
	return cmd
}

// published shows what was done, and then what went wrong.
func (c *cli) published(sum client.Pushed, err error, cfg *config, asJSON bool) error {
	return errors.Join(printer{c.stdout, asJSON}.pushed(sum, c.stderr), cfg.atPublic().explain(err))
}

// pipeWait is how long a line of a pipe waits for others to be sent with.
const pipeWait = 100 * time.Millisecond

// pipeBytes is how much of a pipe is gathered at most.
const pipeBytes = 1 << 20

// publishPipe pushes lines as they come. Input that does not begin with a
// whole object on one line is no stream of lines; it is pushed at its end.
func publishPipe(ctx context.Context, server *client.Client, kind client.Kind, r io.Reader, options client.PublishOptions) (client.Pushed, error) {
	in := bufio.NewReader(r)
	first, err := in.ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return client.Pushed{}, fmt.Errorf("read the pipe: %w", err)
	}
	in = bufio.NewReader(io.MultiReader(bytes.NewReader(first), in))
	if object := bytes.TrimSpace(first); !json.Valid(object) || object[0] != '{' {
		return server.Publish(ctx, kind, in, options)
	}
	var sum client.Pushed
	sent := 0 // lines
	err = gather(ctx, in, func(lines []byte) error {
		done, err := server.Publish(ctx, kind, bytes.NewReader(lines), options)
		for i := range done.Rejected {
			done.Rejected[i].Line += sent
		}
		sum.Accepted += done.Accepted
		sum.Duplicates += done.Duplicates
		sum.Unlisted += done.Unlisted
		sum.Rejected = append(sum.Rejected, done.Rejected...)
		sent += bytes.Count(lines, []byte("\n"))
		return err
	})
	return sum, err
}

// gather hands lines on in groups: as soon as pipeBytes are there, or when
// none has come for pipeWait. What reads is a goroutine that ends with r; the
// process does not wait for it.
func gather(ctx context.Context, r *bufio.Reader, send func(lines []byte) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type read struct {
		line []byte
		err  error
	}
	reads := make(chan read) // unbuffered: the pipe itself holds back whoever writes it
	go func() {
		for {
			line, err := r.ReadBytes('\n')
			select {
			case reads <- read{line, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	var lines []byte
	var late <-chan time.Time // set while lines holds something
	flush := func() error {
		if len(lines) == 0 {
			return nil
		}
		err := send(lines)
		lines, late = nil, nil
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-late:
			if err := flush(); err != nil {
				return err
			}
		case got := <-reads:
			if lines = append(lines, got.line...); len(lines) > 0 {
				late = time.After(pipeWait)
			}
			switch {
			case errors.Is(got.err, io.EOF):
				return flush()
			case got.err != nil:
				return errors.Join(flush(), fmt.Errorf("read the pipe: %w", got.err))
			case len(lines) >= pipeBytes:
				if err := flush(); err != nil {
					return err
				}
			}
		}
	}
}

func (p printer) pushed(sum client.Pushed, notes io.Writer) error {
	refused := len(sum.Rejected) + sum.Unlisted
	if sum.Rejected == nil {
		sum.Rejected = []client.Rejected{} // "rejected":[] and not null
	}
	for _, r := range sum.Rejected {
		fmt.Fprintf(notes, "line %d: %s\n", r.Line, r.Error)
	}
	err := p.value(sum, func() error {
		_, err := fmt.Fprintf(p, "accepted %d, duplicates %d, rejected %d\n", sum.Accepted, sum.Duplicates, refused)
		return err
	})
	if err == nil && refused > 0 {
		err = fmt.Errorf("%d rejected", refused)
	}
	return err
}
