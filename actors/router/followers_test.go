package router_test

import (
	"testing"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// end is the number of what tells up to the end of a frame.
func end(sequence uint64) uint64 { return uint64(messages.EndOf(sequence)) }

func join(number uint64, p *testkit.Probe, id string, keywords ...string) *messages.Join {
	return &messages.Join{ConnectionId: id, Connection: actors.RefOf(p.PID()), Join: number, Query: &messages.Query{
		Want: &messages.Query_Kite{Kite: &messages.KiteFilters{Keywords: keywords}},
	}}
}

// Every message says which one came before it, and Through and Joined say which
// was the newest.
func TestDeliveriesAreNumbered(t *testing.T) {
	run(t, func(r *rig) {
		a, b := r.Probe(), r.Probe()
		a.Request(r.pid, join(7, a, "a", "gold"))
		if m := testkit.Expect[*messages.Joined](a); m.GetJoin() != 7 || m.GetNumber() != 0 || m.GetPosition() != 0 {
			t.Fatalf("joined %v", m)
		}
		r.Tell(r.pid, r.log.append(article("1", "gold")))
		r.Tell(r.pid, r.log.append(article("2", "silver")))
		r.Settle()
		b.Request(r.pid, join(7, b, "b", "gold"))
		if m := testkit.Expect[*messages.Joined](b); m.GetNumber() != end(2) || m.GetPosition() != end(2) {
			t.Fatalf("joined %v", m)
		}
		for _, title := range []string{"gold", "silver", "gold"} {
			r.Tell(r.pid, r.log.append(article("", title)))
			r.log.frames[r.log.last].Events[0].Id = title + string(rune('0'+r.log.last))
		}
		r.Settle()
		chain := func(p *testkit.Probe, previous uint64) (shared []*messages.Deliveries) {
			for _, m := range p.Messages() {
				d := m.(*messages.Deliveries)
				if d.GetPrevious() != previous || d.GetJoin() != 7 || d.GetNumber() != end(messages.Position(d.GetDeliveries()[0].GetPosition()).Sequence()) {
					t.Errorf("after %d came %v", previous, d)
				}
				previous = d.GetNumber()
				shared = append(shared, d)
			}
			return shared
		}
		first, second := chain(a, 0), chain(b, end(2))
		if len(first) != 3 || len(second) != 2 || first[2] != second[1] {
			t.Errorf("%d and %d messages; the last is shared: %v", len(first), len(second), first[2] == second[1])
		}
		a.Request(r.pid, &messages.AskThrough{ConnectionId: "a", Join: 7})
		if m := testkit.Expect[*messages.Through](a); m.GetJoin() != 7 || m.GetNumber() != end(5) || m.GetPosition() != uint64(messages.EndOf(5)) {
			t.Errorf("through %v", m)
		}
	})
}

// A later join counts and an earlier one does not; the same is answered again.
func TestJoinsThatComeAgainOrLate(t *testing.T) {
	run(t, func(r *rig) {
		c := r.Probe()
		c.Request(r.pid, join(5, c, "c", "gold"))
		testkit.Expect[*messages.Joined](c)
		r.Tell(r.pid, r.log.append(article("1", "gold")))
		testkit.Expect[*messages.Deliveries](c)
		c.Request(r.pid, join(5, c, "c", "gold"))
		if m := testkit.Expect[*messages.Joined](c); m.GetNumber() != end(1) || m.GetPosition() != end(1) {
			t.Errorf("joined again: %v", m)
		}
		c.Request(r.pid, join(4, c, "c", "silver"))
		c.ExpectNoMessage(0)
		c.Request(r.pid, join(6, c, "c", "copper"))
		if m := testkit.Expect[*messages.Joined](c); m.GetJoin() != 6 || m.GetNumber() != end(1) {
			t.Errorf("joined under another number: %v", m)
		}
		r.Tell(r.pid, r.log.append(article("2", "silver"), article("3", "gold"), article("4", "copper")))
		m := testkit.Expect[*messages.Deliveries](c)
		if m.GetJoin() != 6 || m.GetPrevious() != end(1) || len(m.GetDeliveries()) != 1 || m.GetDeliveries()[0].GetPosition() != uint64(messages.At(2, 2)) {
			t.Errorf("delivered %v", m)
		}

		// A subscribe that is refused leaves the one before it as it was.
		c.Request(r.pid, &messages.Join{ConnectionId: "c", Connection: actors.RefOf(c.PID()), Join: 8, Query: &messages.Query{}})
		if m := testkit.Expect[*messages.JoinRefused](c); m.GetJoin() != 8 || m.GetAgain() || m.GetDetail() == "" {
			t.Errorf("refused %v", m)
		}
		r.Tell(r.pid, r.log.append(article("5", "copper")))
		if m := testkit.Expect[*messages.Deliveries](c); m.GetJoin() != 6 || m.GetPrevious() != end(2) {
			t.Errorf("delivered %v", m)
		}
	})
}

func TestLeaveIsAnsweredWithTheLastPosition(t *testing.T) {
	run(t, func(r *rig) {
		c := r.Probe()
		c.Request(r.pid, join(5, c, "c", "gold"))
		testkit.Expect[*messages.Joined](c)
		r.Tell(r.pid, r.log.append(article("1", "gold")))
		r.Tell(r.pid, r.log.append(article("2", "silver")))
		testkit.Expect[*messages.Deliveries](c)
		c.Request(r.pid, &messages.Leave{ConnectionId: "c", Join: 4}) // late: it has joined again since
		if m := testkit.Expect[*messages.Left](c); m.GetJoin() != 4 || m.GetPosition() != 0 {
			t.Errorf("left %v", m)
		}
		c.Request(r.pid, &messages.AskThrough{ConnectionId: "c", Join: 5})
		testkit.Expect[*messages.Through](c)
		c.Request(r.pid, &messages.Leave{ConnectionId: "c", Join: 5})
		if m := testkit.Expect[*messages.Left](c); m.GetJoin() != 5 || m.GetNumber() != end(1) || m.GetPosition() != uint64(messages.EndOf(2)) {
			t.Errorf("left %v", m)
		}
		r.Tell(r.pid, r.log.append(article("3", "gold")))
		c.ExpectNoMessage(0)
		c.Request(r.pid, &messages.Leave{ConnectionId: "c", Join: 5})
		if m := testkit.Expect[*messages.Left](c); m.GetJoin() != 5 || m.GetPosition() != 0 {
			t.Errorf("left again %v", m)
		}
		c.Request(r.pid, &messages.AskThrough{ConnectionId: "c", Join: 5})
		if m := testkit.Expect[*messages.Rejoin](c); m.GetJoin() != 5 {
			t.Errorf("not known: %v", m)
		}
		r.Tell(r.pid, &messages.Leave{ConnectionId: "c", Join: 5}) // nobody waits for an answer
		c.ExpectNoMessage(0)
	})
}

// Frames that are gone for good are a hole in everybody's numbers.
func TestAHoleInTheLogIsOneInTheNumbers(t *testing.T) {
	run(t, func(r *rig) {
		c, key := r.Probe(), r.owner
		c.Request(r.pid, join(5, c, "c", "gold"))
		testkit.Expect[*messages.Joined](c)
		r.put(&messages.PutQueries{Put: []*messages.Query{ruleQuery(1, 1, "moon")}})
		r.log.append(article("1", "gold"))
		r.log.append(article("2", "gold"))
		r.log.frames[1] = nil
		r.Advance(300e6)
		if m := testkit.Expect[*messages.Through](c); m.GetNumber() != end(1) || m.GetPosition() != uint64(messages.EndOf(1)) {
			t.Errorf("told %v", m)
		}
		if m := testkit.Expect[*messages.Deliveries](c); m.GetPrevious() != end(1) || m.GetNumber() != end(2) {
			t.Errorf("then %v", m)
		}
		if m := testkit.Expect[*messages.Through](key); m.GetNumber() != 1 || m.GetNumbering() == 0 || m.GetKeyId() != "key-1" {
			t.Errorf("told %v", m)
		}
		r.Tell(r.pid, r.log.append(post("1", "moon")))
		if m := testkit.Expect[*messages.Matched](key); m.GetNumber() != 2 || m.GetNumbering() == 0 {
			t.Errorf("matched %v", m)
		}
	})
}
