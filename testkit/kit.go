package testkit

import (
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	cmap "github.com/orcaman/concurrent-map"
)

// Address is what the PIDs of a kit's actors carry: not protoactor's default,
// so that code which builds a PID without an address is found out.
const Address = "testkit"

func init() {
	if testing.Testing() {
		cmap.SHARD_COUNT = 1
		collectLess()
	}
}

// collectLess lets a heap grow to five times what is live before garbage is collected,
// and to 80 MiB at least, where GOGC does not say otherwise. A simulation keeps some
// megabytes and makes as many a second: to collect them took a quarter of it.
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
		ballast = make([]byte, 16<<20)
	}
}

// ballast counts as live for the garbage collector, and is never touched, so that it
// takes no memory.
//
//lint:ignore U1000 what it is for is to be there
var ballast []byte

// Kit is one actor system and the ports its actors are given; NewHost adds others
// that run on the same loop. It is for the test's own goroutine; Clock, Rand and
// Worker may be used from any.
type Kit struct {
	*Host // the first one: most tests need no other
	TB    testing.TB

	seed     uint64
	schedule *schedule
	hosts    []*Host
	output   *output
	once     map[reflect.Type]any // see Once

	mu          sync.Mutex // protects the fields below: they may come from any goroutine
	deadLetters []DeadLetter
	violations  []Violation
	reached     map[string]int // see Sometimes
	faults      int            // see Fault
}

// DeadLetter is a message that reached no actor.
type DeadLetter struct {
	To      *actor.PID
	Message any
}

// deadLettersMax bounds what a kit remembers; later ones are not kept.
const deadLettersMax = 10_000

// Run gives test a fresh system. Events run in the order in which they were
// caused, and chance has a fixed seed: two runs are the same run.
func Run(tb testing.TB, test func(k *Kit)) {
	tb.Helper()
	run(tb, 0, test)
}

// RunSeeds runs test in n subtests; each picks the next event by its own seed
// among all that are due. What an actor sends to one other still arrives in
// order, as in a real system; everything else may overtake.
//
// With TESTKIT_LOGS, a folder, which is made where there is none, what failed is
// written there as a Log; with TESTKIT_LOG, such a file, its run is followed instead
// of n seeds, and with TESTKIT_PAGE, a file to be, it is also written there as a Page.
func RunSeeds(t *testing.T, n int, test func(t *testing.T, k *Kit)) {
	t.Helper()
	if name := os.Getenv("TESTKIT_LOG"); name != "" {
		l, err := LoadLog(name)
		switch {
		case err != nil:
			t.Fatal(err)
		case l.Scenario != t.Name():
			t.Skipf("%s is of %s", name, l.Scenario)
		}
		t.Run(fmt.Sprintf("seed=%d", l.Seed), func(t *testing.T) { followed(t, l, func(k *Kit) { test(t, k) }) })
		return
	}
	if n < 1 {
		t.Fatalf("testkit: %d seeds test nothing: want one at least", n)
	}
	for seed := uint64(1); seed <= uint64(n); seed++ {
		scenario := t.Name()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			run(t, seed, func(k *Kit) {
				if folder := os.Getenv("TESTKIT_LOGS"); folder != "" {
					k.schedule.decisions.keeps = true
					defer k.saveLog(scenario, folder)
				}
				test(t, k)
			})
		})
	}
}

func run(tb testing.TB, seed uint64, test func(k *Kit)) {
	tb.Helper()
	k := newKit(tb, seed)
	defer k.output.close()
	defer k.tell()
	defer k.schedule.abandon()
	test(k)
	k.stop()
}

func newKit(tb testing.TB, seed uint64) *Kit {
	k := &Kit{TB: tb, seed: seed, schedule: newSchedule(seed), output: &output{tb: tb}, once: map[reflect.Type]any{}, reached: map[string]int{}}
	k.Host = k.newHost(Address, &Rand{r: rand.New(rand.NewPCG(seed, 0x62697264))})
	return k
}

// Schedule has another Chooser say what happens next, from now on.
func (k *Kit) Schedule(by Chooser) {
	k.schedule.mu.Lock()
	defer k.schedule.mu.Unlock()
	k.schedule.decisions.order = by
}

// Settle runs every event that is due until none is left: all mailboxes are
// empty and no job runs. Held jobs and timers stay.
func (k *Kit) Settle() {
	if failed := k.settle(); failed != "" {
		k.TB.Helper() // looks at the stack, a tenth of a test's time where it is asked for every time
		k.TB.Fatalf("testkit: not settled %s", failed)
	}
}

// settle is Settle; failed says why there is no end to it.
func (k *Kit) settle() (failed string) {
	busy, ended := k.schedule.drain()
	if ended {
		k.TB.SkipNow()
	}
	if busy != "" {
		return fmt.Sprintf("after %d events: actors keep sending to each other, the last was %s%s", settleMax, busy, k.hint())
	}
	return ""
}

// Advance moves virtual time by d: it settles, fires what falls due in order
// of time, and settles after each.
func (k *Kit) Advance(d time.Duration) {
	time := k.schedule.time
	if d < 0 {
		k.TB.Helper()
		k.TB.Fatalf("testkit: Advance(%v): time does not go back", d)
	}
	target := time.elapsed() + d
	for fired, at := 0, target; ; fired++ {
		if now := time.elapsed(); now != at {
			fired, at = 0, now
		}
		if fired == settleMax {
			k.TB.Helper()
			k.TB.Fatalf("testkit: time does not get on: %d timers have fired at one instant, the last was %s", fired, k.schedule.fired)
		}
		if failed := k.settle(); failed != "" {
			k.TB.Helper() // as in Settle
			k.TB.Fatalf("testkit: not settled %s", failed)
		}
		if !k.schedule.fireNext(target) {
			break
		}
	}
	time.set(target)
}

// Await settles until done holds, waiting up to ten seconds of wall time for
// what other goroutines do: sockets, servers, adapters. done is asked again
// after every message from them, and every ten milliseconds for what sends none.
func (k *Kit) Await(what string, done func() bool) {
	k.TB.Helper()
	limit := time.NewTimer(10 * time.Second)
	defer limit.Stop()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		k.Settle()
		if done() {
			return
		}
		select {
		case <-k.schedule.wake:
		case <-poll.C:
		case <-limit.C:
			k.TB.Fatalf("testkit: waited ten seconds in vain for %s", what)
		}
	}
}

// Panics returns what actors have panicked with since it was last asked, and
// so declares those panics expected.
func (k *Kit) Panics() []any {
	k.TB.Helper()
	k.Settle()
	return k.schedule.takePanics()
}

// DeadLetters returns the messages that reached no actor since it was last asked.
func (k *Kit) DeadLetters() []DeadLetter {
	k.TB.Helper()
	k.Settle()
	k.mu.Lock()
	defer k.mu.Unlock()
	letters := k.deadLetters
	k.deadLetters = nil
	return letters
}

// Once is what the test's kit has one of, made when it is first asked for: a
// store, or whatever else the tests of a package share.
func Once[T any](k *Kit, make func() T) T {
	of := reflect.TypeFor[T]()
	if made, ok := k.once[of]; ok {
		return made.(T)
	}
	made := make()
	k.once[of] = made
	return made
}

// stop runs what is due, so that a panic in it is one of this test's, and ends
// every actor, newest first, so that their Stopping code has run before the
// test is judged.
func (k *Kit) stop() {
	k.TB.Helper()
	k.Settle()
	k.schedule.abandon()
	for i := len(k.hosts) - 1; i >= 0; i-- {
		k.hosts[i].stop()
	}
	if all := k.schedule.takePanics(); len(all) > 0 {
		k.Violated("nothing panics", "%v\n(where the test means it to, it takes it with Kit.Panics)", strings.Trim(fmt.Sprintln(all...), "\n"))
	}
}

// Rand is chance from the kit's seed; safe for any goroutine, since workers may
// ask too.
type Rand struct {
	mu    sync.Mutex
	r     *rand.Rand
	drawn func() // is told; nil: nobody is
}

// Uint64N is uniform in [0, n).
func (r *Rand) Uint64N(n uint64) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.drawn != nil {
		r.drawn()
	}
	return r.r.Uint64N(n)
}

// output writes log lines to the test until it has ended: a stray goroutine
// that logs later must not bring the test binary down.
type output struct {
	mu sync.Mutex
	tb testing.TB // nil once closed
}

func (o *output) Write(line []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.tb == nil {
		return len(line), nil
	}
	return o.tb.Output().Write(line)
}

func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tb = nil
}
