package main

import (
	"errors"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/birdwire/birdwire/gateway/client"
)

func (c *cli) connections() *cobra.Command {
	return c.group(&cobra.Command{
		Use:   "connections",
		Short: "See who is connected, and close a connection",
		Long: `Open WebSockets, for operators: it needs the token that the server keeps in
<data>/admin.token, or BIRDWIRE_ADMIN_TOKEN.`,
		Example: example(`
			birdwire connections list --api twitter
			birdwire connections close 01J8ZQ4W3V`),
	}, c.connectionsList(), c.connectionsClose())
}

func (c *cli) connectionsList() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the open connections, the oldest first",
		Long: `List the open connections of all nodes, the oldest first: at most 10,000 of each
node. QUEUED is what waits for a client
that reads slowly; past limits.queue it is closed.`,
		Example: example(`
			birdwire connections list
			birdwire connections list --of key-mfrggzdfmz --json`),
		Args: words(),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	key := flags.String("of", "", "only those of the key with this id")
	api := flags.String("api", "", "only those of twitter, newsrank or kite")
	complete(cmd, "api", apiNames...)
	return c.operatorCommand(cmd, func(cmd *cobra.Command, _ []string, a *client.Admin, p printer) error {
		all, err := a.Connections(cmd.Context(), *key, *api)
		if err != nil {
			return err
		}
		return p.value(all, func() error {
			now := time.Now()
			var rows [][]string
			for _, o := range all.Connections {
				rows = append(rows, []string{
					o.ID, o.API, o.KeyID, o.Address, since(&o.OpenedAt, now),
					strconv.FormatInt(o.Delivered, 10), roughSize(o.QueuedBytes), o.Node,
				})
			}
			return errors.Join(p.table("ID API KEY ADDRESS OPENED DELIVERED QUEUED NODE", rows), p.missing(all.Incomplete))
		})
	})
}

func (c *cli) connectionsClose() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "close ID",
		Short: "Close a connection",
		Long: `Close a connection. Its client is told that an operator did it, and may connect
again at once; to keep it out, revoke its key.`,
		Example: example("birdwire connections close 01J8ZQ4W3V"),
		Args:    words("ID"),
	}
	return c.operatorCommand(cmd, func(cmd *cobra.Command, args []string, a *client.Admin, p printer) error {
		if err := a.CloseConnection(cmd.Context(), args[0]); err != nil {
			return err
		}
		return p.value(map[string]any{"id": args[0], "closed": true}, func() error {
			return p.say("%s closed", args[0])
		})
	})
}
