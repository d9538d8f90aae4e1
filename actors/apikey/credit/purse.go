// Package credit is the arithmetic of one key's credits: what was reserved in
// the month's ledger, what its connections hold of that, and what they have
// spent. It says which operation on the ledger is due next and who can be
// answered; it never does either, and knows no clock.
//
// Invariant: used + outstanding <= the sizes of the open grants. A connection
// hands nothing on without credit that it holds, and what it holds was charged
// before: delivered <= charged, whatever is lost or dies in between.
package credit

import (
	"math"
	"slices"
	"strconv"

	"github.com/birdwire/birdwire/messages"
)

const (
	// reserveSeconds is how much of the present rate one reservation covers:
	// the store writes one or two records in that time and not one an event.
	reserveSeconds = 5
	reserveLeast   = 64
	reserveMost    = 1 << 20
	wantMost       = 1 << 17 // of one connection at once
	// grantsMost bounds the grants open at once; the ledger keeps 16. Past it
	// the oldest is settled as if it were spent. It takes millions held and not
	// spent to get there: see reserve.
	grantsMost = 14
)

// Purse is one key's credits in the hands of one actor. The zero value is not
// ready: see New.
type Purse struct {
	id    string // begins the ids of operations
	limit int64  // of the month's ledger; 0: none
	month string
	// newest is the latest month that this purse has been in. After a step of
	// the clock it may be in one that is not newer, of which the ledger knows
	// more than the purse does: unread, until Read says it.
	newest string
	unread bool
	next   uint64

	grants []*messages.Grant // open, oldest first; at most grantsMost and one
	// used is what was reported and is not settled, spent from the oldest grant
	// on. Below 0 where a grant was settled as spent before it was: that much
	// is charged already, and can be handed out still.
	used        int64
	handed      map[string]int64 // connection -> granted and not reported; none is 0
	outstanding int64            // sum of handed
	waiting     []ask            // in order of asking, one a connection
	exhausted   bool             // the ledger refused, and nothing was given back since

	base  int64 // charged in the month before this purse was made
	spent int64 // reported in the month
	rate  float64
	fresh int64 // reported since the last tick
	due   bool  // a tick has passed since nothing was left to settle
}

type ask struct {
	connection string
	want       int64
}

// Operation is one thing to do in the ledger, at most one at a time. An
// uncertain answer is asked for again with the same Operation.
type Operation struct {
	ID      string
	Month   string
	Reserve int64           // credits wanted; 0 where Settle is set
	Settle  *messages.Grant // closes it
	Used    int64           // of the grant to settle
}

// Answer is what one connection is told: Amount, or that there is no more.
type Answer struct {
	Connection string
	Amount     int64
	Exhausted  bool
}

// New makes a purse. id must never have been used for this key before; limit
// is what the ledger may be charged (0: no limit), charged what it is already.
func New(id string, limit int64, month string, charged int64) *Purse {
	return &Purse{
		id: id, limit: limit, month: month, newest: month, base: charged,
		exhausted: limit > 0 && charged >= limit, handed: map[string]int64{},
	}
}

// Ask takes a connection's wish for more, and what it has used since it last
// said so.
func (p *Purse) Ask(connection string, want, used int64) {
	p.use(connection, used)
	want = min(max(want, 1), wantMost)
	for i := range p.waiting {
		if p.waiting[i].connection == connection {
			p.waiting[i].want = want
			return
		}
	}
	p.waiting = append(p.waiting, ask{connection, want})
}

// Report takes what an ending connection has used and gives back. What it had
// asked for is not wanted any more.
func (p *Purse) Report(connection string, used, returned int64) {
	p.unask(connection)
	p.use(connection, used)
	p.hand(connection, -min(max(returned, 0), p.handed[connection]))
}

// Forget is the end of a connection. What it held and never reported counts as
// used: it may have been.
func (p *Purse) Forget(connection string) {
	p.use(connection, p.handed[connection])
	p.unask(connection)
}

func (p *Purse) unask(connection string) {
	p.waiting = slices.DeleteFunc(p.waiting, func(a ask) bool { return a.connection == connection })
}

// use counts n of what the connection holds as spent. More than it holds was
// granted by a predecessor of this purse, whose grants stay charged.
func (p *Purse) use(connection string, n int64) {
	n = min(max(n, 0), p.handed[connection])
	p.hand(connection, -n)
	p.used += n
	p.spent += n
	p.fresh += n
}

func (p *Purse) hand(connection string, n int64) {
	p.outstanding += n
	if p.handed[connection] += n; p.handed[connection] == 0 {
		delete(p.handed, connection)
	}
}

// Answers are due now, in order of asking.
func (p *Purse) Answers() []Answer {
	var answers []Answer
	for len(p.waiting) > 0 {
		a := p.waiting[0]
		amount := min(a.want, p.available())
		if amount <= 0 && !p.exhausted {
			break
		}
		p.waiting = p.waiting[1:]
		if amount > 0 {
			p.hand(a.connection, amount)
		}
		answers = append(answers, Answer{Connection: a.connection, Amount: amount, Exhausted: amount <= 0})
	}
	if len(p.waiting) == 0 {
		p.waiting = nil
	}
	return answers
}

func (p *Purse) available() int64 {
	sum := -p.used - p.outstanding
	for _, g := range p.grants {
		sum += g.GetSize()
	}
	return max(sum, 0)
}

// Turn says which month it is: with a new one the quota begins again.
func (p *Purse) Turn(month string) {
	if month == p.month {
		return
	}
	p.month, p.base, p.spent, p.exhausted = month, 0, 0, false
	p.unread = month <= p.newest
	p.newest = max(month, p.newest)
}

// End is the end of the purse: what connections hold counts as used, nobody is
// handed any more, and everything is settled.
func (p *Purse) End() {
	for connection, held := range p.handed {
		p.use(connection, held)
	}
	p.waiting = nil
	p.due = true
}

// Unread says that Used does not count what the month cost before: see Read.
func (p *Purse) Unread() bool { return p.unread }

// Read takes what the ledger says was charged in the month.
func (p *Purse) Read(month string, charged int64) {
	if month != p.month || !p.unread {
		return
	}
	p.unread = false
	for _, g := range p.grants {
		if g.GetMonth() == month {
			charged -= g.GetSize()
		}
	}
	p.base = max(0, charged-max(0, p.spent-p.used)) // what was settled since is in spent
}

// Tick is one second gone by.
func (p *Purse) Tick(month string) {
	p.Turn(month)
	p.rate += (float64(p.fresh) - p.rate) / 3
	p.fresh = 0
	p.due = true
}

// Next takes the operation that is due, nil when none is. The caller sees it
// through, and asks for none meanwhile.
//
// What is settled leaves the purse here and not when the ledger has answered:
// while that takes, a connection could be handed what is being given back.
func (p *Purse) Next() *Operation {
	if len(p.waiting) > 0 && p.available() == 0 && !p.exhausted {
		if len(p.grants) >= grantsMost {
			return p.settle(p.grants[0].GetSize())
		}
		return p.reserve()
	}
	if len(p.grants) == 0 || !p.due {
		return nil
	}
	oldest := p.grants[0].GetSize()
	switch {
	case p.used >= oldest:
		return p.settle(oldest)
	case p.outstanding == 0 && len(p.waiting) == 0: // nobody draws on it: the rest is given back
		return p.settle(max(p.used, 0))
	}
	p.due = false
	return nil
}

// reserve asks for as much as connections hold already, at least: fifty that
// ask one after the other and spend slowly would else have fifty grants open.
// So their number grows with the logarithm of what is held.
func (p *Purse) reserve() *Operation {
	n := int64(math.Ceil(reserveSeconds * p.rate))
	for _, a := range p.waiting {
		n += a.want
	}
	n = max(n, p.outstanding)
	p.next++
	return &Operation{
		ID: p.id + "-" + strconv.FormatUint(p.next, 10), Month: p.month,
		Reserve: min(max(n, reserveLeast), reserveMost),
	}
}

func (p *Purse) settle(used int64) *Operation {
	g := p.grants[0]
	p.grants = p.grants[1:]
	p.used -= used
	return &Operation{ID: g.GetId(), Month: g.GetMonth(), Settle: g, Used: used}
}

// Reserved: the ledger has opened the grant.
func (p *Purse) Reserved(g *messages.Grant) {
	if g.GetSize() > 0 {
		p.grants = append(p.grants, g)
	}
}

// Refused: the ledger of the operation's month has nothing left.
func (p *Purse) Refused(o *Operation) {
	if o.Month == p.month {
		p.exhausted = true
	}
}

// Settled: the grant is closed, and the ledger may have something left again.
func (p *Purse) Settled(o *Operation) {
	if o.Used < o.Settle.GetSize() {
		p.exhausted = false
	}
}

// Exhausted says that nothing can be handed out any more this month.
func (p *Purse) Exhausted() bool { return p.exhausted && p.available() == 0 }

// Clear says that nothing is open and nobody waits: the purse can be thrown
// away, once the operation under way is done.
func (p *Purse) Clear() bool {
	return len(p.grants) == 0 && len(p.waiting) == 0 && len(p.handed) == 0
}

// Used is what the month has cost so far, as reported.
func (p *Purse) Used() int64 { return p.base + p.spent }

// Month is the one that Used speaks of.
func (p *Purse) Month() string { return p.month }
