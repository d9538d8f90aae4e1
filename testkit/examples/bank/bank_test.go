package bank

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/testkit"
)

// desk is a post to probes: each test plays whom its actor talks to.
type desk struct {
	k                              *testkit.Kit
	account, coordinator, customer *testkit.Probe
}

func newDesk(k *testkit.Kit) *desk {
	return &desk{k, k.Probe(), k.Probe(), k.Probe()}
}

func (d *desk) ToAccount(_ string, m any) { d.k.Tell(d.account.PID(), m) }
func (d *desk) ToCoordinator(m any)       { d.k.Tell(d.coordinator.PID(), m) }
func (d *desk) ToCustomer(m any)          { d.k.Tell(d.customer.PID(), m) }

// disk is a journal in memory, which fails while broken.
type disk struct {
	entries []Entry
	broken  bool
}

var errBroken = errors.New("the disk is broken")

func (d *disk) Write(e Entry) error {
	if d.broken {
		return errBroken
	}
	i := slices.IndexFunc(d.entries, func(old Entry) bool { return old.ID == e.ID })
	if i < 0 {
		d.entries = append(d.entries, e)
	} else {
		d.entries[i] = e
	}
	return nil
}

func (d *disk) Read() ([]Entry, error) {
	if d.broken {
		return nil, errBroken
	}
	return slices.Clone(d.entries), nil
}

func TestAnAccountDoesAQuestionOnce(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		d, book := newDesk(k), &Book{Balance: 10}
		account := k.Spawn("account", func() actor.Actor { return NewAccount(Config{}, book, d) })
		for _, c := range []struct {
			message any
			want    Done
			balance int
		}{
			{&Withdraw{ID: "a", Amount: 7}, Done{"a", Withdrawing, true}, 3},
			{&Withdraw{ID: "b", Amount: 7}, Done{"b", Withdrawing, false}, 3},
			{&Withdraw{ID: "a", Amount: 7}, Done{"a", Withdrawing, true}, 3},
			{&Deposit{ID: "a", Amount: 7}, Done{"a", Depositing, true}, 10},
			{&Deposit{ID: "a", Amount: 7}, Done{"a", Depositing, true}, 10},
			{&Withdraw{ID: "b", Amount: 7}, Done{"b", Withdrawing, false}, 10},
		} {
			k.Tell(account, c.message)
			if got := testkit.Expect[*Done](d.coordinator); *got != c.want || book.Balance != c.balance {
				t.Errorf("%+v: %+v and %d, want %+v and %d", c.message, *got, book.Balance, c.want, c.balance)
			}
		}
	})
}

func TestTheCoordinatorAsksUntilItIsAnswered(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		d := newDesk(k)
		c := k.Spawn("coordinator", func() actor.Actor { return NewCoordinator(Config{}, d, &disk{}, k.Clock, k.Worker) })
		k.Settle()
		k.Tell(c, &Transfer{ID: "a", From: "ada", To: "bob", Amount: 7})
		testkit.Expect[*Accepted](d.customer)

		testkit.Expect[*Withdraw](d.account)
		d.account.ExpectNoMessage(999 * time.Millisecond)
		k.Advance(time.Millisecond)
		testkit.Expect[*Withdraw](d.account)

		k.Tell(c, &Done{ID: "a", At: Withdrawing, OK: true})
		if got := testkit.Expect[*Deposit](d.account); got.Account != "bob" || got.Amount != 7 {
			t.Errorf("deposit %+v", *got)
		}
		k.Tell(c, &Done{ID: "a", At: Withdrawing, OK: true}) // late, and doubled
		d.account.ExpectNoMessage(999 * time.Millisecond)
		d.customer.ExpectNoMessage(0)
		k.Tell(c, &Done{ID: "a", At: Depositing, OK: true})
		if got := testkit.Expect[*Ended](d.customer); !got.Moved {
			t.Errorf("ended %+v", *got)
		}
		d.account.ExpectNoMessage(time.Hour)
	})
}

func TestNothingIsAcceptedBeforeItIsWritten(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		d, journal := newDesk(k), &disk{}
		c := k.Spawn("coordinator", func() actor.Actor { return NewCoordinator(Config{}, d, journal, k.Clock, k.Worker) })
		k.Settle()
		journal.broken = true
		k.Tell(c, &Transfer{ID: "a", From: "ada", To: "bob", Amount: 7})
		d.customer.ExpectNoMessage(time.Minute)
		journal.broken = false
		k.Worker.Refuse(true)
		d.customer.ExpectNoMessage(time.Minute)
		k.Worker.Refuse(false)
		k.Advance(time.Second)
		testkit.Expect[*Accepted](d.customer)
	})
}

func TestACoordinatorGoesOnFromItsJournal(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		d := newDesk(k)
		journal := &disk{entries: []Entry{
			{Transfer{"a", "ada", "bob", 1}, Withdrawing},
			{Transfer{"b", "ada", "bob", 2}, Depositing},
			{Transfer{"c", "ada", "bob", 3}, Refused},
		}}
		c := k.Spawn("coordinator", func() actor.Actor { return NewCoordinator(Config{}, d, journal, k.Clock, k.Worker) })
		if got := testkit.Expect[*Withdraw](d.account); got.ID != "a" {
			t.Errorf("withdraw %+v", *got)
		}
		if got := testkit.Expect[*Deposit](d.account); got.ID != "b" {
			t.Errorf("deposit %+v", *got)
		}
		d.account.ExpectNoMessage(0)
		k.Tell(c, &Transfer{ID: "c", From: "ada", To: "bob", Amount: 3})
		if got := testkit.Expect[*Ended](d.customer); got.ID != "c" || got.Moved {
			t.Errorf("ended %+v", *got)
		}
	})
}
