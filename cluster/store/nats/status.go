package nats

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/birdwire/birdwire/cluster/store"
)

// Status is how the cluster's store is. A store that is not one of several has
// neither nodes nor replicas. It takes a second where nobody answers.
func (s *Store) Status(ctx context.Context) store.Status {
	var status store.Status
	sess, _, down := s.now()
	if sess == nil {
		status.Trouble = []string{"the store of this node is down: " + down.Error()}
		return status
	}
	status.Streams = sess.streamStatus(ctx)
	var outside []string
	if sess.server != nil && sess.shared {
		sess.nodeStatus(&status)
		_, outside = sess.keepers()
	}
	status.Trouble = troubles(status, sess.shared, s.cfg.replicas(), outside)
	return status
}

// streamStatus asks for each stream once, all at once.
func (s *session) streamStatus(ctx context.Context) []store.StatusStream {
	ctx, cancel := context.WithTimeout(ctx, askAgain)
	defer cancel()
	all := make([]store.StatusStream, len(allStreams))
	var wait sync.WaitGroup
	for i, name := range allStreams {
		wait.Go(func() {
			all[i] = store.StatusStream{Stream: shown(name)}
			info, err := s.infoOnce(ctx, name)
			if err != nil {
				return
			}
			of := &all[i]
			of.First, of.Last, of.Bytes = max(info.State.FirstSeq, 1), info.State.LastSeq, info.State.Bytes
			if c := info.Cluster; c != nil {
				of.Leader = c.Leader
				of.Replicas = append(of.Replicas, store.StatusReplica{Node: c.Leader, Current: true, Online: true})
				for _, r := range c.Replicas {
					of.Replicas = append(of.Replicas, store.StatusReplica{Node: r.Name, Current: r.Current, Online: !r.Offline, Lag: r.Lag, Seen: r.Active})
				}
			}
		})
	}
	wait.Wait()
	return all
}

// infoOnce is a stream's state by its leader's word, asked for once.
func (s *session) infoOnce(ctx context.Context, stream string) (*jetstream.StreamInfo, error) {
	handle, err := s.handle(ctx, stream)
	if err != nil {
		return nil, err
	}
	return handle.Info(ctx)
}

// nodeStatus is who the members are, by what this one's server knows.
func (s *session) nodeStatus(status *store.Status) {
	here := s.connected()
	nodes := map[string]store.StatusNode{}
	for _, name := range here {
		nodes[name] = store.StatusNode{Name: name, Online: true, Current: true}
	}
	if js, err := s.server.Jsz(nil); err == nil && js.Meta != nil {
		status.Leader = js.Meta.Leader
		for _, p := range js.Meta.Replicas {
			n := store.StatusNode{Name: p.Name, Online: !p.Offline && (p.Name == s.server.Name() || slices.Contains(here, p.Name)), Current: p.Current, Lag: p.Lag, Seen: p.Active}
			if js.Meta.Leader != s.server.Name() {
				n.Current = n.Online // only the leader knows more
			}
			nodes[p.Name] = n
		}
	}
	for _, of := range status.Streams {
		for _, r := range of.Replicas {
			if _, ok := nodes[r.Node]; !ok && r.Node != "" {
				nodes[r.Node] = store.StatusNode{Name: r.Node, Online: r.Online}
			}
		}
	}
	for _, n := range nodes {
		status.Nodes = append(status.Nodes, n)
	}
	slices.SortFunc(status.Nodes, func(a, b store.StatusNode) int { return cmp.Compare(a.Name, b.Name) })
}

// lagMuch is from how many operations on a replica's lag is worth a word.
const lagMuch = 1000

// troubles says in words what is wrong with what the status shows. outside are
// nodes that are there and keep no copies yet.
func troubles(status store.Status, replicated bool, copies int, outside []string) (all []string) {
	if !replicated {
		return nil
	}
	var away []string
	for _, n := range status.Nodes {
		if !n.Online {
			away = append(away, n.Name)
		}
	}
	if len(away) > 0 {
		all = append(all, fmt.Sprintf("of %d nodes %s cannot be reached: start what is stopped, or look at the network between the nodes' routes addresses", len(status.Nodes), strings.Join(away, ", ")))
	}
	var leaderless, few []string
	for _, of := range status.Streams {
		if of.Leader == "" {
			leaderless = append(leaderless, of.Stream)
			continue
		}
		if len(of.Replicas) < copies {
			few = append(few, of.Stream)
		}
		for _, r := range of.Replicas {
			if r.Online && !r.Current && r.Lag > lagMuch {
				all = append(all, fmt.Sprintf("%s's copy of %s is %d operations behind: it catches up by itself; where the figure grows its disk or its network is too slow", r.Node, of.Stream, r.Lag))
			}
		}
	}
	if len(few) > 0 {
		do := "start one more node, and the missing ones are made by themselves"
		if len(outside) > 0 {
			do = "the missing ones are made on " + strings.Join(outside, ", ") + " by themselves, on a name that was forgotten five minutes after that"
		}
		all = append(all, fmt.Sprintf("fewer than %d copies, as after a node was taken out, there are of %s: %s", copies, strings.Join(few, ", "), do))
	}
	switch {
	case len(leaderless) == len(status.Streams):
		all = append(all, "the store takes no writes: no majority of the nodes has chosen a leader, which takes up to ten seconds after one was lost. Nothing is lost; it goes on by itself once a majority is there")
	case len(leaderless) > 0:
		all = append(all, strings.Join(leaderless, ", ")+" has no leader and takes no writes: a majority of its copies is not there, or is choosing one, which takes up to ten seconds")
	}
	return all
}

var errElecting = errors.New("the nodes are choosing a leader, which takes up to ten seconds")

// quorum is why writes do not go through, in words; nil where nothing is known
// that would explain it. It asks the own server alone.
func (s *session) quorum() error {
	if s.server == nil || !s.shared {
		return nil
	}
	js, err := s.server.Jsz(nil)
	if err != nil || js.Meta == nil {
		return nil
	}
	here, size := s.connected(), max(js.Meta.Size, members)
	if len(here) >= size/2+1 {
		if js.Meta.Leader == "" {
			return errElecting
		}
		return nil
	}
	return fmt.Errorf("this node reaches %s, which is no majority of %d: writes wait until there is one", strings.Join(here, ", "), size)
}

// RouteTraffic is what the store has exchanged with another member over the routes that
// are open to it; it begins again where they do.
type RouteTraffic struct {
	Node                                     string
	Sent, Received, SentBytes, ReceivedBytes int64
}

// Traffic is that with each member which there are routes to.
func (s *Store) Traffic() (all []RouteTraffic) {
	sess, _, _ := s.now()
	if sess == nil || sess.server == nil || !sess.shared {
		return nil
	}
	routes, err := sess.server.Routez(&server.RoutezOptions{})
	if err != nil {
		return nil // it is ending
	}
	for _, r := range routes.Routes { // several to each
		at := slices.IndexFunc(all, func(t RouteTraffic) bool { return t.Node == r.RemoteName })
		if at < 0 {
			all, at = append(all, RouteTraffic{Node: r.RemoteName}), len(all)
		}
		t := &all[at]
		t.Sent, t.Received, t.SentBytes, t.ReceivedBytes = t.Sent+r.OutMsgs, t.Received+r.InMsgs, t.SentBytes+r.OutBytes, t.ReceivedBytes+r.InBytes
	}
	return all
}
