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
//	            or hold a few messages only.
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
//
// Not simulated yet: clocks with skew and drift, gateways before the question to
// the key.
//
// # How a run is judged
//
// While it runs: positions grow strictly at each client, over all its
// connections; each term of a shard is taken by one process. At its end: every
// client was handed each event that matches, once, as a plain matcher reads it
// off the disk.
package sim
