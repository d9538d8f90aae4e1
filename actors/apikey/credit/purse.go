// Package credit is the arithmetic of one key's credits: what was reserved in
// the month's ledger, what its connections hold of that, and what they have
// spent. It says which operation on the ledger is due next and who can be
// answered; it never does either, and knows no clock.
//
// Invariant: used + held <= the size of the open grant. A connection hands nothing
// on without credit that it holds, and what it holds was charged before:
// delivered <= charged, whatever is lost or dies in between.
//
// A purse has at most one grant open. One that is spent, or that not everybody
// who wants credit may spend of, is replaced: the same write settles what was
// used of it, adds to the rest, and names the spenders, each with the position
// after which it spends. So after a crash the log tells what may have been spent
// of what was open, to within what was on its way to the connections.
//
// Invariant: what is used and not settled, or held, was used by spenders of the
// open grant, on events after the positions that it says.
//
// A reservation follows the rate, so that a crash costs seconds of it. Towards
// the end of the quota portions shrink to one credit, and what a connection
// holds and does not spend is called back when another needs it: the last credit
// is spent by whoever has an event for it.
package credit

import (
	"math"
	"slices"

	"github.com/birdwire/birdwire/messages"
)

// Purse is one key's credits in the hands of one actor. The zero value is not
// ready: see New.
type Purse struct {
	accounts
	id    string // begins the ids of operations
	limit int64  // of the month's ledger; 0: none
	month string
	// unread: the month has turned since the purse was made, and what it was
	// charged before is in its ledger: after a step of the clock, or by another
	// owner of the key.
	unread   bool
	next     uint64
	finished uint64 // operations

	open *messages.Grant // nil: none
	// used is what was reported and is not settled. Below 0 where a grant was
	// settled as spent before it was: that much is charged already, and can be
	// handed out still.
	used      int64
	pending   *Operation // taken by Next and not seen through
	exhausted bool       // the ledger refused, and nothing was given back since

	charged int64 // of the month, as the ledger says when everything asked of it is done
	base    int64 // charged in the month before this purse was made
	spent   int64 // reported in the month
	rate    float64
	fresh   int64 // reported since the last tick
	reached int64 // what was to be there after the newest reservation
	age     int   // of that, in ticks
	due     bool  // a tick has passed since nothing was left to settle

	inherited []*messages.Grant // open, of instances before this one
	bequest   *Operation        // settles them
}

// Answer is what one connection is told: what it was granted in all, or that
// there is no more than that.
type Answer struct {
	Connection string
	Question   uint64
	Granted    int64
	Exhausted  bool
}

// New makes a purse. id must never have been used for this key before; limit
// is what the ledger may be charged (0: no limit), ledger what it is now. Grants
// that are open in it are those of instances before: see Inherited.
func New(id string, limit int64, month string, ledger *messages.Ledger) *Purse {
	return &Purse{
		accounts: accounts{of: map[string]*account{}},
		id:       id, limit: limit, month: month, base: ledger.GetCharged(), charged: ledger.GetCharged(),
		exhausted: limit > 0 && ledger.GetCharged() >= limit, inherited: ledger.GetOpen(),
	}
}

// SetLimit changes what the ledger may be charged: the plan has changed.
func (p *Purse) SetLimit(limit int64) {
	if limit != p.limit {
		p.limit, p.exhausted = limit, limit > 0 && p.charged >= limit
	}
}

// Ask takes a connection's wish. Answers has the answer, once there is one.
func (p *Purse) Ask(a Ask) { p.count(p.ask(a)) }

// Report takes how a connection's account is; closed says that the connection
// ends and spends nothing any more.
func (p *Purse) Report(connection string, s State, closed bool) {
	if a := p.of[connection]; a != nil {
		p.count(p.state(a, s))
	}
	if closed {
		p.close(connection)
	}
}

// Forget is the end of a connection. What it held and never reported counts as
// used: it may have been.
func (p *Purse) Forget(connection string) {
	if a := p.of[connection]; a != nil {
		p.count(p.useAll(a))
		p.close(connection)
	}
}

// Granted is what the connection was granted, in sum; 0 where it has no account.
func (p *Purse) Granted(connection string) int64 {
	if a := p.of[connection]; a != nil {
		return a.granted
	}
	return 0
}

// Holders are the connections that hold something unspent, by id.
func (p *Purse) Holders() []string { return p.holders() }

// End is the end of all connections, as Forget is of one. What is open is due.
func (p *Purse) End() {
	for _, connection := range p.connections() {
		p.Forget(connection)
	}
	p.due = true
}

// count takes what was used of the open grant. It is of the grant's month,
// which may be over.
func (p *Purse) count(used int64) {
	p.used += used
	p.fresh += used
	if p.payer() == p.month {
		p.spent += used
	}
}

// payer is the month whose grant pays for what is used.
func (p *Purse) payer() string {
	switch {
	case p.open != nil:
		return p.open.GetMonth()
	case p.pending != nil && p.pending.Settle == nil:
		return p.pending.Month
	}
	return p.month
}

// Answers are due now, in order of asking.
func (p *Purse) Answers() []Answer {
	var answers []Answer
	for len(p.waiting) > 0 {
		a := p.waiting[0]
		need := p.need(a)
		amount := min(need, p.portion(a))
		over := need > 0 && amount <= 0
		if over && p.hope(a) {
			break
		}
		if amount > 0 {
			p.grant(amount)
		}
		answers = append(answers, Answer{
			Connection: a.connection, Question: a.question, Granted: p.of[a.connection].granted, Exhausted: over,
		})
		p.answered()
	}
	return answers
}

// hope says whether there may be something yet for one who waits and can be
// given nothing now.
func (p *Purse) hope(a ask) bool {
	return p.pending != nil || !p.exhausted || p.stale() || p.available() > 0 || p.recallable(a.connection)
}

// portion is how much may be handed out to one who asks. A quarter of what is
// left of the quota is for all connections, in equal parts, so that towards the
// end portions shrink to one.
func (p *Purse) portion(a ask) int64 {
	available := p.available()
	if available == 0 || p.stale() || !p.covers(a.connection) {
		return 0
	}
	if p.limit <= 0 {
		return available
	}
	left := available + max(p.limit-p.charged, 0)
	return min(available, max(1, left/int64(4*len(p.of))))
}

// available is what can be handed out. While a grant is replaced that is
// nothing: the ledger may say the old spenders still, or the new ones already.
func (p *Purse) available() int64 {
	if p.pending != nil && p.pending.Settle == nil {
		return 0
	}
	return max(p.open.GetSize()-p.used-p.held, 0)
}

// covers says whether the open grant names the connection. What it says of its
// place holds from then on: no connection goes back.
func (p *Purse) covers(connection string) bool {
	return p.open == nil || slices.ContainsFunc(p.open.GetSpenders(), func(s *messages.Spender) bool {
		return s.GetConnectionId() == connection
	})
}

// stale says that the open grant is of a month before: it is settled before
// anything else is handed out.
func (p *Purse) stale() bool { return p.open != nil && p.open.GetMonth() != p.month }

// Recalls are the connections that are to return what they hold: because
// somebody waits and the ledger has no more, or because the month has turned.
// Each is named again every second.
func (p *Purse) Recalls() (connections []string) {
	switch {
	case p.pending != nil:
		return nil
	case p.stale():
		return p.recall("")
	case len(p.waiting) > 0 && p.exhausted && p.available() == 0:
		return p.recall(p.waiting[0].connection)
	}
	return nil
}

// Turn says which month it is: with a new one the quota begins again.
func (p *Purse) Turn(month string) {
	if month == p.month {
		return
	}
	p.writeOffLost(p.pending == nil)
	p.month, p.base, p.spent, p.charged, p.exhausted, p.unread = month, 0, 0, 0, false, true
	if p.payer() == month { // the clock was stepped, and back
		p.spent = max(0, p.used)
	}
}

// Unread says that Used does not count what the month cost before: see Read.
func (p *Purse) Unread() bool { return p.unread }

// Mark is a point between operations, for Read.
func (p *Purse) Mark() uint64 {
	if p.pending != nil {
		return math.MaxUint64 // none
	}
	return p.finished
}

// Read takes what the ledger says was charged in the month. It was asked at the
// mark; false: it is to be asked again, for an operation came in between, which
// the ledger may have had in it or not.
func (p *Purse) Read(month string, charged int64, mark uint64) bool {
	if month != p.month || !p.unread {
		return true
	}
	if p.pending != nil || p.finished != mark {
		return false
	}
	p.unread = false
	p.charged = charged
	if p.open != nil && !p.stale() {
		charged -= p.open.GetSize()
	}
	unsettled := p.used
	if p.payer() != month {
		unsettled = 0
	}
	p.base = max(0, charged-max(0, p.spent-unsettled)) // what was settled since is in spent
	return true
}

// restSeconds is how many seconds may go by in one Tick while connections hold
// credits and spend none: nothing but how long they have done so changes.
const restSeconds = 10

// Due is in how many seconds Tick has something to do, 1 at least; 0: only once
// somebody asks, reports, or has gone. A key of which each connection once had an
// event would otherwise be woken every second for as long as they are connected.
func (p *Purse) Due() int {
	switch {
	case p.pending != nil, p.bequest != nil, len(p.waiting) > 0, p.stale(), p.recalling(),
		p.fresh > 0, p.rate*reserveSeconds > reserveLeast, // the rate falls, and what is reserved with it
		p.reached > 0 && p.age <= reserveSeconds/2: // see reach
		return 1
	case p.held > 0:
		return restSeconds
	case p.open != nil: // it is settled
		return 1
	}
	return 0
}

// Tick is so many seconds gone by, as Due has said. It returns the connections that are asked to
// return what they hold: once more, or because they have not spent for long. What
// nobody holds, no crash can lose.
func (p *Purse) Tick(month string, seconds int) (again []string) {
	p.Turn(month)
	for range seconds {
		p.rate += (float64(p.fresh) - p.rate) / rateSeconds
		p.fresh = 0
	}
	p.age += seconds
	p.due = true
	return p.tick(seconds, len(p.waiting) > 0 || p.stale())
}

// Accounts is how many connections have asked.
func (p *Purse) Accounts() int { return len(p.of) }

// Exhausted says that nothing can be handed out any more this month.
func (p *Purse) Exhausted() bool {
	return p.exhausted && p.pending == nil && p.available() == 0 && p.held == 0
}

// Clear says that nothing is open and nobody waits: the purse can be thrown
// away.
func (p *Purse) Clear() bool {
	return p.open == nil && len(p.waiting) == 0 && len(p.of) == 0 && p.bequest == nil && p.pending == nil
}

// Used is what the month has cost so far, as reported.
func (p *Purse) Used() int64 { return p.base + p.spent }

// Month is the one that Used speaks of.
func (p *Purse) Month() string { return p.month }
