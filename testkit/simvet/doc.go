// Package simvet is an analyzer that finds what a simulation from a seed cannot
// play again: goroutines, wall time, randomness without a seed, locks, futures,
// and messages that are sent in the order of a map. It knows protoactor-go's
// actors and nothing of what they do, so it is for anybody's.
//
//	go install github.com/birdwire/birdwire/testkit/cmd/simvet@latest
//	go vet -vettool=$(which simvet) ./actors/...
//
// Name the packages whose code a simulation runs: what serves sockets and files
// beside them needs goroutines and clocks. Where a package must break one rule,
// its name in -simvet.except leaves that rule out:
//
//	go vet -vettool=$(which simvet) -simvet.except=goroutine,lock ./actors/feed
//
// Whether a function sends is followed through calls, also into other packages.
// What cannot be followed is a call through an interface; a method of a port that
// sends says so itself, by a comment above it:
//
//	type Clock interface {
//		//simvet:sends
//		After(d time.Duration, to *actor.PID, message any)
//	}
//
// Test files are left out: a test plays the world outside.
package simvet
