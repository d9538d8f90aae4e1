package node

import (
	"slices"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/cluster/membership/gossip"
)

// When the cluster's store may be opened, and with whom.
func TestWhoAStoreBeginsWith(t *testing.T) {
	node := func(name string, state gossip.State, incarnation uint64) gossip.Node {
		return gossip.Node{Name: name, State: state, Meta: gossip.Meta{Incarnation: incarnation, Routes: name + ":6222"}}
	}
	self := node("a", gossip.Seen, 0)
	noStore := node("x", gossip.Seen, 0)
	noStore.Routes = ""
	for _, c := range []struct {
		what   string
		nodes  []gossip.Node
		seeds  int
		member bool
		want   string // the routes; "-": it waits
	}{
		{"alone", []gossip.Node{self}, 3, false, "-"},
		{"two of three", []gossip.Node{self, node("b", gossip.Seen, 0)}, 3, false, "-"},
		{"all three", []gossip.Node{self, node("c", gossip.Seen, 0), node("b", gossip.Seen, 0)}, 3, false, "b:6222 c:6222"},
		{"one seed is enough", []gossip.Node{self, node("b", gossip.Seen, 0), node("c", gossip.Seen, 0)}, 1, false, "b:6222 c:6222"},
		{"one of them is gone", []gossip.Node{self, node("b", gossip.Seen, 0), node("c", gossip.Gone, 0)}, 3, false, "-"},
		{"one has no store", []gossip.Node{self, node("b", gossip.Seen, 0), noStore}, 3, false, "-"},
		{"three of seven could be two clusters", []gossip.Node{self, node("b", gossip.Seen, 0), node("c", gossip.Seen, 0)}, 7, false, "-"},
		{"there is a cluster, and this node is new to it", []gossip.Node{self, node("b", gossip.Seen, 9)}, 3, false, "b:6222"},
		{"it was a member, and the others are down", []gossip.Node{self, node("b", gossip.Gone, 9)}, 3, true, "-"},
		{"it was a member, and another starts too", []gossip.Node{self, node("b", gossip.Seen, 0)}, 3, true, "b:6222"},
	} {
		routes, waiting := storeSeeds(&gossip.Snapshot{Nodes: c.nodes}, "a", c.seeds, c.member)
		got := strings.Join(routes, " ")
		if waiting != "" {
			got = "-"
		}
		if got != c.want || !slices.IsSorted(routes) {
			t.Errorf("%s: %q %q, want %q", c.what, got, waiting, c.want)
		}
	}
}

// A node whose name is taken opens nothing, whatever else it sees.
func TestATakenNameWaits(t *testing.T) {
	s := &gossip.Snapshot{Rival: "10.0.0.9:7946", Nodes: []gossip.Node{
		{Name: "b", State: gossip.Seen, Meta: gossip.Meta{Routes: "b:6222", Incarnation: 9}},
		{Name: "c", State: gossip.Seen, Meta: gossip.Meta{Routes: "c:6222", Incarnation: 9}},
	}}
	for _, member := range []bool{true, false} {
		if routes, waiting := storeSeeds(s, "a", 3, member); routes != nil || !strings.Contains(waiting, "this node's name, a, is at 10.0.0.9:7946") {
			t.Errorf("member %v: %v, %q", member, routes, waiting)
		}
	}
}

// By which address the others reach a node that listens on all of its machine's.
func TestWhatANodeAdvertises(t *testing.T) {
	for _, c := range []struct {
		what    string
		cluster Cluster
		address string
		want    string // "": one of this machine's that is not loopback, where it has one
	}{
		{"as told", Cluster{Advertise: "node-1.example", Join: []string{"127.0.0.1:1"}}, ":7946", "node-1.example"},
		{"one address", Cluster{Join: []string{"127.0.0.1:1"}}, "10.0.0.7:7946", "10.0.0.7"},
		{"a name", Cluster{Join: []string{"127.0.0.1:1"}}, "node-1.example:7946", "node-1.example"},
		{"all seeds are here", Cluster{Join: []string{"127.0.0.1:1", "127.0.0.2:1"}}, ":7946", "127.0.0.1"},
		{"one seed's name is not known yet", Cluster{Join: []string{"127.0.0.1:1", "no-such-node.invalid:1"}}, "0.0.0.0:7946", ""},
	} {
		got, err := advertised(t.Context(), c.cluster, c.address)
		if c.want == "" {
			if own := anyAddress(); got != own || (err != nil) != (own == "") {
				t.Errorf("%s: %q, %v; want %q", c.what, got, err, own)
			}
			continue
		}
		if got != c.want || err != nil {
			t.Errorf("%s: %q, %v; want %q", c.what, got, err, c.want)
		}
	}
}

// Nodes do not talk without certificates unless somebody has said so.
func TestWhatAClusterNeeds(t *testing.T) {
	good := Config{Name: "a", Dir: t.TempDir(), Cluster: &Cluster{
		Gossip: "127.0.0.1:7946", Link: "127.0.0.1:7947", Routes: "127.0.0.1:6222", Join: []string{"127.0.0.1:7946"}, SecretFile: "s", CertDir: "c",
	}}
	for _, c := range []struct {
		what   string
		change func(*Config)
		want   string // a part of why not; "": it may start
	}{
		{"all", func(*Config) {}, ""},
		{"no name", func(c *Config) { c.Name = "" }, "a name of its own"},
		{"nobody to join", func(c *Config) { c.Cluster.Join = nil }, "join"},
		{"no certificates", func(c *Config) { c.Cluster.CertDir = "" }, "--insecure"},
		{"no secret", func(c *Config) { c.Cluster.SecretFile = "" }, "birdwire cluster init"},
		{"neither, on loopback", func(c *Config) {
			c.Cluster.CertDir, c.Cluster.SecretFile, c.Cluster.Insecure = "", "", InsecureLoopback
		}, ""},
		{"insecure on a network", func(c *Config) {
			c.Cluster.CertDir, c.Cluster.Insecure, c.Cluster.Link = "", InsecureLoopback, "10.0.0.1:7947"
		}, "--insecure=network"},
		{"insecure everywhere", func(c *Config) {
			c.Cluster.CertDir, c.Cluster.Insecure, c.Cluster.Routes = "", InsecureLoopback, ""
		}, `":6222" is not on loopback`},
		{"said so", func(c *Config) {
			c.Cluster.CertDir, c.Cluster.Insecure, c.Cluster.Link = "", InsecureNetwork, "10.0.0.1:7947"
		}, ""},
		{"both", func(c *Config) { c.Cluster.Insecure = InsecureLoopback }, "leave one of them out"},
	} {
		cfg, cluster := good, *good.Cluster
		cfg.Cluster = &cluster
		c.change(&cfg)
		err := cfg.withDefaults().validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.what, err, c.want)
		}
	}
}
