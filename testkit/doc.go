// Package testkit tests actors inside an ordinary go test, without a sleep, and
// finds the orders and faults in which they break, without luck.
//
// # First step: one actor
//
// A probe is an actor that the test plays: it asks, and expects.
//
//	func TestGreets(t *testing.T) {
//		testkit.Run(t, func(k *testkit.Kit) {
//			p := k.Probe()
//			greeter := k.Spawn("greeter", newGreeter)
//			p.Request(greeter, "Ada")
//			if got := testkit.Expect[string](p); got != "hello, Ada" {
//				t.Fatal(got)
//			}
//			p.ExpectNoMessage(time.Hour) // of virtual time
//		})
//	}
//
// The example of Run is this one, to be run. It takes go get
// github.com/birdwire/birdwire and imports github.com/birdwire/birdwire/testkit,
// github.com/asynkron/protoactor-go/actor, testing and time.
//
// # Second step: a simulation
//
// Play all the actors of a protocol, each on its Host, over a network that loses
// and delays what it carries: a function that calls Kit.Later, or not, as
// Kit.Chance says. Let virtual time pass, and judge what must hold at the end. RunSeeds does
// that as often as you like, each time with other faults in another order. The
// example of RunSeeds has two actors of twenty lines each, and twenty more that
// play them.
//
// # Third step: the first bug
//
// Break a rule of your protocol, and see that the seeds say so: a simulation that
// finds nothing may look at nothing. The example of Shrink forgets what was done
// before, and shows the seed, and what is left when everything else is cut.
// The failing subtest of RunSeeds is named by its seed, so go test -run
// 'TestName/seed=7$' plays the same run again, and again after each change.
//
// Then have CheckDeterminism see that a seed is the same run twice: one iteration
// over a map that sends is enough that it is not, and it names the first step that
// differs. Record makes a hash of all that a run did. What makes runs differ is
// found before that by an analyzer: go vet -vettool=$(which simvet) ./yours/...,
// see package simvet.
//
// The package examples/bank has all of it in a size that is nearer to yours:
// crashes, a journal, invariants while it runs and at its end, two planted bugs and
// what the seeds say of them.
//
// # All orders of a few messages
//
// Seeds say that a bug was not found; where a scenario is a few messages long, Explore
// says that there is none: it tries every order that somebody could tell from another,
// with every choice of Chance, depth first, and ends with "exhausted: 2,133 orders", or
// with which bound has cut off what. Orders that come to the same are tried once: steps
// of two actors change places only where one touches what the other touches. What they
// share besides messages the kit does not see: tell of it by Kit.Touch. Exhaust is
// Explore in a go test, Scope has the bounds, Kit.Plainly what is not to be varied, and
// examples/bank/orders_test.go has a transfer to begin with. What it finds is a log as
// any other.
//
// # What your actors take from outside
//
// The kit runs what it hands out, and nothing else. An actor that is to be simulated
// takes these from whoever starts it, as interfaces of its own:
//
//   - the Props by which it starts its children ([Host].Props in a test): a child whose
//     props are made by the library runs on goroutines, in no order that a seed decides;
//   - a clock that sends messages later, instead of time, SetReceiveTimeout, and the
//     library's strategy with a backoff; restarts within a time are counted by the host's
//     clock where its Props are used;
//   - a worker for what blocks, instead of a goroutine or a future: RequestFuture waits
//     for as long as it says, on the test's own goroutine, and gets no answer;
//   - chance, and what carries messages to other hosts: a PID is for actors of its own
//     host. What another host's send to it by the library goes past your network, or
//     nowhere.
//
// CheckDeterminism and a test that fails name actors that the kit does not run and those
// that wait by the machine's clock; package simvet finds the rest in the code.
//
// # How it works
//
// The actors are real protoactor actors with real supervision; only what runs
// them is the kit's: every mailbox, worker job and timer is an event in one
// queue, and the test's own goroutine takes them out one at a time. So nothing
// races, "nothing more happens" is a fact and not a timeout, and a failure
// comes back every time. RunSeeds plays the same test in other orders.
//
// What a run decides (which event is next, what the network loses, which fault
// comes, what is asked for) is decided by the kit, in streams: Chooser for the
// schedule, Chance for the others. Play runs a simulation outside go test and keeps
// its decisions, a Log: a file that can be followed again, step by step, until the
// code is another (then it says at which step and why), and made smaller, by
// Shrink, until little is left but the failure. Page shows a run. In
// go test, TESTKIT_LOGS=folder keeps the logs of what failed, TESTKIT_LOG=file
// follows one, and TESTKIT_PAGE=file has it as a page, too.
//
// A test of several nodes has several hosts, NewHost, on the one loop: see Host,
// Lane, and Chooser for who says what happens next.
//
// Kit hands out what actors take from their world: Clock (virtual time, moved by
// Advance; its wall time can be set apart, by Step), Rand (seeded), Worker (runs
// jobs as events, or holds them; a fake that is slow calls Pause in them) and Props. What else the tests of a package
// share is kept by Once.
//
// A panic in an actor or a job that the test did not ask for with Panics fails
// it. A test that fails shows the last messages, and names actors that the kit does
// not run, and those that wait by a clock which it does not move.
//
// The kit knows no actor of anybody's: it imports nothing of the module that it
// lives in.
//
// The package never waits for wall time, except for Await and AwaitMessage: they
// are for actors that own sockets or goroutines, whose messages come from
// outside.
//
// Importing it sets concurrent-map's SHARD_COUNT to 1 for a whole test binary: an
// actor system then starts in a fraction of a millisecond instead of 10 to 16. In
// other programs Play does that: they must have no actor system of their own by then.
// Both have garbage collected less often, and not below 80 MiB, unless GOGC is set.
//
// BENCH.md says what a message costs.
package testkit
