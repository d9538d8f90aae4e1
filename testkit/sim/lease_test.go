package sim_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/cluster/assembly"
	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/testkit"
	"github.com/birdwire/birdwire/testkit/sim"
)

// full is three nodes and a key on n1 whose five places are taken by clients at
// n3, and a sixth client that waits at n2.
func full(k *testkit.Kit) (c *sim.Cluster, sixth *sim.Client) {
	c = sim.New(k, 3)
	key := c.KeyOn("n1")
	c.MakeKey(c.Node("n1"), key)
	c.Steady = append(c.Steady, sim.KeyLimit(key, 5))
	for i := range 5 {
		c.Connect(fmt.Sprint("c", i), key, "n3").Stay = true
	}
	c.Until(5*time.Second, "five are connected", func() bool { return c.Open() == 5 })
	sixth = c.Connect("sixth", key, "n2")
	sixth.Stay = true
	c.Advance(2 * time.Second)
	return c, sixth
}

// refusals are the client's, with those of one kind after the other counted once.
func refusals(c *sim.Client) (kinds []string) {
	for _, end := range c.Ends {
		for _, kind := range []string{"REFUSAL_CONNECTIONS", "REFUSAL_OVERLOAD"} {
			if strings.Contains(end, kind) {
				kinds = append(kinds, kind)
			}
		}
	}
	return slices.Compact(kinds)
}

// A process is killed: its link is reset and nothing listens, so its slots are
// free at once.
func TestSlotsOfAKilledProcessAreFreeAtOnce(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		c, sixth := full(k)
		c.Node("n3").Crash()
		c.Until(7*time.Second, "the sixth is connected", func() bool { return sixth.At() == "n2" })
		if got := refusals(sixth); got[0] != "REFUSAL_CONNECTIONS" {
			t.Errorf("refused for %v, want the key's limit first", got)
		}
	})
}

// A machine is gone without a word: nobody knows whether its process lives, so its
// slots are kept until its lease has run out, and the sixth client is told to try
// again, not that the key is in use.
func TestSlotsOfAMachineThatIsGoneAreFreeAfterItsLease(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		c, sixth := full(k)
		c.Isolate("n3")
		c.Node("n3").Crash()
		c.Advance(13 * time.Second)
		if sixth.At() != "" {
			t.Error("the sixth was admitted while the five may be connected")
		}
		c.Until(10*time.Second, "the sixth is connected", func() bool { return sixth.At() == "n2" })
		if got := refusals(sixth); !slices.Equal(got, []string{"REFUSAL_CONNECTIONS", "REFUSAL_OVERLOAD"}) {
			t.Errorf("refused for %v: want the key's limit while the node lived, and then only that it may not", got)
		}
	})
}

// One cut link among three: the two oldest that reach each other go on, the third
// says why it does not, and its clients are served elsewhere.
func TestANodeOutsideTheCoreSaysWhy(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		s := newScene(k)
		s.Net.Cut("n2", "n3")
		s.Net.Cut("n3", "n2")
		s.Post("n1", 300) // 15 s
		err := s.Node("n3").Actors.Serving()
		if !errors.Is(err, assembly.ErrApart) || !strings.Contains(err.Error(), "n1, n2") {
			t.Errorf("n3 says %v, want that it is outside of n1, n2", err)
		}
		for _, name := range []string{"n1", "n2"} {
			if err := s.Node(name).Actors.Serving(); err != nil {
				t.Errorf("%s does not serve: %v", name, err)
			}
		}
		for _, client := range s.Clients() {
			if at := client.At(); at != "n1" && at != "n2" {
				t.Errorf("client %s is at %q", client.Name, at)
			}
		}
		s.Check(2 * time.Second)
		s.Net.Mend("n2", "n3")
		s.Net.Mend("n3", "n2")
		s.Owned("n3", 5*time.Second)
	})
}

// A node that does not reach the store stops by its own clock before the others
// take what it has, and serves again once it does.
func TestANodeWithoutTheStoreStopsInTime(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		s := newScene(k)
		n3 := s.Node("n3")
		n3.LoseStore()
		s.Advance(8 * time.Second) // of which 3 may have passed before
		if err := n3.Actors.Serving(); err != nil {
			t.Errorf("after 8 s: %v", err)
		}
		s.Advance(5 * time.Second)
		if err := n3.Actors.Serving(); !errors.Is(err, assembly.ErrLapsed) || !strings.Contains(err.Error(), "12s") {
			t.Errorf("after 13 s: %v", err)
		}
		for _, client := range s.Clients() {
			if client.At() == "n3" {
				t.Errorf("client %s is still there", client.Name)
			}
		}
		n3.FindStore()
		s.Until(5*time.Second, "n3 serves", func() bool { return n3.Actors.Serving() == nil })
		s.Owned("n3", 5*time.Second)
		s.Check(5 * time.Second)
	})
}

// A shard that hangs over what it was sent is found within 15 s, and costs its node all
// that it owns. One that is sent nothing is not asked: it cannot hang.
func TestAShardThatHangs(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		s := newScene(k)
		n3 := s.Node("n3")
		s.Post("n1", 20)
		s.Advance(2 * time.Minute)
		asked := 0
		n3.Hang("shard", func(m any) bool {
			_, probe := unwrapped(m).(*actors.Probe)
			if probe {
				asked++
			}
			return probe
		})
		s.Post("n1", 160) // 8 s
		if asked == 0 || asked > 40 {
			t.Errorf("%d questions to 341 shards of which one has work", asked)
		}
		s.Post("n1", 100)
		if err := n3.Actors.Serving(); !errors.Is(err, assembly.ErrLapsed) || !strings.Contains(err.Error(), "takes no turn") {
			t.Errorf("n3 says %v", err)
		}
		n3.Hang("shard", nil)
		s.Until(40*time.Second, "n3 serves", func() bool { return n3.Actors.Serving() == nil })
		s.Owned("n3", 10*time.Second)
		s.Check(10 * time.Second)
	})
}

func unwrapped(m any) any {
	if e, ok := m.(*actor.MessageEnvelope); ok {
		return e.Message
	}
	return m
}

// A node that answers and makes no progress says so, and owns nothing: others do
// what it did. It takes part again once it does.
func TestANodeThatMakesNoProgress(t *testing.T) {
	for pool, why := range map[sim.Pool]string{sim.Mend: "log's end", sim.Records: "pool"} {
		t.Run(string(pool), func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				s := newScene(k)
				n3 := s.Node("n3")
				s.Post("n1", 20)
				s.Advance(15 * time.Second) // events may be few
				if err := n3.Actors.Serving(); err != nil {
					t.Fatalf("in peace: %v", err)
				}
				n3.Stick(pool)
				s.Net.Fate = func(_, to link.Peer, e link.Envelope) sim.Fate {
					return sim.Fate{Drop: to.Node == "n3" && pool == sim.Mend && e.Kind == "birdwire.v1.FrameAppended"}
				}
				s.Post("n1", 300) // 15 s
				if err := n3.Actors.Serving(); !errors.Is(err, assembly.ErrLapsed) || !strings.Contains(err.Error(), why) {
					t.Errorf("n3 says %v", err)
				}
				for _, client := range s.Clients() {
					if at := client.At(); at == "n3" {
						t.Errorf("client %s is at n3", client.Name)
					}
				}
				n3.Stick("")
				s.Net.Fate = nil
				s.Until(40*time.Second, "n3 serves", func() bool { return n3.Actors.Serving() == nil })
				s.Owned("n3", 10*time.Second)
				s.Check(10 * time.Second)
			})
		})
	}
}

// A pool that has more to do than it does in time is late, and does not hang: nothing
// is given up, which somebody would have to take with a pool that is as late.
func TestAPoolThatIsLate(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		s := newScene(k)
		n3 := s.Node("n3")
		s.Advance(5 * time.Second)
		n3.Stick(sim.Records)
		for range 12 { // the watchdog alone asks for a piece of work each second
			s.Advance(5 * time.Second)
			n3.Let()
			if err := n3.Actors.Serving(); err != nil {
				t.Fatalf("n3 says %v", err)
			}
		}
		s.Until(20*time.Second, "n3 says that the pool hangs", func() bool { return n3.Actors.Serving() != nil })
		n3.Stick("")
		s.Until(40*time.Second, "n3 serves", func() bool { return n3.Actors.Serving() == nil })
		s.Check(10 * time.Second)
	})
}

// A log without a leader is nobody's want of progress: all nodes keep what they own, and
// the newsdesk is where it was.
func TestALogWithoutALeader(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		s := newScene(k)
		s.Post("n1", 20)
		s.Advance(5 * time.Second)
		s.Net.Fate = func(_, _ link.Peer, e link.Envelope) sim.Fate {
			return sim.Fate{Drop: e.Kind == "birdwire.v1.FrameAppended"}
		}
		for _, n := range s.Nodes() {
			n.Stick(sim.Mend)
		}
		s.Post("n1", 40) // the watchdogs know of what the routers have not come to
		s.LoseLeader(sim.TheLog)
		for _, n := range s.Nodes() {
			n.Stick("")
		}
		for range 40 {
			s.Advance(500 * time.Millisecond)
			for _, n := range s.Nodes() {
				if err := n.Actors.Serving(); err != nil {
					t.Fatalf("%s says %v", n.Name, err)
				}
			}
		}
		s.FindLeader()
		s.Net.Fate = nil
		s.Check(20 * time.Second)
	})
}

// That its pool is late hides no shard that hangs.
func TestAShardThatHangsWhileThePoolIsLate(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		s := newScene(k)
		n3 := s.Node("n3")
		s.Post("n1", 20)
		n3.Stick(sim.Records)
		late := func(posts int) {
			for range posts / 40 {
				s.Post("n1", 40) // 2 s
				n3.Let()
			}
		}
		late(800)
		if err := n3.Actors.Serving(); err != nil {
			t.Fatalf("with a pool that is late n3 says %v", err)
		}
		n3.Hang("shard", func(m any) bool {
			_, probe := unwrapped(m).(*actors.Probe)
			return probe
		})
		late(320)
		if err := n3.Actors.Serving(); !errors.Is(err, assembly.ErrLapsed) || !strings.Contains(err.Error(), "takes no turn") {
			t.Errorf("n3 says %v", err)
		}
		n3.Hang("shard", nil)
		n3.Stick("")
		s.Until(40*time.Second, "n3 serves", func() bool { return n3.Actors.Serving() == nil })
		s.Check(10 * time.Second)
	})
}

// A pool that is full of what waits for a store that does not answer does not hang: it
// has its time from when the store answers again, and nothing is given up.
func TestAPoolThatWaitsForTheStore(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		s := newScene(k)
		n3 := s.Node("n3")
		serves := func(while time.Duration) {
			t.Helper()
			for range int(while / (500 * time.Millisecond)) {
				s.Advance(500 * time.Millisecond)
				if err := n3.Actors.Serving(); err != nil {
					t.Fatalf("n3 says %v", err)
				}
			}
		}
		serves(5 * time.Second)
		n3.LoseStore()
		n3.Stick(sim.Records)
		serves(8 * time.Second) // less than a lease
		n3.FindStore()
		serves(8 * time.Second) // what has waited is done
		n3.Stick("")
		serves(30 * time.Second)
		s.Check(10 * time.Second)
	})
}
