package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/birdwire/birdwire/gateway/client"
)

func (c *cli) keys() *cobra.Command {
	return c.group(&cobra.Command{
		Use:   "keys",
		Short: "Make, list, change and end API keys",
		Long: `API keys, for operators: it needs the token that the server keeps in
<data>/admin.token, or BIRDWIRE_ADMIN_TOKEN.`,
		Example: example(`
			birdwire keys create --name ada --plan pro
			birdwire keys list
			birdwire keys show key-mfrggzdfmz`),
	}, c.keysCreate(), c.keysList(), c.keysShow(), c.keysUpdate(), c.keysRevoke(), c.keysRotate())
}

func (c *cli) keysCreate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create --name NAME --plan PLAN",
		Short: "Make a key and show it, this once",
		Long: `Make a key. Its text is shown this once: only a hash of it is kept.

Plans are those of the server's configuration; free, starter, pro and business
where it says nothing. Scopes are ws:connect, rules:write, rules:read and
ingest:write; ws:connect and rules:write where none is named.`,
		Example: example(`
			birdwire keys create --name ada --plan pro
			birdwire keys create --name loader --plan business --scope ingest:write --json
			birdwire keys create --name desk --plan pro --api newsrank --scope ws:connect`),
		Args:    words(),
		PreRunE: need("name", "plan"),
	}
	var k client.NewKey
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&k.Name, "name", "", "what people call it")
	flags.StringVar(&k.Plan, "plan", "", "what it may use")
	flags.StringVar(&k.Owner, "owner", "", "whose it is")
	flags.StringSliceVar(&k.Scopes, "scope", nil, "what it may do; repeat it for more than one")
	flags.StringSliceVar(&k.APIs, "api", nil, "restrict it to twitter, newsrank or kite; repeat it for more than one")
	c.completeKey(cmd)
	return c.operatorCommand(cmd, func(cmd *cobra.Command, _ []string, a *client.Admin, p printer) error {
		made, err := a.CreateKey(cmd.Context(), k)
		if err != nil {
			return err
		}
		return p.minted(made)
	})
}

func (p printer) minted(k *client.MintedKey) error {
	return p.value(k, func() error {
		return p.sheet("id", k.ID, "key", k.Key+"   (shown this once: keep it)", "name", k.Name, "owner", k.Owner,
			"plan", k.Plan, "scopes", strings.Join(k.Scopes, " "), "apis", strings.Join(k.APIs, " "))
	})
}

func (c *cli) keysList() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List all keys",
		Example: example("birdwire keys list"),
		Args:    words(),
	}
	return c.operatorCommand(cmd, func(cmd *cobra.Command, _ []string, a *client.Admin, p printer) error {
		keys, err := a.Keys(cmd.Context())
		if err != nil {
			return err
		}
		return p.value(map[string]any{"keys": keys}, func() error {
			now := time.Now()
			var rows [][]string
			for _, k := range keys {
				used := since(k.LastUsedAt, now)
				if k.LastUsedAt == nil { // the record that a list reads is written once a minute
					used = "never, or just now"
				}
				rows = append(rows, []string{k.ID, k.State, k.Plan, k.Name, strings.Join(k.Scopes, ","), used})
			}
			return p.table("ID STATE PLAN NAME SCOPES USED", rows)
		})
	})
}

func (c *cli) keysShow() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show a key, its connections and the month's credits",
		Example: example("birdwire keys show key-mfrggzdfmz --json"),
		Args:    words("ID"),
	}
	return c.keyCommand(cmd, (*client.Admin).Key)
}

func (c *cli) keysRevoke() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke ID",
		Short: "End a key for good, and its connections with it",
		Long: `End a key for good. Its connections are closed at once; it cannot be made
active again. To replace a key that leaked, rotate it: monitors and rules stay.`,
		Example: example("birdwire keys revoke key-mfrggzdfmz"),
		Args:    words("ID"),
	}
	return c.keyCommand(cmd, (*client.Admin).RevokeKey)
}

// keyCommand asks about the key that is named and shows what it is then.
func (c *cli) keyCommand(cmd *cobra.Command, ask func(*client.Admin, context.Context, string) (*client.KeyUse, error)) *cobra.Command {
	return c.operatorCommand(cmd, func(cmd *cobra.Command, args []string, a *client.Admin, p printer) error {
		k, err := ask(a, cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return p.value(k, func() error {
			limit := "unlimited"
			if k.Usage.CreditsLimit > 0 {
				limit = strconv.FormatInt(k.Usage.CreditsLimit, 10)
			}
			return p.sheet("id", k.ID, "name", k.Name, "owner", k.Owner, "plan", k.Plan, "scopes", strings.Join(k.Scopes, " "),
				"apis", strings.Join(k.APIs, " "), "state", k.State, "created", stamp(k.CreatedAt),
				"last used", since(k.LastUsedAt, time.Now()), "connections", strconv.Itoa(k.Connections),
				"credits", fmt.Sprintf("%d of %s in %s", k.Usage.CreditsUsed, limit, k.Usage.Month), "node", k.Node)
		})
	})
}

func (c *cli) keysRotate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate ID [--grace DURATION]",
		Short: "Give a key a new text and show it, this once",
		Long: `Give a key a new text. Everything else of the key stays, its connections too.
The old text is refused from now on, or after --grace, so that clients can be
changed one after the other. A rotation ends the grace of the one before it.`,
		Example: example(`
			birdwire keys rotate key-mfrggzdfmz               # it leaked: the old text ends now
			birdwire keys rotate key-mfrggzdfmz --grace 24h`),
		Args: words("ID"),
	}
	var grace *float64
	optionalSeconds(cmd.Flags(), &grace, "grace", "how long the old text is still taken, at most 90d")
	return c.operatorCommand(cmd, func(cmd *cobra.Command, args []string, a *client.Admin, p printer) error {
		var wait time.Duration
		if grace != nil {
			wait = time.Duration(*grace * float64(time.Second))
		}
		if wait < 0 || wait > 90*day {
			return usagef("--grace: want a duration from 0 to 90d")
		}
		made, err := a.RotateKey(cmd.Context(), args[0], wait)
		if err != nil {
			return err
		}
		return p.minted(made)
	})
}

func (c *cli) keysUpdate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "update ID [flags]",
		Short: "Change a key's plan, name, owner, scopes or APIs",
		Long: `Change what is given of a key. Its text stays, so an upgrade needs no new key.
--scope and --api name the whole list; --api "" is every API again. Connections
to an API that the key may no longer use are closed; a smaller plan closes none,
and refuses the next ones.`,
		Example: example(`
			birdwire keys update key-mfrggzdfmz --plan business
			birdwire keys update key-mfrggzdfmz --scope ws:connect --scope ingest:write`),
		Args:    words("ID"),
		PreRunE: needOne("name", "plan", "owner", "scope", "api"),
	}
	var change client.KeyChange
	var scopes, apis []string
	flags := cmd.Flags()
	flags.SortFlags = false
	optionalText(flags, &change.Name, "name", "what people call it")
	optionalText(flags, &change.Plan, "plan", "what it may use")
	optionalText(flags, &change.Owner, "owner", "whose it is")
	flags.StringSliceVar(&scopes, "scope", nil, "what it may do; repeat it for more than one")
	flags.StringSliceVar(&apis, "api", nil, "restrict it to twitter, newsrank or kite; repeat it for more than one")
	c.completeKey(cmd)
	ask := func(a *client.Admin, ctx context.Context, id string) (*client.KeyUse, error) {
		if cmd.Flags().Changed("scope") {
			change.Scopes = &scopes
		}
		if cmd.Flags().Changed("api") {
			change.APIs = &apis
		}
		return a.UpdateKey(ctx, id, change)
	}
	return c.keyCommand(cmd, ask)
}
