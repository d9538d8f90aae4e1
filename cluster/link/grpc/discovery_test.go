package grpc_test

import (
	"testing"

	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/cluster/link/grpc"
)

// A session outlives that nobody names its node any more; once the process has
// ended that is told, and the node forgotten. It comes back at another address.
func TestANodeThatIsNotNamedAnyMore(t *testing.T) {
	heard := &told{}
	a := join(t, heard, func(*grpc.Config) {})
	b := join(t, &told{}, as("b", 1))
	a.Peers([]grpc.Address{{Node: "b", Address: b.address}})
	until(t, "they have a session", func() bool { return heard.count(link.Up) == 1 })
	a.Peers(nil)
	if got := a.Send(b.Self(), link.Envelope{}); got != link.Queued {
		t.Errorf("sent to one that is up and not named: %v", got)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	until(t, "its end is known", func() bool { return heard.count(link.Ended) == 1 })
	until(t, "it is forgotten", func() bool { return len(a.Status()) == 0 })

	next := join(t, &told{}, as("b", 2))
	a.Peers([]grpc.Address{{Node: "b", Address: next.address}})
	until(t, "the next has a session", func() bool { return heard.count(link.Up) == 2 })
	if got := a.Status()[0]; got.Incarnation != 2 || got.Address != next.address {
		t.Errorf("%+v", got)
	}
}

// One that is named at a wrong address is reached once the right one is known, and
// one that nobody has named yet by its own dialing.
func TestAddressesThatChange(t *testing.T) {
	heard := &told{}
	a := join(t, heard, func(*grpc.Config) {})
	b := join(t, &told{}, as("b", 1))
	wrong := join(t, nobody{t}, func(c *grpc.Config) { c.Cluster, c.Self.Node = "two", "b" })
	a.Peers([]grpc.Address{{Node: "b", Address: wrong.address}})
	until(t, "the wrong one is met", func() bool { return a.Status()[0].Trouble != "" })
	a.Peers([]grpc.Address{{Node: "b", Address: b.address}})
	until(t, "b is up", func() bool { return heard.count(link.Up) == 1 })
	c := join(t, &told{}, as("c", 1))
	c.Peers([]grpc.Address{{Node: "a", Address: a.address}})
	until(t, "c is up", func() bool { return heard.count(link.Up) == 2 })
	if got := a.Send(c.Self(), link.Envelope{}); got != link.Queued {
		t.Errorf("sent to one that has dialed: %v", got)
	}
}
