package bank

import (
	"context"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

const writeTimeout = 5 * time.Second

// coordinator moves each transfer from state to state, and does nothing for a
// state before the journal has it. A restart, as a crash, begins with the journal.
//
//	reading --read--> open
//
// While it reads it drops everything: customers and its own timers ask again.
type coordinator struct {
	cfg     Config
	post    Post
	journal Journal
	clock   Clock
	worker  Worker

	read      bool
	entries   map[string]Entry // as the journal has them; all that there ever were, since this is an example
	unwritten map[string]bool  // asked to be written; at most one state of a transfer at a time
}

// NewCoordinator makes the coordinator's actor.
func NewCoordinator(cfg Config, post Post, journal Journal, clock Clock, worker Worker) actor.Actor {
	return &coordinator{
		cfg: cfg.withDefaults(), post: post, journal: journal, clock: clock, worker: worker,
		entries: map[string]Entry{}, unwritten: map[string]bool{},
	}
}

// What the coordinator sends to itself.
type (
	readBack struct {
		entries []Entry
		err     error
	}
	readAgain struct{}
	written   struct {
		entry Entry
		err   error
	}
	writeAgain struct{ entry Entry }
	askAgain   struct {
		id    string
		state State
	}
)

func (c *coordinator) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started, *readAgain:
		c.readJournal(ctx)
	case *readBack:
		c.goOn(ctx, m)
	case *Transfer:
		c.accept(ctx, m)
	case *written:
		c.wrote(ctx, m)
	case *writeAgain:
		c.write(ctx, m.entry)
	case *Done:
		c.advance(ctx, m)
	case *askAgain:
		if e, ok := c.entries[m.id]; ok && e.State == m.state {
			c.ask(ctx, e)
		}
	}
}

func (c *coordinator) readJournal(ctx actor.Context) {
	ok := c.worker.Do(ctx.Self(), writeTimeout, func(context.Context) any {
		entries, err := c.journal.Read()
		return &readBack{entries, err}
	})
	if !ok {
		c.clock.After(c.cfg.RetryEvery, ctx.Self(), &readAgain{})
	}
}

func (c *coordinator) goOn(ctx actor.Context, m *readBack) {
	if m.err != nil {
		c.clock.After(c.cfg.RetryEvery, ctx.Self(), &readAgain{})
		return
	}
	c.read = true
	for _, e := range m.entries {
		c.entries[e.ID] = e
		c.ask(ctx, e)
	}
}

func (c *coordinator) accept(ctx actor.Context, m *Transfer) {
	e, known := c.entries[m.ID]
	switch {
	case !c.read || m.Amount <= 0:
	case known && e.State.ended():
		c.post.ToCustomer(&Ended{ID: m.ID, Moved: e.State == Moved})
	case known:
		c.post.ToCustomer(&Accepted{ID: m.ID})
	case !c.unwritten[m.ID]:
		if c.cfg.acceptUnwritten {
			c.post.ToCustomer(&Accepted{ID: m.ID})
		}
		c.write(ctx, Entry{Transfer: *m, State: Withdrawing})
	}
}

func (c *coordinator) write(ctx actor.Context, e Entry) {
	c.unwritten[e.ID] = true
	ok := c.worker.Do(ctx.Self(), writeTimeout, func(context.Context) any {
		return &written{e, c.journal.Write(e)}
	})
	if !ok {
		c.clock.After(c.cfg.RetryEvery, ctx.Self(), &writeAgain{e})
	}
}

func (c *coordinator) wrote(ctx actor.Context, m *written) {
	if m.err != nil {
		c.clock.After(c.cfg.RetryEvery, ctx.Self(), &writeAgain{m.entry})
		return
	}
	delete(c.unwritten, m.entry.ID)
	c.entries[m.entry.ID] = m.entry
	switch m.entry.State {
	case Withdrawing:
		if !c.cfg.acceptUnwritten {
			c.post.ToCustomer(&Accepted{ID: m.entry.ID})
		}
	case Moved, Refused:
		c.post.ToCustomer(&Ended{ID: m.entry.ID, Moved: m.entry.State == Moved})
	}
	c.ask(ctx, m.entry)
}

// ask asks what the state needs, and again until the state is another.
func (c *coordinator) ask(ctx actor.Context, e Entry) {
	switch e.State {
	case Withdrawing:
		c.post.ToAccount(e.From, &Withdraw{ID: e.ID, Account: e.From, Amount: e.Amount})
	case Depositing:
		c.post.ToAccount(e.To, &Deposit{ID: e.ID, Account: e.To, Amount: e.Amount})
	default:
		return
	}
	c.clock.After(c.cfg.RetryEvery, ctx.Self(), &askAgain{e.ID, e.State})
}

// advance drops what answers an earlier state, and what comes while the next is
// being written.
func (c *coordinator) advance(ctx actor.Context, m *Done) {
	e, ok := c.entries[m.ID]
	if !ok || e.State != m.At && !c.cfg.takeAnyAnswer || e.State.ended() || c.unwritten[m.ID] {
		return
	}
	switch {
	case e.State == Depositing:
		e.State = Moved
	case m.OK:
		e.State = Depositing
	default:
		e.State = Refused
	}
	c.write(ctx, e)
}
