package testkit_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/testkit"
)

// Step 1: one actor and a probe. In a test this is testkit.Run(t, ...); here
// FirstFailure runs it, since an example has no t.
func ExampleRun() {
	greets := func(k *testkit.Kit) {
		p := k.Probe()
		greeter := k.Spawn("greeter", func() actor.Actor {
			return actor.ReceiveFunc(func(ctx actor.Context) {
				if name, ok := ctx.Message().(string); ok {
					ctx.Respond("hello, " + name)
				}
			})
		})
		p.Request(greeter, "Ada")
		if got := testkit.Expect[string](p); got != "hello, Ada" {
			k.TB.Fatal(got)
		}
		p.ExpectNoMessage(time.Hour)
	}
	_, said := testkit.FirstFailure(1, greets)
	fmt.Printf("failure: %q\n", said)
	// Output: failure: ""
}

// addOne asks the counter to count; counted answers it.
type (
	addOne  struct{ number int }
	counted struct{ number int }
)

// counter counts each number once, however often it is asked; a careless one
// counts what it is asked.
type counter struct {
	answer   func(message any)
	seen     map[int]bool
	total    int
	careless bool
}

func (c *counter) Receive(ctx actor.Context) {
	if m, ok := ctx.Message().(*addOne); ok {
		if c.careless || !c.seen[m.number] {
			c.total++
		}
		c.seen[m.number] = true
		c.answer(&counted{m.number})
	}
}

// asker has the numbers up to ten counted, one after the other: it asks each
// second, until it has the answer.
type asker struct {
	ask    func(message any)
	clock  *testkit.Clock
	number int
}

func (a *asker) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started, time.Duration: // the latter is what the clock sends
		if a.number <= 10 {
			a.ask(&addOne{a.number})
			a.clock.After(time.Second, ctx.Self(), time.Second)
		}
	case *counted:
		if m.number == a.number {
			a.number++
		}
	}
}

// counts plays both over a network that loses one message of three and delays
// the others, and judges the total.
func counts(k *testkit.Kit, careless bool) {
	here, there := k.NewHost("here"), k.NewHost("there")
	var asking, counting *actor.PID
	carry := func(deliver func()) {
		if k.Rand.Uint64N(3) > 0 {
			k.Later(time.Duration(k.Rand.Uint64N(500))*time.Millisecond, deliver)
		}
	}
	c := &counter{seen: map[int]bool{}, careless: careless, answer: func(m any) { carry(func() { here.Tell(asking, m) }) }}
	a := &asker{clock: here.Clock, number: 1, ask: func(m any) { carry(func() { there.Tell(counting, m) }) }}
	counting = there.Spawn("counter", func() actor.Actor { return c })
	asking = here.Spawn("asker", func() actor.Actor { return a })
	k.Advance(10 * time.Minute)
	if a.number != 11 || c.total != 10 {
		k.TB.Fatalf("%d of 10 are answered, and the total is %d", a.number-1, c.total)
	}
}

// Step 2: two actors on two hosts, a network that loses and delays, and what must
// hold at the end. In a test this is testkit.RunSeeds(t, 100, ...).
func ExampleRunSeeds() {
	seed, said := testkit.FirstFailure(100, func(k *testkit.Kit) { counts(k, false) })
	fmt.Printf("seed %d: %q\n", seed, said)
	// Output: seed 0: ""
}

// Step 3: the seeds find a counter that counts a question again when its answer
// was lost. What a failure says goes on with the messages that led to it.
func ExampleFirstFailure() {
	seed, said := testkit.FirstFailure(100, func(k *testkit.Kit) { counts(k, true) })
	lines := strings.Split(said, "\n")
	fmt.Printf("seed %d: %s\n", seed, lines[0])
	for _, line := range lines {
		if strings.Contains(line, "addOne") {
			fmt.Println(strings.TrimSpace(line))
		}
	}
	// Output:
	// seed 1: 10 of 10 are answered, and the total is 11
	// 67ms  there/counter$1  &testkit_test.addOne{number:1}
	// 2.209s  there/counter$1  &testkit_test.addOne{number:1}
	// 3.277s  there/counter$1  &testkit_test.addOne{number:2}
	// 4.191s  there/counter$1  &testkit_test.addOne{number:3}
	// 5.218s  there/counter$1  &testkit_test.addOne{number:4}
	// 6.184s  there/counter$1  &testkit_test.addOne{number:5}
	// 7.319s  there/counter$1  &testkit_test.addOne{number:6}
	// 8.202s  there/counter$1  &testkit_test.addOne{number:7}
	// 9.011s  there/counter$1  &testkit_test.addOne{number:8}
	// 10.195s  there/counter$1  &testkit_test.addOne{number:9}
	// 11.28s  there/counter$1  &testkit_test.addOne{number:10}
}
