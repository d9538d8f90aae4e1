// Package placement says which node owns what: pure functions of a view. It
// keeps nothing, asks nobody, and two nodes with the same view come to the same
// answer.
//
// # Shards
//
// Every member of a view is the home of a part of the shards, whether it is up
// or not. Homes are dealt out by bounded rendezvous: the pairs of a shard and a
// node are gone through in the order of a mixed hash, and a pair becomes home
// and shard if the shard has none yet and the node has room. A node has room for
// slack shards more than its even part.
//
// A shard whose home is not in the core is kept by another member of the core
// until it is back: by one of the newest version that has room, and of those by
// the same hash. So what a node's absence moves is what it is home of and
// nothing else, and in a rolling restart of n nodes each shard moves twice: away
// from its home and back. A node that is gone for good has to leave the view
// before its part is dealt out again.
//
// # Singletons
//
// A source or the newsdesk is placed by its name in the same two steps, without
// a bound. One that has hung on a node is not there for as long as that says so.
//
// # The core
//
// See Core.
package placement
