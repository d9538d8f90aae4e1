package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/birdwire/birdwire/cluster/node"
	"github.com/birdwire/birdwire/gateway/client"
)

func (c *cli) clusterBackup() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write all that is kept to a file, and check it",
		Long: `Write all that the server keeps to a file: the log, keys, monitors, rules,
feeds, credits, articles' states and snapshots. Sequences are kept as they are, so
that clients' cursors stay valid in what is restored from it. It is for operators,
as keys is; the server goes on serving.

It is then restored into a folder beside the file, which is removed again, and
what was found is noted in the file: a restore is held against that.

With --stopped it reads the data folder of a node that stood alone and does not
run.`,
		Example: example(`
			birdwire cluster backup monday.birdwire
			birdwire cluster backup move.birdwire --stopped --data /var/lib/birdwire`),
		Args: words("FILE"),
	}
	asJSON := jsonFlag(cmd)
	stopped := cmd.Flags().Bool("stopped", false, "read the data folder of a node that stood alone and does not run")
	addSettings(cmd, operatorSettings)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := c.loadConfig(cmd)
		if err != nil {
			return err
		}
		write := func(w io.Writer, progress func(done, total int64)) error {
			return node.BackupFolder(cmd.Context(), node.Config{Dir: cfg.str("data"), Logger: c.serverLog(cfg).Logger}, w, progress)
		}
		if !*stopped {
			a, err := cfg.operator()
			if err != nil {
				return err
			}
			write = func(w io.Writer, progress func(done, total int64)) error {
				return cfg.atAdmin().explain(a.Backup(cmd.Context(), w, progress))
			}
		}
		return c.backUp(cmd, args[0], write, printer{c.stdout, *asJSON})
	}
	return cmd
}

// backUp writes the file under another name first: one of that name is whole and
// was checked.
func (c *cli) backUp(cmd *cobra.Command, path string, write func(io.Writer, func(done, total int64)) error, p printer) error {
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("%s is there already: name another file, or remove it", path)
	}
	part := path + ".part"
	file, err := os.OpenFile(part, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	bar := c.newBar(c.stderr)
	err = write(file, func(done, total int64) { bar.bytes("written", done, total) })
	if err == nil {
		err = file.Sync()
	}
	err = errors.Join(err, file.Close())
	var streams []stored
	if err == nil {
		bar.clear()
		found, checkErr := node.CheckBackup(cmd.Context(), part, func(done, total int64) { bar.bytes("checked", done, total) })
		err = checkErr
		for _, f := range found {
			streams = append(streams, stored(f))
		}
	}
	bar.clear()
	if err != nil {
		return errors.Join(err, os.Remove(part))
	}
	if err := os.Rename(part, path); err != nil {
		return err
	}
	return p.restored(streams, "backed up to "+path+", and checked")
}

// stored is what a part of the store holds.
type stored client.StoredStream

func (p printer) restored(streams []stored, what string) error {
	return p.value(map[string]any{"streams": streams}, func() error {
		if err := p.say("%s", what); err != nil {
			return err
		}
		for _, s := range streams {
			if err := p.say("  %-10s %d messages, %d to %d, sha256 %.16s…", s.Stream, s.Messages, s.First, s.Last, s.SHA256); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *cli) clusterRestore() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup in the place of what a cluster keeps",
		Long: `Restore a backup into a cluster, by way of any of its nodes. It is how a node
that stood alone becomes several: back it up, stop it, start the nodes each on an
empty folder, restore, and start the nodes again.

The node that is asked reads and verifies the whole backup first, on its own disk:
one that is damaged changes nothing. Then all nodes stop writing, and none is ready
until it was started again. What
is there afterwards is held against what the check of the backup had found, message
by message. A cluster that has events already is refused, unless --replace says
that they may go. Where it ends half way, run it again, on a node that ran before: a
node that is started meanwhile waits for that, and /readyz says so.

A node that stands alone is restored by a copy of its folder, made while it is
stopped.`,
		Example: example("birdwire cluster restore move.birdwire"),
		Args:    words("FILE"),
	}
	replace := cmd.Flags().Bool("replace", false, "delete what the cluster has")
	return c.operatorCommand(cmd, func(cmd *cobra.Command, args []string, a *client.Admin, p printer) error {
		file, err := os.Open(args[0])
		if err != nil {
			return err
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return err
		}
		bar := c.newBar(c.stderr)
		found, err := a.Restore(cmd.Context(), file, info.Size(), *replace, func(done, total int64) { bar.bytes("restored", done, total) })
		bar.clear()
		if err != nil {
			return err
		}
		var streams []stored
		for _, f := range found {
			streams = append(streams, stored(f))
		}
		return p.restored(streams, "restored, and as it was backed up. Start every node of the cluster again now")
	})
}

func (c *cli) clusterAudit() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Compare the copies that the nodes of a cluster keep",
		Long: `Have every node read its files of all that the cluster keeps, and compare them.
A copy that is damaged, lacks something or is not as the others are is named, with
its node, and the command exits 1. Run it once a week, and before a node is replaced.

What to do with a copy that is named: look at that node's disk; stop the node, move
its data folder away, and start it again on an empty one: it gets everything from
the others. Never do that on two nodes at a time.`,
		Example: example("birdwire cluster audit"),
		Args:    words(),
	}
	return c.operatorCommand(cmd, func(cmd *cobra.Command, _ []string, a *client.Admin, p printer) error {
		findings, err := a.Audit(cmd.Context())
		if err != nil {
			return err
		}
		err = p.value(map[string]any{"findings": findings}, func() error {
			if len(findings) == 0 {
				return p.say("all copies agree")
			}
			for _, f := range findings {
				where := f.Stream
				if f.File != "" {
					where += " (" + f.File + ")"
				}
				if err := p.say("%s: %s: %s", f.Node, where, f.What); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil && len(findings) > 0 {
			err = fmt.Errorf("%d findings: what to do is in 'birdwire cluster audit --help'", len(findings))
		}
		return err
	})
}
