// Package store is what a cluster keeps: five contracts, which store/nats
// holds on an embedded JetStream and store/memory holds in memory with faults
// on demand. store/storetest is the one suite that both pass.
//
// A contract says what was promised before an error was seen: an append that
// was acknowledged survives any one node, an ErrAmbiguous one may or may not
// have happened and is asked again under the same name.
//
// What is read is no older than what was acknowledged to anybody before it was asked
// for. A store that cannot say so, as it was suspended or is cut off, answers an error.
// Watches are told later.
//
// The package never decides what an event means, and knows no actor.
package store
