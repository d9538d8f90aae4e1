package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/birdwire/birdwire/gateway/client"
)

func (c *cli) feeds() *cobra.Command {
	return c.group(&cobra.Command{
		Use:   "feeds",
		Short: "Say which feeds are read, and see how they are",
		Long: `RSS, Atom and JSON feeds that the server reads, for operators: it needs the
token that the server keeps in <data>/admin.token, or BIRDWIRE_ADMIN_TOKEN.

A new feed is read once before it is made; the address of a page that names its
feed is enough. A feed that fails later is tried again for ever, with longer
pauses; 'feeds list' shows its last error. Feeds on loopback and private
networks are refused unless the server was started with --allow-private-feeds.`,
		Example: example(`
			birdwire feeds create --url https://example.com/rss --category financial_news
			birdwire feeds list
			birdwire feeds update feed-mfrggzdfmz --interval 1m`),
	}, c.feedsCreate(), c.feedsList(), c.feedsShow(), c.feedsUpdate(), c.feedsDelete())
}

// feedFlags returns what was given.
func feedFlags(flags *pflag.FlagSet) *client.FeedChange {
	f := new(client.FeedChange)
	flags.SortFlags = false
	optionalText(flags, &f.URL, "url", "where it is")
	optionalText(flags, &f.Name, "name", "its source's name, as clients see it; its title where none is given")
	optionalText(flags, &f.Category, "category", "its articles' category")
	optionalSeconds(flags, &f.IntervalSeconds, "interval", "how often it is read; its own wishes count too (default 5m)")
	optionalText(flags, &f.SourceID, "source-id", "its source's id, as clients filter by; made of the name where none is given")
	optionalText(flags, &f.Language, "language", "its language, such as en, where it does not say")
	optionalText(flags, &f.Identity, "identity", "what makes two items the same article: guid, link, guid_link or title_date; by default auto, which goes by what the feed does")
	return f
}

func (c *cli) feedsCreate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create --url URL --category CATEGORY [flags]",
		Short: "Have a feed read from now on",
		Long: `Have a feed read from now on. The URL is read at once: where it is an HTML page
that names its feed, that feed is taken, and where it cannot be read, nothing is
made.`,
		Example: example("birdwire feeds create --url https://example.com/rss --name Example --category financial_news --interval 5m"),
		Args:    words(),
		PreRunE: need("url", "category"),
	}
	change := feedFlags(cmd.Flags())
	cmd.Flags().BoolVar(&change.Force, "force", false, "make it although it cannot be read now")
	return c.operatorCommand(cmd, func(cmd *cobra.Command, _ []string, a *client.Admin, p printer) error {
		f, err := a.CreateFeed(cmd.Context(), *change)
		if err != nil {
			return err
		}
		return p.feed(f)
	})
}

func (c *cli) feedsList() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the feeds and how they are",
		Example: example("birdwire feeds list"),
		Args:    words(),
	}
	return c.operatorCommand(cmd, func(cmd *cobra.Command, _ []string, a *client.Admin, p printer) error {
		feeds, err := a.Feeds(cmd.Context())
		if err != nil {
			return err
		}
		return p.value(map[string]any{"feeds": feeds}, func() error {
			now := time.Now()
			var rows [][]string
			for _, f := range feeds {
				rows = append(rows, []string{
					f.ID, f.Status, f.Name, f.Category, strconv.FormatInt(f.Events, 10),
					since(f.LastSuccessAt, now), f.URL, trouble(f),
				})
			}
			return p.table("ID STATUS NAME CATEGORY EVENTS READ URL ERROR", rows)
		})
	})
}

func (c *cli) feedsShow() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show a feed and how it is",
		Example: example("birdwire feeds show feed-mfrggzdfmz"),
		Args:    words("ID"),
	}
	return c.operatorCommand(cmd, func(cmd *cobra.Command, args []string, a *client.Admin, p printer) error {
		f, err := a.Feed(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return p.feed(f)
	})
}

func (c *cli) feedsUpdate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "update ID [flags]",
		Short: "Change what is given of a feed",
		Long: `Change what is given of a feed. A new URL is read at once, as 'feeds create'
does; where it cannot be read, nothing is changed.`,
		Example: example("birdwire feeds update feed-mfrggzdfmz --interval 1m --category central_banks"),
		Args:    words("ID"),
		PreRunE: needOne("url", "name", "category", "interval", "source-id", "language", "identity"),
	}
	change := feedFlags(cmd.Flags())
	cmd.Flags().BoolVar(&change.Force, "force", false, "change the URL although it cannot be read now")
	return c.operatorCommand(cmd, func(cmd *cobra.Command, args []string, a *client.Admin, p printer) error {
		f, err := a.UpdateFeed(cmd.Context(), args[0], *change)
		if err != nil {
			return err
		}
		return p.feed(f)
	})
}

func (c *cli) feedsDelete() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "delete ID",
		Short:   "Have a feed read no longer; its articles stay",
		Example: example("birdwire feeds delete feed-mfrggzdfmz"),
		Args:    words("ID"),
	}
	return c.operatorCommand(cmd, func(cmd *cobra.Command, args []string, a *client.Admin, p printer) error {
		if err := a.DeleteFeed(cmd.Context(), args[0]); err != nil {
			return err
		}
		return p.gone(args[0])
	})
}

// trouble is what an operator should look at: the last error of a feed that
// fails, or a warning of one that does not.
func trouble(f client.Feed) string {
	if f.Warning != "" && f.Failures == 0 {
		return "warning: " + f.Warning
	}
	return f.LastError
}

// found says what a new feed's address held.
func found(f *client.Feed) string {
	switch t := f.Tried; {
	case t == nil:
		return ""
	case t.Error != "":
		return "it cannot be read now: " + t.Error
	default:
		text := fmt.Sprintf("%s, %s", t.Format, items(t.Items))
		if t.Page != "" {
			text += fmt.Sprintf("; the page %s names it", t.Page)
		}
		if t.Warning != "" {
			text += "; warning: " + t.Warning
		}
		return text
	}
}

func items(n int) string {
	if n == 1 {
		return "1 item"
	}
	return fmt.Sprintf("%d items", n)
}

func (p printer) feed(f *client.Feed) error {
	return p.value(f, func() error {
		now := time.Now()
		next, failures := "", ""
		if f.NextPollAt != nil {
			next = since(f.NextPollAt, now)
		}
		if f.Failures > 0 {
			failures = strconv.FormatInt(f.Failures, 10) + " in a row, the last " + since(f.LastErrorAt, now)
		}
		return p.sheet("id", f.ID, "url", f.URL, "name", f.Name, "source id", f.SourceID, "category", f.Category,
			"language", f.Language, "identity", f.Identity, "interval", seconds(f.IntervalSeconds),
			"status", f.Status, "events", strconv.FormatInt(f.Events, 10), "last read", since(f.LastSuccessAt, now), "next", next,
			"failures", failures, "last error", f.LastError, "warning", f.Warning, "found", found(f), "created", stamp(f.CreatedAt))
	})
}
