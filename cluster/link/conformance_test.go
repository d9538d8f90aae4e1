package link_test

import (
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/cluster/link/linktest"
	"github.com/birdwire/birdwire/testkit"
	"github.com/birdwire/birdwire/testkit/sim"
)

// The simulation's link is one like the real one.
func TestTheSimulatedLink(t *testing.T) {
	linktest.Run(t, func(t *testing.T, test func(linktest.World)) {
		testkit.RunSeeds(t, 3, func(_ *testing.T, k *testkit.Kit) {
			test(&simulated{k, sim.NewNetwork(k), map[string]*testkit.Host{}})
		})
	})
}

type simulated struct {
	k     *testkit.Kit
	net   *sim.Network
	hosts map[string]*testkit.Host
}

func (w *simulated) Start(node string, incarnation uint64) linktest.Process {
	self := link.Peer{Node: node, Incarnation: incarnation}
	h := w.k.NewHost(self.Address())
	w.hosts[node] = h
	return linktest.Process{Link: w.net.Join(self, h), System: h.System, Spawn: func(receive func(actor.Context)) *actor.PID {
		return h.Spawn("test", func() actor.Actor { return actor.ReceiveFunc(receive) })
	}}
}

func (w *simulated) Kill(node string) {
	w.hosts[node].Crash()
	w.net.End(node)
}

func (w *simulated) Stall(node string, stalled bool) {
	if stalled {
		w.hosts[node].Freeze()
		return
	}
	w.hosts[node].Thaw()
}

func (w *simulated) Cut(a, b string, cut bool) {
	do := w.net.Mend
	if cut {
		do = w.net.Cut
	}
	do(a, b)
	do(b, a)
}

func (w *simulated) Until(what string, ok func() bool) {
	w.k.TB.Helper()
	for range 600 {
		w.k.Settle()
		if ok() {
			return
		}
		w.k.Advance(100 * time.Millisecond)
	}
	w.k.TB.Fatalf("a minute has passed, and not yet: %s", what)
}

func (w *simulated) Pass(d time.Duration) { w.k.Advance(d) }

func (w *simulated) OneAtATime() bool { return true }
