package router_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// large is a Join that a worker has to compile.
func large(number uint64, p *testkit.Probe, id, key, word string) *messages.Join {
	words := make([]string, 900)
	for i := range words {
		words[i] = fmt.Sprintf("%s%d", word, i)
	}
	j := join(number, p, id, words...)
	j.KeyId = key
	return j
}

// answers of one type are what the probe was sent of it, in order.
func answers[T any](p *testkit.Probe) (all []T) {
	for _, m := range p.Messages() {
		if t, ok := m.(T); ok {
			all = append(all, t)
		}
	}
	return all
}

// What is large is compiled by a worker, while the router serves others,
// and takes effect wholly at one position.
func TestALargeSubscriptionKeepsNobodyWaiting(t *testing.T) {
	run(t, func(r *rig) {
		a, b := r.Probe(), r.Probe()
		a.Request(r.pid, join(1, a, "a", "gold"))
		testkit.Expect[*messages.Joined](a)
		r.Worker.Hold()
		a.Request(r.pid, large(2, a, "a", "", "w"))
		b.Request(r.pid, join(1, b, "b", "gold"))
		testkit.Expect[*messages.Joined](b)
		r.Tell(r.pid, r.log.append(article("1", "gold w1")))
		testkit.Expect[*messages.Deliveries](b)
		if d := testkit.Expect[*messages.Deliveries](a); d.GetJoin() != 1 {
			t.Errorf("before it is compiled: %v", d)
		}
		a.Request(r.pid, large(2, a, "a", "", "w")) // asked again: one answer to both
		a.ExpectNoMessage(0)
		r.Worker.Release()
		if j := testkit.Expect[*messages.Joined](a); j.GetJoin() != 2 || j.GetPosition() != end(1) || j.GetNumber() != end(1) {
			t.Errorf("joined %v", j)
		}
		r.Tell(r.pid, r.log.append(article("2", "gold"), article("3", "w2")))
		if d := testkit.Expect[*messages.Deliveries](a); d.GetJoin() != 2 || len(d.GetDeliveries()) != 1 || d.GetDeliveries()[0].GetPosition() != uint64(messages.At(2, 1)) {
			t.Errorf("after it: %v", d)
		}
	})
}

// Whatever happens while one is compiled, the connection has the newest that it
// asked for, or nothing once it has left.
func TestWhileASubscriptionIsCompiled(t *testing.T) {
	for _, c := range []struct {
		name string
		then func(r *rig, c *testkit.Probe)
		join uint64 // current at the end; 0: none
		word string
	}{
		{"a later one, large", func(r *rig, c *testkit.Probe) { c.Request(r.pid, large(3, c, "c", "", "later")) }, 3, "later7"},
		{"a later one, small", func(r *rig, c *testkit.Probe) { c.Request(r.pid, join(3, c, "c", "later")) }, 3, "later"},
		{"an earlier one, late", func(r *rig, c *testkit.Probe) { c.Request(r.pid, join(1, c, "c", "earlier")) }, 2, "w7"},
		{"it leaves", func(r *rig, c *testkit.Probe) { c.Request(r.pid, &messages.Leave{ConnectionId: "c", Join: 2}) }, 0, "w7"},
		{"it leaves for good", func(r *rig, _ *testkit.Probe) { r.Tell(r.pid, &messages.Leave{ConnectionId: "c"}) }, 0, "w7"},
		{"it left before, and that is late", func(r *rig, c *testkit.Probe) { c.Request(r.pid, &messages.Leave{ConnectionId: "c", Join: 1}) }, 2, "w7"},
		{"it leaves and comes again", func(r *rig, c *testkit.Probe) {
			c.Request(r.pid, &messages.Leave{ConnectionId: "c", Join: 2})
			c.Request(r.pid, large(5, c, "c", "", "w"))
		}, 5, "w7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(r *rig) {
				p := r.Probe()
				p.Request(r.pid, join(1, p, "c", "first"))
				r.Worker.Hold()
				p.Request(r.pid, large(2, p, "c", "", "w"))
				r.Settle()
				c.then(r, p)
				r.Settle()
				r.Worker.Release()
				r.Settle()
				joined := answers[*messages.Joined](p)
				r.Tell(r.pid, r.log.append(article("1", "first w7 later later7")))
				r.Settle()
				got := answers[*messages.Deliveries](p)
				if c.join == 0 {
					if len(got) > 0 {
						t.Errorf("gone, and delivered %v", got)
					}
					return
				}
				if len(joined) == 0 || joined[len(joined)-1].GetJoin() != c.join {
					t.Errorf("joined %v", joined)
				}
				if len(got) != 1 || got[0].GetJoin() != c.join {
					t.Errorf("delivered %v", got)
				}
				r.Tell(r.pid, r.log.append(article("2", c.word)))
				if d := answers[*messages.Deliveries](p); len(d) != 1 {
					t.Errorf("the newest filters are not the current ones")
				}
			})
		})
	}
}

// A key's changes are made in the order in which they came, however long each
// takes, and what is put is not seen before all of it is.
func TestLargeChangesOfAKeyKeepTheirOrder(t *testing.T) {
	run(t, func(r *rig) {
		put := func(id uint64, from, n int, remove ...uint32) *messages.PutQueries {
			m := &messages.PutQueries{KeyId: "key-1", Term: 5, Id: id}
			for k := from; k < from+n; k++ {
				m.Put = append(m.Put, &messages.Query{K: uint32(k), Want: &messages.Query_Rule{Rule: fmt.Sprintf("moon OR w%d OR %s", k, strings.Repeat("x", 200))}})
			}
			for _, k := range remove {
				m.Remove = append(m.Remove, &messages.QueryName{K: k})
			}
			return m
		}
		r.Worker.Hold()
		r.owner.Request(r.pid, put(1, 1, 3000))
		r.owner.Request(r.pid, put(2, 5000, 1, 7))
		r.owner.Request(r.pid, put(3, 7, 1)) // what the second took away is put again
		r.Tell(r.pid, r.log.append(post("1", "moon")))
		r.owner.ExpectNoMessage(0)
		r.Worker.Release()
		r.Settle()
		var order []uint64
		for _, m := range answers[*messages.QueriesPut](r.owner) {
			if order = append(order, m.GetId()); len(m.GetRefused()) > 0 || m.GetPosition() != end(1) {
				t.Errorf("put %v", m)
			}
		}
		if !slices.Equal(order, []uint64{1, 2, 3}) {
			t.Fatalf("answered %v", order)
		}
		r.Tell(r.pid, r.log.append(post("2", "moon")))
		m := answers[*messages.Matched](r.owner)
		if len(m) != 1 || len(m[0].GetHits()) != 1 || len(m[0].GetHits()[0].GetK()) != 3001 {
			t.Fatalf("matched %d messages, want all 3,001 queries", len(m))
		}

		// Given up while it is compiled: nothing of it comes back.
		r.Worker.Hold()
		r.owner.Request(r.pid, put(4, 10_000, 3000))
		r.Settle()
		r.Tell(r.pid, &messages.DropKey{KeyId: "key-1", Term: 5})
		r.Settle()
		r.Worker.Release()
		r.Tell(r.pid, r.log.append(post("3", "moon")))
		r.Settle()
		if m := r.owner.Messages(); len(m) != 0 {
			t.Errorf("after the key was dropped came %T", m[0])
		}
		r.Worker.Hold()
		r.owner.Request(r.pid, put(5, 1, 3000))
		r.Settle()
		r.owner.Request(r.pid, &messages.DropShard{Shard: uint32(actors.ShardOf("key-1")), Term: 1 << 40})
		r.Settle()
		r.Worker.Release()
		r.Settle()
		r.Tell(r.pid, r.log.append(post("4", "moon")))
		r.Settle()
		for _, m := range r.owner.Messages() {
			switch m.(type) {
			case *messages.ShardDropped, *messages.NotOwner:
			default:
				t.Errorf("after the shard was given up came %T", m)
			}
		}
	})
}

// One query that cannot be compiled is refused by name, the others are put.
func TestQueriesThatCanNotBePutAreRefusedByName(t *testing.T) {
	run(t, func(r *rig) {
		m := &messages.PutQueries{KeyId: "key-1", Id: 3}
		for k := range uint32(100) {
			q := &messages.Query{K: k + 1, Version: 2, Want: &messages.Query_Rule{Rule: fmt.Sprintf("moon OR w%d", k)}}
			switch k {
			case 10:
				q.Want = &messages.Query_Rule{Rule: "(moon"}
			case 20:
				q.Want = nil
			case 30:
				q.Want = &messages.Query_Monitor{}
			case 40:
				q.Want = &messages.Query_Newsrank{Newsrank: &messages.NewsrankFilters{EmbeddingFilters: []*messages.EmbeddingFilter{nil}}}
			}
			m.Put = append(m.Put, q)
		}
		m.Put = append(m.Put, nil)
		r.owner.Request(r.pid, m)
		done := testkit.Expect[*messages.QueriesPut](r.owner)
		var refused []uint32
		for _, q := range done.GetRefused() {
			if refused = append(refused, q.GetQuery().GetK()); q.GetDetail() == "" {
				t.Errorf("refused without a reason: %v", q)
			}
		}
		if !slices.Equal(refused, []uint32{11, 21, 31, 41, 0}) {
			t.Errorf("refused %v", done.GetRefused())
		}
		r.Tell(r.pid, r.log.append(post("1", "moon")))
		if m := testkit.Expect[*messages.Matched](r.owner); len(m.GetHits()[0].GetK()) != 96 {
			t.Errorf("%d queries matched, want the 96 others", len(m.GetHits()[0].GetK()))
		}
	})
}

// Ten connections of one key that send large subscribes as fast as they can get
// as much as their key may have, and are told when to try again; what others
// asked for comes at once, each time.
func TestOneKeyCanNotStopOthers(t *testing.T) {
	run(t, func(r *rig) {
		const connections = 10
		probes := make([]*testkit.Probe, connections)
		for i := range probes {
			probes[i] = r.Probe()
			probes[i].Request(r.pid, join(1, probes[i], fmt.Sprint("c", i), "first"))
		}
		r.Settle()
		other := r.Probe()
		other.Request(r.pid, join(1, other, "other", "gold"))
		testkit.Expect[*messages.Joined](other)
		taken, refused, most := 0, 0, 0
		for step := range 160 { // eight seconds
			before := r.Worker.Done()
			for i, p := range probes {
				for n := range 3 {
					p.Request(r.pid, large(uint64(2+3*step+n), p, fmt.Sprint("c", i), "key-1", fmt.Sprintf("w%d-%d-", i, step)))
				}
			}
			r.Tell(r.pid, r.log.append(article(fmt.Sprint("a", step), "gold")))
			r.Settle()
			if len(answers[*messages.Deliveries](other)) != 1 {
				t.Fatalf("step %d: the other key's event did not come in its turn", step)
			}
			most = max(most, r.Worker.Done()-before)
			for _, p := range probes {
				for _, m := range p.Messages() {
					switch m := m.(type) {
					case *messages.Joined:
						taken++
					case *messages.JoinRefused:
						if refused++; m.GetAgain() || m.GetRetryAfterMs() <= 0 || !strings.Contains(m.GetDetail(), "try again in") {
							t.Fatalf("refused %v", m)
						}
					}
				}
			}
			r.Advance(50 * time.Millisecond)
		}
		if refused == 0 || taken < 50 || taken > 190 {
			t.Errorf("%d large subscribes were taken in eight seconds, %d refused", taken, refused)
		}
		if down, _ := r.slowing(); down > 0 {
			t.Error("the sources were slowed")
		}
		r.Advance(time.Minute) // the budget is whole again
		p := probes[0]
		p.Request(r.pid, large(1<<20, p, "c0", "key-1", "w"))
		if j := answers[*messages.Joined](p); len(j) != 1 {
			t.Error("refused although nothing was asked for a minute")
		}
	})
}

// A connection that has nothing yet is not refused: it is told when to ask
// again, and then gets it.
func TestAFirstSubscriptionOverTheBudgetIsTakenLater(t *testing.T) {
	run(t, func(r *rig) {
		later := 0
		for i := range 160 {
			p := r.Probe()
			p.Request(r.pid, large(1, p, fmt.Sprint("c", i), "key-1", fmt.Sprint("w", i, "-")))
			r.Settle()
			for _, m := range p.Messages() {
				if refused, ok := m.(*messages.JoinRefused); ok {
					later++
					if !refused.GetAgain() {
						t.Fatalf("refused %v", refused)
					}
					r.Advance(time.Duration(refused.GetRetryAfterMs()) * time.Millisecond)
					p.Request(r.pid, large(1, p, fmt.Sprint("c", i), "key-1", fmt.Sprint("w", i, "-")))
					if len(answers[*messages.Joined](p)) != 1 {
						t.Fatal("not taken at the time that was said")
					}
				}
			}
		}
		if later < 20 {
			t.Errorf("%d of 160 had to wait", later)
		}
	})
}

// A router that fails while it has changes on their way forgets them, whole:
// they are asked for again.
func TestARestartForgetsChangesOnTheirWay(t *testing.T) {
	run(t, func(r *rig) {
		c := r.Probe()
		c.Request(r.pid, join(1, c, "c", "first"))
		r.Worker.Hold()
		c.Request(r.pid, large(2, c, "c", "", "w"))
		r.Settle()
		r.fail = true
		r.Advance(250 * time.Millisecond)
		if n := len(r.Panics()); n != 1 {
			t.Fatalf("%d panics", n)
		}
		r.Worker.Release()
		r.Settle()
		c.Messages()
		r.Tell(r.pid, r.log.append(article("1", "first"), article("2", "w7")))
		if d := answers[*messages.Deliveries](c); len(d) != 1 || d[0].GetJoin() != 1 || len(d[0].GetDeliveries()) != 1 {
			t.Fatalf("after a restart: %v", d)
		}
		c.Request(r.pid, large(2, c, "c", "", "w"))
		if j := answers[*messages.Joined](c); len(j) != 1 || j[0].GetJoin() != 2 {
			t.Fatalf("asked again: %v", j)
		}
	})
}
