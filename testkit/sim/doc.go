// Package sim runs a whole Birdwire cluster in one process, from a seed, in
// virtual time: the product's own actors on real actor systems, with a world
// around them that can be broken.
//
// # What a simulated node is
//
// A node is what cluster/assembly makes of ports; nothing else of it is known to
// this package. The ports are the simulation's:
//
//	             ┌──────────── one node ────────────┐
//	clients ⇄ sockets ⇄ actors of cluster/assembly ⇄ Worker ⇄ store/memory handle ⇄ the disk that all share
//	             │             │        ▲           │
//	             │        link.Remote   └ leases ───┼── in the store
//	             └─────────────┼────────────────────┘
//	                       Network: lanes to the other nodes
//
//	process     a testkit.Host: an actor system of its own, whose mailboxes, jobs
//	            and timers are events of the one loop. Crash ends all of them,
//	            Freeze keeps them back while time goes on.
//	            Its mailboxes are bounded and drop as the real ones do (cluster/runtime),
//	            and those of one kind of actor may be full for a while. Queues inside
//	            actors hold little, and are held against their bounds as they grow.
//	link        what actors send to another node passes through protobuf by
//	            link.Remote, the product's, and over Network, which has sessions
//	            with Up and Down, keeps order in them, and can be cut one way.
//	leases      the product's, in the store: a simulation has nothing of its own.
//	store       a handle on one memory disk; a node can be cut off from it. Calls fail
//	            or leave open whether they happened, a process ends in the middle of
//	            a write, the disk is full, the log is trimmed. What has happened stays:
//	            that is what a store promises.
//	clients     Client: connects where it is told, goes on with its cursor at
//	            another node when it is ended, and keeps what it was handed.
//	publisher   Publish offers at a node until the answer is certain.
//	owners      Owner changes a key's rules and monitors at any node, one after the
//	            other, and asks again where no answer comes. Operator does so with
//	            the key itself, and may revoke it.
//	moments     what befalls a node, or is asked of it, begins at rest or amid messages
//	            of one kind: as one step of the loop, while others wait to be handled.
//
// Not simulated yet: clocks with skew and drift, gateways before the question to
// the key.
//
// # How a run is judged
//
// While it runs: positions grow strictly at each client, over all its
// connections; each term of a shard is taken by one process, and shards stand still
// while views do; what a publisher is told to be in the log is there; a node that is
// apart has no clients, and hands nothing on without a live lease; a shard is not
// released before its keys have settled, nor while its router has a query of them; a
// place that is said to be free is; what a key reserves is in proportion to what it has
// handed on.
//
// After the last fault: all nodes agree on each shard's owner, which is who took it,
// and clients connect; nothing is left of shards that were given up; every client
// was handed each event that matches, once, as a plain matcher reads it off the disk.
// Then all clients leave, and no connection, place or grant may be left of them.
// Each thing that must hold has a name, by which Cluster.Violated reports it.
// MUTANTS.md says how many seeds it takes until a deliberate bug is found by it.
//
// # From a seed to what it means
//
// A Scenario is a whole run. How large it is, how long it lasts and which faults
// may come are options that the seed draws and that are printed; what happens then
// is decided by the kit's streams (see testkit.Chance), so that a run can be written
// down, followed, and cut.
//
//	birdwire sim run --seed 7                           one run; --log keeps its decisions
//	birdwire sim sweep --seeds 1-1000 --logs failed     many, one process a core
//	birdwire sim explore --vary end                     every order of a small scenario
//	birdwire sim shrink failed/7.log -o small.log       what the failure takes
//	birdwire sim show small.log -o small.html           as a page: doc/show.png is one
//	birdwire sim replay small.log --until 17000         the last messages before a step
//	birdwire sim diff 7.log small.log                   the first step that differs
//
// Whoever writes a scenario: ask for chance by labels that stay the same when
// something before is left out ("post 17", "round 3: wait"), and let the first of
// every choice be the neutral one: no post, no fault, the mean wait. What is asked
// so shrinks well.
//
// The product says by assembly.Ports.Sometimes that it has come to a place that few
// runs come to (actors.Places, follow.Places). A sweep counts them, and fails where
// a place was not reached by any of its seeds; some hundred seeds reach all.
//
// # Every order of a few messages
//
// A small scenario (Small) begins where a cluster has come to rest and ends when it has
// again; in between are a few messages, and Explore tries their orders depth first. That
// nothing fails in them is then no matter of luck, within what its bounds say: how often
// a run departs from the plain order, how many faults, how many messages lost. What
// touches what, the store, the network and the clients tell (testkit.Kit.Touch). What
// a node's actors share without a message (who owns which shard, as its view has it;
// whether its lease runs; what replays have found out) nobody tells, and is looked at in
// one order.
//
// # What is kept
//
// testdata/logs has the shrunk log of each bug that was found (FOUND.md says which),
// and of some deliberate ones. A test and .ci/run play them loosely: as far as their
// questions come again, which they do after most changes of the code; strictly, a
// log fits only the code that made it. CI sweeps some hundred seeds, and prints them:
// each commit has its own, which follow from its tree, so that everybody's gate says
// the same of one. At night, on a machine that has nothing else to do:
//
//	birdwire sim sweep --seeds $(date +%y%m%d)00001-$(date +%y%m%d)99999 --for 8h --logs failed
//	birdwire sim sweep --seeds $(date +%y%m%d)00001-$(date +%y%m%d)99999 --for 2h --strategy priority --anywhere --logs failed-priority
//
// That a seed is one run is checked by playing each in a process with one core, in one
// with two, and in one of a build with the race detector, and comparing hashes of all
// messages:
//
//	go build -race -o birdwire-race ./cmd/birdwire
//	birdwire sim sweep --seeds 1-1000 --twice --also ./birdwire-race
//
// BENCH.md says how fast that is.
package sim
