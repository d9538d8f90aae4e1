// Package simvet is an analyzer that finds what a simulation from a seed cannot
// play again: goroutines, wall time, randomness without a seed, locks, futures,
// select of several channels, and messages that are sent in the order of a map. It knows protoactor-go's
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
// Whether a function sends is followed through calls, also into other packages, and
// through variables and a package's own fields that a function was put into. What is
// sent in map order is found behind iterators and functions that are called with each
// key or value, and in lists that were gathered in that order and handed to nobody who
// may have sorted them. To start, stop or watch an actor is to send. What cannot be
// followed is a call through an interface, or of a function that came as an argument; a
// method of a port that sends says so itself, by a comment above it:
//
//	type Clock interface {
//		//simvet:sends
//		After(d time.Duration, to *actor.PID, message any)
//	}
//
// Test files are left out: a test plays the world outside.
package simvet
