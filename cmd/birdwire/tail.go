package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/birdwire/birdwire/gateway/client"
)

func (c *cli) tail() *cobra.Command {
	return c.group(&cobra.Command{
		Use:   "tail",
		Short: "Show what an API delivers, as it comes",
		Long: `Connect to one of the three APIs as any client does and print what comes: a
line an event on a terminal, the frames as JSON lines into a pipe.

A broken connection is made again and goes on where it was. What else
the server says goes to stderr.`,
		Example: example(`
			birdwire tail twitter
			birdwire tail kite --filters '{"categories":["central_banks"],"keywords":["rates"]}'
			birdwire tail newsrank --key bw_… | jq -r .data.title`),
	}, c.tailTwitter(), c.tailNewsrank(), c.tailKite())
}

func (c *cli) tailTwitter() *cobra.Command {
	return c.tailCommand(&cobra.Command{
		Use:   "twitter",
		Short: "Posts that the key's monitors and rules match",
		Long:  "Posts that the key's monitors and filter rules match. What comes is decided by\nthem: see 'birdwire monitors' and 'birdwire rules'.",
		Example: example(`
			birdwire tail twitter --key bw_…
			birdwire tail twitter --count 10 --json`),
	}, false, func(ctx context.Context, server *client.Client, t *tail) (*client.Stream, error) {
		return server.Twitter(ctx, t.options)
	})
}

func (c *cli) tailNewsrank() *cobra.Command {
	return c.tailCommand(&cobra.Command{
		Use:   "newsrank",
		Short: "Articles and stories",
		Long: `Articles and stories. Filters are the newsrank API's own: topics, categories,
sources, keywords, entities, tickers, include_embeddings, embedding_filters.`,
		Example: example(`
			birdwire tail newsrank
			birdwire tail newsrank --filters '{"topics":["articles"],"categories":["business"],"keywords":["AI"]}'`),
	}, true, func(ctx context.Context, server *client.Client, t *tail) (*client.Stream, error) {
		var filters client.NewsrankFilters
		if err := t.decodeFilters(&filters); err != nil {
			return nil, err
		}
		s, err := server.Newsrank(ctx, t.options)
		if err != nil {
			return nil, err
		}
		return s.Stream, s.Subscribe(ctx, filters)
	})
}

func (c *cli) tailKite() *cobra.Command {
	return c.tailCommand(&cobra.Command{
		Use:   "kite",
		Short: "News items as they are made, changed and withdrawn",
		Long: `News items as they are made, changed and withdrawn. Filters are the kite API's
own: sources, categories, keywords, tickers, companies.`,
		Example: example(`
			birdwire tail kite
			birdwire tail kite --filters '{"categories":["central_banks"],"keywords":["interest rates"]}'`),
	}, true, func(ctx context.Context, server *client.Client, t *tail) (*client.Stream, error) {
		var filters client.KiteFilters
		if err := t.decodeFilters(&filters); err != nil {
			return nil, err
		}
		s, err := server.Kite(ctx, t.options)
		if err != nil {
			return nil, err
		}
		if t.filters == "" {
			return s.Stream, s.Unsubscribe(ctx) // everything, and from now: without a word the server waits for filters
		}
		return s.Stream, s.Subscribe(ctx, filters)
	})
}

// tail is one run of a tail command.
type tail struct {
	name       string // of the API
	subscribes bool   // it is asked for events, and answers
	filters    string
	options    client.Options
	count      int // events to stop after; 0: never
	show       func(w io.Writer, m client.Message) error
	out        io.Writer
	notes      io.Writer
	cursor     string // of the last frame
}

func (c *cli) tailCommand(cmd *cobra.Command, subscribes bool, open func(context.Context, *client.Client, *tail) (*client.Stream, error)) *cobra.Command {
	cmd.Args = words()
	t := &tail{name: cmd.Name(), subscribes: subscribes, out: c.stdout, notes: c.stderr}
	flags := cmd.Flags()
	flags.SortFlags = false
	if subscribes {
		flags.StringVar(&t.filters, "filters", "", "what to subscribe to, JSON; everything where none are given")
	}
	flags.StringVar(&t.options.Resume, "resume", "new", `cursor to go on after, as an earlier run showed it; "" asks for no cursors`)
	flags.IntVar(&t.count, "count", 0, "stop after so many events")
	asJSON := jsonFlag(cmd)
	addSettings(cmd, ownerSettings)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := c.loadConfig(cmd)
		if err != nil {
			return err
		}
		if t.count < 0 {
			return usagef("--count: want a number from 0, got %d", t.count)
		}
		key, err := cfg.apiKey(cmd.Name())
		if err != nil {
			return err
		}
		server, err := cfg.owner(key)
		if err != nil {
			return err
		}
		t.show = showJSON
		if width, ok := terminal(c.stdout); ok && !*asJSON {
			t.show = newScreen(width, noColor(c.environ)).show
		}
		t.options.Reconnecting = func(why error, wait time.Duration) {
			fmt.Fprintf(c.stderr, "connection lost: %v; again in %s\n", briefly(why), showDuration(wait.Round(time.Second)))
		}
		return cfg.atPublic().explain(t.run(cmd.Context(), server, open))
	}
	return cmd
}

// run prints until the stream ends, the count is reached or the process is
// asked to stop, which is no failure.
func (t *tail) run(ctx context.Context, server *client.Client, open func(context.Context, *client.Client, *tail) (*client.Stream, error)) error {
	stream, err := open(ctx, server, t)
	if err != nil {
		return err
	}
	defer stream.Close()
	for n := 0; t.count == 0 || n < t.count; {
		m, err := stream.Next(ctx)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			return err
		}
		if m.Cursor != "" {
			t.cursor = m.Cursor
		}
		shown, err := t.tell(m)
		if err != nil {
			return err
		}
		if shown {
			n++
		}
	}
	if t.cursor != "" {
		fmt.Fprintf(t.notes, "to go on from here: --resume %s\n", t.cursor)
	}
	return nil
}

// tell prints an event; what else the server says goes to the notes.
func (t *tail) tell(m client.Message) (isEvent bool, err error) {
	switch e := m.Event.(type) {
	case *client.Connected:
		if !t.subscribes {
			return false, t.listening()
		}
		return false, nil
	case *client.Subscribed:
		return false, t.listening()
	case *client.Pong, *client.Checkpoint:
		return false, nil
	case *client.Fault:
		_, err := fmt.Fprintf(t.notes, "the server says: %s\n", printable(e.Text))
		return false, err
	}
	return true, t.show(t.out, m)
}

// listening says that whatever comes from now on is shown.
func (t *tail) listening() error {
	_, err := fmt.Fprintf(t.notes, "listening to %s\n", t.name)
	return err
}

func showJSON(w io.Writer, m client.Message) error {
	_, err := w.Write(append(bytes.Clone(m.Raw), '\n'))
	return err
}

// decodeFilters is strict: a field that the API does not know would narrow
// nothing, and look as if it did.
func (t *tail) decodeFilters(into any) error {
	if t.filters == "" {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader([]byte(t.filters)))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	var mistyped *json.UnmarshalTypeError
	switch {
	case errors.As(err, &mistyped) && mistyped.Field == "":
		return usagef("--filters: want a JSON object, got %s", mistyped.Value)
	case errors.As(err, &mistyped):
		return usagef("--filters: %s: a value of this type is not taken here: %s", mistyped.Field, mistyped.Value)
	case err != nil:
		return usagef("--filters: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return usagef("--filters: want one JSON object and nothing after it")
	}
	return nil
}

// noColor: https://no-color.org: set to anything but "".
func noColor(environ []string) bool {
	return slices.ContainsFunc(environ, func(e string) bool {
		return strings.HasPrefix(e, "NO_COLOR=") && e != "NO_COLOR="
	})
}
