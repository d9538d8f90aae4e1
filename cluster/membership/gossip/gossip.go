package gossip

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// Gossip is one node's part in it.
//
// memberlist calls back under its own lock: those callbacks write down what they
// are told (known, refused) and signal. One goroutine, run, makes snapshots of it,
// tells them, logs, and looks for who is missing.
type Gossip struct {
	cfg    Config
	log    *slog.Logger
	list   *memberlist.Memberlist
	ring   *memberlist.Keyring // nil: not encrypted
	ctx    context.Context     // ends with Close
	cancel context.CancelFunc
	signal chan struct{} // something was written down
	done   sync.WaitGroup

	snapshot atomic.Pointer[Snapshot] // the newest; only run writes it

	// mu protects what follows. Nothing of memberlist is called while it is held.
	mu      sync.Mutex
	self    Meta
	known   map[string]Node // by name; at most maxNodes
	refused refusals
	rival   rival

	// Only run uses these.
	targets map[string]*target // by address
	asking  bool               // the others, whether they still know a rival
	askDue  time.Time
	tried   chan attempt
	secrets secrets
}

const (
	lookEvery = 500 * time.Millisecond
	// forgetAfter is how long a node that is gone is looked for, and listed.
	forgetAfter = 24 * time.Hour
)

// Start listens and begins to look for the others. It does not wait for any: that
// nobody answers yet is no error.
func Start(cfg Config) (_ *Gossip, err error) {
	if cfg, err = cfg.withDefaults(); err != nil {
		return nil, err
	}
	if _, err := cfg.Meta.Encode(); err != nil {
		return nil, err
	}
	g := &Gossip{
		cfg: cfg, log: cfg.Logger, signal: make(chan struct{}, 1), self: cfg.Meta, known: map[string]Node{},
		refused: refusals{}, targets: map[string]*target{}, tried: make(chan attempt, maxTargets+1),
	}
	if cfg.SecretFile != "" {
		if g.ring, err = g.secrets.open(cfg.SecretFile); err != nil {
			return nil, err
		}
	}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	transport, port, err := g.open()
	if err != nil {
		g.cancel()
		return nil, err
	}
	conf := cfg.memberlist(g.ring, port)
	conf.Transport, conf.Logger = transport, g.memberlistLog()
	conf.Delegate, conf.Events, conf.Alive, conf.Merge, conf.Conflict = (*delegate)(g), (*events)(g), (*strangers)(g), (*strangers)(g), (*conflicts)(g)
	if g.list, err = memberlist.Create(conf); err != nil {
		g.cancel()
		return nil, errors.Join(fmt.Errorf("start gossip: %w", err), transport.Shutdown())
	}
	g.publish()
	g.done.Go(g.run)
	return g, nil
}

// open makes what gossip travels by, and says at which port.
func (g *Gossip) open() (*transport, int, error) {
	inner := g.cfg.transport
	_, port, err := net.SplitHostPort(g.cfg.Listen)
	if err != nil {
		return nil, 0, err
	}
	number, err := net.LookupPort("tcp", port)
	if err != nil {
		return nil, 0, fmt.Errorf("gossip: %w", err)
	}
	if inner == nil {
		host, _, _ := net.SplitHostPort(g.cfg.Listen)
		sockets, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{BindAddrs: []string{host}, BindPort: number, Logger: g.memberlistLog()})
		if err != nil {
			return nil, 0, fmt.Errorf("listen on %s for gossip: %w", g.cfg.Listen, err)
		}
		inner, number = sockets, sockets.GetAutoBindPort()
	}
	return newTransport(g.ctx, inner), number, nil
}

// Addr is the host:port at which others reach this node's gossip.
func (g *Gossip) Addr() string { return g.list.LocalNode().Address() }

// Snapshot is the newest. From any goroutine.
func (g *Gossip) Snapshot() *Snapshot { return g.snapshot.Load() }

// Say changes what the node says of itself: its incarnation, once it has one. It
// waits until another node was told, if there is any, for a second at most.
func (g *Gossip) Say(change func(*Meta)) error {
	g.mu.Lock()
	meta := g.self
	change(&meta)
	_, err := meta.Encode()
	if err == nil {
		g.self = meta
	}
	g.mu.Unlock()
	if err != nil {
		return err
	}
	if err := g.list.UpdateNode(time.Second); err != nil {
		g.log.Debug("gossip is slow to tell of a change; the others hear of it when they next compare", "error", err)
	}
	return nil
}

// Leave tells the others that the node is about to end, so that none has to find
// out. It answers questions until Close. Where all end at once there may be nobody
// left to tell, which is no error. A node that the others take another process for
// says nothing: they would believe it of that one.
func (g *Gossip) Leave() error {
	if g.Snapshot().Rival != "" {
		return nil
	}
	if err := g.Say(func(m *Meta) { m.Leaving = true }); err != nil {
		return err
	}
	if err := g.list.Leave(time.Second); err != nil {
		g.log.Debug("nobody has taken the word that this node leaves", "error", err)
	}
	return nil
}

// Close ends it. Whoever was not told by Leave finds out by probing.
func (g *Gossip) Close() error {
	g.cancel()
	err := g.list.Shutdown()
	g.done.Wait()
	return err
}

// run ends with Close.
func (g *Gossip) run() {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-g.ctx.Done():
			return
		case <-g.signal:
			g.publish()
			g.sayRefused()
		case a := <-g.tried:
			g.attempted(a)
		case <-look.C:
			g.forget()
			g.reread()
		}
		g.seek()
		g.askOfRival()
	}
}

func (g *Gossip) note() {
	select {
	case g.signal <- struct{}{}:
	default: // run will look once, and see all
	}
}

// publish makes a snapshot where something has changed.
func (g *Gossip) publish() {
	g.mu.Lock()
	nodes := make([]Node, 0, len(g.known))
	for _, n := range g.known {
		nodes = append(nodes, n)
	}
	rival := g.rival.where(g.self)
	g.mu.Unlock()
	slices.SortFunc(nodes, func(a, b Node) int { return strings.Compare(a.Name, b.Name) })
	before := g.snapshot.Load()
	if before == nil {
		before = &Snapshot{}
	} else if before.Rival == rival && slices.EqualFunc(before.Nodes, nodes, Node.same) {
		return
	}
	next := &Snapshot{Number: before.Number + 1, Nodes: nodes, Rival: rival}
	g.snapshot.Store(next)
	g.tell(before, next)
	g.cfg.Changed(next)
}

// tell logs and counts what is new.
func (g *Gossip) tell(before, next *Snapshot) {
	for _, n := range next.Nodes {
		was, known := before.Node(n.Name)
		if n.Name == g.cfg.Name || known && was.State == n.State && was.Gossip == n.Gossip && was.Incarnation == n.Incarnation {
			continue
		}
		g.cfg.Count(n.State.String())
		about := []any{"peer", n.Name, "incarnation", n.Incarnation, "gossip", n.Gossip, "link", n.Link, "version", n.Version}
		switch n.State {
		case Seen:
			g.log.Info("a node is seen", about...)
		case Left:
			g.log.Info("a node has left", about...)
		case Gone:
			g.log.Warn("a node does not answer any more; it is looked for", about...)
		}
	}
}

func (g *Gossip) forget() {
	g.mu.Lock()
	for name, n := range g.known {
		if n.State != Seen && time.Since(n.Since) > forgetAfter {
			delete(g.known, name)
		}
	}
	g.mu.Unlock()
	g.publish()
}

// memberlistLog takes what memberlist says, which is meant for whoever debugs it:
// what an operator needs is told by this package.
func (g *Gossip) memberlistLog() *log.Logger { return log.New((*lines)(g), "", 0) }
