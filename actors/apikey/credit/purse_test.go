package credit_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/birdwire/birdwire/actors/apikey/credit"
	"github.com/birdwire/birdwire/messages"
)

// ledger is the month's truth, as the store keeps it, in the plainest way.
type ledger struct {
	limit   int64
	charged int64
	open    map[string]*messages.Grant
	done    map[string]bool
}

func newLedger(limit int64) *ledger {
	return &ledger{limit: limit, open: map[string]*messages.Grant{}, done: map[string]bool{}}
}

func (l *ledger) reserve(o *credit.Operation) *messages.Grant {
	if g := l.open[o.ID]; g != nil {
		return g
	}
	if l.done[o.ID] {
		return &messages.Grant{Id: o.ID, Month: o.Month}
	}
	n := o.Reserve
	if l.limit > 0 {
		n = min(n, l.limit-l.charged)
	}
	if n <= 0 {
		return nil
	}
	g := &messages.Grant{Id: o.ID, Month: o.Month, Size: n}
	l.open[o.ID] = g
	l.charged += n
	return g
}

func (l *ledger) settle(o *credit.Operation) {
	g := l.open[o.Settle.GetId()]
	if g == nil {
		return
	}
	delete(l.open, g.GetId())
	l.done[g.GetId()] = true
	l.charged -= g.GetSize() - o.Used
}

// world is one key's purse, its connections' balances and the ledgers.
type world struct {
	purse     *credit.Purse
	limit     int64
	month     string
	ledgers   map[string]*ledger
	pending   *credit.Operation
	balance   map[string]int64
	used      map[string]int64 // not reported
	delivered int64
	starts    int
}

func newWorld(limit int64) *world {
	w := &world{limit: limit, month: "2026-01", ledgers: map[string]*ledger{}, balance: map[string]int64{}, used: map[string]int64{}}
	w.start()
	return w
}

func (w *world) ledger(month string) *ledger {
	if w.ledgers[month] == nil {
		w.ledgers[month] = newLedger(w.limit)
	}
	return w.ledgers[month]
}

func (w *world) start() {
	w.starts++
	w.pending = nil
	w.purse = credit.New(fmt.Sprint(w.starts), w.limit, w.month, w.ledger(w.month).charged)
}

// step takes the due operation, or finishes the pending one.
func (w *world) step() bool {
	if w.pending == nil {
		w.pending = w.purse.Next()
		return w.pending != nil
	}
	o := w.pending
	w.pending = nil
	l := w.ledger(o.Month)
	if o.Settle != nil {
		l.settle(o)
		w.purse.Settled(o)
	} else if g := l.reserve(o); g != nil {
		w.purse.Reserved(g)
	} else {
		w.purse.Refused(o)
	}
	return true
}

func (w *world) answer() (exhausted []string) {
	for _, a := range w.purse.Answers() {
		w.balance[a.Connection] += a.Amount
		if a.Exhausted {
			exhausted = append(exhausted, a.Connection)
		}
	}
	return exhausted
}

func (w *world) ask(c string, want int64) {
	w.purse.Ask(c, want, w.used[c])
	w.used[c] = 0
}

func (w *world) deliver(c string, n int64) {
	n = min(n, w.balance[c])
	w.balance[c] -= n
	w.used[c] += n
	w.delivered += n
}

func (w *world) end(c string, reports bool) {
	if reports {
		w.purse.Report(c, w.used[c], w.balance[c])
	}
	w.purse.Forget(c)
	delete(w.balance, c)
	delete(w.used, c)
}

func (w *world) charged() (sum int64) {
	for _, l := range w.ledgers {
		sum += l.charged
	}
	return sum
}

func (w *world) check(t *rapid.T) {
	if w.delivered > w.charged() {
		t.Fatalf("delivered %d, charged %d", w.delivered, w.charged())
	}
	for month, l := range w.ledgers {
		if l.limit > 0 && l.charged > l.limit {
			t.Fatalf("%s: charged %d, limit %d", month, l.charged, l.limit)
		}
	}
}

// settleAll ends every connection and lets time pass.
func (w *world) settleAll(t *rapid.T) {
	for _, c := range connections {
		w.end(c, true)
	}
	for range 3 {
		w.purse.Tick(w.month)
		for n := 0; w.step(); n++ {
			if n > 1000 {
				t.Fatal("operations without end")
			}
		}
	}
	if !w.purse.Clear() {
		t.Fatal("not clear when everybody has gone")
	}
}

var connections = []string{"a", "b", "c"}

// play does up to 300 things in any order: asks, deliveries, operations, ends
// and seconds always, what else is given too.
func (w *world) play(t *rapid.T, also ...func()) {
	connection := rapid.SampledFrom(connections)
	actions := append([]func(){
		func() { w.ask(connection.Draw(t, "ask"), rapid.Int64Range(-1, 300).Draw(t, "want")) },
		func() { w.deliver(connection.Draw(t, "deliver"), rapid.Int64Range(0, 200).Draw(t, "n")) },
		func() { w.deliver(connection.Draw(t, "deliver all"), 1<<40) },
		func() { w.step() },
		func() { w.step() },
		func() { w.purse.Tick(w.month) },
		func() { w.end(connection.Draw(t, "end"), true) },
	}, also...)
	for range rapid.IntRange(1, 300).Draw(t, "length") {
		actions[rapid.IntRange(0, len(actions)-1).Draw(t, "action")]()
		w.answer()
		w.check(t)
	}
}

// TestDeliveredNeverPassesCharged adds connections that end without a word,
// retried operations, months and crashes.
func TestDeliveredNeverPassesCharged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapid.SampledFrom([]int64{0, 1, 70, 500, 33_000}).Draw(t, "limit"))
		connection := rapid.SampledFrom(connections)
		w.play(
			t,
			func() { w.end(connection.Draw(t, "die"), false) },
			func() { // the answer was lost; the same operation comes again
				if o := w.pending; o != nil && o.Settle != nil {
					w.ledger(o.Month).settle(o)
				} else if o != nil {
					w.ledger(o.Month).reserve(o)
				}
			},
			func() {
				if len(w.ledgers) < 4 {
					w.month = fmt.Sprintf("2026-%02d", len(w.ledgers)+1)
					w.ledger(w.month)
				}
			},
			func() {
				if rapid.IntRange(0, 3).Draw(t, "crash") == 0 {
					w.start()
				}
			},
		)
		w.settleAll(t)
		w.check(t)
	})
}

// TestCrashesLoseOpenGrantsOnly: what is charged and was never delivered is
// itemised in the ledger: the grants that were open when the key's actor died.
func TestCrashesLoseOpenGrantsOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(0)
		crashes := rapid.IntRange(0, 3).Draw(t, "crashes")
		for range crashes {
			w.play(t)
			w.start()
		}
		w.play(t)
		w.settleAll(t)
		var open int64
		for _, g := range w.ledger(w.month).open {
			open += g.GetSize()
		}
		if lost := w.charged() - w.delivered; lost > open {
			t.Fatalf("charged %d, delivered %d: %d lost, open %d", w.charged(), w.delivered, lost, open)
		}
		if crashes == 0 && w.purse.Used() != w.delivered {
			t.Fatalf("used %d, delivered %d", w.purse.Used(), w.delivered)
		}
	})
}

func TestEveryQuotaIsSpentToTheLastCredit(t *testing.T) {
	for _, limit := range []int64{1, 63, 64, 65, 1000, 33_000} {
		w := newWorld(limit)
		for range 10_000 {
			w.ask("a", 64)
			for w.step() {
				if done := w.answer(); len(done) > 0 {
					goto over
				}
			}
			if done := w.answer(); len(done) > 0 {
				break
			}
			w.deliver("a", 1<<40)
		}
	over:
		if w.delivered != limit || w.charged() != limit || !w.purse.Exhausted() {
			t.Errorf("limit %d: delivered %d, charged %d", limit, w.delivered, w.charged())
		}
		w.month = "2026-02"
		w.purse.Tick(w.month)
		if w.purse.Exhausted() || w.purse.Used() != 0 {
			t.Errorf("limit %d: the month has turned, exhausted %v, used %d", limit, w.purse.Exhausted(), w.purse.Used())
		}
	}
}

func TestExhaustedFromTheStart(t *testing.T) {
	if !credit.New("1", 100, "2026-01", 100).Exhausted() || credit.New("1", 100, "2026-01", 99).Exhausted() || credit.New("1", 0, "2026-01", 99).Exhausted() {
		t.Error("the ledger's word does not count")
	}
}

func TestGivenBackCreditsCanBeUsedAgain(t *testing.T) {
	w := newWorld(64)
	w.ask("a", 64)
	w.step()
	w.step()
	w.answer()
	w.ask("b", 64)
	w.step()
	w.step()
	if got := w.answer(); len(got) != 1 || got[0] != "b" {
		t.Fatalf("exhausted: %v", got)
	}
	w.end("a", true)
	if w.purse.Exhausted() {
		t.Error("exhausted with 64 credits at hand")
	}
	w.ask("b", 10)
	if got := w.answer(); len(got) != 0 || w.balance["b"] != 10 {
		t.Errorf("balance %d, exhausted %v", w.balance["b"], got)
	}
}

// TestReservesForSeconds: a steady rate costs about two operations in five
// seconds, however many events it is.
func TestReservesForSeconds(t *testing.T) {
	w := newWorld(0)
	operations := 0
	run := func() {
		for w.step() {
			if w.pending == nil {
				operations++
			}
			w.answer()
		}
	}
	for second := range 100 {
		if second == 50 {
			operations = 0
		}
		for range 10 {
			if w.balance["a"] < 100 {
				w.ask("a", 200)
				run()
			}
			w.deliver("a", 100)
		}
		w.purse.Tick(w.month)
		run()
	}
	if operations > 2*50/4 {
		t.Errorf("%d operations in 50 s", operations)
	}
}

// A connection spends on what it was granted before the key's actor died; the
// grant stays charged, so the use is not counted a second time.
func TestUseOfAPredecessorsGrantIsNotChargedAgain(t *testing.T) {
	w := newWorld(0)
	w.ask("a", 64)
	w.step()
	w.step()
	w.answer()
	w.start()
	w.deliver("a", 50)
	w.purse.Report("a", w.used["a"], w.balance["a"])
	w.purse.Forget("a")
	if !w.purse.Clear() || w.purse.Used() != 64 || w.charged() != 64 {
		t.Errorf("clear %v, used %d, charged %d", w.purse.Clear(), w.purse.Used(), w.charged())
	}
}

// Fifty connections that ask one after the other and spend nothing: few grants,
// and all of it comes back.
func TestManyWhoHoldAndDoNotSpend(t *testing.T) {
	w := newWorld(0)
	for i := range 50 {
		w.ask(fmt.Sprint(i), 64)
		for w.step() {
			w.answer()
		}
	}
	if n := len(w.ledger(w.month).open); n > 8 || w.purse.Used() != 0 {
		t.Errorf("%d grants are open", n)
	}
	for i := range 50 {
		w.end(fmt.Sprint(i), true)
	}
	w.purse.Tick(w.month)
	for w.step() {
	}
	if w.charged() != 0 || !w.purse.Clear() {
		t.Errorf("charged %d for nothing", w.charged())
	}
}

// Past the bound of open grants what was charged and not spent can be spent
// still.
func TestGrantsAreBounded(t *testing.T) {
	w := newWorld(0)
	for i := range 30 {
		w.ask(fmt.Sprint(i), 1<<17)
		w.ask(fmt.Sprint(i, "b"), 1<<17)
		for w.step() {
			w.answer()
		}
		if n := len(w.ledger(w.month).open); n > 15 {
			t.Fatalf("%d grants are open", n)
		}
	}
	w.deliver("0", 1<<40)
	w.ask("0", 1)
	if w.delivered > w.charged() {
		t.Errorf("delivered %d, charged %d", w.delivered, w.charged())
	}
}
