package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/birdwire/birdwire/cluster/assembly"
	"github.com/birdwire/birdwire/cluster/link/grpc"
	"github.com/birdwire/birdwire/cluster/membership"
	"github.com/birdwire/birdwire/cluster/membership/gossip"
	"github.com/birdwire/birdwire/cluster/placement"
	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/gateway/admin"
	"github.com/birdwire/birdwire/messages"
)

// clusterView is what operators see of the cluster: what this node knows by the
// lease records, its link, gossip and its store. Nobody else is asked, so that it
// is answered whatever the others do.
type clusterView struct{ n *Node }

var _ admin.Cluster = clusterView{}

func (v clusterView) LookCluster(ctx context.Context) admin.ClusterState {
	n := v.n
	seen := known{
		self: n.cfg.Name, standings: n.actors.Standings(), gossip: n.cluster.gossip.Snapshot().Nodes, links: n.cluster.link.Status(),
		version: Version(), certificate: n.cluster.security.trouble(),
	}
	if s, ok := n.store.(interface {
		Status(context.Context) store.Status
	}); ok {
		seen.store = s.Status(ctx)
	}
	state := seen.state()
	state.Cluster = n.cluster.cfg.Name
	if err := n.Ready(ctx); err != nil {
		state.Problems = append([]string{fmt.Sprintf("node %s, which was asked, takes no traffic: %v", n.cfg.Name, err)}, state.Problems...)
	}
	return state
}

// known is what the state is made of.
type known struct {
	self, version string
	standings     []assembly.Standing
	gossip        []gossip.Node
	links         []grpc.Status
	store         store.Status
	certificate   string // what is wrong with this node's; "": nothing
}

func (k known) state() admin.ClusterState {
	state := admin.ClusterState{Nodes: []admin.ClusterNode{}, Store: k.copies(), Problems: []string{}}
	for _, s := range k.standings {
		node := admin.ClusterNode{
			Name: s.Name, Incarnation: s.Incarnation, Version: k.versionOf(s.Name), State: s.State.String(),
			Core: s.State == membership.Core, Shards: s.Shards, Links: []admin.ClusterLink{},
		}
		for _, other := range k.standings {
			if other.Name != s.Name && s.State != membership.Down {
				node.Links = append(node.Links, k.linkOf(s, other.Name))
			}
		}
		state.Nodes = append(state.Nodes, node)
	}
	for _, g := range k.gossip {
		if g.State == gossip.Seen && !slices.ContainsFunc(state.Nodes, func(n admin.ClusterNode) bool { return n.Name == g.Name }) {
			state.Nodes = append(state.Nodes, admin.ClusterNode{Name: g.Name, Version: g.Version, State: "starting", Links: []admin.ClusterLink{}})
		}
	}
	slices.SortFunc(state.Nodes, func(a, b admin.ClusterNode) int { return strings.Compare(a.Name, b.Name) })
	state.Problems = append(state.Problems, k.problems()...)
	return state
}

// versionOf is the program's that the node runs, as it says by gossip.
func (k known) versionOf(name string) string {
	for _, g := range k.gossip {
		if g.Name == name {
			return g.Version
		}
	}
	if name == k.self {
		return k.version
	}
	return ""
}

// linkOf is a link by the word of the node that it begins at; of this node's own
// links more is known.
func (k known) linkOf(from assembly.Standing, to string) admin.ClusterLink {
	l := admin.ClusterLink{Node: to, Up: k.reaches(from, to)}
	if from.Name == k.self && !l.Up {
		for _, s := range k.links {
			if s.Node == to {
				l.Detail = s.Trouble
			}
		}
	}
	return l
}

// reaches goes by the node's own word, which is as old as its lease record: without
// a majority that is not written any more. So a process that has ended is reached by
// nobody, and of this node its link says what is so now.
func (k known) reaches(from assembly.Standing, to string) bool {
	if slices.ContainsFunc(k.standings, func(s assembly.Standing) bool { return s.Name == to && s.State == membership.Down }) {
		return false
	}
	if from.Name == k.self {
		for _, s := range k.links {
			if s.Node == to {
				return s.Up && slices.Contains(from.Reaches, to)
			}
		}
	}
	return slices.Contains(from.Reaches, to)
}

// copies are the store's, each node's with the lag that is most.
func (k known) copies() admin.ClusterStore {
	s := admin.ClusterStore{Leader: k.store.Leader, Replicas: []admin.ClusterReplica{}, Streams: []admin.ClusterStream{}}
	for _, of := range k.store.Streams {
		s.Streams = append(s.Streams, admin.ClusterStream{Stream: of.Stream, Leader: of.Leader})
	}
	for _, n := range k.store.Nodes {
		r := admin.ClusterReplica{Node: n.Name, Online: n.Online, Lag: n.Lag}
		for _, stream := range k.store.Streams {
			if stream.Leader == n.Name {
				r.Leads = append(r.Leads, stream.Stream)
			}
			for _, c := range stream.Replicas {
				if c.Node == n.Name {
					r.Lag = max(r.Lag, c.Lag)
				}
			}
		}
		s.Replicas = append(s.Replicas, r)
	}
	return s
}

// problems are what is wrong and what to do.
func (k known) problems() (all []string) {
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	core, up, versions := 0, 0, map[string]bool{}
	for _, s := range k.standings {
		if s.State == membership.Core {
			core++
		}
		if s.State != membership.Down {
			up++
		}
	}
	for _, s := range k.standings {
		if v := k.versionOf(s.Name); v != "" && s.State != membership.Down {
			versions[v] = true
		}
		switch {
		case s.State == membership.Core:
		case s.State == membership.Down && up <= len(k.standings)/2:
			say("node %s is down: start it with the settings that it had; %d of %d nodes are up, and more than half are needed", s.Name, up, len(k.standings))
		case s.State == membership.Down:
			say("node %s is down: start it with the settings that it had; the others serve what it owned. One that does not come back is taken out with 'birdwire cluster forget %s'", s.Name, s.Name)
		case s.State == membership.Leaving:
			say("node %s leaves: it gives up what it owns, and ends", s.Name)
		case s.Unfit != "":
			say("node %s may own nothing now: %s", s.Name, s.Unfit)
		case up == 1:
			say("node %s is apart: all others are down, and one node alone does not serve", s.Name)
		default:
			say("node %s is apart: %s. See to it that each node reaches the link address of every other", s.Name, k.cut(s))
		}
	}
	if len(k.standings) > 0 && core == 0 {
		say("no node may serve clients now: clients get 503 until the nodes reach each other and the store takes writes")
	}
	if core == placement.MostNodes && len(k.standings) > core {
		say("more nodes are up than the %d that may serve: the youngest wait until there is room", placement.MostNodes)
	}
	if len(versions) > 1 {
		say("nodes run different versions: %s. Finish the upgrade; until then what only the newer knows is not used", strings.Join(sorted(versions), ", "))
	}
	if k.certificate != "" {
		say("node %s, which was asked: %s", k.self, k.certificate)
	}
	return append(all, k.store.Trouble...)
}

// cut is whom the node does not reach, or is not reached by.
func (k known) cut(s assembly.Standing) string {
	var cuts []string
	for _, other := range k.standings {
		if other.Name == s.Name || other.State == membership.Down {
			continue
		}
		switch there, back := k.reaches(s, other.Name), k.reaches(other, s.Name); {
		case !there:
			cuts = append(cuts, fmt.Sprintf("it does not reach %s", other.Name))
		case !back:
			cuts = append(cuts, fmt.Sprintf("%s does not reach it", other.Name))
		}
	}
	if cuts == nil {
		return "it reaches all others, and takes part within seconds"
	}
	return strings.Join(cuts, ", ")
}

func sorted(words map[string]bool) (all []string) {
	for w := range words {
		all = append(all, w)
	}
	slices.Sort(all)
	return all
}

// KeyNode goes by the view, as messages to the key do.
func (v clusterView) KeyNode(keyID string) string { return v.n.actors.OwnerNode(keyID) }

// DrainNode asks the node's process, which may be this one.
func (v clusterView) DrainNode(ctx context.Context, name string) error {
	pid := v.n.actors.Operated(name)
	if pid == nil {
		return fmt.Errorf("drain node %s: %w", name, messages.ErrNotFound)
	}
	m, err := ask(ctx, v.n.actors, pid, &messages.DrainNode{}, v.n.cfg.answerTime)
	if err != nil {
		return v.n.unanswered(&messages.DrainNode{}, err)
	}
	if _, ok := m.(*messages.NodeDrains); !ok {
		return fmt.Errorf("drain node %s: answered by a %T", name, m)
	}
	return nil
}

// ForgetNode takes a node out of the lease records, by which what it owned is dealt
// out again, and out of the store, by which its copies are made elsewhere. Whether the
// store can do without it is known before anything is changed; where it fails after
// that, asking again goes on from there.
func (v clusterView) ForgetNode(ctx context.Context, name string) error {
	n := v.n
	refused := func(why string) error {
		return messages.Refuse(messages.ErrConflict, "%s is not taken out: %s", name, why)
	}
	if name == n.cfg.Name {
		return refused("it is the node that was asked, which is up")
	}
	for _, g := range n.cluster.gossip.Snapshot().Nodes {
		if g.Name == name && g.State == gossip.Seen {
			return refused("it is up: gossip hears of it; drain it first")
		}
	}
	lease := func(missing error) error {
		done := make(chan error, 1)
		n.actors.Forget(name, func(err error) { done <- err })
		select {
		case err := <-done:
			switch {
			case errors.Is(err, assembly.ErrNoMember):
				return missing
			case errors.Is(err, assembly.ErrAlive), errors.Is(err, assembly.ErrNotServing):
				return refused(err.Error())
			}
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if !n.kept.Member(name) {
		return lease(messages.ErrNotFound)
	}
	return n.kept.Forget(ctx, name, func() error { return lease(nil) })
}

// StepDown is asked of the store, whichever node leads the stream.
func (v clusterView) StepDown(ctx context.Context, stream, to string) (string, error) {
	return v.n.kept.StepDown(ctx, stream, to)
}

// beginDrain is an operator's word that this process is to end.
func (n *Node) beginDrain() { n.drain.Do(func() { close(n.drained) }) }

// Drained is closed once an operator has asked for the node to drain: whoever runs
// it is to close it, as at a SIGTERM.
func (n *Node) Drained() <-chan struct{} { return n.drained }
