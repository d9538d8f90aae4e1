package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/cluster/link/grpc"
	"github.com/birdwire/birdwire/cluster/membership/gossip"
	"github.com/birdwire/birdwire/cluster/store/nats"
	"github.com/birdwire/birdwire/messages"
)

// clustered is what a node has besides that is one of several.
//
//	listen ─▶ gossip ─▶ meet: who else is there ─▶ store ─▶ link ─▶ actors
//
// They end in the reverse order, gossip before the store: the others need not find
// out what they were told.
type clustered struct {
	cfg       Cluster
	advertise struct{ gossip, link, routes string } // gossip: an IP alone
	listener  net.Listener                          // of the link
	gossip    *gossip.Gossip
	link      *grpc.Link
	remote    *link.Remote
	security  *security
	changed   chan struct{} // gossip has a new snapshot
	over      chan struct{}
	followed  chan struct{} // closed when follow has ended
}

// listenCluster binds the link, and finds out by which addresses the others reach
// this node. Gossip and routes are bound by whoever serves them.
func (n *Node) listenCluster(ctx context.Context) (err error) {
	c := &clustered{cfg: *n.cfg.Cluster, changed: make(chan struct{}, 1), over: make(chan struct{})}
	n.cluster = c
	if c.security, err = openSecurity(n.cfg.Name, c.cfg, n.log); err != nil {
		return err
	}
	if c.listener, err = listen(c.cfg.Link); err != nil {
		return fmt.Errorf("listen on %s for the other nodes: %w", c.cfg.Link, err)
	}
	host := func(address string) (string, error) { return advertised(ctx, c.cfg, address) }
	var errs [3]error
	var gossipHost, linkHost, routesHost string
	gossipHost, errs[0] = host(c.cfg.Gossip)
	linkHost, errs[1] = host(c.cfg.Link)
	routesHost, errs[2] = host(c.cfg.Routes)
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	if c.advertise.gossip, err = address(ctx, gossipHost); err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(c.listener.Addr().String())
	if err != nil {
		return err
	}
	c.advertise.link = net.JoinHostPort(linkHost, port)
	if _, port, err = net.SplitHostPort(c.cfg.Routes); err != nil || port == "0" {
		return fmt.Errorf("routes: %q has no port that the others can be told", c.cfg.Routes)
	}
	c.advertise.routes = net.JoinHostPort(routesHost, port)
	if n.cfg.NATS != nil {
		return nil // there are no routes
	}
	// The embedded server would go on without, and nobody would find it.
	probe, err := listen(c.cfg.Routes)
	if err != nil {
		return fmt.Errorf("listen on %s for the routes of the other nodes' stores: %w", c.cfg.Routes, err)
	}
	return probe.Close()
}

// meet starts gossip, and waits until the store can be opened: what that is, is
// storeSeeds' to say.
func (n *Node) meet(ctx context.Context) (seeds []string, err error) {
	c := n.cluster
	c.gossip, err = gossip.Start(gossip.Config{
		Name: n.cfg.Name, Listen: c.cfg.Gossip, Host: c.advertise.gossip, Join: c.cfg.Join, SecretFile: c.cfg.SecretFile,
		Meta: gossip.Meta{
			Cluster: c.cfg.Name, Wire: link.Version, WireLeast: link.Oldest, Link: c.advertise.link, Routes: c.advertise.routes,
			Version: short(Version()), Roles: []string{"serve", "store"}, Capabilities: []string{c.security.capability()},
		},
		Logger: n.log.With("part", "gossip"), Count: n.metrics.gossiped,
		Changed: func(*gossip.Snapshot) {
			select {
			case c.changed <- struct{}{}:
			default: // whoever looks sees the newest
			}
		},
	})
	if err != nil {
		return nil, err
	}
	if n.cfg.NATS != nil {
		return nil, nil // it is there whether the other nodes are or not
	}
	member := nats.Joined(n.cfg.storeDir())
	said, settled := "", false
	for {
		seeds, waiting := storeSeeds(c.gossip.Snapshot(), n.cfg.Name, len(c.cfg.Join), member)
		if waiting == "" && settled {
			return seeds, nil
		}
		if waiting == "" { // what the first of the others knows may not be read to its end
			settled = true
			select {
			case <-time.After(settleTime):
			case <-ctx.Done():
			}
			continue
		}
		settled = false
		n.wait(waiting)
		if waiting != said {
			n.log.Info("the cluster's store is not opened yet", "why", waiting)
			said = waiting
		}
		select {
		case <-c.changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("%s: %w", waiting, ctx.Err())
		}
	}
}

// settleTime is how long what is known must be enough.
const settleTime = 100 * time.Millisecond

// storeSeeds are the routes of the others, or what has to be waited for. Servers
// that have no streams yet make the first together, and as many of them as know
// each other then: that must not happen twice, in two halves. So a new cluster
// begins with more than half of what it was told to join, and three at least, all
// of whom see each other; and none takes part under a name that is taken. A node that has been a member, or that sees one that has
// its store open, waits for nobody.
func storeSeeds(s *gossip.Snapshot, self string, seeds int, member bool) (routes []string, waiting string) {
	if s.Rival != "" {
		return nil, fmt.Sprintf("a process with this node's name, %s, is at %s, or this node was and the others are finding out that it is gone: give one of the two another --node, or end it", self, s.Rival)
	}
	formed := member
	for _, node := range s.Nodes {
		if node.Name == self || node.State != gossip.Seen || node.Routes == "" {
			continue
		}
		routes = append(routes, node.Routes)
		formed = formed || node.Incarnation > 0
	}
	slices.Sort(routes)
	need := max(3, seeds/2+1)
	switch {
	case formed && len(routes) > 0, len(routes)+1 >= need:
		return routes, ""
	case formed:
		return nil, "this node sees none of the others"
	}
	others := fmt.Sprint(len(routes), " others")
	if len(routes) == 1 {
		others = "1 other"
	}
	return nil, fmt.Sprintf("a new cluster begins with %d nodes, and this one sees %s", need, others)
}

// follow tells the link and the store who is where, whenever gossip has something
// new. It ends with close.
func (n *Node) follow() {
	c := n.cluster
	c.followed = make(chan struct{})
	go func() {
		defer close(c.followed)
		for {
			n.introduce(c.gossip.Snapshot())
			select {
			case <-c.changed:
			case <-c.over:
				return
			}
		}
	}()
}

func (n *Node) introduce(s *gossip.Snapshot) {
	c := n.cluster
	var known []grpc.Address
	for _, node := range s.Nodes {
		if node.Name == n.cfg.Name || node.State == gossip.Left {
			continue
		}
		// Who is gone for gossip is still dialed: UDP may be all that is cut. One
		// that has no incarnation yet has no link yet either.
		if node.Incarnation > 0 {
			known = append(known, grpc.Address{Node: node.Name, Address: node.Link})
		}
		if node.State != gossip.Seen || node.Routes == "" {
			continue
		}
		if s, ok := n.store.(*nats.Store); ok && n.cfg.NATS == nil {
			if err := s.AddRoute(node.Routes); err != nil {
				n.log.Warn("the store is not told of another node's routes", "peer", node.Name, "routes", node.Routes, "error", err)
			}
		}
	}
	c.link.Peers(known)
}

// connect makes the link, before the system has any actor. The others hear of the
// incarnation by gossip.
func (n *Node) connect() (err error) {
	c := n.cluster
	if err := c.gossip.Say(func(m *gossip.Meta) { m.Incarnation = n.incarnation }); err != nil {
		return err
	}
	c.link, err = grpc.New(grpc.Config{
		Cluster: c.cfg.Name, Self: link.Peer{Node: n.cfg.Name, Incarnation: n.incarnation}, Version: link.Version, Oldest: link.Oldest,
		Listener: c.listener, Address: c.advertise.link, Certificates: c.security.link(), Logger: n.log.With("part", "link"), Failed: n.fail,
	})
	if err != nil {
		return err
	}
	c.remote = link.NewRemote(link.RemoteConfig{
		System: n.system.ActorSystem, Link: c.link, Logger: n.log.With("part", "link"), Count: n.metrics.linked,
		Lowest: func() uint32 {
			if a := n.running.Load(); a != nil {
				return a.View().Lowest()
			}
			return 0 // nobody is known yet: only what all versions know is sent
		},
	})
	n.metrics.registry.MustRegister(links{c.link}, routes{n.kept}, placed{n})
	n.follow()
	return nil
}

// insist does what reads the store at a start. One of several nodes does it again
// where it fails: whoever leads the store may just have gone, and a process that
// ends for that would begin with the same again. Of a node that is alone the first
// error is the last.
func (n *Node) insist(ctx context.Context, do func() error) error {
	for said := ""; ; {
		err := do()
		if err == nil || n.cluster == nil || errors.Is(err, messages.ErrDamaged) {
			return err
		}
		if said != err.Error() {
			said = err.Error()
			n.wait("the cluster's store does not answer yet: " + said)
			n.log.Warn("the cluster's store does not answer yet; it is asked again", "error", err)
		}
		select {
		case <-time.After(insistAgain):
		case <-ctx.Done():
			return err
		}
	}
}

const insistAgain = 500 * time.Millisecond

// stopFollowing ends what gossip is told to; nil where nothing has begun.
func (c *clustered) stopFollowing() {
	select {
	case <-c.over:
	default:
		close(c.over)
	}
	if c.followed != nil {
		<-c.followed
	}
}

// leave ends the link, and has gossip say so. What the node owned is given up by
// then.
func (n *Node) leave() error {
	c := n.cluster
	if c == nil {
		return nil
	}
	c.stopFollowing()
	var errs []error
	if c.link != nil {
		errs = append(errs, c.link.Close())
	} else if c.listener != nil {
		errs = append(errs, c.listener.Close())
	}
	if c.gossip != nil {
		errs = append(errs, c.gossip.Leave())
	}
	return errors.Join(errs...)
}

// forgetCluster ends gossip, and what watches the certificates.
func (n *Node) forgetCluster() error {
	if n.cluster == nil {
		return nil
	}
	if n.cluster.security != nil {
		n.cluster.security.close()
	}
	if n.cluster.gossip == nil {
		return nil
	}
	return n.cluster.gossip.Close()
}

// wait says what a start waits for, to whoever asks whether the node is ready.
func (n *Node) wait(why string) { n.phase.Store(&why) }

// short is the program's version as gossip has room for it.
func short(version string) string { return version[:min(len(version), 40)] }

const readyAgain = 100 * time.Millisecond

// Await returns once traffic may come, which of a node that is alone is at once:
// one of several has to find its place first.
func (n *Node) Await(ctx context.Context) error {
	for n.Ready(ctx) != nil {
		select {
		case <-time.After(readyAgain):
		case err := <-n.failed:
			return err
		case <-n.drained:
			return ErrDrained
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// ErrDrained is that a node was to end before it could serve.
var ErrDrained = errors.New("an operator has asked for the node's end")
