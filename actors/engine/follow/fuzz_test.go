package follow_test

import (
	"testing"

	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/messages"
)

// FuzzStep: whatever comes, in whatever order, answers to no question among
// it, nothing is handed on twice or out of order, the place never goes back,
// and a follower that is neither live nor idle waits for something.
func FuzzStep(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x11\x03\x21\x05\x30\x40\x50\x60\x70\x80\x90\xa0\xb0\xc0\xd0\xe0\xf0"))
	f.Add([]byte("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg := follow.Config{Lanes: 2, Near: 2, HeldMost: 3, RoundsMost: 3, PendingMost: 3}.WithDefaults()
		from := follow.Place{}
		if len(data) > 0 && data[0]&1 == 1 {
			from = follow.End(messages.EndOf(2))
		}
		follower := follow.New(&cfg, from)
		m := machine{t: t, f: &follower, last: from}
		for len(data) >= 3 && !m.over {
			m.happen(data[0], data[1], data[2])
			data = data[3:]
		}
	})
}

// machine feeds a follower and checks what it says.
type machine struct {
	t    *testing.T
	f    *follow.Follower
	last follow.Place // of what was handed on
	over bool

	join, ask, reading, timer, number uint64
	accepted, asked                   int
}

func (m *machine) happen(what, a, b byte) {
	at := uint64(messages.At(uint64(a%16)+1, int(b%4)))
	id := func(open uint64) uint64 { // mostly the answer to what is open
		if b%8 == 7 {
			return uint64(a % 32)
		}
		return open
	}
	end := uint64(messages.EndOf(uint64(a%16) + 1))
	switch what % 16 {
	case 0:
		s := &follow.Subscription{Lane: follow.Lane(b & 1), Tag: "x"}
		if a&1 == 0 {
			s.Query = &messages.Query{}
		}
		m.asked++
		m.take(m.f.Step(follow.Subscribe{Subscription: s}))
	case 1, 2:
		m.number = uint64(a)
		m.take(m.f.Step(&messages.Joined{Join: id(m.join), Position: end, Number: m.number, Term: uint64(b % 2)}))
	case 3:
		m.take(m.f.Step(&messages.JoinRefused{Join: id(m.join), Again: a&1 == 0, Detail: "no"}))
	case 4, 5, 6:
		previous := m.number
		m.number += uint64(a%3) + 1
		d := &messages.Deliveries{Join: id(m.join), Number: m.number, Previous: previous + uint64(b%5/4), Term: uint64(b % 2)}
		d.Deliveries = []*messages.Delivery{{Position: at, K: uint32(b % 3)}, {Position: at + 1}}
		if ds, ok := m.f.Next(d); ok {
			m.delivered(ds)
		} else {
			m.take(m.f.Step(d))
		}
	case 7:
		m.take(m.f.Step(&messages.Through{Join: id(m.join), Position: end, Number: m.number + uint64(b%3), Term: uint64(b % 2)}))
	case 8:
		m.take(m.f.Step(&messages.Left{Join: id(m.join), Position: end * uint64(b&1), Number: m.number}))
	case 9:
		m.take(m.f.Step(&messages.Rejoin{Join: id(m.join) * uint64(b&1), Term: uint64(a % 3)}))
	case 10:
		m.take(m.f.Step(&messages.VoidsKnown{Ask: id(m.ask), Through: end}))
	case 11:
		m.take(m.f.Step(&messages.Queries{Ask: id(m.ask), Position: end}))
	case 12:
		r := follow.Result{Through: messages.Position(end), Deliveries: []*messages.Delivery{{Position: at}, {Position: at, K: 1}}}
		if b&1 == 1 {
			r.Lost = []messages.Lost{{From: messages.Position(at) - 1, To: messages.Position(at) + 1, Why: messages.Damaged}}
		}
		m.take(m.f.Step(follow.Read{Reading: id(m.reading), Result: r}))
	case 13:
		m.take(m.f.Step(follow.ReadFailed{Reading: id(m.reading), Fault: follow.Fault(a % 4), First: messages.Position(end), Detail: "why"}))
	case 14:
		m.take(m.f.Step([]any{follow.Moved{}, follow.Taken{}, follow.Prove{}}[a%3]))
	default:
		m.take(m.f.Step(follow.Fired{Timer: id(m.timer)}))
	}
	if !m.over && !m.f.Live() && !m.f.Idle() && !m.f.Waits() && m.timer == 0 {
		m.t.Fatal("it waits for nothing, and is not live")
	}
}

func (m *machine) take(out []follow.Output) {
	for _, o := range out {
		if m.over {
			m.t.Fatalf("%T after the end", o)
		}
		switch o := o.(type) {
		case follow.Join:
			m.join = o.Join
		case follow.AskVoids:
			m.ask = o.Ask
		case follow.AskQueries:
			m.ask = o.Ask
		case follow.ReadLog:
			m.reading = o.Reading
		case follow.Wait:
			m.timer = o.Timer
			if (o.For > 0) != (o.Timer > 0) {
				m.t.Fatalf("waits %+v", o)
			}
		case follow.Deliver:
			m.delivered(o.Deliveries)
		case follow.Reached:
			if m.after(follow.End(o.Position)) {
				m.last = follow.End(o.Position)
			}
		case follow.Trimmed:
			m.last = follow.Place{} // on from now
		case follow.Accepted, follow.Refused:
			if m.accepted++; m.accepted > m.asked {
				m.t.Fatalf("%d answers to %d subscribes", m.accepted, m.asked)
			}
		case follow.Over:
			m.over = true
		}
	}
}

func (m *machine) after(p follow.Place) bool {
	return p.Position > m.last.Position || p.Position == m.last.Position && p.K > m.last.K
}

func (m *machine) delivered(ds []*messages.Delivery) {
	for _, d := range ds {
		p := follow.Place{Position: messages.Position(d.GetPosition()), K: d.GetK()}
		if !m.after(p) {
			m.t.Fatalf("handed on %d.%d after %d.%d", p.Position, p.K, m.last.Position, m.last.K)
		}
		m.last = p
	}
}
