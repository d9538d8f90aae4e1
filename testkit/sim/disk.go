package sim

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// This file is what befalls the store: see Swarm for when.

// errStore is what a call of a store is answered that has failed.
var errStore = errors.New("the store has failed")

// badStore is what befalls calls of every node's store. The zero value is nothing.
type badStore struct {
	chance    *testkit.Chance
	rate      uint64 // of calls, in a thousand
	errors    bool   // calls fail, and nothing has happened
	ambiguous bool   // of writes it is not known whether they happened; half of them did
	late      bool   // or they happen after that was answered, where their condition still holds
	slow      bool   // calls take time
	lost      Led    // has no leader

	due     map[string]time.Duration // by record: when the newest that is late happens
	pending []func()                 // what is late and has not happened, in the order in which it was asked for; nil where it has
}

// lateMost is how late a write may happen: a store whose leader is elected has dropped
// it, or written it, by then.
const lateMost = 8 * time.Second

// later has a write of the call happen some time after its answer. What is asked for
// again while the first of it is on its way comes after that: a store does it in order.
func (b *badStore) later(c *Cluster, what, record string) memory.Fault {
	now := c.Clock.Elapsed()
	after := b.due[record] - now
	if after <= 0 {
		after = b.chance.Below("how late "+what, lateMost)
		b.due[record] = now + after
	}
	return memory.Fault{Late: func(happen func()) {
		i := len(b.pending)
		b.pending = append(b.pending, happen)
		c.Later(after, func() { b.happen(i) })
	}}
}

func (b *badStore) happen(i int) {
	if i < len(b.pending) && b.pending[i] != nil {
		b.pending[i]()
		b.pending[i] = nil
	}
}

// heal ends all of it. What is late happens now.
func (b *badStore) heal() {
	b.errors, b.ambiguous, b.late, b.slow = false, false, false, false
	clear(b.due)
	for i := range b.pending {
		b.happen(i)
	}
}

// fault is what befalls the call of the node.
func (b *badStore) fault(n *Node, call memory.Call) memory.Fault {
	if !b.errors && !b.late && !b.ambiguous && !n.late { // of most calls nobody asks what they are
		return memory.Fault{}
	}
	what := fmt.Sprintf("%s of %s at %s", call.Op, n.Name, call.Key)
	if n.late && writes(call.Op) && b.chance.Often("have late "+what, lateOften(call.Key), 8) {
		return b.later(n.cluster, what, call.Key)
	}
	if b.errors && b.often("fail "+what) {
		return memory.Fault{Err: errStore}
	}
	if b.late && writes(call.Op) && b.often("have late "+what) {
		return b.later(n.cluster, what, call.Key)
	}
	if !b.ambiguous || !writes(call.Op) || !b.often("leave open "+what) {
		return memory.Fault{}
	}
	if b.chance.Once("do "+what, 2) {
		return memory.Fault{Ambiguous: true}
	}
	return memory.Fault{Err: fmt.Errorf("%w: %w", errStore, messages.ErrAmbiguous)}
}

// lateOften is how often of eight times a write of a late node is late: most of those
// that decide, and few of those that come before them, or none would come to the others.
func lateOften(key string) uint64 {
	if strings.HasPrefix(key, "rules.") || strings.HasPrefix(key, "monitors.") {
		return 7
	}
	return 1
}

func (b *badStore) often(what string) bool { return b.chance.Often(what, b.rate, 1000) }

func writes(op memory.Op) bool {
	return op == memory.JournalAppend || op == memory.ControlCAS || op == memory.ControlDelete || op == memory.ItemsCAS
}

// Led is what a store has a leader of its own for.
type Led string

// What the nodes' stores keep.
const (
	TheLog     Led = "journal"
	TheRecords Led = "control"
	TheItems   Led = "items"
)

// LoseLeader has nobody lead one of what the stores keep until FindLeader: no node
// reads it, and of what is written it is not known whether the next leader has it.
func (c *Cluster) LoseLeader(of Led) { c.bad.lost = of }

// FindLeader ends what LoseLeader has begun.
func (c *Cluster) FindLeader() { c.bad.lost = "" }

// isLost says whether what the call is to has lost its leader.
func (b *badStore) isLost(op memory.Op) bool {
	of, _, _ := strings.Cut(string(op), ".")
	return b.lost != "" && Led(of) == b.lost
}

// leaderless is what befalls a call that finds no leader.
func (b *badStore) leaderless(n *Node, call memory.Call) memory.Fault {
	what := fmt.Sprintf("%s of %s at %s", call.Op, n.Name, call.Key)
	err := fmt.Errorf("%s: nobody leads the %s", n.Name, b.lost)
	switch {
	case !writes(call.Op):
		return memory.Fault{Err: err}
	case b.chance.Often("have the next leader do "+what, 1, 4):
		return b.later(n.cluster, what, call.Key)
	}
	return memory.Fault{Err: fmt.Errorf("%w: %w", err, messages.ErrAmbiguous)}
}

// doubtMost is for how long at most a store does not know whether its own server still
// leads what it led before it was suspended or cut off.
const doubtMost = 4 * time.Second

// doubt begins that: what is read would be as old as that, so nothing is, and writes
// go through.
func (n *Node) doubt() {
	n.unsure = n.cluster.Clock.Elapsed() + n.cluster.bad.chance.Below(fmt.Sprintf("for how long %s does not know what its store leads", n.Name), doubtMost)
}

// storeFault is what befalls a call of the node's store.
func (n *Node) storeFault(call memory.Call) memory.Fault {
	n.cluster.tells(call)
	switch c := n.cluster; {
	case n.storeDown || n.dying:
		return memory.Fault{Err: fmt.Errorf("%s: the store cannot be reached", n.Name)}
	case c.bad.isLost(call.Op):
		return c.bad.leaderless(n, call)
	case n.unsure > c.Clock.Elapsed() && !writes(call.Op):
		return memory.Fault{Err: fmt.Errorf("%s: the store does not know whether it leads what is read", n.Name)}
	case n.starting: // an operator starts it again until it does
	case n.dieAt > 0 && writes(call.Op):
		if n.dieAt--; n.dieAt == 0 {
			return n.dieIn(call)
		}
	default:
		f := c.bad.fault(n, call)
		if f.Err != nil || f.Ambiguous || f.Late != nil {
			c.costly = true
			c.moves.away(c, StoreErrors, n.Name)
			c.Fault(n.Name, fmt.Sprintf("%s at %s is not answered", call.Op, call.Key))()
		}
		return f
	}
	return memory.Fault{}
}

// tells says what a call of the store touches: see testkit.Explore.
func (c *Cluster) tells(call memory.Call) {
	of, op, _ := strings.Cut(string(call.Op), ".")
	kind, _, _ := strings.Cut(call.Key, ".") // a list is of several keys
	switch thing := "the store's " + of + " of " + kind; op {
	case "read", "next", "bounds", "tail", "get", "list", "latest", "usage":
		c.Look(thing)
	default:
		c.Touch(thing)
	}
}

// dieIn ends the process in the middle of a write, which has happened or not:
// nobody handles the answer, and no later write of the same work happens.
func (n *Node) dieIn(call memory.Call) memory.Fault {
	n.dying = true
	n.Host.Freeze()
	n.cluster.Later(0, n.ofNow(n.Crash))
	if n.cluster.bad.chance.Once(fmt.Sprintf("%s of %s happens", call.Op, call.Key), 2) {
		return memory.Fault{}
	}
	return memory.Fault{Err: errStore}
}

// slowWorker is a node's pool of workers; while the node is slow each piece of work
// may take a while, and what was asked for later be done earlier.
type slowWorker struct {
	node    *Node
	process *testkit.Host
	mends   bool // it reads the log for routers
}

var _ actors.Worker = slowWorker{}

// onPurpose is what work panics with that is to.
const onPurpose = "sim: a piece of work panics on purpose"

// panicked is the answer to who asked for it, as a pool's.
func (n *Node) panicked(reason any) any {
	if reason != onPurpose {
		n.cluster.TB.Errorf("sim: work of %s has panicked: %v", n.Name, reason)
	}
	return &actors.WorkPanicked{Reason: reason}
}

// takePanics takes those of actors that come of work that panics on purpose: it is
// by a panic that they have themselves restarted. Work that is slow panics long after
// it was asked for, at times when nothing is broken any more.
func (c *Cluster) takePanics() {
	for _, reason := range c.Panics() {
		if !strings.Contains(fmt.Sprint(reason), onPurpose) {
			c.Violated("nothing panics", "%v", reason)
		}
	}
}

// Busy has each piece of work take some time, in half of the runs: what comes in
// between meets an actor that waits for it.
func (c *Cluster) Busy() {
	c.takes = time.Duration(max(0, c.Option("milliseconds that work takes, and 20", 0, 40)-20)) * time.Millisecond
}

// slowMost is how long a piece of work takes at most.
const slowMost = 3 * time.Second

func (w slowWorker) Do(to *actor.PID, timeout time.Duration, work func(context.Context) any) bool {
	n := w.node
	if n.panics > 0 && n.cluster.bad.chance.Once(fmt.Sprintf("work of %s panics", to.GetId()), 8) {
		n.panics--
		n.cluster.panicky = true
		work = func(context.Context) any { panic(onPurpose) }
	}
	after := n.cluster.takes
	if n.slow || w.mends && n.lags {
		after = n.cluster.bad.chance.Below(fmt.Sprintf("work of %s is slow", to.GetId()), slowMost)
	}
	if after == 0 {
		return w.process.Worker.Do(to, timeout, work)
	}
	n.cluster.Later(after, func() {
		if n.Host == w.process && n.up {
			w.process.Worker.Do(to, max(0, timeout-after), work)
		}
	})
	return true
}

// Pool is one of a node's pools of workers.
type Pool string

// The pools that can be stuck.
const (
	Records Pool = "records" // what shards and sources read and write
	Mend    Pool = "mend"    // the log, for the router
)

// Stick has the node's pool do nothing of what it is asked until it is another's
// turn; of none with "". What waited is done then.
func (n *Node) Stick(pool Pool) {
	n.stuck = pool
	waits := n.waits
	n.waits = nil
	for _, do := range waits {
		do()
	}
}

// Let has the stuck pool do the oldest piece of what waits.
func (n *Node) Let() {
	if len(n.waits) > 0 {
		do := n.waits[0]
		n.waits = n.waits[1:]
		do()
	}
}

// stuckWorker is a pool that may be.
type stuckWorker struct {
	slowWorker
	node *Node
	pool Pool
}

func (w stuckWorker) Do(to *actor.PID, timeout time.Duration, work func(context.Context) any) bool {
	if w.node.stuck == w.pool && w.process == w.node.Host {
		w.node.waits = append(w.node.waits, func() { w.slowWorker.Do(to, timeout, work) })
		return true
	}
	return w.slowWorker.Do(to, timeout, work)
}

// entry is a frame that the log holds, or held.
type entry struct {
	sequence uint64
	frame    *messages.Frame
}

// uncut is first, or an earlier frame where an event is in one that goes and in one that
// stays: nobody who reads from there on could know that it comes again.
func uncut(held []entry, first uint64) uint64 {
	begins := map[string]uint64{}
	for _, e := range held {
		for _, event := range e.frame.GetEvents() {
			if _, known := begins[named(event)]; !known {
				begins[named(event)] = e.sequence
			}
		}
	}
	for i := len(held) - 1; i >= 0 && held[i].sequence >= first; i-- {
		for _, event := range held[i].frame.GetEvents() {
			first = min(first, begins[named(event)])
		}
	}
	return first
}

// Trim removes what nobody needs any more from the log: what every client is past,
// and nothing that is being offered.
func (c *Cluster) Trim() {
	c.TB.Helper()
	c.scan()
	first := c.end().Sequence()
	for _, client := range c.clients {
		if client.cursor == nil {
			return
		}
		first = min(first, client.cursor.Position.Sequence())
	}
	for _, p := range c.offered {
		if p.asked != 0 {
			first = min(first, p.since)
		}
	}
	held := c.held()
	first = uncut(held, first)
	for _, e := range held {
		if e.sequence < first {
			c.trimmed = append(c.trimmed, e)
		}
	}
	for _, key := range c.keys { // versions go with the events that they decided
		c.past[key] = c.pastOf(key)
	}
	c.Disk.Trim(first)
}
