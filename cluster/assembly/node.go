package assembly

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/connection"
	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/actors/journal"
	"github.com/birdwire/birdwire/actors/router"
	"github.com/birdwire/birdwire/actors/router/index"
	"github.com/birdwire/birdwire/actors/shard"
	"github.com/birdwire/birdwire/cluster/membership"
	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

// The ids of a node's actors. A shard's ends with its number, a connection's
// with its id.
const (
	supervisorID     = "node"
	routerID         = supervisorID + "/router"
	semanticID       = supervisorID + "/router-semantic"
	journalID        = supervisorID + "/journal"
	shardPrefix      = supervisorID + "/shard/"
	deskID           = supervisorID + "/desk"
	upstreamsID      = supervisorID + "/upstreams"
	leaseID          = supervisorID + "/lease"
	ownershipID      = supervisorID + "/ownership"
	relayID          = supervisorID + "/relay"
	releasesID       = supervisorID + "/releases"
	newsdeskID       = supervisorID + "/newsdesk"
	pushID           = "push"
	connectionPrefix = "connection/" // it has no parent: who starts it must have its PID at once
)

// shardIDs are made once: each node of a cluster names all shards' actors, and each view.
var shardIDs = func() (ids [actors.Shards]string) {
	for number := range ids {
		ids[number] = shardPrefix + strconv.Itoa(number)
	}
	return ids
}()

// shardID is the id of the shard's actor.
func shardID(number int) string { return shardIDs[number] }

// Node are the actors of one node.
type Node struct {
	ports       Ports
	cfg         Config
	log         Log
	address     string // in its actors' PIDs
	shards      [actors.Shards]*actor.PID
	stored      *store.Gated
	begun       [actors.Shards]atomic.Bool // shards whose actor was asked for, of a node that is not alone: see ownership
	connections *actor.Props
	stopping    atomic.Bool
	placed      atomic.Pointer[placed]              // nil: the node is alone
	own         *membership.Own                     // nil: as above
	lease       actors.Lease                        // own, or one that is always live
	unserving   atomic.Pointer[string]              // why own is not held
	records     atomic.Pointer[[]membership.Record] // of all nodes, as they were read last; never changed
	turns       [actors.Shards]atomic.Bool          // by shard: it was to handle something since the watchdog asked it last
	readAt      atomic.Int64                        // when the lease's newest reading of them ended, an actors.Instant; 0: none has
	worked      atomic.Uint64                       // pieces of work that the shards' pool has ended
	handled     atomic.Uint64                       // the first sequence of the log that the router has not handled
}

// State is what a node's actors begin with.
type State struct {
	router *router.State
	stored map[int][]messages.KeptRecord // of the shards that have something to match
}

// Load reads what the actors of a node begin with: the log's newest stretch and
// all monitors and rules. It blocks, so it is for whoever starts the node.
func Load(ctx context.Context, ports Ports) (*State, error) {
	state, err := router.Begin(ctx, Log{ports.Store.Journal()}, index.Config{Seed: ports.Rand.Uint64N(math.MaxUint64)})
	if err != nil {
		return nil, err
	}
	if ports.Cluster != nil { // others may change them before a term is taken here
		return &State{router: state}, nil
	}
	stored, err := storedQueries(ctx, ports.records(nil))
	if err != nil {
		return nil, err
	}
	return &State{router: state, stored: stored}, nil
}

// Start starts the actors. active is called once, from an actor's turn, when
// every monitor and rule is live: what is accepted from then on is matched by
// all of them.
func Start(ports Ports, cfg Config, state *State, active func()) (*Node, error) {
	ports.Observe = ports.Observe.withDefaults()
	n := &Node{ports: ports, cfg: cfg, log: Log{ports.Store.Journal()}, address: ports.Node, lease: actors.AlwaysLive{}}
	n.stored = ports.records(n)
	if ports.Cluster != nil {
		n.address = n.peer().Address()
		n.ports.Work.Records = ending{ports.Work.Records, &n.worked}
	}
	own := make([]actor.PID, len(n.shards)) // at once: a thousand of them
	for number := range n.shards {
		own[number].Address, own[number].Id = n.address, shardID(number)
		n.shards[number] = &own[number]
	}
	var releasesPID *actor.PID
	if ports.Cluster != nil {
		n.own = membership.NewOwn(ports.Clock.Elapsed)
		n.lease = n.own
		n.place(membership.View{})
		releasesPID = n.pid(releasesID)
	}
	n.connections = connection.Props(connection.Config{
		Keeper: n.pid(supervisorID), Releases: releasesPID, Router: n.pid(routerID), Semantic: n.pid(semanticID), Owners: n, Clock: ports.Clock, Rand: ports.Rand,
		Lease: n.lease, Reads: ports.Work.readFor, Props: ports.Props, Replays: replays{n.log, ports.Repeats}, Sometimes: ports.Sometimes, Queues: ports.Queues, Logger: ports.Logger.With("actor", "connection"),
		HeldMost: cfg.Waiting.Held, Follow: follow.Config{HeldMost: cfg.Waiting.Held},
		Head: n.handled.Load,
	}).Configure(actor.WithGuardian(stopOnFailure))
	ports.System.EventStream.Subscribe(n.lost)
	s := &supervisor{
		clock: ports.Clock, log: ports.Logger, failed: ports.Failed, cancel: func() {},
		children: map[string]*child{}, open: map[*actor.PID]struct{}{}, active: active, awaited: map[int]bool{upstreamsReady: true},
	}
	if ports.Cluster != nil {
		s.serves = func() bool { return n.apart() == nil }
		s.specs = append(s.specs, n.clusterActors()...)
	}
	s.specs = append(s.specs, n.logActors(state.router)...)
	s.specs = append(s.specs,
		spec{name: "desk", group: groupQuestions, care: vital, props: n.deskProps()},
		spec{name: "upstreams", group: groupUpstreams, care: lasting, props: n.upstreamsProps()},
		spec{name: "newsdesk", group: groupUpstreams, care: lasting, props: n.newsdeskProps()})
	s.specs = append(s.specs, n.enrichActors()...)
	shards := shard.Props(n.shardConfig(state.stored))
	s.shard = func(number int) spec {
		return spec{
			name: strings.TrimPrefix(shardID(number), supervisorID+"/"), group: groupShards, care: lasting, props: shards(number),
			farewell: &messages.Deactivate{Shard: uint32(number)},
		}
	}
	for number := range state.stored {
		s.awaited[number] = true
	}
	for number := range n.shards {
		if ports.Cluster == nil { // else the ownership says which
			s.specs = append(s.specs, s.shard(number))
		}
	}
	props := ports.Props("node", func() actor.Actor { return s }, nil).Configure(actor.WithGuardian(stopOnFailure))
	if _, err := ports.System.Root.SpawnNamed(props, supervisorID); err != nil {
		return nil, fmt.Errorf("start the node's actors: %w", err)
	}
	return n, nil
}

// stopOnFailure is for actors without a parent. Their failures are seen in the
// event stream.
var stopOnFailure = actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.StopDirective })

// Stop ends all actors in order. done is called once, from an actor's turn.
func (n *Node) Stop(done func(error)) {
	if !n.stopping.Swap(true) {
		n.Drain(true)
		n.ports.System.Root.Send(n.pid(supervisorID), &stop{done})
	}
}

func (n *Node) pid(id string) *actor.PID { return actor.NewPID(n.address, id) }

// Journal is the actor that takes offers.
func (n *Node) Journal() *actor.PID { return n.pid(journalID) }

// Upstreams is the actor that keeps the feeds, and Push the source of what is
// pushed.
func (n *Node) Upstreams() *actor.PID { return n.pid(upstreamsID) }

// Push takes messages.Offer.
func (n *Node) Push() *actor.PID { return n.pid(upstreamsID + "/" + pushID) }

// logActors are the journal and the routers. The second router serves the
// subscriptions with semantic filters: comparing vectors takes milliseconds
// where there are many, and posts must not wait for it.
func (n *Node) logActors(state *router.State) []spec {
	p := n.ports
	journalState, semantic := journal.NewState(state.Window()), state.Fork(index.Config{Seed: p.Rand.Uint64N(math.MaxUint64)})
	routerCfg := router.Config{
		Log: n.log, State: state, Clock: p.Clock, Worker: p.Work.Mend, Merge: p.Work.Merge, Compile: p.Work.Compile, Props: p.Props,
		// What matches here was put by a shard of this node, whoever owns it by now.
		Owners:  actors.OwnersFunc(func(keyID string) *actor.PID { return n.shards[actors.ShardOf(keyID)] }),
		Journal: n.slowed, Logger: p.Logger.With("actor", "router"),
		Sometimes: p.Sometimes, Queues: p.Queues, Observe: p.Observe.Router, Lagging: p.Observe.RouterLag, Handled: n.handled.Store,
		HeldMost: n.cfg.Waiting.Frames,
	}
	semanticCfg := routerCfg
	semanticCfg.State, semanticCfg.Observe, semanticCfg.Lagging = semantic, p.Observe.Semantic, p.Observe.SemanticLag
	semanticCfg.Handled = nil
	semanticCfg.Journal = nil // however slow comparing is, posts do not wait for it
	semanticCfg.Logger = p.Logger.With("actor", "router-semantic")
	return []spec{
		{name: "router", group: groupRouters, care: vital, props: router.Props(routerCfg)},
		{name: "router-semantic", group: groupRouters, care: vital, props: router.Props(semanticCfg)},
		{name: "journal", group: groupJournal, care: vital, props: journal.Props(journal.Config{
			Node: p.Node, Incarnation: p.Incarnation, Log: n.log, State: journalState,
			Clock: p.Clock, Worker: p.Work.Append, Props: p.Props,
			Routers: n.routers(),
			Logger:  p.Logger.With("actor", "journal"), Observe: p.Observe.Journal, Sometimes: p.Sometimes, Queues: p.Queues, Fenced: p.Failed,
			MaxEvents: n.cfg.Waiting.Offered,
		})},
	}
}
