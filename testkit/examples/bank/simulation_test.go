package bank

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/testkit"
)

const (
	accounts  = 3
	opening   = 100
	transfers = 16 // at most
)

// world is the bank over two hosts, with a post between them that loses, doubles
// and delays; the coordinator's host crashes.
type world struct {
	k           *testkit.Kit
	cfg         Config
	journal     *disk
	books       [accounts]*Book
	actors      map[string]*actor.PID
	vault       *testkit.Host // of the accounts
	office      *testkit.Host // of the coordinator; another after each crash
	coordinator *actor.PID
	crashing    *testkit.Lane
	crashes     int
	calm        bool // no more faults
	lanes       bool // what is carried comes at once, in any order: see orders_test.go
	network     *testkit.Chance
	faults      *testkit.Chance

	accepted []string // as customers know
	noted    []string // what was carried, and the crashes: for a test that fails
}

func newWorld(k *testkit.Kit, cfg Config) *world {
	w := &world{
		k: k, cfg: cfg, journal: &disk{}, network: k.Chance(testkit.Network), faults: k.Chance(testkit.Faults),
		crashing: k.Lane("crash"), vault: k.NewHost("vault"), actors: map[string]*actor.PID{},
	}
	for i := range accounts {
		book := &Book{Balance: opening}
		w.books[i] = book
		w.actors[fmt.Sprint("account ", i)] = w.vault.Spawn("account", func() actor.Actor { return NewAccount(cfg, book, w) })
	}
	w.open()
	return w
}

// open starts a coordinator in a new process.
func (w *world) open() {
	w.office = w.k.NewHost(fmt.Sprint("office ", w.crashes))
	w.coordinator = w.office.Spawn("coordinator", func() actor.Actor {
		return NewCoordinator(w.cfg, w, w.journal, w.office.Clock, w.office.Worker)
	})
}

func (w *world) crash() {
	w.k.Touch("which office there is")
	w.note("%s crashes", w.office)
	w.k.Note("the world", "%v crashes", w.office)
	w.k.Fault(fmt.Sprint("office ", w.crashes), "crash")
	w.office.Crash()
	w.crashes++
	w.open()
}

// carry delivers never, once or twice, each after up to two seconds.
func (w *world) carry(to string, m any, deliver func()) {
	what := fmt.Sprintf("to %s: %T%+v", to, m, reflect.ValueOf(m).Elem())
	if !w.calm && w.network.Once("lose, "+what, 4) {
		w.note("lost, %s", what)
		return
	}
	copies := 1
	if !w.calm && w.network.Once("double, "+what, 6) {
		copies = 2
	}
	for range copies {
		if w.lanes {
			w.k.Lane(what).Tells().Add(deliver)
			continue
		}
		w.k.Later(w.network.Below("delay, "+what, 2*time.Second), func() {
			w.note("%s", what)
			deliver()
		})
	}
}

func (w *world) note(format string, args ...any) {
	at := w.vault.Clock.Now().Sub(testkit.Start)
	w.noted = append(w.noted, fmt.Sprintf("%10v  ", at)+fmt.Sprintf(format, args...))
}

// about is what was noted of a transfer, and the crashes.
func (w *world) about(id string) string {
	var b strings.Builder
	for _, line := range w.noted {
		if strings.Contains(line, "ID:"+id+" ") || strings.Contains(line, "ID:"+id+"}") || strings.Contains(line, "crashes") {
			b.WriteString("\n\t" + line)
		}
	}
	return b.String()
}

func (w *world) ToAccount(name string, m any) {
	w.carry(name, m, func() { w.vault.Tell(w.actors[name], m) })
}

// ToCoordinator has the office crash now and then just when something arrives: as
// one more event on the loop, it comes before, between or after the steps that
// the message leads to.
func (w *world) ToCoordinator(m any) {
	w.carry("the coordinator", m, func() {
		w.k.Look("which office there is")
		w.office.Tell(w.coordinator, m)
		if !w.calm && w.faults.Once(fmt.Sprintf("crash at %T%+v", m, reflect.ValueOf(m).Elem()), 10) {
			w.crashing.Add(w.crash)
		}
	})
}

func (w *world) ToCustomer(m any) {
	w.carry("the customer", m, func() {
		if a, ok := m.(*Accepted); ok {
			w.k.Touch("what the customer knows")
			w.accepted = append(w.accepted, a.ID)
		}
	})
}

// total is all money in accounts: less than there is while some is on its way.
func (w *world) total() (sum int) {
	for _, b := range w.books {
		sum += b.Balance
	}
	return sum
}

// simulate plays a minute with faults and one without, and judges it.
func simulate(k *testkit.Kit, cfg Config) *world {
	w := newWorld(k, cfg)
	work := k.Chance(testkit.Workload)
	for i := range k.Option("transfers", 1, transfers) {
		id := fmt.Sprint("t", i)
		from := work.Choose("from of "+id, accounts)
		to := (from + 1 + work.Choose("to of "+id, accounts-1)) % accounts
		w.ToCoordinator(&Transfer{
			ID: id, From: fmt.Sprint("account ", from), To: fmt.Sprint("account ", to), Amount: 1 + int(work.Choose("amount of "+id, 60)),
		})
		k.Advance(work.Below("wait after "+id, 1500*time.Millisecond))
		w.judgeStep()
	}
	w.calm = true
	for range 60 {
		k.Advance(time.Second)
		w.judgeStep()
	}
	w.judgeEnd()
	return w
}

func (w *world) judgeStep() {
	if got := w.total(); got > accounts*opening {
		w.k.Violated("no money is made", "the accounts have %d of %d", got, accounts*opening)
	}
}

func (w *world) judgeEnd() {
	ended := map[string]bool{}
	for _, e := range w.journal.entries {
		ended[e.ID] = e.State.ended()
	}
	for _, id := range w.accepted {
		if !ended[id] {
			w.k.Violated("what is accepted ends", "transfer %s was accepted and has not ended, after a minute without faults; of it were carried%s", id, w.about(id))
			return
		}
	}
	if got := w.total(); got != accounts*opening {
		w.k.Violated("no money is lost", "the accounts have %d of %d, and no transfer is on its way", got, accounts*opening)
	}
}

func TestMoneyIsNeitherMadeNorLost(t *testing.T) {
	accepted, crashes := 0, 0
	testkit.RunSeeds(t, 100, func(_ *testing.T, k *testkit.Kit) {
		w := simulate(k, Config{})
		accepted, crashes = accepted+len(w.accepted), crashes+w.crashes
	})
	if accepted < 500 || crashes < 100 {
		t.Errorf("%d transfers and %d crashes in 100 seeds say little", accepted, crashes)
	}
}

func TestARunRepeats(t *testing.T) {
	testkit.CheckDeterminism(t, func(k *testkit.Kit) { simulate(k, Config{}) })
}
