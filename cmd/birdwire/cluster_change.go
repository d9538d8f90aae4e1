package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/birdwire/birdwire/gateway/client"
)

// clusterChange is a command that has the cluster do something with what its argument
// names. What is done then is said in words, and as an object of these members.
func (c *cli) clusterChange(cmd *cobra.Command, do func(ctx context.Context, a *client.Admin, name string) (done map[string]any, said string, err error)) *cobra.Command {
	return c.operatorCommand(cmd, func(cmd *cobra.Command, args []string, a *client.Admin, p printer) error {
		done, said, err := do(cmd.Context(), a, args[0])
		if err != nil {
			return err
		}
		return p.value(done, func() error { return p.say("%s", said) })
	})
}

func (c *cli) clusterForget() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "forget NODE",
		Short: "Take a node that will not come back out of the cluster",
		Long: `Ask any node that is up to forget NODE, which is down and will not come back: its
machine is gone, or it was drained for good. Until then the others keep its part for
it, and count it when they choose a leader. What it owned is dealt out for good, and
its copies of what is kept are made on nodes that have none. To replace a machine,
forget the old node and start the new one, in either order.

It is refused while NODE is up, and where a majority of the others, or of the copies
that it had a part of, is not there. A node that was forgotten may come back under
its name on an empty folder, not on its old one.

It is for operators: it needs the token that the server keeps in
<data>/admin.token, or BIRDWIRE_ADMIN_TOKEN.`,
		Example: example("birdwire cluster forget n2 --admin 10.0.0.1:8001"),
		Args:    words("NODE"),
	}
	return c.clusterChange(cmd, func(ctx context.Context, a *client.Admin, name string) (map[string]any, string, error) {
		return map[string]any{"node": name, "forgotten": true},
			name + " is no part of the cluster any more; 'birdwire cluster status' says whether another node is wanted", a.ForgetNode(ctx, name)
	})
}

func (c *cli) clusterDrain() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drain NODE",
		Short: "Have a node hand over what it owns, close its clients, and end",
		Long: `Ask any node to have NODE drain, which may be the same: it admits nobody, the
others take over what it owns, its clients are closed with 1012 over its drain
period, and its process exits 0, as at a SIGTERM. The command returns once it has
begun. What supervises the process must not start it again by itself after a 0.

It is for operators: it needs the token that the server keeps in
<data>/admin.token, or BIRDWIRE_ADMIN_TOKEN.`,
		Example: example("birdwire cluster drain n2 --admin 10.0.0.1:8001"),
		Args:    words("NODE"),
	}
	return c.clusterChange(cmd, func(ctx context.Context, a *client.Admin, name string) (map[string]any, string, error) {
		return map[string]any{"node": name, "draining": true},
			name + " drains; 'birdwire cluster status' shows it as leaving, and then as down", a.DrainNode(ctx, name)
	})
}

func (c *cli) clusterStepDown() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "step-down STREAM",
		Short: "Have another node lead a stream of the store",
		Long: `Ask any node to have the leader of STREAM step down. Each stream of the store
(journal, control, items, snapshots) has one node that all writes to it go by; 'birdwire
cluster status --json' says which. Another one leads it when the command returns, a
moment later: what is written meanwhile waits, and nothing is lost.

It is for a leader whose disk or network is slow, and before a machine is looked at
that must not be drained. It is refused where no other copy has everything. Who leads
is no setting: the next election may choose another.

It is for operators: it needs the token that the server keeps in
<data>/admin.token, or BIRDWIRE_ADMIN_TOKEN.`,
		Example: example(`
			birdwire cluster step-down journal
			birdwire cluster step-down journal --node n2 --admin 10.0.0.1:8001`),
		Args: words("STREAM"),
	}
	to := cmd.Flags().String("node", "", "which node is to lead it; any that has everything where it is not given")
	return c.clusterChange(cmd, func(ctx context.Context, a *client.Admin, stream string) (map[string]any, string, error) {
		now, err := a.StepDown(ctx, stream, *to)
		if err != nil {
			return nil, "", err
		}
		return map[string]any{"stream": now.Stream, "leader": now.Leader}, fmt.Sprintf("%s is led by %s", now.Stream, now.Leader), nil
	})
}
