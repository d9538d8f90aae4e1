package main

import (
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/birdwire/birdwire/cluster/certs"
)

func (c *cli) cluster() *cobra.Command {
	return c.group(&cobra.Command{
		Use:   "cluster",
		Short: "Look after several nodes that serve as one",
		Long: `Nodes of one cluster have one secret, and each has a certificate of the
cluster's own CA. Both are made on one machine, once; the secret and each node's
folder are then copied to its host. 'birdwire serve --join' starts a node, and any
of them can be asked how the cluster is.

What the nodes keep is backed up, restored and compared by way of any of them.`,
		Example: example(`
			birdwire cluster init --dir cluster
			birdwire cluster certs n1 --host n1.example.com --host 10.0.0.1
			birdwire cluster status
			birdwire cluster drain n1
			birdwire cluster forget n1
			birdwire cluster step-down journal
			birdwire cluster backup monday.birdwire
			birdwire cluster audit`),
	}, c.clusterInit(), c.clusterCerts(), c.clusterStatus(), c.clusterDrain(), c.clusterForget(), c.clusterStepDown(), c.clusterBackup(), c.clusterRestore(), c.clusterAudit())
}

func (c *cli) clusterInit() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make a cluster's secret and CA",
		Long: `Make three files, and replace none:

  secret      for --secret-file of every node: one key a line, base64 of 32
              bytes; the first is used, the others are understood too
  ca.pem      whom nodes trust
  ca-key.pem  what certificates are made with: keep it off the nodes`,
		Example: example("birdwire cluster init --dir cluster --name newsroom"),
		Args:    words(),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	dir := flags.String("dir", "cluster", "folder to put the files into")
	name := flags.String("name", "birdwire", "the cluster's name, for people who look at certificates")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := certs.Init(*dir, *name); err != nil {
			return err
		}
		secret, ca := filepath.Join(*dir, certs.SecretFile), filepath.Join(*dir, certs.CAFile)
		p := printer{c.stdout, *asJSON}
		return p.value(map[string]any{"secret_file": secret, "ca": ca}, func() error {
			if err := p.sheet("secret", secret+"   (--secret-file of every node)", "ca", ca, "ca key", filepath.Join(*dir, certs.CAKeyFile)+"   (keep it off the nodes)"); err != nil {
				return err
			}
			return p.say("\nnext, for each node: birdwire cluster certs NODE --dir %s --host HOST", *dir)
		})
	}
	return cmd
}

func (c *cli) clusterCerts() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "certs NODE",
		Short: "Make, or renew, a node's certificate",
		Long: `Make a certificate that names the node and the hosts given, for both sides of
its connections to other nodes. The folder that is made is for the node's
--cert-dir: ca.pem, node.pem and node-key.pem.

To renew one, run it again and copy the files over the old ones: a node that runs
reads them again by itself.`,
		Example: example("birdwire cluster certs n1 --host n1.example.com --host 10.0.0.1"),
		Args:    words("NODE"),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	hosts := flags.StringSlice("host", nil, "name or IP address under which others dial it; repeat it for more than one")
	dir := flags.String("dir", "cluster", "folder that 'birdwire cluster init' has made")
	out := flags.String("out", "", "folder to put the files into; DIR/NODE where it is not given")
	days := flags.Int("days", 825, "how long it is valid")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *days < 1 || *days > 3650 {
			return usagef("--days: %d is not between 1 and 3650", *days)
		}
		to := *out
		if to == "" {
			to = filepath.Join(*dir, args[0])
		}
		ends, err := certs.Node(*dir, to, args[0], *hosts, time.Duration(*days)*24*time.Hour)
		if err != nil {
			return err
		}
		p := printer{c.stdout, *asJSON}
		return p.value(map[string]any{"node": args[0], "cert_dir": to, "ends_at": ends.UTC()}, func() error {
			return p.sheet("node", args[0], "folder", to+"   (--cert-dir of the node)", "valid until", ends.UTC().Format(time.DateOnly))
		})
	}
	return cmd
}
