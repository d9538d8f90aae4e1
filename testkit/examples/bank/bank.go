// Package bank is an example of how to test actors with testkit, and not a bank
// that anybody should put money in: accounts, and a coordinator that moves money
// between them and survives its own crashes and a network that loses, doubles and
// delays what it carries.
//
//	customer --Transfer--> coordinator --Withdraw--> account From
//	         <--Accepted--             <----Done----
//	                                   --Deposit---> account To
//	         <---Ended----             <----Done----
//
// What the coordinator has accepted is in its journal, with how far it has come.
// Each question is asked again until it is answered, and an account does what it
// is asked once, however often it is asked: that is all there is to it, and each of
// the three is easily got wrong. bank_test.go tests each actor alone,
// simulation_test.go all of them over many seeds, and found_test.go shows what
// the seeds say of two bugs, cut to the few messages that each takes: BANK_PAGES=.
// go test writes pages of them.
package bank

import (
	"context"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Transfer asks the coordinator to move an amount. Its ID is the customer's choice.
type Transfer struct {
	ID, From, To string
	Amount       int
}

// Accepted promises that the transfer will end. Lost, it comes again for the same
// Transfer.
type Accepted struct{ ID string }

// Ended says how an accepted transfer has ended: not Moved when From had too little.
// It is sent once: who misses it asks with the same Transfer.
type Ended struct {
	ID    string
	Moved bool
}

// Withdraw and Deposit ask an account, which answers with Done.
type (
	Withdraw struct {
		ID, Account string
		Amount      int
	}
	Deposit struct {
		ID, Account string
		Amount      int
	}
)

// Done answers Withdraw and Deposit; not OK when the account has too little.
type Done struct {
	ID string
	At State // of the transfer, when it was asked: the answer to Withdraw is no answer to Deposit
	OK bool
}

// State is how far a transfer has come.
type State int

// The states, in order; the last two are ends.
const (
	Withdrawing State = iota
	Depositing
	Moved
	Refused
)

func (s State) ended() bool { return s >= Moved }

func (s State) String() string {
	return [...]string{"withdrawing", "depositing", "moved", "refused"}[s]
}

// Post carries messages; it may lose, double, delay and reorder them.
type Post interface {
	ToAccount(name string, message any)
	ToCoordinator(message any)
	ToCustomer(message any)
}

// Entry is what the journal keeps of a transfer.
type Entry struct {
	Transfer
	State State
}

// Journal survives a crash. Both calls block.
type Journal interface {
	Write(e Entry) error // instead of the entry of the same transfer, if there is one
	Read() ([]Entry, error)
}

// Clock sends messages to come.
type Clock interface {
	After(d time.Duration, to *actor.PID, message any) (cancel func())
}

// Worker does what blocks, and sends its answer; false: not now.
type Worker interface {
	Do(to *actor.PID, timeout time.Duration, work func(ctx context.Context) any) bool
}

// Config is both actors'.
type Config struct {
	RetryEvery time.Duration // after which a question is asked again; 0: 1 s
	Remember   int           // how many questions an account knows again; 0: all

	// Bugs that tests plant: see found_test.go and orders_test.go.
	acceptUnwritten bool
	takeAnyAnswer   bool
}

func (c Config) withDefaults() Config {
	if c.RetryEvery == 0 {
		c.RetryEvery = time.Second
	}
	return c
}
