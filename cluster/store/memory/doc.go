// Package memory holds the store's contracts in memory, with faults on demand:
// for tests, and for a simulation that replays from a seed. It takes time from
// its Config, uses no chance, and starts no goroutine: a call is done when it
// returns.
//
//	Disk   what survives: the records themselves, the log's retention and epoch
//	Store  one node's handle on it: faults, watches, closed or not
//
// Several handles on one disk are a cluster's nodes; a handle closed and
// another opened is a restart.
//
// The package never writes to a file, and is no cache: a store that should
// survive its process is store/nats.
package memory
