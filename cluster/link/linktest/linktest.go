// Package linktest is what every link.Link does, as tests: the real one over
// sockets and the simulation's pass the same.
package linktest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/cluster/link"
)

// World is where the links of a test are. All that are started know each other.
// Only the test's goroutine uses it.
type World interface {
	// Start is a process of the node whose link is not handled yet; the node's former
	// process has ended.
	Start(node string, incarnation uint64) Process
	// Kill ends the node's process at once.
	Kill(node string)
	// Stall has the node's process take nothing that comes, until it is over.
	Stall(node string, stalled bool)
	// Cut has nothing pass between the two, both ways, until it is over. Nothing is
	// closed or refused by it.
	Cut(a, b string, cut bool)
	// Until lets time pass until ok, and fails the test where that takes too long.
	Until(what string, ok func() bool)
	// Pass lets so much time pass.
	Pass(time.Duration)
	// OneAtATime says whether links are for one goroutine.
	OneAtATime() bool
}

// Process is a link with a system for actors.
type Process struct {
	link.Link
	System *actor.ActorSystem
	// Spawn starts an actor of the system.
	Spawn func(receive func(actor.Context)) *actor.PID
}

// Run runs all tests; each makes its world with within, which calls test once.
func Run(t *testing.T, within func(t *testing.T, test func(World))) {
	for name, test := range map[string]func(*testing.T, World){
		"what is sent arrives as it was":          arrives,
		"in order from each sender":               inOrder,
		"a node that is not there":                notThere,
		"the next process of a node":              nextProcess,
		"a cut":                                   cut,
		"a process that has ended":                hasEnded,
		"a peer that takes nothing":               takesNothing,
		"all who watch a dead peer are told once": watched,
		"a link that is closed":                   closed,
	} {
		t.Run(name, func(t *testing.T) { within(t, func(w World) { test(t, w) }) })
	}
}

// process is one whose link is handled by a record.
type process struct {
	Process
	*record
}

func start(t *testing.T, w World, node string, incarnation uint64) *process {
	p := &process{w.Start(node, incarnation), newRecord(t)}
	p.Handle(p.record)
	return p
}

// pair are two nodes with a session.
func pair(t *testing.T, w World) (a, b *process) {
	a, b = start(t, w, "a", 1), start(t, w, "b", 7)
	together(w, a, b)
	return a, b
}

func together(w World, a, b *process) {
	w.Until(a.Self().Node+" and "+b.Self().Node+" have a session", func() bool { return a.isUp(b.Self()) && b.isUp(a.Self()) })
}

// record keeps what a link tells, and holds what holds of every link: of one peer
// it is told never twice at once; Up and Down take turns; nothing is received but
// between them; a process ends after Down.
type record struct {
	t *testing.T

	mu     sync.Mutex // protects what follows
	busy   map[string]bool
	up     map[string]link.Peer
	was    map[link.Peer]bool
	low    map[link.Peer]bool
	events []link.Event
	got    []link.Envelope
	later  chan struct{} // closed with the next event
}

func newRecord(t *testing.T) *record {
	return &record{t: t, busy: map[string]bool{}, up: map[string]link.Peer{}, was: map[link.Peer]bool{}, low: map[link.Peer]bool{}, later: make(chan struct{})}
}

func (r *record) enter(from link.Peer) {
	r.mu.Lock()
	if r.busy[from.Node] {
		r.t.Errorf("told of %v twice at once", from)
	}
	r.busy[from.Node] = true
	r.mu.Unlock()
	r.mu.Lock()
}

func (r *record) leave(from link.Peer) {
	r.busy[from.Node] = false
	r.mu.Unlock()
}

func (r *record) Received(from link.Peer, envelopes []link.Envelope) {
	r.enter(from)
	defer r.leave(from)
	if r.up[from.Node] != from {
		r.t.Errorf("received from %v, which is not up", from)
	}
	for _, e := range envelopes {
		e.Bytes = slices.Clone(e.Bytes)
		r.got = append(r.got, e)
	}
}

func (r *record) Happened(e link.Event) {
	r.enter(e.Peer)
	defer r.leave(e.Peer)
	up, isUp := r.up[e.Peer.Node]
	switch {
	case e.Kind == link.Up && isUp:
		r.t.Errorf("%v is up before %v is down", e.Peer, up)
	case e.Kind == link.Up:
		r.up[e.Peer.Node], r.was[e.Peer] = e.Peer, true
	case e.Kind == link.Ended:
		if up == e.Peer || !r.was[e.Peer] {
			r.t.Errorf("%v has ended, and it was not down before", e.Peer)
		}
	case up != e.Peer:
		r.t.Errorf("%v of %v, which is not up", e.Kind, e.Peer)
	case e.Kind == link.Down:
		delete(r.up, e.Peer.Node)
		delete(r.low, e.Peer)
	case r.low[e.Peer] != (e.Kind == link.CreditOK):
		r.t.Errorf("%v of %v out of turn", e.Kind, e.Peer)
	default:
		r.low[e.Peer] = e.Kind == link.CreditLow
	}
	r.events = append(r.events, e)
	close(r.later)
	r.later = make(chan struct{})
}

// next is closed as soon as something happens that has not happened yet.
func (r *record) next() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.later
}

func (r *record) isUp(p link.Peer) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.up[p.Node] == p
}

// told is how often this has happened.
func (r *record) told(p link.Peer, kind link.EventKind) (n int, last link.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Peer == p && e.Kind == kind {
			n++
			last = e
		}
	}
	return n, last
}

func (r *record) received() []link.Envelope {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}
