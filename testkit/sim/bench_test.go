//go:build unix

package sim_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/birdwire/birdwire/testkit"
	"github.com/birdwire/birdwire/testkit/sim"
)

// meter measures by what the process has used of its cores, and not by what it had
// to wait for others: machines are shared. The garbage collector's part, on whatever
// core, is in it.
type meter struct {
	b    *testing.B
	from time.Duration
}

func measure(b *testing.B) meter {
	b.ReportAllocs()
	return meter{b, used(b)}
}

func used(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// per reports n for each second of a core.
func (m meter) per(n float64, unit string) {
	m.b.ReportMetric(n/(used(m.b)-m.from).Seconds(), unit+"/core-s")
}

// crowd connects so many clients to a cluster of five nodes, two to a key, of which
// each has one rule, as word has it of the key's number.
func crowd(c *sim.Cluster, connections int, word func(key int) string) {
	for i := range connections {
		key := fmt.Sprintf("key-%010d", i/2)
		if i%2 == 0 {
			c.MakeKey(c.Nodes()[i%5], key)
			c.MakeRule(c.Nodes()[i%5], key, word(i/2))
		}
		c.Connect(fmt.Sprint("c", i), key, c.Nodes()[i/2%5].Name)
	}
	c.Until(time.Minute, "all clients are connected", c.Connected)
}

func moon(int) string { return "moon" }

// BenchmarkStart is a cluster of five nodes until it serves.
func BenchmarkStart(b *testing.B) {
	m := measure(b)
	steps, runs := 0, 0
	for b.Loop() {
		testkit.Run(b, func(k *testkit.Kit) {
			sim.New(k, 5)
			steps += k.Step()
			runs++
		})
	}
	m.per(float64(runs), "starts")
	b.ReportMetric(float64(steps)/float64(runs), "steps/start")
}

// BenchmarkSeed is a small run: a cluster of five nodes with a hundred connections,
// and posts, until five thousand messages have been handled since it serves.
func BenchmarkSeed(b *testing.B) { runs(b, 5_000) }

// BenchmarkLong is BenchmarkSeed with a hundred thousand messages: what one costs.
func BenchmarkLong(b *testing.B) { runs(b, 100_000) }

func runs(b *testing.B, messages int) {
	m := measure(b)
	steps, runs := 0, 0
	for b.Loop() {
		testkit.Run(b, func(k *testkit.Kit) {
			c := sim.New(k, 5)
			serves := k.Step()
			crowd(c, 100, moon)
			for i := 0; k.Step()-serves < messages || i == 0; i++ {
				c.Publish(c.Nodes()[i%5].Name, fmt.Sprint("p", i), "the moon")
				c.Advance(time.Second)
			}
			c.CheckDelivered("moon")
			steps += k.Step() - serves
			runs++
		})
	}
	m.per(float64(runs), "seeds")
	m.per(float64(steps), "steps")
	b.ReportMetric(float64(steps)/float64(runs), "steps/seed")
}

// BenchmarkIdle is a cluster of five nodes with a thousand connections each, a post
// every ten seconds that all of them are handed, or one of a hundred, or none.
func BenchmarkIdle(b *testing.B) {
	for _, of := range []struct {
		name string
		keys int // one of so many has a post
	}{{"none", 0}, {"one of a hundred", 100}, {"all", 1}} {
		b.Run(of.name, func(b *testing.B) {
			testkit.Run(b, func(k *testkit.Kit) {
				c := sim.New(k, 5)
				crowd(c, 5_000, func(key int) string {
					if of.keys == 0 {
						return "sun"
					}
					return fmt.Sprint("moon", key%of.keys)
				})
				c.Advance(2 * time.Minute) // what has come with the connections is over
				n, before := 0, k.Step()
				m := measure(b)
				for b.Loop() {
					for range 6 {
						c.Publish("n1", fmt.Sprint("p", n), fmt.Sprint("moon", n%max(of.keys, 1)))
						c.Advance(10 * time.Second)
						n++
					}
				}
				m.per(float64(n)*10, "simulated-s")
				m.per(float64(k.Step()-before), "steps")
				b.ReportMetric(float64(k.Step()-before)/float64(n)/10, "steps/simulated-s")
			})
		})
	}
}
