package link_test

import (
	"slices"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
	"github.com/birdwire/birdwire/testkit/sim"
)

// pair are two nodes with a link between them.
type pair struct {
	k      *testkit.Kit
	net    *sim.Network
	a, b   *node
	counts map[string]int
}

type node struct {
	*testkit.Host
	link.Peer
	lowest uint32 // version, as the node knows; FeedsChanged came with 2
	link   link.Link
	remote *link.Remote
	events []link.Event
}

func run(t *testing.T, test func(p *pair)) {
	testkit.RunSeeds(t, 5, func(t *testing.T, k *testkit.Kit) {
		p := &pair{k: k, net: sim.NewNetwork(k), counts: map[string]int{}}
		p.a, p.b = p.start("a", 1), p.start("b", 7)
		k.Settle()
		test(p)
	})
}

func (p *pair) start(name string, incarnation uint64) *node {
	n := &node{Peer: link.Peer{Node: name, Incarnation: incarnation}, lowest: 1}
	n.Host = p.k.NewHost(n.Address())
	n.link = p.net.Join(n.Peer, n.Host)
	n.remote = link.NewRemote(link.RemoteConfig{
		System: n.System, Link: n.link, Logger: n.Log,
		Lowest: func() uint32 { return n.lowest },
		Since: func(kind string) uint32 {
			if kind == "birdwire.v1.FeedsChanged" {
				return 2
			}
			return 0
		},
		Count: func(metric string) { p.counts[metric]++ }, Observe: func(e link.Event) { n.events = append(n.events, e) },
	})
	return n
}

// from is a PID as another node has it: with no process in it.
func (p *pair) from(pid *actor.PID) *actor.PID { return actor.NewPID(pid.GetAddress(), pid.GetId()) }

// What is told to a PID of another node arrives there as a message of its own,
// in order, and its sender can be answered.
func TestAMessageToAnotherNode(t *testing.T) {
	run(t, func(p *pair) {
		asks, answers := p.a.Probe(), p.b.Probe()
		sent := &messages.Join{ConnectionId: "c", Join: 1}
		for i := range uint64(50) {
			asks.Request(p.from(answers.PID()), &messages.Join{ConnectionId: "c", Join: i})
		}
		asks.Request(p.from(answers.PID()), sent)
		for i := range uint64(50) {
			if got := testkit.Expect[*messages.Join](answers); got.GetJoin() != i {
				p.k.TB.Fatalf("got %v, want %d", got, i)
			}
		}
		if got := testkit.Expect[*messages.Join](answers); got == sent || !proto.Equal(got, sent) {
			p.k.TB.Errorf("got %v", got)
		}
		if got := answers.Sender().GetAddress(); got != "a@1" {
			p.k.TB.Errorf("the sender is at %s", got)
		}
		answers.Reply(&messages.Joined{Join: 9})
		if got := testkit.Expect[*messages.Joined](asks); got.GetJoin() != 9 {
			p.k.TB.Errorf("answered %v", got)
		}
		asks.Request(actor.NewPID("b@7", "nobody"), sent)
		testkit.Expect[*actor.DeadLetterResponse](asks)
	})
}

// Of a message that cannot be sent the one who asked hears at once.
func TestAMessageThatCannotBeSent(t *testing.T) {
	for name, test := range map[string]struct {
		to      string
		message any
		metric  string
	}{
		"no such node":              {"c@1", &messages.Join{}, "peer_down"},
		"an earlier process":        {"b@6", &messages.Join{}, "stale_incarnation"},
		"an earlier one of our own": {"a@0", &messages.Join{}, "stale_incarnation"},
		"no protobuf":               {"b@7", "text", "not_protobuf"},
		"not sendable text":         {"b@7", &messages.Join{ConnectionId: "\xff"}, "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				p := &pair{k: k, net: sim.NewNetwork(k), counts: map[string]int{}}
				p.a, p.b = p.start("a", 1), p.start("b", 7)
				k.Settle()
				asks, target := p.a.Probe(), p.b.Probe()
				asks.Request(actor.NewPID(test.to, target.PID().GetId()), test.message)
				testkit.Expect[*actor.DeadLetterResponse](asks)
				if p.counts[test.metric] != 1 || len(target.Messages()) > 0 {
					t.Errorf("counted %v", p.counts)
				}
			})
		})
	}
}

// A kind that this version does not know is counted and answered; so is one
// that is damaged, and one of a package that nobody sends.
func TestWhatIsNotUnderstood(t *testing.T) {
	run(t, func(p *pair) {
		asks, target := p.a.Probe(), p.b.Probe()
		for _, kind := range []string{"birdwire.v1.OfTheFuture", "google.protobuf.FileDescriptorProto", "!future", "", "birdwire.v1.Join"} {
			p.a.link.Send(p.b.Peer, link.Envelope{Kind: kind, Target: target.PID().GetId(), Sender: asks.PID().GetId(), Bytes: []byte{0xff}})
			if got := testkit.Expect[*messages.NotUnderstood](asks); got.GetKind() != kind {
				p.k.TB.Errorf("%q: answered %v", kind, got)
			}
		}
		p.a.link.Send(p.b.Peer, link.Envelope{Kind: "x", Target: "nobody"}) // without a sender
		p.k.Settle()
		if p.counts["unknown_kind"] != 5 || p.counts["damaged"] != 1 || len(target.Messages()) > 0 {
			p.k.TB.Errorf("counted %v", p.counts)
		}
	})
}

func name(pid *actor.PID) string { return pid.GetAddress() + "/" + pid.GetId() }

func TestWatchingAnActorOfAnotherNode(t *testing.T) {
	expect := func(p *pair, w *testkit.Probe, who string, why actor.TerminatedReason) {
		p.k.TB.Helper()
		got := testkit.Expect[*actor.Terminated](w)
		if name(got.Who) != who || got.Why != why {
			p.k.TB.Errorf("told %v, want %s for %v", got, who, why)
		}
	}
	run(t, func(p *pair) {
		w, target, other := p.a.Probe(), p.b.Probe(), p.b.Probe()
		w.Watch(p.from(target.PID()))
		w.Watch(p.from(other.PID()))
		w.Watch(actor.NewPID("b@7", "nobody"))
		expect(p, w, "b@7/nobody", actor.TerminatedReason_NotFound)
		w.Watch(actor.NewPID("b@6", "nobody"))
		expect(p, w, "b@6/nobody", actor.TerminatedReason_AddressTerminated)
		w.Unwatch(p.from(other.PID()))
		other.Stop()
		w.ExpectNoMessage(time.Second)
		target.Stop()
		expect(p, w, name(target.PID()), actor.TerminatedReason_Stopped)

		// The session ends: nobody knows what has become of the actor.
		again := p.b.Probe()
		w.Watch(p.from(again.PID()))
		p.k.Settle()
		p.net.Cut("a", "b")
		p.k.Advance(10 * time.Second)
		expect(p, w, name(again.PID()), actor.TerminatedReason_AddressTerminated)
		p.net.Mend("a", "b")
		p.k.Advance(time.Second)
		again.Stop()
		w.ExpectNoMessage(time.Second) // its watch has ended with the session
	})
}

// Another process under the node's name is another peer: Down of the one comes
// before Up of the other, and what was meant for the one does not reach the
// other.
func TestANodeStartsAgain(t *testing.T) {
	run(t, func(p *pair) {
		asks, old := p.a.Probe(), p.b.Probe()
		asks.Request(p.from(old.PID()), &messages.Join{})
		p.b.Crash()
		p.net.End("b")
		next := p.start("b", 8)
		heir, err := next.System.Root.SpawnNamed(next.Props("heir", func() actor.Actor {
			return actor.ReceiveFunc(func(ctx actor.Context) {
				if m, ok := ctx.Message().(proto.Message); ok {
					p.k.TB.Errorf("the next process was handed %v", m)
				}
			})
		}, nil), old.PID().GetId())
		if err != nil {
			p.k.TB.Fatal(err)
		}
		p.k.Advance(time.Second)
		asks.Request(p.from(old.PID()), &messages.Join{})
		testkit.Expect[*actor.DeadLetterResponse](asks)
		kinds := []link.EventKind{}
		for _, e := range p.a.events {
			kinds = append(kinds, e.Kind)
		}
		if !slices.Equal(kinds, []link.EventKind{link.Up, link.Down, link.Up}) || p.a.events[2].Peer != next.Peer {
			p.k.TB.Errorf("told %v", p.a.events)
		}
		next.Stop(heir)
	})
}

// A kind that a node does not know yet is sent to none, and once all know it to all.
func TestAKindIsSentOnceAllKnowIt(t *testing.T) {
	run(t, func(p *pair) {
		asks, hears := p.a.Probe(), p.b.Probe()
		asks.Request(p.from(hears.PID()), &messages.FeedsChanged{})
		asks.Request(p.from(hears.PID()), &messages.Join{})
		testkit.Expect[*actor.DeadLetterResponse](asks)
		testkit.Expect[*messages.Join](hears)
		p.a.lowest = 2
		asks.Request(p.from(hears.PID()), &messages.FeedsChanged{})
		testkit.Expect[*messages.FeedsChanged](hears)
		if p.counts["too_new"] != 1 {
			p.k.TB.Errorf("counted %v", p.counts)
		}
	})
}

// A peer is up while each reaches the other. That its process has ended is known
// once nobody listens there, and not from silence.
func TestWhoIsUpAndWhoHasEnded(t *testing.T) {
	run(t, func(p *pair) {
		want := func(what string, up, ended []link.Peer) {
			p.k.TB.Helper()
			if got := p.a.remote.Up(); !slices.Equal(got, up) {
				p.k.TB.Errorf("%s: up are %v, want %v", what, got, up)
			}
			if got := p.a.remote.Ended(); !slices.Equal(got, ended) {
				p.k.TB.Errorf("%s: ended are %v, want %v", what, got, ended)
			}
		}
		b := []link.Peer{p.b.Peer}
		want("at first", b, nil)
		p.net.Cut("b", "a")
		p.k.Advance(4 * time.Second)
		want("cut one way", nil, nil)
		p.b.Crash()
		p.net.End("b")
		p.k.Advance(10 * time.Second)
		want("ended behind the cut", nil, nil)
		p.net.Mend("b", "a")
		p.k.Advance(time.Second)
		want("without the cut", nil, b)
		next := p.start("b", 8)
		p.k.Advance(time.Second)
		want("started again", []link.Peer{next.Peer}, b)
	})
}

// A peer that takes nothing: what is past the bound is a dead letter, and what
// must not be lost, the word of an actor's end, is said once there is room.
func TestAPeerThatIsSlow(t *testing.T) {
	run(t, func(p *pair) {
		w, target, watched := p.a.Probe(), p.b.Probe(), p.a.Probe()
		back := p.b.Probe()
		back.Watch(p.from(watched.PID()))
		p.k.Settle()
		p.b.Freeze()
		for range 20_000 {
			w.Send(p.from(target.PID()), &messages.Join{})
		}
		dropped := p.counts["no_credit"]
		if dropped == 0 {
			p.k.TB.Fatal("the link took everything")
		}
		watched.Stop()
		w.Watch(p.from(target.PID()))
		p.b.Thaw()
		p.k.Settle()
		if n := len(target.Messages()); n != 20_000-dropped {
			p.k.TB.Errorf("%d arrived, %d were dropped", n, dropped)
		}
		if got := testkit.Expect[*actor.Terminated](back); got.Who.GetId() != watched.PID().GetId() {
			p.k.TB.Errorf("told %v", got)
		}
		target.Stop()
		if got := testkit.Expect[*actor.Terminated](w); got.Who.GetId() != target.PID().GetId() {
			p.k.TB.Errorf("told %v", got)
		}
		var ok *link.Event
		for i, e := range p.a.events {
			if e.Kind == link.CreditOK {
				ok = &p.a.events[i]
			}
		}
		if ok == nil || ok.Dropped < uint64(dropped) {
			p.k.TB.Errorf("%d dropped, told %v", dropped, p.a.events)
		}
	})
}

func TestAddresses(t *testing.T) {
	for address, want := range map[string]link.Peer{"a@1": {Node: "a", Incarnation: 1}, "n-1@18446744073709551615": {Node: "n-1", Incarnation: 1<<64 - 1}} {
		if got, ok := link.ParseAddress(address); !ok || got != want || got.Address() != address {
			t.Errorf("%s: %v, %v", address, got, ok)
		}
	}
	for _, address := range []string{"", "a", "a@", "@1", "a@x", "a@-1", "a@1@2", "nonhost", "127.0.0.1:80"} {
		if got, ok := link.ParseAddress(address); ok {
			t.Errorf("%q is taken for %v", address, got)
		}
	}
}
