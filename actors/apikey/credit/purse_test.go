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

// reserve is nil where the ledger has nothing left.
func (l *ledger) reserve(o *credit.Operation) *messages.Grant {
	if g := l.open[o.ID]; g != nil {
		return g
	}
	if l.done[o.ID] {
		return &messages.Grant{Id: o.ID, Month: o.Month}
	}
	n := o.Reserve
	if l.limit > 0 {
		n = max(min(n, l.limit-l.charged), 0)
	}
	g := &messages.Grant{Id: o.ID, Month: o.Month, Size: n, Spenders: o.Spenders}
	if r := o.Replaces; r.Grant != nil {
		g.Size += r.Grant.GetSize() - r.Used
		l.close(r.Grant.GetId())
	} else if n == 0 {
		return nil
	}
	l.charged += n
	l.open[o.ID] = g
	if g.GetSize() == 0 {
		l.close(o.ID)
	}
	return g
}

func (l *ledger) close(id string) {
	delete(l.open, id)
	l.done[id] = true
}

func (l *ledger) settle(o *credit.Operation) {
	for _, settled := range o.Settle {
		g := l.open[settled.Grant.GetId()]
		if g == nil {
			continue
		}
		l.close(g.GetId())
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

// holder is a connection: what it knows of its account, in sums, and how many of
// the log's events it was handed.
type holder struct {
	id                          string
	granted, used, returned, at int64
}

func (h *holder) left() int64 { return h.granted - h.used - h.returned }

func (h *holder) state() credit.State {
	return credit.State{Used: h.used, Returned: h.returned, After: messages.Position(h.at)}
}

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
	end       int64            // of the log: as many events
	place     map[string]int64 // of every connection that ever was: how far it came
	named     int
	starts    int
}

func newWorld(limit int64) *world {
	w := &world{
		limit: limit, month: "2026-01", ledgers: map[string]*ledger{}, holders: map[string]*holder{}, place: map[string]int64{},
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

// crash is a start of which the log settles what was open; it says how much of
// that may have been on its way.
func (w *world) crash() (onTheWay int64) {
	w.start()
	var bound int64
	for _, g := range w.purse.Inherited() {
		for _, s := range g.GetSpenders() {
			bound += w.end - int64(s.GetAfter())
			onTheWay += w.end - w.place[s.GetConnectionId()]
		}
	}
	w.purse.Bequeath(bound)
	for w.step() {
	}
	return onTheWay
}

// step takes the due operation, or finishes the pending one.
func (w *world) step() bool {
	if w.pending == nil {
		w.pending = w.purse.Next()
		return w.pending != nil
	}
	o := w.pending
	w.pending = nil
	if o.Settle != nil {
		w.settle(o)
		w.purse.Settled(o)
	} else if g := w.ledger(o.Month).reserve(o); g != nil {
		w.purse.Reserved(o, g)
	} else {
		w.purse.Refused(o)
	}
	return true
}

func (w *world) settle(o *credit.Operation) {
	for month := range w.ledgers {
		w.ledger(month).settle(o)
	}
}

func (w *world) answer() (exhausted []string) {
	for _, a := range w.purse.Answers() {
		if w.lose() {
			continue
		}
		h := w.byID(a.Connection)
		h.granted = max(h.granted, a.Granted)
		if a.Exhausted {
			exhausted = append(exhausted, a.Connection)
		}
	}
	w.recall(w.purse.Recalls())
	return exhausted
}

func (w *world) recall(connections []string) {
	for _, id := range connections {
		w.recalled = append(w.recalled, id)
		if w.lose() {
			continue
		}
		h := w.byID(id)
		h.returned = h.granted - h.used
		if !w.lose() {
			w.purse.Report(id, h.state(), false)
		}
	}
}

func (w *world) byID(id string) *holder {
	for _, h := range w.holders {
		if h.id == id {
			return h
		}
	}
	panic("nobody is " + id)
}

// tick lets as much time pass as Due says that nothing happens in.
func (w *world) tick() {
	if seconds := w.purse.Due(); seconds > 0 {
		w.recall(w.purse.Tick(w.month, seconds))
		return
	}
	w.purse.Turn(w.month) // as it is told when somebody asks
}

// holder is the connection that c is at present, from the log's end on where it
// is new.
func (w *world) holder(c string) *holder {
	if w.holders[c] == nil {
		w.named++
		w.holders[c] = &holder{id: fmt.Sprint(c, "-", w.named), at: w.end}
	}
	return w.holders[c]
}

// ask asks to hold so many more.
func (w *world) ask(c string, more int64) {
	h := w.holder(c)
	w.place[h.id] = h.at
	if !w.lose() {
		w.purse.Ask(credit.Ask{Connection: h.id, State: h.state(), Want: h.left() + more, Question: 1})
	}
}

// deliver hands so many events on, as far as there is credit for them. The log
// grows by what it does not have.
func (w *world) deliver(c string, n int64) {
	h := w.holder(c)
	n = min(n, h.left())
	h.used += n
	h.at += n
	w.end = max(w.end, h.at)
	w.place[h.id] = h.at
	w.delivered += n
}

func (w *world) leave(c string, reports bool) {
	h := w.holder(c)
	if reports {
		h.returned = h.granted - h.used
		w.purse.Report(h.id, h.state(), true)
	}
	w.purse.Forget(h.id)
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
		w.leave(c, true)
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
		func() { w.leave(connection.Draw(t, "end"), true) },
	}, also...)
	for range rapid.IntRange(1, 300).Draw(t, "length") {
		actions[rapid.IntRange(0, len(actions)-1).Draw(t, "action")]()
		w.answer()
		w.check(t)
	}
}

// loss has messages lost until the next such change, or not.
func (w *world) loss(t *rapid.T) {
	lost := rapid.IntRange(0, 2).Draw(t, "loss") == 0
	w.lose = func() bool { return lost }
}

// doubt: the answer to the operation is lost; it has happened, and comes again.
func (w *world) doubt() {
	if o := w.pending; o != nil && o.Settle != nil {
		w.settle(o)
	} else if o != nil {
		w.ledger(o.Month).reserve(o)
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
			func() { w.leave(connection.Draw(t, "die"), false) },
			func() { w.loss(t) },
			w.doubt,
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

// TestTheLogSettlesWhatACrashLeavesOpen: with it no more is charged than was
// delivered and was on its way, and never less than was delivered.
func TestTheLogSettlesWhatACrashLeavesOpen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapid.SampledFrom([]int64{0, 500, 33_000}).Draw(t, "limit"))
		connection := rapid.SampledFrom(connections)
		var onTheWay int64
		for range rapid.IntRange(1, 4).Draw(t, "crashes") {
			w.play(
				t,
				func() { // it comes back and resumes from some place
					c := connection.Draw(t, "resume")
					w.leave(c, true)
					w.holder(c).at = rapid.Int64Range(0, w.end).Draw(t, "from")
				},
				func() { w.end += rapid.Int64Range(0, 20).Draw(t, "nobody is told yet") },
				func() { w.loss(t) },
				w.doubt,
			)
			onTheWay += w.crash()
			w.check(t)
			if lost := w.charged() - w.delivered; lost > onTheWay {
				t.Fatalf("charged %d, delivered %d: %d too much, on its way were %d", w.charged(), w.delivered, lost, onTheWay)
			}
		}
	})
}

// A connection that was handed something and then nothing for long costs a look every
// ten seconds while it holds credits, and none once it has returned them.
func TestAQuietKeyRests(t *testing.T) {
	w := newWorld(0)
	w.ask("a", 16)
	w.step()
	w.step()
	w.answer()
	w.deliver("a", 1)
	var looks, seconds int
	for w.purse.Due() > 0 {
		looks, seconds = looks+1, seconds+w.purse.Due()
		w.tick()
		for w.step() {
		}
		if looks > 30 {
			t.Fatal("it never rests")
		}
	}
	if looks > 16 || seconds < 60 || seconds > 80 || len(w.recalled) != 1 {
		t.Errorf("%d looks in %d seconds, called back %v: want one after a minute, and some ten looks", looks, seconds, w.recalled)
	}
	if w.charged() != 1 || w.purse.Used() != 1 {
		t.Errorf("charged %d, used %d, want 1", w.charged(), w.purse.Used())
	}
	w.ask("a", 16)
	if w.purse.Due() != 1 {
		t.Errorf("somebody waits, and the next look is in %d seconds", w.purse.Due())
	}
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
	b, held := w.holder("b"), w.holder("a").id
	w.purse.Ask(credit.Ask{Connection: b.id, State: b.state(), Want: 1, Question: 1})
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
	if seconds != 3 || !slices.Equal(w.recalled, []string{held, held, held}) {
		t.Errorf("told after %d s, recalled %v", seconds, w.recalled)
	}
}

func TestExhaustedFromTheStart(t *testing.T) {
	ledger := func(n int64) *messages.Ledger { return &messages.Ledger{Charged: n} }
	if !credit.New("1", 100, "2026-01", ledger(100)).Exhausted() || credit.New("1", 100, "2026-01", ledger(99)).Exhausted() || credit.New("1", 0, "2026-01", ledger(99)).Exhausted() {
		t.Error("the ledger's word does not count")
	}
}

// TestReservesForSeconds: a steady rate costs about an operation in ten seconds,
// however many events it is.
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
	if operations > 50/10 {
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
		if lost := w.charged() - w.delivered; lost > 30*rate {
			t.Fatalf("%d would be lost at %d a second", lost, rate)
		}
	}
}

// A client that hangs up and comes again several times a second gives back what it did
// not spend: what is reserved for it is as little the hundredth time, and a crash costs
// that and not the month.
func TestAClientThatComesAndGoes(t *testing.T) {
	p := credit.New("1", 600_000, "2026-01", &messages.Ledger{})
	for i := range 100 {
		id := fmt.Sprint("c", i)
		p.Ask(credit.Ask{Connection: id, Want: 16, Question: 1})
		o := p.Next()
		if o.Reserve > 64 {
			t.Fatalf("%d are reserved for connection %d", o.Reserve, i)
		}
		p.Reserved(o, &messages.Grant{Id: o.ID, Month: o.Month, Size: o.Reserve, Spenders: o.Spenders})
		if len(p.Answers()) != 1 {
			t.Fatal("no answer")
		}
		p.Report(id, credit.State{Used: 7, Returned: 9}, true)
		if o = p.Next(); o == nil || len(o.Settle) != 1 || o.Settle[0].Used != 7 {
			t.Fatalf("not settled: %+v", o)
		}
		p.Settled(o)
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

// A grant names who may spend of it and from where on; whoever it does not name
// is given something once another has taken its place.
func TestAGrantNamesItsSpenders(t *testing.T) {
	p := credit.New("1", 0, "2026-01", &messages.Ledger{})
	ask := func(connection string, used int64, after messages.Position) {
		p.Ask(credit.Ask{Connection: connection, State: credit.State{Used: used, After: after}, Want: 10, Question: 1})
	}
	var open *messages.Grant
	want := func(settled int64, spenders string) {
		t.Helper()
		if len(p.Answers()) != 0 {
			t.Fatal("answered out of a grant that does not name it")
		}
		o := p.Next()
		got := ""
		for _, s := range o.Spenders {
			got += fmt.Sprint(s.GetConnectionId(), s.GetAfter(), " ")
		}
		if o.Settle != nil || got != spenders || o.Replaces.Grant != open || o.Replaces.Used != settled {
			t.Fatalf("operation %+v for %q, want %q", o, got, spenders)
		}
		open = &messages.Grant{Id: o.ID, Month: o.Month, Size: o.Reserve + open.GetSize() - settled, Spenders: o.Spenders}
		p.Reserved(o, open)
		if len(p.Answers()) != 1 {
			t.Fatal("no answer")
		}
	}
	ask("a", 0, 70)
	want(0, "a70 ")
	ask("a", 4, 74)
	if len(p.Answers()) != 1 || p.Next() != nil {
		t.Fatal("it is named")
	}
	ask("b", 0, 30) // it resumes
	want(4, "a74 b30 ")
	p.Report("a", credit.State{Used: 6, Returned: 8, After: 80}, true)
	ask("c", 0, 90)
	want(2, "b30 c90 ")
	ask("c", 0, 20) // late
	if len(p.Answers()) != 1 {
		t.Fatal("nobody goes back")
	}
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

// Fifty connections that ask one after the other and spend nothing: one grant,
// and all of it comes back.
func TestManyWhoHoldAndDoNotSpend(t *testing.T) {
	w := newWorld(0)
	for i := range 50 {
		w.ask(fmt.Sprint(i), 64)
		for w.step() {
			w.answer()
		}
	}
	if n := len(w.ledger(w.month).open); n != 1 || w.purse.Used() != 0 {
		t.Errorf("%d grants are open", n)
	}
	for i := range 50 {
		w.leave(fmt.Sprint(i), true)
	}
	for w.step() {
	}
	if w.charged() != 0 || !w.purse.Clear() {
		t.Errorf("charged %d for nothing", w.charged())
	}
}

// When the month turns, what was lent in the old one comes back and is given
// back; what a connection does not return within three seconds counts as used.
func TestTheMonthTurns(t *testing.T) {
	for _, silent := range []bool{false, true} {
		w := newWorld(1000)
		for _, c := range []string{"a", "b"} {
			w.ask(c, 40)
			for w.step() {
				w.answer()
			}
		}
		w.deliver("b", 10)
		w.lose = func() bool { return silent }
		w.month = "2026-02"
		for range 5 {
			w.tick()
			for w.answer(); w.step(); {
			}
		}
		want := int64(10)
		if silent {
			want = 80
		}
		if got := w.ledger("2026-01").charged; got != want || len(w.ledger("2026-01").open) != 0 {
			t.Errorf("silent %v: charged %d, want %d", silent, got, want)
		}
		w.lose = func() bool { return false }
		w.ask("b", 30)
		for w.step() {
			w.answer()
		}
		if w.answer(); w.holder("b").left() < 30 {
			t.Errorf("silent %v: nothing is lent in the new month", silent)
		}
	}
}

// A grant that another owner of the key has settled counts as spent: what
// connections hold of it they hold.
func TestAGrantThatAnotherHasSettled(t *testing.T) {
	for name, answer := range map[string]func(*credit.Purse, *credit.Operation){
		"it is not open": func(p *credit.Purse, o *credit.Operation) { p.Lost(o) },
		"nor what replaces it": func(p *credit.Purse, o *credit.Operation) {
			p.Reserved(o, &messages.Grant{Id: o.ID, Month: o.Month})
		},
	} {
		w := newWorld(0)
		w.ask("a", 40)
		for w.step() {
			w.answer()
		}
		w.ask("b", 40)
		answer(w.purse, w.purse.Next())
		if w.answer(); w.holder("b").left() != 24 { // of 64
			t.Fatalf("%s: b holds %d", name, w.holder("b").left())
		}
		w.deliver("a", 40)
		w.deliver("b", 24)
		w.ask("b", 40)
		for w.step() {
			w.answer()
		}
		if w.answer(); w.holder("b").left() != 40 {
			t.Errorf("%s: b holds %d", name, w.holder("b").left())
		}
	}
}
