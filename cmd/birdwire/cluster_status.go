package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/birdwire/birdwire/gateway/client"
)

func (c *cli) clusterStatus() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "See the nodes, what each owns and reaches, and what is wrong",
		Long: `Ask any node how the cluster is: the nodes with their version and state, how
much of the 1,024 shards of keys each owns, whom each reaches, and how the copies
of the store are. What is wrong is said in words, with what to do; it exits 1 then.

A node is core where it may own keys and admits clients, leaving while it gives up
what it owns, apart where the others do not reach it or it may not own for another
reason, down where its process has ended or says nothing, and starting while it
waits for the others.

It is for operators: it needs the token that the server keeps in
<data>/admin.token, or BIRDWIRE_ADMIN_TOKEN.`,
		Example: example(`
			birdwire cluster status
			birdwire cluster status --admin 10.0.0.2:8001 --json`),
		Args: words(),
	}
	return c.operatorCommand(cmd, func(cmd *cobra.Command, _ []string, a *client.Admin, p printer) error {
		state, err := a.Cluster(cmd.Context())
		if err != nil {
			return err
		}
		if err := p.value(state, func() error { return p.cluster(state) }); err != nil {
			return err
		}
		if len(state.Problems) > 0 {
			return errors.New("something is wrong with the cluster")
		}
		return nil
	})
}

func (p printer) cluster(state *client.Cluster) error {
	if err := p.say("cluster  %s", state.Cluster); err != nil {
		return err
	}
	copies := map[string]client.ClusterReplica{}
	for _, r := range state.Store.Replicas {
		copies[r.Node] = r
	}
	var rows [][]string
	for _, n := range state.Nodes {
		rows = append(rows, []string{
			n.Name, n.State, strconv.Itoa(n.Shards), linksOf(n), storeOf(n.Name, state.Store.Leader, copies), strconv.FormatUint(n.Incarnation, 10), n.Version,
		})
	}
	if err := p.table("NODE STATE SHARDS REACHES STORE START VERSION", rows); err != nil {
		return err
	}
	for _, n := range state.Nodes {
		for _, l := range n.Links {
			if l.Detail == "" {
				continue
			}
			if err := p.say("! %s does not reach %s: %s", n.Name, l.Node, l.Detail); err != nil {
				return err
			}
		}
	}
	for _, problem := range state.Problems {
		if err := p.say("! %s", problem); err != nil {
			return err
		}
	}
	return nil
}

// linksOf are the nodes that one reaches, and with "not" before it those that it
// does not.
func linksOf(n *client.ClusterNode) string {
	var up, down []string
	for _, l := range n.Links {
		if l.Up {
			up = append(up, l.Node)
		} else {
			down = append(down, "not "+l.Node)
		}
	}
	return strings.Join(append(up, down...), ", ")
}

func storeOf(node, leader string, copies map[string]client.ClusterReplica) string {
	r, ok := copies[node]
	switch {
	case !ok:
		return "-"
	case node == leader:
		return "leader"
	case !r.Online:
		return "not there"
	case r.Lag > 0:
		return fmt.Sprintf("%d behind", r.Lag)
	}
	return "has all"
}
