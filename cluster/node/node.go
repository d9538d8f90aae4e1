// Package node is the composition root: one Config in, one running node out. It
// makes the store, the actors and the gateways, connects the ports that each
// declares, and takes them down again in order.
//
// Nothing is decided here that a component could decide itself, and no other
// package knows more than its own ports.
package node

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/journal"
	"github.com/birdwire/birdwire/actors/router"
	"github.com/birdwire/birdwire/actors/router/index"
	"github.com/birdwire/birdwire/cluster/runtime"
	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/cluster/store/nats"
	"github.com/birdwire/birdwire/gateway"
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
	journalLog  log
	system      *runtime.System
	clock       runtime.Clock
	rand        *runtime.Random

	appending, records, reading, polling *runtime.Pool

	journal, router *actor.PID
	lane            *actor.PID // the router of semantic filters
	shards          *shards
	sources         *sources
	doors           *ws.Server

	public, admin                 *http.Server
	publicListener, adminListener net.Listener
	certificate                   *gateway.Certificate // of the public listener; nil: none
	serving                       sync.WaitGroup

	ready  atomic.Bool
	failed chan error // one, when the node cannot go on
	closed sync.Once
}

// Start brings a node up. It returns once the node can serve; what it could
// not do is the error, and nothing is left running then.
func Start(ctx context.Context, cfg Config) (_ *Node, err error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, started: time.Now(), log: cfg.Logger, metrics: newMetrics(), failed: make(chan error, 1)}
	defer func() {
		if err != nil {
			n.abandon()
		}
	}()
	if err := os.MkdirAll(cfg.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("data folder %s: %w", cfg.Dir, err)
	}
	if err := n.listen(); err != nil {
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
	return n, nil
}

// listen binds both addresses first: a port that is taken is said before
// anything is opened.
func (n *Node) listen() (err error) {
	if n.publicListener, err = listen(n.cfg.Listen); err != nil {
		return fmt.Errorf("listen on %s for clients: %w", n.cfg.Listen, err)
	}
	if n.adminListener, err = listen(n.cfg.Admin); err != nil {
		return fmt.Errorf("listen on %s for operators: %w", n.cfg.Admin, err)
	}
	return nil
}

func (n *Node) open(ctx context.Context) error {
	cfg := nats.Config{
		Dir: filepath.Join(n.cfg.Dir, "store"), RetentionAge: n.cfg.RetentionAge, RetentionBytes: n.cfg.RetentionBytes,
		ItemsAge: n.cfg.ItemsAge, FreeSpace: n.cfg.FreeSpace, Logger: n.log.With("part", "store"),
	}
	if reserve := n.cfg.ReserveBytes; reserve > 0 {
		cfg.ReserveBytes = func(uint64) uint64 { return uint64(reserve) }
	}
	s, err := nats.Open(ctx, cfg)
	if err != nil {
		return err
	}
	n.store, n.journalLog = s, log{s.Journal()}
	n.incarnation, err = beginIncarnation(ctx, s.Control(), n.cfg.Name)
	return err
}

// beginIncarnation counts this start of the node. A clock would do until one
// is set back: then two frames could have the same name.
func beginIncarnation(ctx context.Context, control store.Control, name string) (uint64, error) {
	key := "nodes." + name
	v, err := control.Get(ctx, key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, fmt.Errorf("begin incarnation of %s: %w", name, err)
	}
	var before uint64
	if len(v.Data) == 8 {
		before = binary.BigEndian.Uint64(v.Data)
	}
	if _, err := control.CAS(ctx, key, binary.BigEndian.AppendUint64(nil, before+1), v.Revision); err != nil {
		return 0, fmt.Errorf("begin incarnation of %s: %w", name, err)
	}
	return before + 1, nil
}

// spawn starts the actors, those first that others send to.
func (n *Node) spawn(ctx context.Context) (err error) {
	state, err := router.Begin(ctx, n.journalLog, index.Config{})
	if err != nil {
		return err
	}
	n.system = runtime.New(runtime.Config{
		Name: n.cfg.Name, Logger: n.log, Failed: n.actorFailed, DeadLetter: n.deadLetter,
		Dropped: n.metrics.dropped, WorkPanicked: n.metrics.workPanics.Inc,
	})
	n.clock, n.rand = n.system.Clock(), runtime.NewRandom()
	n.appending = n.system.NewPool("append", 2, 16)
	n.records = n.system.NewPool("records", 16, 65_536)
	n.reading = n.system.NewPool("read", 4, 65_536)
	n.polling = n.system.NewPool("poll", 32, 65_536)

	journalState, lane := journal.NewState(state.Window()), state.Fork(index.Config{})
	n.router, err = n.system.Spawn("router", router.Props(router.Config{
		Log: n.journalLog, State: state, Clock: n.clock, Worker: n.reading, Props: n.system.Props,
		Owners:  actors.OwnersFunc(func(keyID string) *actor.PID { return n.shards.Owner(keyID) }), // there are none before the shards
		Journal: func() *actor.PID { return actor.NewPID(n.cfg.Name, "journal") },
		Logger:  n.log.With("actor", "router"), Observe: n.metrics.handled,
	}), runtime.RestartWithBudget)
	if err != nil {
		return fmt.Errorf("start router: %w", err)
	}
	if err := n.spawnLane(lane); err != nil {
		return err
	}
	routers := []*actor.PID{n.router, n.lane}
	n.journal, err = n.system.Spawn("journal", journal.Props(journal.Config{
		Node: n.cfg.Name, Incarnation: n.incarnation, Log: n.journalLog, State: journalState,
		Clock: n.clock, Worker: n.appending, Props: n.system.Props,
		Routers: func() []*actor.PID { return routers },
		Logger:  n.log.With("actor", "journal"), Observe: n.metrics.appended,
	}), runtime.RestartWithBudget)
	if err != nil {
		return fmt.Errorf("start journal: %w", err)
	}
	if err := n.startShards(ctx); err != nil {
		return err
	}
	return n.startSources(ctx)
}

// spawnLane starts a second router for subscriptions with semantic filters:
// comparing vectors takes milliseconds where there are many, and posts must not
// wait for it.
func (n *Node) spawnLane(state *router.State) (err error) {
	n.lane, err = n.system.Spawn(laneName, router.Props(router.Config{
		Log: n.journalLog, State: state, Clock: n.clock, Worker: n.reading, Props: n.system.Props,
		Journal: func() *actor.PID { return actor.NewPID(n.cfg.Name, "journal") },
		Logger:  n.log.With("actor", laneName), Observe: n.metrics.compared,
	}), runtime.RestartWithBudget)
	if err != nil {
		return fmt.Errorf("start the semantic router: %w", err)
	}
	return nil
}

const laneName = "router-semantic"

// actorFailed is told of every failure of an actor. Without its journal or
// router a node does nothing; a shard starts again with its next message.
func (n *Node) actorFailed(kind, id string, directive actor.Directive, reason any) {
	n.metrics.supervised(kind, directive.String())
	if directive != actor.StopDirective {
		return
	}
	switch kind {
	case "journal", "router", laneName:
		n.fail(fmt.Errorf("the %s failed too often and was stopped: %v", kind, reason))
	case "shard":
		n.shards.forget(id)
	}
}

// deadLetter counts a message that reached nobody. A connection that could not
// say that it ended must not be sent to for ever.
func (n *Node) deadLetter(to *actor.PID, message any) {
	n.metrics.deadLetters.Inc()
	id, isConnection := strings.CutPrefix(to.GetId(), connectionPrefix)
	if _, ok := message.(*messages.Deliveries); ok && isConnection {
		for _, router := range []string{"router", laneName} {
			n.system.Root.Send(actor.NewPID(n.cfg.Name, router), &messages.Leave{ConnectionId: id})
		}
	}
}

// fail says once that the node cannot go on.
func (n *Node) fail(err error) {
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

// Healthy is nil while the node can do its work.
func (n *Node) Healthy(ctx context.Context) error {
	return n.store.Healthy(ctx)
}

// Ready is nil when traffic should come here.
func (n *Node) Ready(ctx context.Context) error {
	if !n.ready.Load() {
		return errors.New("starting or stopping")
	}
	return n.Healthy(ctx)
}

// Close drains: no new connection, those there are closed with 1012 over the
// drain period, what was accepted is made durable, then everything ends.
func (n *Node) Close(ctx context.Context) error {
	var err error
	n.closed.Do(func() { err = n.close(ctx) })
	return err
}

func (n *Node) close(ctx context.Context) error {
	n.ready.Store(false)
	errs := []error{n.doors.Drain(ctx, n.cfg.Drain), n.endRequests(ctx)}
	n.serving.Wait()
	// Behind the requests: one of the sources answers the pushes under way.
	n.sources.stop()
	n.records.Settle(2 * time.Second) // slots given back, credits settled
	n.stopActors()
	return errors.Join(append(errs, n.store.Close())...)
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
	for _, l := range []net.Listener{n.publicListener, n.adminListener} {
		if l != nil {
			l.Close()
		}
	}
	if n.sources != nil {
		n.sources.stop()
	}
	n.serving.Wait()
	if n.system != nil {
		n.stopActors()
	}
	if n.store != nil {
		if err := n.store.Close(); err != nil {
			n.log.Warn("closing the store after a failed start", "error", err)
		}
	}
}

// stopActors ends the actors, and then the pools that their work runs on.
func (n *Node) stopActors() {
	for _, pid := range []*actor.PID{n.journal, n.router, n.lane} {
		if pid != nil {
			if err := n.system.Root.StopFuture(pid).Wait(); err != nil {
				n.log.Warn("an actor did not stop in time", "actor", pid.GetId(), "error", err)
			}
		}
	}
	for _, p := range []*runtime.Pool{n.polling, n.reading, n.records, n.appending} {
		if p != nil {
			p.Close()
		}
	}
	n.system.Shutdown()
}
