package grpc_test

import (
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/cluster/link/grpc"
	"github.com/birdwire/birdwire/cluster/link/linktest"
)

func TestTheRealLink(t *testing.T) {
	linktest.Run(t, func(t *testing.T, test func(linktest.World)) {
		t.Parallel()
		w := &world{t: t, nodes: map[string]*real{}, cables: map[[2]string]*cable{}}
		t.Cleanup(w.end)
		test(w)
	})
}

// world is links in one process, over loopback, with a cable between any two.
type world struct {
	t      *testing.T
	nodes  map[string]*real
	cables map[[2]string]*cable
}

// real is a link that a test can stall and kill.
type real struct {
	*grpc.Link
	address string
	system  *actor.ActorSystem
	plugs   map[string]*plug // where the others dial it, by node
	gate    gate
}

func (r *real) Handle(h link.Handler) {
	r.gate.Handler = h
	r.Link.Handle(&r.gate)
}

func (r *real) Close() error {
	for _, p := range r.plugs {
		p.pull()
	}
	return r.Link.Close()
}

// gate is shut while the process takes nothing.
type gate struct {
	link.Handler
	shut sync.RWMutex
}

func (g *gate) Received(from link.Peer, envelopes []link.Envelope) {
	g.shut.RLock()
	defer g.shut.RUnlock()
	g.Handler.Received(from, envelopes)
}

func (w *world) Start(node string, incarnation uint64) linktest.Process {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})).With("node", node)
	l, err := grpc.New(grpc.Config{
		Cluster: "test", Self: link.Peer{Node: node, Incarnation: incarnation}, Version: 1, Oldest: 1,
		Listener: listener, Logger: log, QueueBytes: 1 << 20,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	r := &real{Link: l, address: listener.Addr().String(), plugs: map[string]*plug{}}
	r.system = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
	w.nodes[node] = r
	w.introduce()
	return linktest.Process{Link: r, System: r.system, Spawn: func(receive func(actor.Context)) *actor.PID {
		return r.system.Root.Spawn(actor.PropsFromFunc(receive))
	}}
}

// introduce tells all where all others are.
func (w *world) introduce() {
	for name, r := range w.nodes {
		var known []grpc.Address
		for other, o := range w.nodes {
			if o == r {
				continue
			}
			if o.plugs[name] == nil {
				o.plugs[name] = plugIn(w.t, w.cable(name, other), o.address)
			}
			known = append(known, grpc.Address{Node: other, Address: o.plugs[name].Addr().String()})
		}
		r.Peers(known)
	}
}

func (w *world) cable(a, b string) *cable {
	if a > b {
		a, b = b, a
	}
	c := w.cables[[2]string{a, b}]
	if c == nil {
		c = newCable()
		w.cables[[2]string{a, b}] = c
	}
	return c
}

func (w *world) Kill(node string) {
	if err := w.nodes[node].Close(); err != nil {
		w.t.Error(err)
	}
}

func (w *world) Stall(node string, stalled bool) {
	if stalled {
		w.nodes[node].gate.shut.Lock()
		return
	}
	w.nodes[node].gate.shut.Unlock()
}

func (w *world) Cut(a, b string, cut bool) { w.cable(a, b).set(cut) }

func (w *world) Until(what string, ok func() bool) {
	w.t.Helper()
	late := time.After(time.Minute)
	for look := time.Tick(2 * time.Millisecond); !ok(); {
		select {
		case <-look:
		case <-late:
			w.t.Fatalf("a minute has passed, and not yet: %s", what)
		}
	}
}

func (w *world) Pass(d time.Duration) { <-time.After(d) }

func (w *world) OneAtATime() bool { return false }

func (w *world) end() {
	for _, c := range w.cables {
		c.set(false)
	}
	for _, r := range w.nodes {
		if err := r.Close(); err != nil {
			w.t.Error(err)
		}
		for _, p := range r.plugs {
			p.tear()
		}
		r.system.Shutdown()
	}
}
