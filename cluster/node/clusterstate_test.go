package node

import (
	"strings"
	"testing"

	"github.com/birdwire/birdwire/cluster/assembly"
	"github.com/birdwire/birdwire/cluster/link/grpc"
	"github.com/birdwire/birdwire/cluster/membership"
	"github.com/birdwire/birdwire/cluster/membership/gossip"
	"github.com/birdwire/birdwire/cluster/store"
)

// What an operator reads in each kind of trouble.
func TestWhatIsWrongWithACluster(t *testing.T) {
	standing := func(name string, state membership.State, reaches ...string) assembly.Standing {
		return assembly.Standing{Member: membership.Member{Name: name, Incarnation: 1, State: state}, Reaches: reaches}
	}
	seen := func(name, version string) gossip.Node {
		return gossip.Node{Name: name, Meta: gossip.Meta{Version: version}}
	}
	const core, apart, down = membership.Core, membership.Apart, membership.Down
	well := []assembly.Standing{standing("a", core, "b", "c"), standing("b", core, "a", "c"), standing("c", core, "a", "b")}
	unfit := standing("c", apart, "a", "b")
	unfit.Unfit = "its disk is full"
	for _, c := range []struct {
		what string
		k    known
		want []string // a part of each
	}{
		{"all is well", known{standings: well, gossip: []gossip.Node{seen("a", "v1"), seen("b", "v1"), seen("c", "v1")}}, nil},
		{"one is down", known{standings: []assembly.Standing{well[0], well[1], standing("c", down)}}, []string{"node c is down"}},
		{"one is unfit", known{standings: []assembly.Standing{well[0], well[1], unfit}}, []string{"node c may own nothing now: its disk is full"}},
		{"one link is cut", known{standings: []assembly.Standing{well[0], standing("b", core, "a"), standing("c", apart, "a")}}, []string{"node c is apart: it does not reach b."}},
		{"one way", known{standings: []assembly.Standing{well[0], standing("b", core, "a"), standing("c", apart, "a", "b")}}, []string{"node c is apart: b does not reach it."}},
		{"nobody serves", known{standings: []assembly.Standing{standing("a", apart), standing("b", down), standing("c", down)}}, []string{
			"node a is apart: all others are down", "node b is down: start it with the settings that it had; 1 of 3", "node c is down", "no node may serve",
		}},
		{"an old word", known{self: "a", links: []grpc.Status{{Node: "b"}, {Node: "c", Up: true}}, standings: []assembly.Standing{
			standing("a", apart, "b", "c"), standing("b", apart, "a", "c"), well[2],
		}}, []string{"node a is apart: it does not reach b.", "node b is apart: a does not reach it."}},
		{"an upgrade", known{standings: well, gossip: []gossip.Node{seen("a", "v2"), seen("b", "v1"), seen("c", "v1")}}, []string{"different versions: v1, v2"}},
		{"a certificate", known{self: "a", standings: well, certificate: "the certificate in x ends on y"}, []string{"node a, which was asked: the certificate in x ends on y"}},
		{"the store", known{standings: well, store: store.Status{Trouble: []string{"the store takes no writes"}}}, []string{"the store takes no writes"}},
	} {
		got := c.k.state().Problems
		for i, want := range c.want {
			if i >= len(got) || !strings.Contains(got[i], want) {
				t.Errorf("%s: %q, want %q", c.what, got, c.want)
				break
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: %q, want %d problems", c.what, got, len(c.want))
		}
	}
}

// What is shown of nodes, links and copies.
func TestHowAClusterIsShown(t *testing.T) {
	k := known{
		self: "a", version: "v1",
		standings: []assembly.Standing{
			{Member: membership.Member{Name: "a", Incarnation: 3, State: membership.Core}, Shards: 1024},
			{Member: membership.Member{Name: "b", Incarnation: 4, State: membership.Apart}, Reaches: []string{"a"}},
			{Member: membership.Member{Name: "c", Incarnation: 5, State: membership.Down}},
		},
		gossip: []gossip.Node{{Name: "b", Meta: gossip.Meta{Version: "v2"}}, {Name: "d"}, {Name: "e", State: gossip.Gone}},
		links:  []grpc.Status{{Node: "b", Trouble: "it takes nothing"}},
		store: store.Status{
			Leader: "a", Nodes: []store.StatusNode{{Name: "a", Online: true}, {Name: "b", Lag: 2}},
			Streams: []store.StatusStream{{Replicas: []store.StatusReplica{{Node: "b", Lag: 7}}}},
		},
	}
	s := k.state()
	var names []string
	for _, n := range s.Nodes {
		names = append(names, n.Name+" "+n.State+" "+n.Version)
	}
	if got := strings.Join(names, ", "); got != "a core v1, b apart v2, c down , d starting " {
		t.Errorf("nodes: %s", got)
	}
	if a := s.Nodes[0]; !a.Core || a.Shards != 1024 || len(a.Links) != 2 || a.Links[0].Up || a.Links[0].Detail != "it takes nothing" {
		t.Errorf("a: %+v", a)
	}
	k.standings[0].Reaches = []string{"b", "c"} // as it was written when it was so
	if a := k.state().Nodes[0]; a.Links[0].Up || a.Links[1].Up {
		t.Errorf("a reaches one that its link does not, or one that is down: %+v", a.Links)
	}
	if b := s.Nodes[1]; b.Core || len(b.Links) != 2 || !b.Links[0].Up || b.Links[1].Up {
		t.Errorf("b: %+v", b)
	}
	if len(s.Store.Replicas) != 2 || s.Store.Replicas[1].Lag != 7 || s.Store.Replicas[1].Online || s.Store.Leader != "a" {
		t.Errorf("store: %+v", s.Store)
	}
}
