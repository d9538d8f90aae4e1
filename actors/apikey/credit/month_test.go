package credit_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/birdwire/birdwire/actors/apikey/credit"
	"github.com/birdwire/birdwire/messages"
)

// read has the purse know its month, as its ledger has it.
func (w *world) read() {
	w.purse.Turn(w.month)
	w.purse.Read(w.month, w.ledger(w.month).charged, w.purse.Mark())
}

// TestWhatIsShownIsWhatIsCharged: whichever way the months turn, whatever is
// lost and whoever ends without a word, nothing is shown that is not charged to
// the month that it is shown for, and everything is once nothing is open.
func TestWhatIsShownIsWhatIsCharged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapid.SampledFrom([]int64{0, 1, 70, 500, 33_000}).Draw(t, "limit"))
		connection := rapid.SampledFrom(connections)
		shown := func() {
			w.read()
			if used, charged := w.purse.Used(), w.ledger(w.month).charged; !w.purse.Unread() && used > charged {
				t.Fatalf("%s: %d are shown, %d charged", w.month, used, charged)
			}
		}
		w.play(
			t,
			func() { w.leave(connection.Draw(t, "die"), false) },
			func() { w.loss(t) },
			w.doubt,
			shown,
			func() { w.month = fmt.Sprintf("2026-%02d", rapid.IntRange(1, 3).Draw(t, "month")) },
		)
		w.lose = func() bool { return false }
		w.settleAll(t)
		for m := range 3 {
			w.month = fmt.Sprintf("2026-%02d", m+1)
			shown()
			if used, charged := w.purse.Used(), w.ledger(w.month).charged; used != charged {
				t.Fatalf("%s: %d are shown, %d charged, and nothing is open", w.month, used, charged)
			}
		}
		w.check(t)
	})
}

// What a connection keeps of a month that is over was charged there: it spends
// it first, and what it returns of it is nobody's.
func TestWhatIsKeptOverTheMonthsEnd(t *testing.T) {
	for _, returns := range []bool{false, true} {
		w := newWorld(1000)
		serve := func() {
			for w.answer(); w.step(); {
				w.answer()
			}
		}
		w.ask("a", 40)
		serve()
		w.deliver("a", 10)
		w.lose = func() bool { return true }
		w.month = "2026-02"
		for range 5 {
			w.tick()
			serve()
		}
		w.lose = func() bool { return false }
		if c := w.ledger("2026-01").charged; c != 40 {
			t.Fatalf("January is charged %d, want what was lent", c)
		}
		if returns {
			h := w.holder("a")
			h.returned = h.granted - h.used
			w.purse.Report(h.id, h.state(), false)
		}
		w.ask("a", 20)
		serve()
		if w.deliver("a", 1<<40); w.delivered != map[bool]int64{false: 60, true: 30}[returns] {
			t.Errorf("returns %v: delivered %d", returns, w.delivered)
		}
		w.leave("a", true)
		w.tick()
		serve()
		w.read()
		if c := w.ledger("2026-02").charged; c != 20 || w.purse.Used() != 20 {
			t.Errorf("returns %v: February is charged %d and shown %d, want 20", returns, c, w.purse.Used())
		}
	}
}

// A ledger that is read while an operation changes it says nothing.
func TestAMonthThatIsReadDuringAnOperation(t *testing.T) {
	p := credit.New("1", 0, "2026-01", &messages.Ledger{})
	p.Turn("2026-02")
	mark := p.Mark()
	p.Ask(credit.Ask{Connection: "a", Want: 10, Question: 1})
	o := p.Next()
	if p.Read("2026-02", 500, mark) || p.Read("2026-02", 500, p.Mark()) {
		t.Error("it is taken while an operation is under way")
	}
	p.Reserved(o, &messages.Grant{Id: o.ID, Month: o.Month, Size: o.Reserve})
	if p.Read("2026-02", 500, mark) {
		t.Error("it is taken, though an operation has come in between")
	}
	if !p.Read("2026-02", 500+o.Reserve, p.Mark()) || p.Used() != 500 {
		t.Errorf("shown %d, want 500", p.Used())
	}
}
