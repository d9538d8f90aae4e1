package bank

import "github.com/asynkron/protoactor-go/actor"

// Book is what an account keeps, and what survives its restart. It is the
// account's alone while that runs.
type Book struct {
	Balance int
	known   []Done // what was done, oldest first; at most Config.Remember
}

// account does each question once. A question that it knows again has the answer
// that it had.
type account struct {
	cfg  Config
	book *Book
	post Post
}

// NewAccount makes an account's actor, which goes on with its book.
func NewAccount(cfg Config, book *Book, post Post) actor.Actor {
	return &account{cfg: cfg.withDefaults(), book: book, post: post}
}

func (a *account) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *Withdraw:
		a.post.ToCoordinator(a.once(m.ID, Withdrawing, func() bool {
			if a.book.Balance < m.Amount {
				return false
			}
			a.book.Balance -= m.Amount
			return true
		}))
	case *Deposit:
		a.post.ToCoordinator(a.once(m.ID, Depositing, func() bool {
			a.book.Balance += m.Amount
			return true
		}))
	}
}

func (a *account) once(id string, at State, do func() bool) *Done {
	for _, known := range a.book.known {
		if known.ID == id && known.At == at {
			return &known
		}
	}
	done := Done{ID: id, At: at, OK: do()}
	a.book.known = append(a.book.known, done)
	if n := len(a.book.known) - a.cfg.Remember; a.cfg.Remember > 0 && n > 0 {
		a.book.known = a.book.known[n:]
	}
	return &done
}
