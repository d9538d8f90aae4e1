package sim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/birdwire/birdwire/testkit"
	"github.com/birdwire/birdwire/testkit/sim"
)

// counting counts the steps of a run.
type counting struct{ steps int }

func (c *counting) Choose([]testkit.Event) int {
	c.steps++
	return 0
}

// crowd is a cluster of five nodes with that many connections, two to a key.
func crowd(k *testkit.Kit, connections int) *sim.Cluster {
	c := sim.New(k, 5)
	for i := range connections {
		key := fmt.Sprintf("key-%010d", i/2)
		if i%2 == 0 {
			c.MakeKey(c.Nodes()[i%5], key)
			c.MakeRule(c.Nodes()[i%5], key, "moon")
		}
		c.Connect(fmt.Sprint("c", i), key, c.Nodes()[i/2%5].Name)
	}
	c.Until(time.Minute, "all clients are connected", c.Connected)
	return c
}

// BenchmarkStart is a cluster of five nodes until it serves.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		testkit.Run(b, func(k *testkit.Kit) { sim.New(k, 5) })
	}
}

// BenchmarkSeed is a small run: a cluster of five nodes with a hundred connections
// and posts for twenty seconds.
func BenchmarkSeed(b *testing.B) {
	b.ReportAllocs()
	steps, runs := 0, 0
	for b.Loop() {
		testkit.Run(b, func(k *testkit.Kit) {
			count := &counting{}
			k.Schedule(count)
			c := crowd(k, 100)
			for i := range 20 {
				c.Publish(c.Nodes()[i%5].Name, fmt.Sprint("p", i), "the moon")
				c.Advance(time.Second)
			}
			c.CheckDelivered("moon")
			steps += count.steps
			runs++
		})
	}
	b.ReportMetric(float64(steps)/float64(runs), "steps/seed")
	b.ReportMetric(float64(steps)/b.Elapsed().Seconds(), "steps/s")
}

// BenchmarkIdle is a minute of a cluster of five nodes with a thousand connections
// each, a post every ten seconds.
func BenchmarkIdle(b *testing.B) {
	testkit.Run(b, func(k *testkit.Kit) {
		count := &counting{}
		k.Schedule(count)
		c := crowd(k, 5_000)
		count.steps = 0
		n := 0
		for b.Loop() {
			for range 6 {
				c.Publish("n1", fmt.Sprint("p", n), "the moon")
				c.Advance(10 * time.Second)
				n++
			}
		}
		b.ReportMetric(float64(n)*10/b.Elapsed().Seconds(), "simulated-s/s")
		b.ReportMetric(float64(count.steps)/b.Elapsed().Seconds(), "steps/s")
	})
}
