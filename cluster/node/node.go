// Package node is the composition root: one Config in, one running node out. It
// makes the store, the actors and the gateways, connects the ports that each
// declares, and takes them down again in order.
//
// Nothing is decided here that a component could decide itself, and no other
// package knows more than its own ports.
package node

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors/router/replay"
	"github.com/birdwire/birdwire/actors/source/feed"
	"github.com/birdwire/birdwire/cluster/assembly"
	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/cluster/runtime"
	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/cluster/store/nats"
	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/gateway/admin"
	"github.com/birdwire/birdwire/gateway/ws"
	"github.com/birdwire/birdwire/messages"
)

// Node is one running node.
type Node struct {
	cfg         Config
	log         *slog.Logger
	incarnation uint64
	started     time.Time
	metrics     *metrics
	store       store.Store
	kept        *nats.Store // the same, as a whole
	system      *runtime.System
	clock       runtime.Clock
	rand        *runtime.Random

	pools  []*runtime.Pool // all of them
	behind progress
	desk   deskProgress

	cluster *clustered // nil: the node is alone

	actors  *assembly.Node
	running atomic.Pointer[assembly.Node] // the same, for whoever asks while it starts
	enrich  enrichment
	feeds   *feed.Reader // shared by all feeds: its limits are per host
	doors   *ws.Server

	public, admin                 *http.Server
	publicServed, adminServed     served
	publicListener, adminListener net.Listener
	certificate                   *gateway.Certificate // of the public listener; nil: none
	token                         string               // the operators'
	serving                       sync.WaitGroup

	ready   atomic.Bool
	phase   atomic.Pointer[string] // what a start waits for; nil: nothing worth a word
	failure atomic.Pointer[error]  // why the node cannot go on
	failed  chan error             // one, when the node cannot go on
	drained chan struct{}          // closed when an operator has asked for its end
	drain   sync.Once              // of that
	closed  sync.Once
}

// Start brings a node up. It returns once the node can serve; what it could
// not do is the error, and nothing is left running then.
func Start(ctx context.Context, cfg Config) (_ *Node, err error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, started: time.Now(), log: cfg.Logger, metrics: newMetrics(), failed: make(chan error, 1), drained: make(chan struct{})}
	n.metrics.registry.MustRegister(&n.desk)
	defer func() {
		if err != nil {
			n.abandon()
		}
	}()
	if err := os.MkdirAll(cfg.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("data folder %s: %w", cfg.Dir, err)
	}
	if err := n.listen(ctx); err != nil {
		return nil, err
	}
	if err := n.open(ctx); err != nil {
		return nil, err
	}
	if err := n.spawn(ctx); err != nil {
		return nil, err
	}
	if err := n.serve(); err != nil {
		return nil, err
	}
	n.ready.Store(true)
	n.sayStarted(ctx)
	return n, nil
}

// sayStarted is the one line that tells of a start what an operator asks first.
func (n *Node) sayStarted(ctx context.Context) {
	about := []any{
		"version", Version(), "node", n.cfg.Name, "incarnation", n.incarnation, "listen", n.Listen(), "admin", n.Admin(), "data", n.cfg.Dir,
		"took", time.Since(n.started).Round(time.Millisecond), "epoch", n.store.Journal().Epoch(),
	}
	if first, last, err := n.store.Journal().Bounds(ctx); err != nil {
		about = append(about, "log", err.Error())
	} else {
		about = append(about, "first_frame", first, "last_frame", last)
	}
	n.log.Info("started", about...)
}

// listen binds all addresses first: a port that is taken is said before
// anything is opened. One of several nodes answers probes from here on: how long
// it waits for the others is theirs to say, and whoever asks whether it is alive
// must not end it meanwhile.
func (n *Node) listen(ctx context.Context) (err error) {
	if n.publicListener, err = listen(n.cfg.Listen); err != nil {
		return fmt.Errorf("listen on %s for clients: %w", n.cfg.Listen, err)
	}
	if n.adminListener, err = listen(n.cfg.Admin); err != nil {
		return fmt.Errorf("listen on %s for operators: %w", n.cfg.Admin, err)
	}
	// One of several can be asked what it waits for before it has opened anything.
	if n.token, err = admin.Token(n.cfg.Dir, n.cfg.AdminToken, rand.Reader); err != nil {
		return err
	}
	if n.cfg.Cluster == nil {
		return nil
	}
	if err := n.listenCluster(ctx); err != nil {
		return err
	}
	return n.answer(n.startingPages(), n.startingPages())
}

func (c Config) storeDir() string { return filepath.Join(c.Dir, "store") }

// store is what the store is told.
func (c Config) store() nats.Config {
	cfg := nats.Config{
		Dir: c.storeDir(), RetentionAge: c.RetentionAge, RetentionBytes: c.RetentionBytes,
		ItemsAge: c.ItemsAge, FreeSpace: c.FreeSpace, Logger: c.Logger.With("part", "store"),
	}
	if e := c.NATS; e != nil {
		cfg.External = &nats.External{URLs: e.URLs, Credentials: e.Credentials, Monitors: e.Monitors, Synced: e.Synced, Replicas: e.Replicas}
	}
	if reserve := c.ReserveBytes; reserve > 0 {
		cfg.ReserveBytes = func(uint64) uint64 { return uint64(reserve) }
	}
	return cfg
}

func (n *Node) open(ctx context.Context) error {
	cfg := n.cfg.store()
	if n.cluster != nil {
		seeds, err := n.meet(ctx)
		if err != nil {
			return err
		}
		if n.cfg.NATS == nil {
			cfg.Cluster = n.cluster.store(n.cfg.Name, seeds)
		}
		n.wait("the cluster's store is not there yet: more than half of its nodes have to be up, and agree")
		cfg.Waits = func(what string) { n.wait("the cluster's store is not there yet: " + what) }
	}
	s, err := nats.Open(ctx, cfg)
	if err != nil {
		return err
	}
	n.store, n.kept = s, s
	n.metrics.store(s)
	return n.insist(ctx, func() error {
		if n.incarnation, err = beginIncarnation(ctx, s, n.cfg.Name); err != nil {
			return fmt.Errorf("begin incarnation of %s: %w", n.cfg.Name, err)
		}
		return nil
	})
}

// beginIncarnation counts this start of the node. A clock would do until one
// is set back: then two frames could have the same name. Where the record that
// counts is lost, it goes on above what the log has and above the store's
// revisions, of which each start has taken one.
func beginIncarnation(ctx context.Context, s store.Store, name string) (uint64, error) {
	control, key := s.Control(), "nodes."+name
	tail, err := s.Journal().Tail(ctx, name)
	if err != nil {
		return 0, err
	}
	v, err := control.Get(ctx, key)
	switch {
	case errors.Is(err, messages.ErrDamaged):
		v.Revision, err = control.Mend(ctx, key, nil)
	case errors.Is(err, messages.ErrNotFound):
		v.Revision, err = control.CAS(ctx, key, nil, 0)
	}
	if err != nil {
		return 0, err
	}
	incarnation := max(v.Revision, tail.Incarnation+1)
	if len(v.Data) == 8 {
		incarnation = max(binary.BigEndian.Uint64(v.Data), tail.Incarnation) + 1
	}
	if _, err := control.CAS(ctx, key, binary.BigEndian.AppendUint64(nil, incarnation), v.Revision); err != nil {
		return 0, err
	}
	return incarnation, nil
}

// spawn makes what the actors run on, and starts them.
func (n *Node) spawn(ctx context.Context) error {
	n.system = runtime.New(runtime.Config{
		Name: n.cfg.Name, Logger: n.log, Failed: n.metrics.supervised, DeadLetter: func(*actor.PID, any) { n.metrics.deadLetters.Inc() },
		Dropped: n.metrics.dropped, WorkPanicked: n.metrics.workPanics.Inc,
	})
	n.clock, n.rand = n.system.Clock(), runtime.NewRandom()
	if n.cluster != nil {
		if err := n.connect(); err != nil {
			return err
		}
	}
	pool := func(name string, workers, queue int) *runtime.Pool {
		p := n.system.NewPool(name, workers, queue)
		n.pools = append(n.pools, p)
		return p
	}
	reading := n.system.NewSharedPool("read", readings)
	compiling := n.system.NewSharedPool("compile", compilings)
	n.pools = append(n.pools, reading, compiling)
	n.feeds = feed.NewReader(feed.ReaderConfig{AllowPrivate: n.cfg.AllowPrivateFeeds, Now: time.Now})
	sample, err := n.openSample()
	if err != nil {
		return err
	}
	reader, err := n.openEnrich()
	if err != nil {
		return err
	}
	ports := assembly.Ports{
		Node: n.cfg.Name, Incarnation: n.incarnation, System: n.system.ActorSystem, Props: n.system.Props,
		Clock: n.clock, Rand: n.rand, Store: n.store, Formats: store.Known, Logger: n.log, Failed: n.fail, Queues: n.metrics.queues.grown, Repeats: &repeats{voids: replay.NewVoids()},
		Feed: n.openFeed, Sample: sample, Enrich: reader, Judge: n.judge(),
		Work: assembly.Work{
			Append: pool("append", 2, 16), Mend: pool("mend", 2, 16), Merge: pool("merge", 1, 16), Compile: compiling.For,
			Read: reading, ReadFor: reading.For, Records: pool("records", 16, 65_536), Wake: pool("wake", 4, 65_536), Poll: pool("poll", 32, 65_536),
			Enrich: pool("enrich", 8, 64), Judge: pool("judge", 4, 16),
		},
		Observe: assembly.Observe{
			Journal: n.metrics.appended, Router: n.metrics.handled, Semantic: n.metrics.compared, Source: n.metrics.read, Keys: n.metrics.keyed,
			Enriched: n.enriched, Newsdesk: n.deskTold,
			RouterLag: n.routerLag, SemanticLag: func(lag time.Duration) { n.metrics.laneBehind.Set(lag.Seconds()) },
		},
	}
	if n.cluster != nil {
		ports.Cluster = &assembly.Cluster{Version: link.Version, Peers: n.cluster.remote, Drain: n.beginDrain, Connections: n.listConnections}
		ports.Work.Lease = pool("lease", 4, 64)
	}
	var state *assembly.State
	err = n.insist(ctx, func() error {
		state, err = assembly.Load(ctx, ports)
		return err
	})
	if err != nil {
		return err
	}
	active := make(chan struct{})
	n.actors, err = assembly.Start(ports, assembly.Config{
		Plans: plansOf(n.cfg), Scopes: gateway.Scopes, MonitorsPerKey: n.cfg.MonitorsPerKey, RulesPerKey: n.cfg.RulesPerKey,
		Query: n.cfg.limits(), Newsdesk: n.cfg.Stories.settings(),
	}, state, func() { close(active) })
	if err != nil {
		return err
	}
	n.running.Store(n.actors)
	select {
	case <-active:
	case <-ctx.Done():
		return fmt.Errorf("the monitors and rules are not live yet: %w", ctx.Err())
	}
	return nil
}

// readings are how what clients cause to be read of the log is shared between
// keys: what replays of resumed connections read, redelivery, and the history
// of a key that starts. One that comes back with many connections at once waits
// for itself.
var readings = runtime.Share{Places: 4, PlacesEach: 2, Waiting: 65_536, WaitingEach: 256}

// compilings are how compiling subscriptions and rules is shared between keys.
// One core is enough for what their budgets let them ask for.
var compilings = runtime.Share{Places: 1, PlacesEach: 1, Waiting: 65_536, WaitingEach: 256}

// fail says once that the node cannot go on. From then on it is not ready.
func (n *Node) fail(err error) {
	n.failure.CompareAndSwap(nil, &err)
	select {
	case n.failed <- err:
	default:
	}
}

// Failed yields an error when the node cannot go on and should be ended.
func (n *Node) Failed() <-chan error { return n.failed }

// Listen and Admin are the addresses that are served.
func (n *Node) Listen() string { return n.publicListener.Addr().String() }

// Admin is the operators' address.
func (n *Node) Admin() string { return n.adminListener.Addr().String() }

// Alive is nil while the process can go on and its actors run. Of the store it
// says nothing, which is Ready's: whoever asks this ends a process that fails,
// and a new one waits for the same disk.
func (n *Node) Alive(ctx context.Context) error {
	if err := n.failure.Load(); err != nil {
		return *err
	}
	if n.running.Load() == nil {
		return nil // it waits for other nodes
	}
	return n.system.Runs(ctx)
}

// Ready is nil when traffic should come here: the store reads, and takes the
// small writes without which no client is admitted. With a disk at its reserve
// it does; ingest alone is refused then.
func (n *Node) Ready(ctx context.Context) error {
	if !n.ready.Load() {
		if why := n.phase.Load(); why != nil {
			return errors.New(*why)
		}
		return errors.New("starting or stopping")
	}
	if err := n.failure.Load(); err != nil {
		return *err
	}
	if err := n.behind.check(n.clock.Elapsed()); err != nil {
		return err
	}
	if err := n.actors.Serving(); err != nil {
		return err
	}
	return n.store.Healthy(ctx)
}

// Close drains: no new connection, what the node owns is given up to other nodes
// where there are any, the connections that are open are closed with 1012 over the
// drain period, what was accepted is made durable, then everything ends. Where
// a disk that hangs holds that up, ctx ends it with an error.
func (n *Node) Close(ctx context.Context) error {
	var err error
	n.closed.Do(func() {
		over := make(chan error, 1)
		go func() { over <- n.close(ctx) }() // ends when the disk answers, or with the process
		select {
		case err = <-over:
		case <-ctx.Done():
			why := n.store.Healthy(ctx)
			if why == nil {
				why = ctx.Err()
			}
			err = n.keptBack(fmt.Errorf("not all was closed in time: %w; what was acknowledged is kept, and the next start reads the store through", why))
		}
	})
	return err
}

func (n *Node) close(ctx context.Context) error {
	n.ready.Store(false)
	n.phase.Store(nil)
	n.actors.Drain(true) // while its clients are still there, and served by the next owners
	errs := []error{n.doors.Drain(ctx, n.cfg.Drain), n.endRequests(ctx)}
	n.serving.Wait()
	n.doors.Close()
	errs = append(errs, n.keptBack(n.stopActors()))
	n.feeds.Close()
	n.enrich.close()
	errs = append(errs, n.leave(), n.store.Close())
	return errors.Join(append(errs, n.forgetCluster())...)
}

// keptBack takes no error of a node that could not give up what it owns because no
// majority of the nodes is there: nobody could take it, and somebody does, as after a
// crash, once one is. An end in order is all that was asked for.
func (n *Node) keptBack(err error) error {
	if err == nil || n.cluster == nil {
		return err
	}
	why := n.kept.LostMajority()
	if why == nil {
		return err
	}
	n.log.Warn("what this node owns could not be handed over; the others take it once a majority of them is there, and nothing that was acknowledged is lost", "why", why, "left", err)
	return nil
}

// requestsTime is how long requests under way may take at the end.
const requestsTime = 5 * time.Second

// endRequests takes no more requests and lets those under way finish. Those
// that take too long are cut off: a client that uploads a byte a second does
// not keep the node.
func (n *Node) endRequests(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestsTime)
	defer cancel()
	var errs []error
	for _, s := range []*http.Server{n.public, n.admin} {
		err := s.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			n.log.Warn("requests that were not over in time are cut off", "time", requestsTime)
			err = s.Close()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// abandon undoes a start that failed half way.
func (n *Node) abandon() {
	for _, s := range []*http.Server{n.public, n.admin} {
		if s != nil {
			s.Close()
		}
	}
	for _, l := range []net.Listener{n.publicListener, n.adminListener} {
		if l != nil {
			l.Close()
		}
	}
	n.serving.Wait()
	if n.doors != nil {
		n.doors.Close()
	}
	if n.system != nil {
		if err := n.stopActors(); err != nil {
			n.log.Warn("stopping after a failed start", "error", err)
		}
	}
	if n.feeds != nil {
		n.feeds.Close()
	}
	n.enrich.close()
	if err := n.leave(); err != nil {
		n.log.Warn("leaving the cluster after a failed start", "error", err)
	}
	defer n.forgetCluster() // after the store: its routes may still be asked for
	if n.store != nil {
		if err := n.store.Close(); err != nil {
			n.log.Warn("closing the store after a failed start", "error", err)
		}
	}
}

// stopActors ends the actors, and then the pools that their work runs on. Those
// that did not end in time are an error: what they own is freed as if the process
// had died, and their clients may find their places taken for a while.
func (n *Node) stopActors() (err error) {
	if n.actors != nil {
		ended := make(chan error, 1)
		n.actors.Stop(func(err error) { ended <- err })
		err = <-ended
	}
	for _, p := range n.pools {
		p.Close()
	}
	n.system.Shutdown()
	return err
}
