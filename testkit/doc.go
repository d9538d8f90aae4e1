// Package testkit tests actors inside an ordinary go test, without a sleep:
//
//	func TestGreets(t *testing.T) {
//		testkit.Run(t, func(k *testkit.Kit) {
//			p := k.Probe()
//			greeter := k.Spawn("greeter", newGreeter)
//			p.Request(greeter, "Ada")
//			if got := testkit.Expect[string](p); got != "hello, Ada" {
//				t.Fatal(got)
//			}
//		})
//	}
//
// The actors are real protoactor actors with real supervision; only what runs
// them is the kit's: every mailbox, worker job and timer is an event in one
// queue, and the test's own goroutine takes them out one at a time. So nothing
// races, "nothing more happens" is a fact and not a timeout, and a failure
// comes back every time. RunSeeds plays the same test in other orders.
//
// A test of several nodes has several hosts, NewHost, on the one loop: see Host,
// Lane, and Chooser for who says what happens next.
//
// Kit hands out what actors take from their world: Clock (virtual time, moved by
// Advance; its wall time can be set apart, by Step), Rand (seeded), Worker (runs
// jobs as events, or holds them) and Props. What else the tests of a package
// share is kept by Once.
//
// A panic in an actor or a job that the test did not ask for with Panics fails
// it. A test that fails shows the last messages, and names actors that wait by a
// clock which the kit does not move.
//
// CheckDeterminism runs a test twice and names the first step that differs; Record
// makes a hash of all that a run did.
//
// The kit knows no actor of anybody's: it imports nothing of the module that it
// lives in.
//
// The package never waits for wall time, except for Await and AwaitMessage: they
// are for actors that own sockets or goroutines, whose messages come from
// outside.
//
// Importing it sets concurrent-map's SHARD_COUNT to 1 for the whole test
// binary: an actor system then starts in a fraction of a millisecond instead
// of 10 to 16. It belongs into _test.go files only.
package testkit
