package gossip

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// These tests run the real memberlist in virtual time, over a network that can be
// cut: a minute takes a fraction of a second, and a bound in seconds does not
// depend on the machine.

// journal is what a node has logged.
type journal struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.all.Write(p)
}

// count is in how many lines all of the parts are.
func (j *journal) count(parts ...string) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
lines:
	for line := range strings.Lines(j.all.String()) {
		for _, p := range parts {
			if !strings.Contains(line, p) {
				continue lines
			}
		}
		n++
	}
	return n
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.all.String()
}

// process is a node's gossip on the network.
type process struct {
	*Gossip
	log *journal
}

// cluster starts nodes that share a network, and ends them with the test.
type cluster struct {
	t       *testing.T
	network *network
	seeds   []string
}

// virtual runs a test with virtual time.
func virtual(t *testing.T, seeds string, test func(*cluster)) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { <-time.After(time.Minute) }) // memberlist does not wait for its own goroutines to end
		test(&cluster{t, newNetwork(), strings.Fields(seeds)})
	})
}

// start starts node NAME@ADDRESS. The last part of its incarnation is what the
// snapshots of the others are asked for.
func (c *cluster) start(name, address string, incarnation uint64, change ...func(*Config)) *process {
	c.t.Helper()
	p := &process{log: &journal{}}
	host, _, _ := strings.Cut(address, ":")
	cfg := Config{
		Name: name, Listen: address, Host: host, Join: c.seeds, transport: c.network.open(address),
		Logger: slog.New(slog.NewTextHandler(p.log, nil)),
		Meta:   Meta{Cluster: "birds", Incarnation: incarnation, Wire: 1, WireLeast: 1, Link: host + ":7947"},
	}
	for _, ch := range change {
		ch(&cfg)
	}
	var err error
	if p.Gossip, err = Start(cfg); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { p.end(c.t) })
	return p
}

// end is a kill: nobody is told.
func (p *process) end(t *testing.T) {
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// view is a snapshot in short: "a1 b2 c1(gone)".
func (p *process) view() string {
	var words []string
	for _, n := range p.Snapshot().Nodes {
		word := fmt.Sprint(n.Name, n.Incarnation)
		if n.State != Seen {
			word += "(" + n.State.String() + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// within waits until all have the view.
func (c *cluster) within(limit time.Duration, want string, all ...*process) {
	c.t.Helper()
	began := time.Now()
	for {
		var not string
		for _, p := range all {
			if got := p.view(); got != want {
				not = fmt.Sprintf("%s has %q", p.cfg.Name, got)
			}
		}
		if not == "" {
			return
		}
		if time.Since(began) > limit {
			c.t.Fatalf("after %v %s, want %q", limit, not, want)
		}
		c.pass(50 * time.Millisecond)
	}
}

func (c *cluster) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

const abc = "10.0.0.1:7946 10.0.0.2:7946 10.0.0.3:7946"

func (c *cluster) three() (x, y, z *process) {
	x, y, z = c.start("a", "10.0.0.1:7946", 1), c.start("b", "10.0.0.2:7946", 1), c.start("c", "10.0.0.3:7946", 1)
	c.within(10*time.Second, "a1 b1 c1", x, y, z)
	return x, y, z
}

func TestADeadNodeIsSeenSoon(t *testing.T) {
	virtual(t, abc, func(c *cluster) {
		x, y, z := c.three()
		z.end(c.t)
		c.within(3*time.Second, "a1 b1 c1(gone)", x, y)
	})
}

func TestANodeThatLeavesSaysSo(t *testing.T) {
	virtual(t, abc, func(c *cluster) {
		x, y, z := c.three()
		if err := z.Leave(); err != nil {
			c.t.Fatal(err)
		}
		c.within(time.Second, "a1 b1 c1(left)", x, y)
		z.end(c.t)
		z = c.start("c", "10.0.0.3:7946", 2)
		c.within(10*time.Second, "a1 b1 c2", x, y, z)
	})
}

// A node that was killed and is back before anybody has missed it is its next
// incarnation to all.
func TestAQuickRestart(t *testing.T) {
	virtual(t, abc, func(c *cluster) {
		x, y, z := c.three()
		z.end(c.t)
		c.pass(200 * time.Millisecond)
		z = c.start("c", "10.0.0.3:7946", 2)
		c.within(10*time.Second, "a1 b1 c2", x, y, z)
	})
}

func TestANameReturnsAtANewAddress(t *testing.T) {
	for name, after := range map[string]time.Duration{"at once": 0, "once it was missed": 10 * time.Second, "once it was forgotten": 2 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			virtual(t, abc, func(c *cluster) {
				x, y, z := c.three()
				z.end(c.t)
				c.pass(after)
				z = c.start("c", "10.0.0.9:7946", 2)
				c.within(15*time.Second, "a1 b1 c2", x, y, z)
				for _, p := range []*process{x, y, z} {
					if n, _ := p.Snapshot().Node("c"); n.Gossip != "10.0.0.9:7946" {
						c.t.Errorf("%s has c at %s", p.cfg.Name, n.Gossip)
					}
				}
				// And stays: the address of before is not taken for it again.
				c.pass(time.Minute)
				c.within(0, "a1 b1 c2", x, y, z)
			})
		})
	}
}

// A second process of a name knows that it is one while it starts, and never
// disturbs the first: nor where it ends in order, nor where the first ends.
func TestASecondProcessOfAName(t *testing.T) {
	virtual(t, abc, func(c *cluster) {
		x, y, z := c.three()
		second := c.start("c", "10.0.0.9:7946", 0)
		c.pass(time.Second)
		if at := second.Snapshot().Rival; at != "10.0.0.3:7946" {
			c.t.Fatalf("the second knows a rival at %q", at)
		}
		c.pass(10 * time.Minute)
		if at := second.Snapshot().Rival; at != "10.0.0.3:7946" {
			c.t.Errorf("after ten minutes the second knows a rival at %q", at)
		}
		if x.Snapshot().Rival != "" || z.Snapshot().Rival != "" {
			c.t.Error("nodes that have an incarnation know rivals")
		}
		if n := second.log.count("a node is refused", "10.0.0.3:7946", "another --node"); n != 1 {
			c.t.Errorf("the second says it %d times, want once:\n%s", n, second.log)
		}
		third := c.start("c", "10.0.0.10:7946", 0)
		c.pass(time.Second)
		before := x.Snapshot().Number
		if err := third.Leave(); err != nil {
			c.t.Fatal(err)
		}
		c.pass(10 * time.Second)
		if after := x.Snapshot().Number; after != before {
			c.t.Errorf("the end of a process that was refused is %d snapshots to another node", after-before)
		}
		third.end(c.t)

		z.end(c.t)
		for range 50 {
			c.pass(100 * time.Millisecond)
			if second.Snapshot().Rival == "" {
				break
			}
		}
		if second.Snapshot().Rival != "" {
			c.t.Error("five seconds after the first has ended, the second waits for it")
		}
		c.within(10*time.Second, "a1 b1 c0", x, y, second)
	})
}

// Three processes of one name, as where one configuration was copied to all hosts.
func TestAllHaveOneName(t *testing.T) {
	virtual(t, abc, func(c *cluster) {
		all := []*process{c.start("a", "10.0.0.1:7946", 0), c.start("a", "10.0.0.2:7946", 0), c.start("a", "10.0.0.3:7946", 0)}
		for range 12 {
			c.pass(10 * time.Second)
			for _, p := range all {
				if p.Snapshot().Rival == "" {
					c.t.Errorf("%s knows no rival", p.cfg.Listen)
				}
			}
		}
	})
}

// memberlist forgets the dead after half a minute. All nodes are cut from each
// other for longer, and find each other again.
func TestALongCut(t *testing.T) {
	for name, seeds := range map[string]string{"all are seeds": abc, "one seed, which is there": "10.0.0.1:7946"} {
		t.Run(name, func(t *testing.T) {
			virtual(t, seeds, func(c *cluster) {
				x, y, z := c.three()
				c.network.drop(func(from, to string) bool { return from != to })
				c.pass(90 * time.Second)
				c.within(0, "a1 b1(gone) c1(gone)", x)
				c.network.drop(nil)
				c.within(15*time.Second, "a1 b1 c1", x, y, z)
			})
		})
	}
}

// The only seed is gone for good. Those that are left have been cut from each
// other, and none is the other's seed.
func TestALongCutWithoutASeed(t *testing.T) {
	virtual(t, "10.0.0.1:7946", func(c *cluster) {
		x, y, z := c.three()
		x.end(c.t)
		c.network.drop(func(from, to string) bool { return from != to })
		c.pass(90 * time.Second)
		c.network.drop(nil)
		c.within(15*time.Second, "a1(gone) b1 c1", y, z)
	})
}

// One link alone is cut: the third node vouches for both, and gossip drops none.
// Whether they may work together is the link's to say.
func TestOneCutLink(t *testing.T) {
	virtual(t, abc, func(c *cluster) {
		x, y, z := c.three()
		c.network.drop(func(from, to string) bool {
			return from == "10.0.0.2:7946" && to == "10.0.0.3:7946" || from == "10.0.0.3:7946" && to == "10.0.0.2:7946"
		})
		c.pass(time.Minute)
		c.network.drop(nil)
		c.within(15*time.Second, "a1 b1 c1", x, y, z)
		for _, p := range []*process{x, y, z} {
			if n := p.log.count("does not answer any more"); n > 0 {
				c.t.Errorf("%s has lost a node %d times:\n%s", p.cfg.Name, n, p.log)
			}
		}
	})
}

func TestALossyNetworkHeals(t *testing.T) {
	virtual(t, abc, func(c *cluster) {
		x, y, z := c.three()
		c.network.lose(0.3)
		c.pass(2 * time.Minute)
		c.network.drop(nil)
		c.within(15*time.Second, "a1 b1 c1", x, y, z)
	})
}

// A seed that is not there yet is no error, and is said once.
func TestSeedsComeLater(t *testing.T) {
	virtual(t, abc, func(c *cluster) {
		z := c.start("c", "10.0.0.3:7946", 1)
		c.pass(5 * time.Minute)
		if n := z.log.count("does not take this node in yet", "10.0.0.1:7946"); n != 1 {
			c.t.Errorf("the missing seed was told of %d times:\n%s", n, z.log)
		}
		x, y := c.start("a", "10.0.0.1:7946", 1), c.start("b", "10.0.0.2:7946", 1)
		c.within(10*time.Second, "a1 b1 c1", x, y, z)
	})
}

// What a node learns about itself later, the others learn too.
func TestAnIncarnationIsToldLater(t *testing.T) {
	virtual(t, abc, func(c *cluster) {
		x, y, z := c.three()
		if err := z.Say(func(m *Meta) { m.Incarnation = 12 }); err != nil {
			c.t.Fatal(err)
		}
		c.within(5*time.Second, "a1 b1 c12", x, y, z)
		number := x.Snapshot().Number
		if err := z.Say(func(m *Meta) { m.Link = "nowhere" }); err == nil {
			c.t.Error("it says that its link is nowhere")
		}
		c.pass(10 * time.Second)
		if got := x.Snapshot().Number; got != number {
			c.t.Errorf("snapshot %d became %d while nothing changed", number, got)
		}
	})
}

// Strangers are refused, on both sides, and each side says so once in ten minutes
// of trying.
func TestStrangers(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		ours   string // what the cluster says of the stranger
		theirs string
	}{
		"another cluster": {func(c *Config) { c.Meta.Cluster = "fish" }, `of cluster \"fish\"`, `of cluster \"birds\"`},
		"too new":         {func(c *Config) { c.Meta.Wire, c.Meta.WireLeast = 3, 2 }, "too new", "too old"},
		"no certificates": {func(c *Config) { c.Meta.Capabilities = []string{Insecure} }, "it has no certificates", "it has certificates"},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, abc, func(cl *cluster) {
				with := func(c *Config) { c.Meta.Capabilities = []string{Certificates} }
				x, y := cl.start("a", "10.0.0.1:7946", 1, with), cl.start("b", "10.0.0.2:7946", 1, with)
				cl.within(10*time.Second, "a1 b1", x, y)
				z := cl.start("z", "10.0.0.3:7946", 1, c.change)
				cl.pass(10 * time.Minute)
				cl.within(0, "a1 b1", x, y)
				cl.within(0, "z1", z)
				for _, side := range []struct {
					p         *process
					peer, why string
				}{{x, "peer=z", c.ours}, {y, "peer=z", c.ours}, {z, "peer=a", c.theirs}} {
					if n := side.p.log.count("a node is refused", side.peer, side.why); n != 1 {
						t.Errorf("%s says it %d times, want once:\n%s", side.p.cfg.Name, n, side.p.log)
					}
				}
			})
		})
	}
}

// A cluster of the same secret whose nodes have the same names, one of which has
// left: its word on that node is not taken for one on ours.
func TestAStrangersWordOnTheDeadIsNotTaken(t *testing.T) {
	virtual(t, abc, func(c *cluster) {
		x, y, z := c.three()
		fish := func(cfg *Config) { cfg.Meta.Cluster, cfg.Join = "fish", []string{"10.1.0.1:7946"} }
		a := c.start("a", "10.1.0.1:7946", 50, fish)
		b := c.start("b", "10.1.0.2:7946", 50, fish)
		c.within(10*time.Second, "a50 b50", a, b)
		if err := b.Leave(); err != nil {
			c.t.Fatal(err)
		}
		if _, err := a.list.Join([]string{"10.0.0.1:7946"}); err == nil {
			c.t.Error("a node of another cluster has joined")
		}
		c.within(0, "a1 b1 c1", x)
		c.pass(time.Minute)
		c.within(0, "a1 b1 c1", x, y, z)
		if n := y.log.count("has left") + x.log.count("has left"); n > 0 {
			c.t.Error("b was taken for gone")
		}
	})
}

// The secret is changed in three steps, without a restart and without a node lost.
func TestTheSecretIsChanged(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	write := func(secrets ...string) {
		for _, name := range []string{"a", "b", "c"} {
			if err := os.WriteFile(file(name), []byte(strings.Join(secrets, "\n")), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(secret("1"))
	virtual(t, abc, func(c *cluster) {
		from := func(name string) func(*Config) { return func(cfg *Config) { cfg.SecretFile = file(name) } }
		x, y, z := c.start("a", "10.0.0.1:7946", 1, from("a")), c.start("b", "10.0.0.2:7946", 1, from("b")), c.start("c", "10.0.0.3:7946", 1, from("c"))
		c.within(10*time.Second, "a1 b1 c1", x, y, z)
		for _, step := range [][]string{{secret("1"), secret("2")}, {secret("2"), secret("1")}, {secret("2")}} {
			write(step...)
			c.pass(20 * time.Second)
			c.within(0, "a1 b1 c1", x, y, z)
		}
		if err := os.WriteFile(file("a"), []byte("rubbish"), 0o600); err != nil {
			t.Fatal(err)
		}
		c.pass(20 * time.Second)
		c.within(0, "a1 b1 c1", x, y, z)
		if n := x.log.count("not taken over", "line 1"); n != 1 {
			t.Errorf("a file that is damaged was told of %d times:\n%s", n, x.log)
		}
		for _, p := range []*process{x, y, z} {
			if p.log.count("does not answer any more") > 0 || p.log.count("read again") != 3 {
				t.Errorf("%s:\n%s", p.cfg.Name, p.log)
			}
		}
		// Whoever still has the old one is refused, and both sides say so.
		if err := os.WriteFile(file("old"), []byte(secret("1")), 0o600); err != nil {
			t.Fatal(err)
		}
		late := c.start("d", "10.0.0.4:7946", 1, from("old"))
		c.pass(5 * time.Minute)
		c.within(0, "a1 b1 c1", x, y, z)
		if late.log.count("another secret", "10.0.0.1:7946") != 1 || x.log.count("not encrypted with the cluster's secret") != 1 {
			t.Errorf("d:\n%s\na:\n%s", late.log, x.log)
		}
	})
}
