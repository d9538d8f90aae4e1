// Package gossip finds the other nodes of a cluster, and says early which of them
// are gone: memberlist, with the traps of it dealt with here.
//
//	seeds ──join, for ever──▶ memberlist ⇢ the others' memberlists
//	                              │ callbacks, which only note and signal
//	                              ▼
//	                        one goroutine ──▶ Snapshot 1, 2, 3 … (immutable)
//
// A Snapshot tells who is where: the addresses of each node's link and of its
// store's routes, its incarnation, what it can do. It is a hint, in both
// directions. A node that gossip sees may be out of reach for the link, and one
// that it has lost may still hold a lease. Who owns what is decided by the lease
// records and the link alone (membership.View): see DECISIONS.md.
//
// It never decides that a node has ended, and never stops looking for one: seeds,
// and the addresses at which members were seen last, are tried again until the
// process ends.
package gossip
