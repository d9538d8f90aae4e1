//go:build unix

package sim_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/cluster/membership"
	"github.com/birdwire/birdwire/testkit"
	"github.com/birdwire/birdwire/testkit/sim"
)

// post counts what nodes send each other.
type post struct {
	sent, bytes int
	kinds       map[string]int
}

func countPost(c *sim.Cluster) *post {
	p, inner := &post{kinds: map[string]int{}}, c.Net.Sent
	c.Net.Sent = func(from link.Peer, e link.Envelope) {
		p.sent, p.bytes = p.sent+1, p.bytes+len(e.Kind)+len(e.Target)+len(e.Sender)+len(e.SenderAt)+len(e.Bytes)
		p.kinds[e.Kind]++
		inner(from, e)
	}
	return p
}

// take is what was sent since it was asked last.
func (p *post) take() post {
	was := *p
	*p = post{kinds: map[string]int{}}
	return was
}

// most are the kinds that most are of.
func (p post) most() string {
	kinds := slices.SortedFunc(maps.Keys(p.kinds), func(a, b string) int { return cmp.Compare(p.kinds[b], p.kinds[a]) })
	text := ""
	for _, k := range kinds[:min(4, len(kinds))] {
		text += fmt.Sprintf(" %s %d", k, p.kinds[k])
	}
	return text
}

// BenchmarkNodes is what a cluster costs as it grows: envelopes between nodes while
// nothing happens, for a post that nobody wants, for one that each of fifty keys wants,
// with two connections each, and when a node ends. It tells what is measured by a log,
// since b.N says nothing here: go test -bench Nodes/n=10 -benchtime 1x -v ./testkit/sim
func BenchmarkNodes(b *testing.B) {
	for _, n := range []int{3, 5, 10, 25, 50, 64} {
		b.Run(fmt.Sprint("n=", n), func(b *testing.B) {
			for b.Loop() {
				testkit.Run(b, func(k *testkit.Kit) { measureNodes(b, k, n) })
			}
		})
	}
}

func measureNodes(b *testing.B, k *testkit.Kit, n int) {
	began := used(b)
	c := sim.New(k, n)
	p := countPost(c)
	b.Logf("%d nodes: started in %v of CPU", n, used(b)-began)
	const keys = 50
	for i := range 2 * keys {
		key := fmt.Sprintf("key-%010d", i/2)
		if i%2 == 0 {
			c.MakeKey(c.Nodes()[i%n], key)
			c.MakeRule(c.Nodes()[i%n], key, "moon")
		}
		c.Connect(fmt.Sprint("c", i), key, c.Nodes()[(i*7)%n].Name)
	}
	c.Until(time.Minute, "all clients are connected", c.Connected)
	c.Advance(30 * time.Second)
	p.take()
	const idle = 30
	c.Advance(idle * time.Second)
	still := p.take()
	second := float64(still.sent) / idle
	b.Logf("  idle: %.2f envelopes a second and node, %.0f bytes;%s", second/float64(n), float64(still.bytes)/idle/float64(n), still.most())
	for j, of := range []struct{ what, text string }{{"that nobody wants", "the sun"}, {"that 50 keys want, 100 connections", "the moon"}} {
		const posts = 20
		for i := range posts {
			c.Publish(c.Nodes()[i%n].Name, fmt.Sprintf("p%d-%d", j, i), of.text)
			c.Advance(time.Second)
		}
		sent := p.take()
		b.Logf("  a post %s: %.1f envelopes, %.0f bytes;%s", of.what,
			(float64(sent.sent)-second*posts)/posts, (float64(sent.bytes)-float64(still.bytes)/idle*posts)/posts, sent.most())
	}
	at, steps, cpu := c.Clock.Elapsed(), k.Step(), used(b)
	ill := c.Nodes()[n/2]
	ill.Crash()
	c.Until(time.Minute, "the others have dealt out what it owned", func() bool {
		m, _ := c.Nodes()[0].Actors.View().Member(ill.Name)
		return m.State == membership.Down && c.Placed()
	})
	sent := p.take()
	b.Logf("  a node ends: %v until its shards are others', %.1f envelopes a node, %.0f turns a node, %v of CPU;%s",
		time.Duration(c.Clock.Elapsed()-at).Round(10*time.Millisecond), float64(sent.sent)/float64(n), float64(k.Step()-steps)/float64(n), used(b)-cpu, sent.most())
	b.ReportMetric(second/float64(n), "idle/node-s")
}

// BenchmarkViewChange is a node of three that ends while there are so many keys, each
// with a rule and none with a client: what the others' processors do until its keys'
// rules are theirs, beside the same time in which nothing happens.
func BenchmarkViewChange(b *testing.B) {
	for _, keys := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint("keys=", keys), func(b *testing.B) {
			for b.Loop() {
				testkit.Run(b, func(k *testkit.Kit) {
					c := sim.New(k, 3)
					for i := range keys {
						key := fmt.Sprintf("key-%010d", i)
						c.MakeKey(c.Nodes()[i%3], key)
						c.MakeRule(c.Nodes()[i%3], key, "moon")
					}
					c.Advance(2 * time.Minute) // those that were asked are idle again
					const while = 10 * time.Second
					before := used(b)
					c.Advance(while)
					still := used(b) - before
					before = used(b)
					c.Nodes()[2].Crash()
					c.Advance(while)
					b.Logf("%d keys: %v of CPU, and %v while nothing happens", keys, used(b)-before-still, still)
				})
			}
		})
	}
}
