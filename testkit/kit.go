package testkit

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	cmap "github.com/orcaman/concurrent-map"
)

// Address is what the PIDs of a kit's actors carry: not protoactor's default,
// so that code which builds a PID without an address is found out.
const Address = "testkit"

func init() { cmap.SHARD_COUNT = 1 }

// Kit is one actor system and the ports its actors are given. It is for the
// test's own goroutine; Clock, Rand and Worker may be used from any.
type Kit struct {
	TB     testing.TB
	System *actor.ActorSystem
	Clock  *Clock
	Rand   *Rand
	Worker *Worker
	// Props is the factory that actors spawn their children with. kind names the
	// actor in what a failed test says.
	Props func(kind string, produce actor.Producer, children actor.SupervisorStrategy) *actor.Props
	// Log discards what is below a warning and shows the rest with the test.
	Log *slog.Logger

	schedule *schedule
	spawned  []*actor.PID
	output   *output
	once     map[reflect.Type]any // see Once

	mu          sync.Mutex // protects deadLetters: they may come from any goroutine
	deadLetters []DeadLetter
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
func RunSeeds(t *testing.T, n int, test func(t *testing.T, k *Kit)) {
	t.Helper()
	for seed := uint64(1); seed <= uint64(n); seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			run(t, seed, func(k *Kit) { test(t, k) })
		})
	}
}

func run(tb testing.TB, seed uint64, test func(k *Kit)) {
	tb.Helper()
	k := newKit(tb, seed)
	defer k.output.close()
	defer k.tell()
	test(k)
	k.stop()
}

func newKit(tb testing.TB, seed uint64) *Kit {
	out := &output{tb: tb}
	log := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelWarn}))
	k := &Kit{
		TB:       tb,
		System:   actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return log })),
		Rand:     &Rand{r: rand.New(rand.NewPCG(seed, 0x62697264))},
		Log:      log,
		schedule: newSchedule(seed),
		output:   out,
		once:     map[reflect.Type]any{},
	}
	k.System.ProcessRegistry.Address = Address
	k.Clock = &Clock{now: century, wall: Start.Add(-century), system: k.System}
	k.schedule.clock = k.Clock
	k.Worker = &Worker{system: k.System, schedule: k.schedule, clock: k.Clock}
	k.Props = k.props
	k.System.EventStream.Subscribe(func(event any) {
		if e, ok := event.(*actor.DeadLetterEvent); ok {
			k.mu.Lock()
			defer k.mu.Unlock()
			if len(k.deadLetters) < deadLettersMax {
				k.deadLetters = append(k.deadLetters, DeadLetter{To: e.PID, Message: e.Message})
			}
		}
	})
	return k
}

func (k *Kit) props(kind string, produce actor.Producer, children actor.SupervisorStrategy) *actor.Props {
	options := []actor.PropsOption{actor.WithMailbox(func() actor.Mailbox {
		return &mailbox{kind: kind, schedule: k.schedule}
	})}
	if children != nil {
		options = append(options, actor.WithSupervisor(children))
	}
	return actor.PropsFromProducer(produce, options...)
}

// Spawn starts an actor with no parent. Its failures restart it, up to ten
// times in ten seconds; to choose another strategy, spawn it from a Probe made
// by Supervisor. It has not had its Started before the next Settle or Expect.
func (k *Kit) Spawn(kind string, produce actor.Producer) *actor.PID {
	return k.SpawnProps(kind, k.Props(kind, produce, nil))
}

// SpawnProps is Spawn for an actor package that hands out its own props.
func (k *Kit) SpawnProps(prefix string, props *actor.Props) *actor.PID {
	pid := k.System.Root.SpawnPrefix(props, prefix)
	k.spawned = append(k.spawned, pid)
	return pid
}

// Tell sends a message without a sender.
func (k *Kit) Tell(to *actor.PID, message any) { k.System.Root.Send(to, message) }

// Stop asks the actor to stop, before what waits in its mailbox, and settles.
func (k *Kit) Stop(pid *actor.PID) {
	k.TB.Helper()
	k.System.Root.Stop(pid)
	k.Settle()
}

// Settle runs every event that is due until none is left: all mailboxes are
// empty and no job runs. Held jobs and timers stay.
func (k *Kit) Settle() {
	k.TB.Helper()
	if busy := k.schedule.drain(); busy != "" {
		k.TB.Fatalf("testkit: not settled after %d events: actors keep sending to each other, the last was %s%s", settleMax, busy, k.hint())
	}
}

// Advance moves virtual time by d: it settles, fires what falls due in order
// of time, and settles after each.
func (k *Kit) Advance(d time.Duration) {
	k.TB.Helper()
	target := k.Clock.Elapsed() + d
	for k.Settle(); k.Clock.fireNext(target); k.Settle() {
	}
	k.Clock.set(target)
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

// Actors are the ids of all actors that there are, sorted, probes too.
func (k *Kit) Actors() []string {
	k.TB.Helper()
	k.Settle()
	var ids []string
	for _, part := range k.System.ProcessRegistry.LocalPIDs.LocalPIDs {
		for id, process := range part.Items() {
			if _, ok := process.(*actor.ActorProcess); ok {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return ids
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
	for i := len(k.spawned) - 1; i >= 0; i-- {
		k.System.Root.Stop(k.spawned[i])
		k.Settle()
	}
	k.System.Shutdown()
	for _, reason := range k.schedule.takePanics() {
		k.TB.Errorf("testkit: an actor panicked: %v (if the test meant it to, take it with Kit.Panics)", reason)
	}
}

// Rand is chance from the kit's seed; safe for any goroutine, since workers may
// ask too.
type Rand struct {
	mu sync.Mutex
	r  *rand.Rand
}

// Uint64N is uniform in [0, n).
func (r *Rand) Uint64N(n uint64) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
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
