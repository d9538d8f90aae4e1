package testkit_test

import (
	"fmt"
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

func (m *addOne) String() string  { return fmt.Sprint("question ", m.number) }
func (m *counted) String() string { return fmt.Sprint("answer ", m.number) }

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
	network := k.Chance(testkit.Network)
	carry := func(message any, deliver func()) {
		if !network.Once(fmt.Sprintf("lose %v", message), 3) {
			k.Later(network.Below(fmt.Sprintf("delay %v", message), 500*time.Millisecond), deliver)
		}
	}
	c := &counter{seen: map[int]bool{}, careless: careless, answer: func(m any) { carry(m, func() { here.Tell(asking, m) }) }}
	a := &asker{clock: here.Clock, number: 1, ask: func(m any) { carry(m, func() { there.Tell(counting, m) }) }}
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
// was lost, and Shrink cuts what that does not take: of all that the network did
// one loss is left.
func ExampleShrink() {
	careless := func(k *testkit.Kit) { counts(k, true) }
	o := &testkit.Outcome{}
	for seed := uint64(1); !o.Failed(); seed++ {
		o = testkit.Play(testkit.Plan{Seed: seed, Log: true}, careless)
	}
	fmt.Printf("seed %d: %s; the network's choices that are not plain: %d\n", o.Seed, o.Violations[0].Text, o.Log.Deviations(testkit.Network))

	shrunk, err := testkit.Shrink(o.Log, time.Minute, careless)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("shrunk: %s; %d\n", shrunk.Outcome.Violations[0].Text, shrunk.Log.Deviations(testkit.Network))
	for _, line := range shrunk.Log.Told() {
		fmt.Println(line)
	}
	// Output:
	// seed 1: 10 of 10 are answered, and the total is 15; the network's choices that are not plain: 32
	// shrunk: 10 of 10 are answered, and the total is 11; 1
	// step 10, 2s: network: lose answer 3: 1 of 2
}
