package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/birdwire/birdwire/gateway/client"
)

func (c *cli) monitors() *cobra.Command {
	return c.group(&cobra.Command{
		Use:   "monitors",
		Short: "Watch accounts",
		Long:  "Monitors: the accounts whose posts a key receives on the twitter API.\n\n" + keyHelp,
		Example: example(`
			birdwire monitors create --name "Tech leaders" --usernames ada,grace
			birdwire monitors list --key bw_…
			birdwire monitors update mon-… --status paused`),
	}, c.monitorsCreate(), c.monitorsList(), c.monitorsShow(), c.monitorsUpdate(), c.monitorsDelete())
}

// monitorFlags returns what was given.
func monitorFlags(flags *pflag.FlagSet) *client.MonitorChange {
	m := new(client.MonitorChange)
	flags.SortFlags = false
	optionalText(flags, &m.Name, "name", "what people call it")
	flags.StringSliceVar(&m.Usernames, "usernames", nil, "accounts to watch, with or without @; commas or repeated")
	optionalSeconds(flags, &m.PollIntervalSeconds, "poll-interval", "for sources that poll; a streaming source delivers at once")
	optionalText(flags, &m.Status, "status", "active or paused")
	return m
}

func (c *cli) monitorsCreate() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "create --name NAME --usernames A,B,...",
		Short:   "Watch accounts from now on",
		Example: example(`birdwire monitors create --name "Tech leaders" --usernames ada,grace`),
		Args:    words(),
		PreRunE: need("name", "usernames"),
	}
	change := monitorFlags(cmd.Flags())
	return c.resourceCommand(cmd, func(cmd *cobra.Command, _ []string, r *client.Resources, p printer) error {
		m, err := r.CreateMonitor(cmd.Context(), *change)
		if err != nil {
			return err
		}
		return p.monitor(m)
	})
}

// pageSize is of the lists that are read whole.
const pageSize = 100

func (c *cli) monitorsList() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the key's monitors",
		Example: example("birdwire monitors list --status paused"),
		Args:    words(),
	}
	status := cmd.Flags().String("status", "", "only those that are active, paused or error")
	return c.resourceCommand(cmd, func(cmd *cobra.Command, _ []string, r *client.Resources, p printer) error {
		all := []client.Monitor{}
		for page := 1; ; page++ {
			list, err := r.ListMonitors(cmd.Context(), client.Page{Status: *status, Number: page, Size: pageSize})
			if err != nil {
				return err
			}
			all = append(all, list.Monitors...)
			if len(list.Monitors) < pageSize {
				break
			}
		}
		return p.value(map[string]any{"monitors": all, "total": len(all)}, func() error {
			var rows [][]string
			for _, m := range all {
				rows = append(rows, []string{m.ID, m.Status, m.Name, strings.Join(m.Usernames, ","), text(m.StatusReason)})
			}
			return p.table("ID STATUS NAME USERNAMES REASON", rows)
		})
	})
}

func (c *cli) monitorsShow() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show a monitor",
		Example: example("birdwire monitors show mon-…"),
		Args:    words("ID"),
	}
	return c.resourceCommand(cmd, func(cmd *cobra.Command, args []string, r *client.Resources, p printer) error {
		m, err := r.Monitor(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return p.monitor(m)
	})
}

func (c *cli) monitorsUpdate() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "update ID [flags]",
		Short:   "Change what is given of a monitor",
		Example: example("birdwire monitors update mon-… --usernames ada,grace,linus --status active"),
		Args:    words("ID"),
		PreRunE: needOne("name", "usernames", "poll-interval", "status"),
	}
	change := monitorFlags(cmd.Flags())
	return c.resourceCommand(cmd, func(cmd *cobra.Command, args []string, r *client.Resources, p printer) error {
		m, err := r.UpdateMonitor(cmd.Context(), args[0], *change)
		if err != nil {
			return err
		}
		return p.monitor(m)
	})
}

func (c *cli) monitorsDelete() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "delete ID",
		Short:   "Watch its accounts no longer",
		Example: example("birdwire monitors delete mon-…"),
		Args:    words("ID"),
	}
	return c.resourceCommand(cmd, func(cmd *cobra.Command, args []string, r *client.Resources, p printer) error {
		if err := r.DeleteMonitor(cmd.Context(), args[0]); err != nil {
			return err
		}
		return p.gone(args[0])
	})
}

func (p printer) monitor(m *client.Monitor) error {
	return p.value(m, func() error {
		return p.sheet("id", m.ID, "name", m.Name, "usernames", strings.Join(m.Usernames, " "),
			"status", m.Status, "reason", text(m.StatusReason), "poll interval", seconds(m.PollIntervalSeconds),
			"created", stamp(m.CreatedAt), "updated", stamp(m.UpdatedAt))
	})
}
