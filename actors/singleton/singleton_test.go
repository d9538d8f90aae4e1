package singleton_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/singleton"
	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// pair are two nodes of which one has the place, as each of them sees it.
type pair struct {
	*testkit.Kit
	t       *testing.T
	records actors.Records
	nodes   [2]*node
}

type node struct {
	p      *pair
	name   string
	pid    *actor.PID
	owns   bool
	lapsed bool
	ended  bool // its process is known to have
	deaf   bool // what others ask it is lost
	had    []uint64
	runs   int
	kept   actors.Records // of the newest child
	child  *actor.PID
}

func (n *node) Live() bool { return !n.lapsed }

func newPair(t *testing.T, k *testkit.Kit) *pair {
	p := &pair{Kit: k, t: t, records: memory.NewDisk(memory.Config{Now: k.Clock.Now}).Open(nil).Control()}
	for i, name := range []string{"n1", "n2"} {
		p.nodes[i] = &node{p: p, name: name}
	}
	for i, n := range p.nodes {
		other := p.nodes[1-i]
		n.pid = k.SpawnProps(n.name, singleton.Props(singleton.Config{
			Name: "feed-1", Node: n.name, Incarnation: 1, Records: p.records, Clock: k.Clock, Worker: k.Worker, Props: k.Props, Lease: n,
			Logger: slog.New(slog.DiscardHandler), // that a holder is slow is a warning
			Owns:   func() bool { return n.owns },
			Holder: func(context.Context, string, uint64) (*actor.PID, error) {
				switch {
				case other.ended:
					return nil, nil
				case other.deaf:
					return actor.NewPID(testkit.Address, "nobody"), nil
				}
				return other.pid, nil
			},
			Owner:  func() *actor.PID { return nil },
			Child:  n.props,
			Absent: func(proto.Message) proto.Message { return &messages.SourceDescribed{Status: "elsewhere"} },
		}))
	}
	k.Settle()
	return p
}

// props are those of a child that says where it runs, and fails when it is told to.
func (n *node) props(term uint64, records actors.Records) *actor.Props {
	return n.p.Props("child", func() actor.Actor {
		return actor.ReceiveFunc(func(ctx actor.Context) {
			switch ctx.Message().(type) {
			case *actor.Started:
				n.had, n.kept, n.child = append(n.had, term), records, ctx.Self()
				n.runs++
			case *actor.Stopped, *actor.Restarting:
				n.runs--
			case *messages.DescribeSource:
				ctx.Respond(&messages.SourceDescribed{Status: "at " + n.name})
			case *messages.DeleteFeed:
				panic("it fails")
			}
		})
	}, nil)
}

// place has the nodes see the place there, and one of them alone where it is so.
func (p *pair) place(at string) {
	for _, n := range p.nodes {
		n.owns = n.name == at
		p.Tell(n.pid, &actors.Placed{})
	}
}

func (p *pair) want(what string, first, second []uint64, running string) {
	p.t.Helper()
	var at string
	for _, n := range p.nodes {
		if n.runs > 1 {
			p.t.Errorf("%s: %d run on %s", what, n.runs, n.name)
		}
		if n.runs > 0 {
			at += n.name
		}
	}
	if !slices.Equal(p.nodes[0].had, first) || !slices.Equal(p.nodes[1].had, second) || at != running {
		p.t.Errorf("%s: n1 had terms %v, n2 %v, it runs on %q; want %v, %v, %q", what, p.nodes[0].had, p.nodes[1].had, at, first, second, running)
	}
}

func run(t *testing.T, test func(p *pair)) {
	testkit.RunSeeds(t, 10, func(t *testing.T, k *testkit.Kit) { test(newPair(t, k)) })
}

// It moves with its place: it ends on one node before it begins on the other.
func TestItMovesWithItsPlace(t *testing.T) {
	run(t, func(p *pair) {
		p.want("no place", nil, nil, "")
		p.place("n1")
		p.Advance(time.Second)
		p.want("at n1", []uint64{1}, nil, "n1")
		for _, n := range p.nodes { // both begin the move at once
			n.owns = n.name == "n2"
			p.Tell(n.pid, &actors.Placed{})
		}
		for range 40 {
			p.Advance(100 * time.Millisecond)
			if p.nodes[0].runs+p.nodes[1].runs > 1 {
				p.t.Fatal("it runs on both")
			}
		}
		p.want("at n2", []uint64{1}, []uint64{2}, "n2")
		asker := p.Probe()
		asker.Request(p.nodes[0].pid, &messages.DescribeSource{})
		if m := testkit.Expect[*messages.SourceDescribed](asker); m.GetStatus() != "elsewhere" {
			p.t.Errorf("n1 says %v", m)
		}
		asker.Request(p.nodes[1].pid, &messages.DescribeSource{})
		if m := testkit.Expect[*messages.SourceDescribed](asker); m.GetStatus() != "at n2" {
			p.t.Errorf("n2 says %v", m)
		}
	})
}

// A node that cannot be asked keeps it for as long as it may be there. Then its
// child can write nothing, and it stops once it hears.
func TestOneThatCannotBeAsked(t *testing.T) {
	run(t, func(p *pair) {
		p.place("n1")
		p.Advance(time.Second)
		revision, err := p.nodes[0].kept.CAS(p.t.Context(), "marks.feed-1", []byte("a"), 0)
		if err != nil {
			p.t.Errorf("its owner cannot write: %v", err)
		}
		n1, n2 := p.nodes[0], p.nodes[1]
		n1.deaf = true
		n2.owns = true // n1 has not heard of it
		p.Tell(n2.pid, &actors.Placed{})
		p.Advance(19 * time.Second)
		p.want("in its time", []uint64{1}, nil, "n1")
		p.Advance(3 * time.Second)
		p.want("after it", []uint64{1}, []uint64{2}, "n1n2")
		if _, err := n1.kept.CAS(p.t.Context(), "marks.feed-1", []byte("b"), revision); !errors.Is(err, messages.ErrFenced) {
			p.t.Errorf("the former owner wrote: %v", err)
		}
		n1.owns = false
		p.Tell(n1.pid, &actors.Placed{})
		p.Advance(time.Second)
		p.want("once it hears", []uint64{1}, []uint64{2}, "n2")
		if _, err := n2.kept.CAS(p.t.Context(), "marks.feed-1", []byte("c"), revision); err != nil {
			p.t.Errorf("the owner cannot write: %v", err)
		}
	})
}

// What a process had that has ended is taken at once.
func TestOneWhoseProcessHasEnded(t *testing.T) {
	run(t, func(p *pair) {
		p.place("n1")
		p.Advance(time.Second)
		p.Stop(p.nodes[0].pid) // as a crash, the record stays
		p.nodes[0].ended, p.nodes[1].owns = true, true
		p.Tell(p.nodes[1].pid, &actors.Placed{})
		p.Settle()
		p.want("taken", []uint64{1}, []uint64{2}, "n2")
	})
}

// A node that gives up has nothing until it is placed again, and writes nothing
// while its lease is not live.
func TestGivingUp(t *testing.T) {
	run(t, func(p *pair) {
		p.place("n1")
		p.Advance(time.Second)
		n1 := p.nodes[0]
		n1.lapsed = true
		if _, err := n1.kept.CAS(p.t.Context(), "marks.feed-1", []byte("a"), 0); !errors.Is(err, messages.ErrFenced) {
			p.t.Errorf("it wrote without a lease: %v", err)
		}
		asker := p.Probe()
		asker.Request(n1.pid, &actors.GiveUp{})
		testkit.Expect[*actors.GivenUp](asker)
		p.Advance(5 * time.Second)
		p.want("given up", []uint64{1}, nil, "")
		n1.lapsed = false
		p.Tell(n1.pid, &actors.Placed{})
		p.Advance(time.Second)
		p.want("again", []uint64{1, 2}, nil, "n1")
	})
}

// Nodes that lose the store, and views that change their minds: however it goes, no
// term is had twice, and in the end one runs.
func TestWhateverHappensOneRuns(t *testing.T) {
	testkit.RunSeeds(t, 100, func(t *testing.T, k *testkit.Kit) {
		p := newPair(t, k)
		for range 40 {
			for _, n := range p.nodes {
				n.owns = k.Rand.Uint64N(2) == 0
				k.Tell(n.pid, &actors.Placed{})
			}
			if n := p.nodes[k.Rand.Uint64N(2)]; k.Rand.Uint64N(4) == 0 {
				k.Tell(n.pid, &actors.GiveUp{})
			}
			p.nodes[0].deaf, p.nodes[1].deaf = k.Rand.Uint64N(3) == 0, k.Rand.Uint64N(3) == 0
			k.Advance(time.Duration(k.Rand.Uint64N(uint64(4 * time.Second))))
		}
		p.nodes[0].deaf, p.nodes[1].deaf = false, false
		p.place("n2")
		k.Advance(30 * time.Second)
		if p.nodes[0].runs != 0 || p.nodes[1].runs != 1 {
			t.Errorf("%d run on n1, %d on n2", p.nodes[0].runs, p.nodes[1].runs)
		}
		had := slices.Sorted(slices.Values(append(slices.Clone(p.nodes[0].had), p.nodes[1].had...)))
		if len(slices.Compact(slices.Clone(had))) != len(had) {
			t.Errorf("a term was had twice: n1 %v, n2 %v", p.nodes[0].had, p.nodes[1].had)
		}
		if len(had) < 5 {
			t.Errorf("%d terms: this test shows little", len(had))
		}
		k.DeadLetters()
	})
}

// A child that fails begins again, under another term.
func TestAChildThatFails(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		p := newPair(t, k)
		p.place("n1")
		k.Advance(time.Second)
		k.Tell(p.nodes[0].child, &messages.DeleteFeed{})
		k.Advance(time.Second)
		if got := k.Panics(); len(got) != 1 {
			t.Errorf("%d panics", len(got))
		}
		p.want("again", []uint64{1, 2}, nil, "n1")
	})
}
