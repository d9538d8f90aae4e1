// Package grpc is the real link.Link: one gRPC stream for each pair of nodes, over
// TCP, with TLS where the cluster has certificates.
//
//	Send ─▶ queue (bytes) ─▶ writer ─▶ stream ⇢ the peer's reader ─▶ its Handler
//	                                     ⇠ pings and pongs both ways ⇢
//
// It knows where nodes are from whoever discovers them (Peers), and dials those
// with whom it has no session. Of two that dial each other one gives way, see
// peer. What it owns is connections and the goroutines that serve them; it never
// decides who belongs to the cluster, but for refusing whoever cannot: another
// cluster, another wire version, a certificate that names someone else.
//
// A session ends when its connection does, or when nothing has come for
// downAfter. Memory toward a peer that takes nothing is bounded by the queue and
// the stream's window.
package grpc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	rpc "google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/messages"
)

const (
	beatEvery = 500 * time.Millisecond
	downAfter = 3 * time.Second
	// connectTime is for TCP, helloTime for what is said before a session.
	connectTime = 3 * time.Second
	helloTime   = 3 * time.Second
	window      = 1 << 20
	// frameMost is the largest frame: one envelope as large as any, or a write's worth.
	frameMost = link.MaxBytes + 1<<20
	// peersMost is how many nodes it knows; past it strangers are refused.
	peersMost = 1024
)

// Config is what a link takes from its node.
type Config struct {
	Cluster      string // its name: others with another are refused
	Self         link.Peer
	Version      uint32       // of what nodes say to each other
	Oldest       uint32       // that this program still understands
	Listener     net.Listener // where others reach it; Close closes it
	Address      string       // host:port that others are told; default: the listener's
	Certificates Certificates // nil: without TLS
	QueueBytes   int          // that may wait for one peer; default 16 MiB
	Logger       *slog.Logger
	// Failed is told that nobody can reach the link any more. It must not block.
	Failed func(error)
}

// Certificates are a node's certificate and whom it trusts.
type Certificates interface {
	Server() *tls.Config            // asked once: what it does is up to date with every connection
	Client(node string) *tls.Config // for dialing the node once, which must be who it is
}

func (c Config) withDefaults() Config {
	if c.QueueBytes == 0 {
		c.QueueBytes = 16 << 20
	}
	if c.Address == "" && c.Listener != nil {
		c.Address = c.Listener.Addr().String()
	}
	if c.Failed == nil {
		c.Failed = func(error) {}
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.Cluster == "", c.Self.Node == "", c.Self.Incarnation == 0, c.Version == 0, c.Oldest == 0, c.Oldest > c.Version:
		return errors.New("link: the cluster's and the node's name, the incarnation and the versions are needed")
	case c.Listener == nil, c.Logger == nil:
		return errors.New("link: a listener and a logger are needed")
	}
	return nil
}

// Address is where a node's link is, as whoever discovers nodes knows it.
type Address struct{ Node, Address string }

// Link is the link of one process. It is safe for concurrent use.
type Link struct {
	cfg     Config
	handler link.Handler
	server  *rpc.Server
	begin   time.Time

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // of loops and of streams that are served; added to under mu

	mu     sync.RWMutex // protects what follows
	peers  map[string]*peer
	closed bool
	quiet  atomic.Bool // nothing is handed over any more
	said   said
}

var _ link.Link = (*Link)(nil)

// New is a link that neither listens nor dials before Handle.
func New(cfg Config) (*Link, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	l := &Link{cfg: cfg, begin: time.Now(), peers: map[string]*peer{}}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.server = rpc.NewServer(
		rpc.ForceServerCodecV2(codec{}),
		rpc.Creds(l.serverCredentials()),
		rpc.MaxRecvMsgSize(frameMost), rpc.MaxSendMsgSize(frameMost),
		rpc.StaticStreamWindowSize(window), rpc.StaticConnWindowSize(window),
		rpc.ConnectionTimeout(helloTime), rpc.MaxConcurrentStreams(2), rpc.MaxHeaderListSize(8<<10),
		rpc.KeepaliveParams(keepalive.ServerParameters{Time: 2 * time.Second, Timeout: 3 * time.Second, MaxConnectionIdle: 2 * helloTime}),
		rpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
	)
	l.server.RegisterService(service(), l)
	return l, nil
}

// opened is the one kind of stream, as who dials describes it.
var opened = rpc.StreamDesc{StreamName: "Open", ClientStreams: true, ServerStreams: true}

func service() *rpc.ServiceDesc {
	served := opened
	served.Handler = func(l any, stream rpc.ServerStream) error { return l.(*Link).serve(stream) }
	return &rpc.ServiceDesc{ServiceName: "birdwire.v1.Link", HandlerType: (*any)(nil), Streams: []rpc.StreamDesc{served}}
}

const method = "/birdwire.v1.Link/Open"

// Self is the process that the link is of.
func (l *Link) Self() link.Peer { return l.cfg.Self }

// Handle begins to listen and to dial.
func (l *Link) Handle(h link.Handler) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.handler = h
	l.wg.Add(1)
	go func() { // ends with Close
		defer l.wg.Done()
		if err := l.server.Serve(&listener{Listener: l.cfg.Listener}); err != nil && !l.quiet.Load() {
			l.cfg.Failed(fmt.Errorf("the link's listener %s: %w", l.cfg.Listener.Addr(), err))
		}
	}()
	for _, p := range l.peers {
		l.startLoop(p)
	}
}

// Peers is told all nodes that are known, whenever that changes. With one that is
// not among them any more a session goes on as long as it lasts; it is dialed
// again only to learn whether its process has ended.
func (l *Link) Peers(known []Address) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	wanted := map[string]bool{}
	for _, k := range known {
		if k.Node == l.cfg.Self.Node {
			continue
		}
		wanted[k.Node] = true
		l.peer(k.Node).discovered(k.Address)
	}
	for node, p := range l.peers {
		if !wanted[node] {
			p.vanished()
		}
	}
}

// peer is that of the node; l.mu is held.
func (l *Link) peer(node string) *peer {
	p := l.peers[node]
	if p == nil {
		p = newPeer(l, node)
		l.peers[node] = p
		if l.handler != nil {
			l.startLoop(p)
		}
	}
	return p
}

func (l *Link) startLoop(p *peer) {
	l.wg.Add(1)
	go func() { // ends with Close, or once the peer is forgotten
		defer l.wg.Done()
		p.loop()
	}()
}

// Send hands the envelope to the peer's queue.
func (l *Link) Send(to link.Peer, e link.Envelope) link.Result {
	l.mu.RLock()
	p := l.peers[to.Node]
	l.mu.RUnlock()
	if p == nil {
		return link.PeerDown
	}
	return p.send(to, e)
}

// Close ends all sessions. It is a process's last word to the others: they take a
// process whose link is closed for ended, so all that it owned has to be given up
// before.
func (l *Link) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.quiet.Store(true)
	peers := make([]*peer, 0, len(l.peers))
	for _, p := range l.peers {
		peers = append(peers, p)
	}
	l.mu.Unlock()
	err := l.cfg.Listener.Close() // first: who finds its session ended is to find that nobody listens
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	for _, p := range peers {
		p.close()
	}
	l.cancel() // attempts, and what has come of one since
	l.server.Stop()
	l.wg.Wait()
	return err
}

func (l *Link) hello() *messages.LinkHello {
	return &messages.LinkHello{
		Cluster: l.cfg.Cluster, Node: l.cfg.Self.Node, Incarnation: l.cfg.Self.Incarnation, Version: l.cfg.Version, Oldest: l.cfg.Oldest,
		Address: l.cfg.Address,
	}
}

func (l *Link) now() time.Duration { return time.Since(l.begin) }
