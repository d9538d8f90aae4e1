package failures_test

import (
	"strings"
	"syscall"
	"time"
)

// scenarios are played in this order, those with as many nodes on one cluster.
var scenarios = []scenario{
	{name: "nothing goes wrong", nodes: 3, quick: true, play: func(*scene) {}},
	{name: "the owner of a key is killed", nodes: 3, quick: true, play: func(c *scene) { c.killed(c.least()) }},
	{name: "the leader of the log is killed", nodes: 3, quick: true, play: func(c *scene) { c.killed(c.leads("journal")) }},
	{name: "the leader of the records is killed", nodes: 3, play: func(c *scene) { c.killed(c.leads("control")) }},
	{name: "the newsdesk is killed", nodes: 3, play: func(c *scene) { c.killed(c.newsdesk()) }},
	{name: "the node that reads a feed is killed", nodes: 3, quick: true, play: func(c *scene) { c.killed(c.reads()) }},
	{name: "a node is killed and started within a second", nodes: 3, quick: true, play: func(c *scene) {
		n := c.leads("journal")
		c.breaks(n)
		n.kill()
		<-time.After(300 * time.Millisecond)
		n.begin()
		c.mended()
	}},
	{name: "all are killed at once", nodes: 3, quick: true, play: func(c *scene) {
		c.breaks(c.nodes...)
		for _, n := range c.nodes {
			n.signal(syscall.SIGKILL)
		}
		for _, n := range c.nodes {
			n.kill()
			n.begin()
		}
		c.mended()
	}},
	{name: "a node is stopped for 10 s", nodes: 3, play: func(c *scene) { c.stopped(c.leads("journal"), 10*time.Second) }},
	{name: "a node is stopped for 20 s", nodes: 3, quick: true, play: func(c *scene) { c.stopped(c.least(), 20*time.Second) }},
	{name: "a and b are cut", nodes: 3, play: func(c *scene) { c.cut("a", "b", 20*time.Second) }},
	{name: "a and c are cut", nodes: 3, play: func(c *scene) { c.cut("a", "c", 20*time.Second) }},
	{name: "b and c are cut for a minute", nodes: 3, play: func(c *scene) { c.cut("b", "c", time.Minute) }},
	{name: "a node is cut off", nodes: 3, quick: true, play: func(c *scene) { c.cut(c.leads("journal").name, "abc", 20*time.Second) }},
	{name: "nothing goes from b to c", nodes: 3, quick: true, play: func(c *scene) {
		c.breaks(c.named("c"))
		c.lan.from("b", "c", weather{cut: true})
		c.lasts(20 * time.Second)
	}},
	{name: "all are cut for 90 s", nodes: 3, play: func(c *scene) { c.cut("abc", "abc", 90*time.Second) }},
	{name: "30 percent of packets are lost", nodes: 3, quick: true, play: func(c *scene) {
		c.breaks()
		c.lan.between("abc", "abc", weather{loss: 0.3})
		c.lasts(30 * time.Second)
	}},
	{name: "a slow link", nodes: 3, play: func(c *scene) {
		c.breaks()
		c.lan.between("c", "ab", weather{delay: 50 * time.Millisecond, rate: 500_000})
		c.lasts(30 * time.Second)
	}},
	{name: "the nodes are restarted one after the other", nodes: 3, quick: true, play: func(c *scene) { c.restarted(c.nodes...) }},
	{name: "the log's leader is stepped down", nodes: 3, quick: true, play: func(c *scene) { c.steppedDown("control", "journal") }},
	{name: "a copy of the log has a flipped bit", nodes: 3, quick: true, play: func(c *scene) { c.flipped(c.least()) }},

	{name: "clocks differ by five minutes", nodes: 3, own: true, program: skewed, play: func(c *scene) { c.skewed("0", "300", "-300") }},
	{name: "the disk of a node is full", nodes: 3, quick: true, own: true, prepare: smallDisk, play: func(c *scene) { c.full(c.nodes[2]) }},
	{name: "an upgrade and back", nodes: 3, quick: true, own: true, program: before, play: func(c *scene) { c.upgraded() }},

	{name: "of five nodes a key's owner is killed", nodes: 5, quick: true, play: func(c *scene) { c.killed(c.least()) }},
	{name: "of five nodes the leader of the log is killed", nodes: 5, play: func(c *scene) { c.killed(c.leads("journal")) }},
	{name: "two of five are drained at once", nodes: 5, quick: true, play: func(c *scene) { c.drained(c.nodes[1], c.nodes[3]) }},
	{name: "two of five are killed at once", nodes: 5, play: func(c *scene) { c.killed(c.nodes[0], c.nodes[2]) }},
	{name: "two of five are cut off", nodes: 5, play: func(c *scene) { c.cut("ab", "cde", 30*time.Second) }},
}

// least is the node that leads the fewest streams of the store.
func (c *scene) least() *node {
	c.t.Helper()
	least := c.nodes[0]
	for _, n := range c.nodes {
		if len(c.led(n)) < len(c.led(least)) {
			least = n
		}
	}
	return least
}

// killed: the others serve everybody, and the nodes come back.
func (c *scene) killed(nodes ...*node) {
	c.t.Helper()
	c.gone(nodes, func() {
		for _, n := range nodes {
			n.kill()
		}
	})
}

// gone: the nodes end as end has them, and are started again.
func (c *scene) gone(nodes []*node, end func()) {
	c.t.Helper()
	c.breaks(nodes...)
	end()
	c.without(nodes)
	for _, n := range nodes {
		n.begin()
	}
	c.mended()
}

// stopped: the process does nothing, as on a machine that is moved.
func (c *scene) stopped(n *node, d time.Duration) {
	c.t.Helper()
	c.breaks(n)
	n.signal(syscall.SIGSTOP)
	<-time.After(d)
	n.signal(syscall.SIGCONT)
	c.mended()
}

// cut: no packet comes from these hosts to those, or back.
func (c *scene) cut(these, those string, d time.Duration) {
	c.t.Helper()
	var lost []*node
	for _, name := range these {
		lost = append(lost, c.named(string(name)))
	}
	c.breaks(lost...)
	c.lan.between(these, those, weather{cut: true})
	c.lasts(d)
}

// lasts has the weather stay for a while.
func (c *scene) lasts(d time.Duration) {
	<-time.After(d)
	c.lan.fine()
	c.mended()
}

// drained: an operator has the nodes drain, and they are started again.
func (c *scene) drained(nodes ...*node) {
	c.t.Helper()
	c.gone(nodes, func() {
		for _, n := range nodes {
			c.asks("drain", n.name)
		}
		for _, n := range nodes {
			n.exited()
		}
	})
}

// asks is an operator's command about the cluster, at some node.
func (c *scene) asks(args ...string) {
	c.t.Helper()
	if text, code := c.nodes[0].run(append([]string{"cluster"}, args...)...); code != 0 {
		c.t.Errorf("cluster %s: exit code %d: %s", strings.Join(args, " "), code, text)
	}
}

// steppedDown: an operator has another node lead the stream, one stream after the
// other, while all clients read.
func (c *scene) steppedDown(streams ...string) {
	c.t.Helper()
	for _, stream := range streams {
		was := c.leads(stream)
		c.breaks()
		c.asks("step-down", stream)
		if now := c.leads(stream); now == was {
			c.t.Errorf("%s is led by node %s still", stream, was.name)
		}
		c.flows("after the leader of " + stream + " was stepped down")
	}
	c.mended()
}

// without: one node that is gone is missed by nobody. Of several, two may be two of
// the three that have a copy of the log: then nothing is written until one is back.
func (c *scene) without(nodes []*node) {
	c.t.Helper()
	if len(nodes) == 1 {
		c.flows("while a node is gone")
		return
	}
	<-time.After(10 * time.Second)
}

// restarted: one after the other ends in order and is started again, the next once
// everything is well.
func (c *scene) restarted(nodes ...*node) {
	c.t.Helper()
	for _, n := range nodes {
		c.breaks(n)
		n.signal(syscall.SIGTERM)
		n.exited()
		n.begin()
		c.mended()
		c.whole()
	}
}

// skewed: the nodes' clocks are off by so many seconds, each from a restart on; a
// node is lost meanwhile.
func (c *scene) skewed(offsets ...string) {
	c.t.Helper()
	set := func(offsets ...string) {
		for i, n := range c.nodes {
			n.environ = []string{"CLOCK_OFFSET=" + offsets[i]}
			c.restarted(n)
		}
	}
	set(offsets...)
	c.flows("with clocks that differ")
	c.killed(c.nodes[1])
	c.whole()
	set("0", "0", "0")
}

// upgraded: each node in turn becomes this tree's program, and then again what it
// was.
func (c *scene) upgraded() {
	c.t.Helper()
	program, err := birdwire()
	if err != nil {
		c.t.Fatal(err)
	}
	was := c.nodes[0].program
	for _, to := range []string{program, was} {
		for _, n := range c.nodes {
			n.program = to
			c.restarted(n)
		}
		c.says("all nodes are upgraded, or back")
	}
}
