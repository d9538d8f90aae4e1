package credit_test

import (
	"fmt"
	"maps"
	"slices"
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
	g := &messages.Grant{Id: o.ID, Month: o.Month, Size: n, Position: uint64(o.Position)}
	l.open[o.ID] = g
	l.charged += n
	return g
}

func (l *ledger) settle(o *credit.Operation) {
	for _, settled := range o.Settle {
		g := l.open[settled.Grant.GetId()]
		if g == nil {
			continue
		}
		delete(l.open, g.GetId())
		l.done[g.GetId()] = true
		l.charged -= g.GetSize() - settled.Used
	}
}

// record is the ledger as the store keeps it.
func (l *ledger) record() *messages.Ledger {
	r := &messages.Ledger{Charged: l.charged}
	for _, id := range slices.Sorted(maps.Keys(l.open)) {
		r.Open = append(r.Open, l.open[id])
	}
	return r
}

// holder is a connection: what it knows of its account, in sums.
type holder struct{ granted, used, returned int64 }

func (h *holder) left() int64         { return h.granted - h.used - h.returned }
func (h *holder) state() credit.State { return credit.State{Used: h.used, Returned: h.returned} }

// world is one key's purse, its connections and the ledgers.
type world struct {
	purse     *credit.Purse
	limit     int64
	month     string
	ledgers   map[string]*ledger
	pending   *credit.Operation
	holders   map[string]*holder
	lose      func() bool // whether the next message is lost
	recalled  []string
	delivered int64
	starts    int
}

func newWorld(limit int64) *world {
	w := &world{
		limit: limit, month: "2026-01", ledgers: map[string]*ledger{}, holders: map[string]*holder{},
		lose: func() bool { return false },
	}
	w.start()
	return w
}

func (w *world) ledger(month string) *ledger {
	if w.ledgers[month] == nil {
		w.ledgers[month] = newLedger(w.limit)
	}
	return w.ledgers[month]
}

// start is a new instance of the key's actor: connections begin at nothing with it.
func (w *world) start() {
	w.starts++
	w.pending = nil
	w.purse = credit.New(fmt.Sprint(w.starts), w.limit, w.month, w.ledger(w.month).record())
	clear(w.holders)
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
		if w.lose() {
			continue
		}
		h := w.holder(a.Connection)
		h.granted = max(h.granted, a.Granted)
		if a.Exhausted {
			exhausted = append(exhausted, a.Connection)
		}
	}
	w.recall(w.purse.Recalls())
	return exhausted
}

func (w *world) recall(connections []string) {
	for _, c := range connections {
		w.recalled = append(w.recalled, c)
		if w.lose() {
			continue
		}
		h := w.holder(c)
		h.returned = h.granted - h.used
		if !w.lose() {
			w.purse.Report(c, h.state(), false)
		}
	}
}

func (w *world) tick() { w.recall(w.purse.Tick(w.month)) }

func (w *world) holder(c string) *holder {
	if w.holders[c] == nil {
		w.holders[c] = &holder{}
	}
	return w.holders[c]
}

// ask asks to hold so many more.
func (w *world) ask(c string, more int64) {
	h := w.holder(c)
	if !w.lose() {
		w.purse.Ask(c, h.state(), h.left()+more, 1, 1)
	}
}

func (w *world) deliver(c string, n int64) {
	h := w.holder(c)
	n = min(n, h.left())
	h.used += n
	w.delivered += n
}

func (w *world) end(c string, reports bool) {
	if h := w.holder(c); reports {
		h.returned = h.granted - h.used
		w.purse.Report(c, h.state(), true)
	}
	w.purse.Forget(c)
	delete(w.holders, c)
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
		w.tick()
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
		func() { w.ask(connection.Draw(t, "ask"), rapid.Int64Range(1, 300).Draw(t, "want")) },
		func() { w.deliver(connection.Draw(t, "deliver"), rapid.Int64Range(0, 200).Draw(t, "n")) },
		func() { w.deliver(connection.Draw(t, "deliver all"), 1<<40) },
		func() { w.step() },
		func() { w.step() },
		func() { w.tick() },
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
			func() { // messages are lost until the next such change
				lost := rapid.IntRange(0, 2).Draw(t, "loss") == 0
				w.lose = func() bool { return lost }
			},
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

// The last credit is spent by whoever has an event for it, however many hold some.
func TestEveryQuotaIsSpentToTheLastCredit(t *testing.T) {
	for _, limit := range []int64{1, 2, 3, 63, 64, 65, 1000, 33_000} {
		for _, many := range []int{1, 2, 5} {
			w := newWorld(limit)
			// All but the first ask once, and spend nothing.
			for i := 1; i < many; i++ {
				w.ask(fmt.Sprint(i), 64)
				for w.step() {
					w.answer()
				}
			}
			for range 100_000 {
				w.ask("0", 64)
				for w.step() {
				}
				if done := w.answer(); len(done) > 0 {
					break
				}
				for w.step() {
				}
				if done := w.answer(); len(done) > 0 {
					break
				}
				w.deliver("0", 1<<40)
			}
			if w.delivered != limit || w.ledger(w.month).charged != limit || !w.purse.Exhausted() {
				t.Errorf("limit %d, %d connections: delivered %d, charged %d", limit, many, w.delivered, w.charged())
			}
			w.month = "2026-02"
			w.tick()
			if w.purse.Exhausted() || w.purse.Used() != 0 {
				t.Errorf("limit %d: the month has turned, exhausted %v, used %d", limit, w.purse.Exhausted(), w.purse.Used())
			}
		}
	}
}

// A connection that does not answer a recall is waited for three seconds.
func TestARecallThatIsNotAnswered(t *testing.T) {
	w := newWorld(100)
	w.ask("a", 64)
	for w.step() {
		w.answer()
	}
	for range 100 { // b takes what a does not hold
		w.ask("b", 64)
		w.answer()
		for w.step() {
			w.answer()
		}
		w.deliver("b", 1<<40)
		if w.delivered == 100-w.holder("a").left() {
			break
		}
	}
	w.lose = func() bool { return true }
	w.purse.Ask("b", w.holder("b").state(), 1, 1, 1)
	for w.step() {
	}
	seconds := 0
	for ; seconds < 10; seconds++ {
		if answers := w.purse.Answers(); len(answers) == 1 && answers[0].Exhausted {
			break
		}
		w.recall(w.purse.Recalls())
		w.tick()
	}
	if seconds != 3 || !slices.Equal(w.recalled, []string{"a", "a", "a"}) {
		t.Errorf("told after %d s, recalled %v", seconds, w.recalled)
	}
}

func TestExhaustedFromTheStart(t *testing.T) {
	ledger := func(n int64) *messages.Ledger { return &messages.Ledger{Charged: n} }
	if !credit.New("1", 100, "2026-01", ledger(100)).Exhausted() || credit.New("1", 100, "2026-01", ledger(99)).Exhausted() || credit.New("1", 0, "2026-01", ledger(99)).Exhausted() {
		t.Error("the ledger's word does not count")
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
			if w.holder("a").left() < 100 {
				w.ask("a", 200)
				run()
				w.answer()
			}
			w.deliver("a", 100)
		}
		w.tick()
		run()
	}
	if operations > 2*50/4 {
		t.Errorf("%d operations in 50 s", operations)
	}
}

// A crash of a fast connection costs a few seconds of its rate.
func TestACrashCostsSecondsOfTheRate(t *testing.T) {
	w := newWorld(0)
	const rate = 100
	for range 120 {
		for range rate {
			if w.holder("a").left() == 0 {
				w.ask("a", 5*rate)
				for w.step() {
					w.answer()
				}
				w.answer()
			}
			w.deliver("a", 1)
		}
		w.tick()
		for w.step() {
			w.answer()
		}
		if lost := w.charged() - w.delivered; lost > 12*rate {
			t.Fatalf("%d would be lost at %d a second", lost, rate)
		}
	}
}

// What instances before have left open is given back except for what may have been
// spent of it.
func TestBequest(t *testing.T) {
	w := newWorld(1000)
	w.ask("a", 64)
	for w.step() {
		w.answer()
	}
	w.deliver("a", 10)
	w.start()
	if g := w.purse.Inherited(); len(g) != 1 || w.purse.Used() != w.charged() {
		t.Fatalf("inherited %v, used %d, charged %d", g, w.purse.Used(), w.charged())
	}
	w.purse.Bequeath(15)
	for w.step() {
	}
	if w.charged() != 15 || w.purse.Used() != 15 || !w.purse.Clear() {
		t.Errorf("charged %d, used %d", w.charged(), w.purse.Used())
	}
}

// A connection draws on grants whose position covers what it spends on; one that
// replays, on any event.
func TestGrantsCoverWhatIsSpentOn(t *testing.T) {
	p := credit.New("1", 0, "2026-01", &messages.Ledger{})
	reserve := func(want messages.Position) {
		t.Helper()
		o := p.Next()
		if o == nil || o.Reserve == 0 || o.Position != want {
			t.Fatalf("operation %+v, want a grant at %d", o, want)
		}
		p.Reserved(&messages.Grant{Id: o.ID, Month: o.Month, Size: o.Reserve, Position: uint64(o.Position)})
		if len(p.Answers()) != 1 {
			t.Fatal("no answer")
		}
	}
	p.Ask("a", credit.State{}, 10, 1, 70)
	reserve(70)
	p.Ask("b", credit.State{}, 10, 1, 75)
	if len(p.Answers()) != 1 {
		t.Fatal("a later event is covered")
	}
	p.Ask("late", credit.State{}, 10, 1, 60)
	if len(p.Answers()) != 0 {
		t.Fatal("answered out of a grant that is for later events")
	}
	reserve(60)
	p.Ask("back", credit.State{}, 10, 1, 0)
	reserve(0)
	ask := func(want int64, after messages.Position) { // until nothing is left
		for range 100 {
			if p.Ask("b", credit.State{}, want, 2, after); len(p.Answers()) == 0 {
				return
			}
		}
		t.Fatal("there is always some left")
	}
	ask(1<<16, 90)
	reserve(0) // what the others hold may be spent on any event
	for _, c := range []string{"a", "late", "back"} {
		p.Report(c, credit.State{Returned: 10}, true)
	}
	ask(1<<17, 95)
	reserve(95)
}

// Who holds credits and says nothing for a minute returns them.
func TestTheIdleReturnWhatTheyHold(t *testing.T) {
	w := newWorld(0)
	w.ask("a", 64)
	for w.step() {
		w.answer()
	}
	for range 61 {
		w.tick()
	}
	for w.step() {
	}
	if w.charged() != 0 || w.holder("a").left() != 0 {
		t.Errorf("charged %d, held %d", w.charged(), w.holder("a").left())
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
	if n := len(w.ledger(w.month).open); n > 12 || w.purse.Used() != 0 {
		t.Errorf("%d grants are open", n)
	}
	for i := range 50 {
		w.end(fmt.Sprint(i), true)
	}
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
	for i := range 60 {
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
