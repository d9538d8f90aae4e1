// Package credit is the arithmetic of one key's credits: what was reserved in
// the month's ledger, what its connections hold of that, and what they have
// spent. It says which operation on the ledger is due next and who can be
// answered; it never does either, and knows no clock.
//
// Invariant: used + outstanding <= the sizes of the open grants. A connection
// hands nothing on without credit that it holds, and what it holds was charged
// before: delivered <= charged, whatever is lost or dies in between.
//
// A reservation follows the rate, so that a crash costs seconds of it. Towards
// the end of the quota portions shrink to one credit, and what a connection
// holds and does not spend is called back when another needs it: the last credit
// is spent by whoever has an event for it.
package credit

import (
	"maps"
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
	// recallMost is how many seconds a connection may take to return what it
	// holds. After that nobody waits for it.
	recallMost = 3
	// idleMost is how many seconds a connection may hold credits and say nothing.
	idleMost = 60
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
	accounts    map[string]*account // by connection
	outstanding int64               // sum of what they hold
	waiting     []ask               // in order of asking, one a connection
	exhausted   bool                // the ledger refused, and nothing was given back since
	mixed       bool                // something is spent on events that no open grant covers

	charged int64 // of the month, as the ledger says when everything asked of it is done
	base    int64 // charged in the month before this purse was made
	spent   int64 // reported in the month
	rate    float64
	fresh   int64 // reported since the last tick
	due     bool  // a tick has passed since nothing was left to settle

	inherited []*messages.Grant // open, of instances before this one
	bequest   *Operation        // settles them
}

// account is what one connection was granted, in sums.
type account struct {
	granted, used, returned int64
	after                   messages.Position // what it holds is spent on events after it
	recalled                int               // seconds since it was asked to return what it holds, from 1; 0: it was not
	idle                    int               // seconds since it said anything
}

func (a *account) held() int64 { return a.granted - a.used - a.returned }

type ask struct {
	connection string
	want       int64
	question   uint64
}

// State is how a connection says that its account is, in sums.
type State struct{ Used, Returned int64 }

// Operation is one thing to do in the ledger, at most one at a time. An
// uncertain answer is asked for again with the same Operation.
type Operation struct {
	ID      string
	Month   string
	Reserve int64 // credits wanted; 0 where Settle is set
	// Position of the grant to open: what is spent of it and of later ones is
	// spent on events after it. 0: nothing in the log bounds it.
	Position messages.Position
	Settle   []Settlement // closes these
}

// Settlement closes a grant.
type Settlement struct {
	Grant *messages.Grant
	Used  int64 // of it; the rest is given back
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
		id: id, limit: limit, month: month, newest: month, base: ledger.GetCharged(), charged: ledger.GetCharged(),
		exhausted: limit > 0 && ledger.GetCharged() >= limit, accounts: map[string]*account{}, inherited: ledger.GetOpen(),
	}
}

// SetLimit changes what the ledger may be charged: the plan has changed.
func (p *Purse) SetLimit(limit int64) {
	if limit != p.limit {
		p.limit, p.exhausted = limit, limit > 0 && p.charged >= limit
	}
}

// Ask takes a connection's wish to hold want credits, and how its account is. It
// spends on events after the position; 0: on any.
func (p *Purse) Ask(connection string, s State, want int64, question uint64, after messages.Position) {
	account := p.account(connection)
	p.state(account, s)
	account.after = after
	a := ask{connection, min(max(want, 1), wantMost), question}
	if i := slices.IndexFunc(p.waiting, func(o ask) bool { return o.connection == connection }); i >= 0 {
		p.waiting[i] = a
		return
	}
	p.waiting = append(p.waiting, a)
}

// Report takes how a connection's account is; closed says that the connection
// ends and spends nothing any more.
func (p *Purse) Report(connection string, s State, closed bool) {
	a := p.accounts[connection]
	if a == nil {
		return
	}
	p.state(a, s)
	if closed {
		p.outstanding -= a.held()
		p.drop(connection)
	}
}

// Forget is the end of a connection. What it held and never reported counts as
// used: it may have been.
func (p *Purse) Forget(connection string) {
	if a := p.accounts[connection]; a != nil {
		p.use(a, a.held())
		p.drop(connection)
	}
}

// Holders are the connections that hold something unspent, by id.
func (p *Purse) Holders() (all []string) {
	for _, connection := range slices.Sorted(maps.Keys(p.accounts)) {
		if p.accounts[connection].held() > 0 {
			all = append(all, connection)
		}
	}
	return all
}

// End is the end of all connections, as Forget is of one. What is open is due.
func (p *Purse) End() {
	for _, connection := range slices.Sorted(maps.Keys(p.accounts)) {
		p.Forget(connection)
	}
	p.due = true
}

func (p *Purse) account(connection string) *account {
	a := p.accounts[connection]
	if a == nil {
		a = &account{}
		p.accounts[connection] = a
	}
	return a
}

func (p *Purse) drop(connection string) {
	delete(p.accounts, connection)
	p.waiting = slices.DeleteFunc(p.waiting, func(a ask) bool { return a.connection == connection })
}

// state moves an account on to the sums that its connection says. Older sums
// change nothing.
func (p *Purse) state(a *account, s State) {
	a.recalled, a.idle = 0, 0
	p.use(a, min(s.Used-a.used, a.held()))
	if back := min(s.Returned-a.returned, a.held()); back > 0 {
		a.returned += back
		p.outstanding -= back
	}
}

// use counts n of what the connection holds as spent.
func (p *Purse) use(a *account, n int64) {
	if n <= 0 {
		return
	}
	a.used += n
	p.outstanding -= n
	p.used += n
	p.spent += n
	p.fresh += n
}

// Answers are due now, in order of asking.
func (p *Purse) Answers() []Answer {
	var answers []Answer
	for len(p.waiting) > 0 {
		a := p.waiting[0]
		account := p.accounts[a.connection]
		need := a.want - account.held()
		amount := min(need, p.portion(a))
		if need > 0 && amount <= 0 && (!p.exhausted || p.recallable(a.connection)) {
			break
		}
		p.waiting = p.waiting[1:]
		if amount > 0 {
			account.granted += amount
			p.outstanding += amount
		}
		answers = append(answers, Answer{
			Connection: a.connection, Question: a.question, Granted: account.granted, Exhausted: need > 0 && amount <= 0,
		})
	}
	if len(p.waiting) == 0 {
		p.waiting = nil
	}
	return answers
}

// portion is how much may be handed out to one who asks. A quarter of what is
// left of the quota is for all connections, in equal parts, so that towards the
// end portions shrink to one.
func (p *Purse) portion(a ask) int64 {
	available := p.available()
	if available > 0 && !p.covers(p.accounts[a.connection].after) {
		if !p.exhausted {
			return 0 // a grant for it is opened first
		}
		p.mixed = true
	}
	if p.limit <= 0 || available == 0 {
		return available
	}
	left := available + max(p.limit-p.charged, 0)
	return min(available, max(1, left/int64(4*len(p.accounts))))
}

// covers says whether an open grant tells that events after the position are
// paid by it or by later ones.
func (p *Purse) covers(after messages.Position) bool {
	return slices.ContainsFunc(p.grants, func(g *messages.Grant) bool { return messages.Position(g.GetPosition()) <= after })
}

// after is the position that all who hold or want credits are at or past.
func (p *Purse) after() messages.Position {
	if p.mixed {
		return 0
	}
	oldest := messages.Position(math.MaxUint64)
	for id, a := range p.accounts {
		if a.held() > 0 || slices.ContainsFunc(p.waiting, func(w ask) bool { return w.connection == id }) {
			oldest = min(oldest, a.after)
		}
	}
	return oldest
}

func (p *Purse) available() int64 {
	sum := -p.used - p.outstanding
	for _, g := range p.grants {
		sum += g.GetSize()
	}
	return max(sum, 0)
}

// recallable says whether another connection holds something and has not been
// given up on.
func (p *Purse) recallable(but string) bool {
	for id, a := range p.accounts {
		if id != but && a.held() > 0 && a.recalled <= recallMost {
			return true
		}
	}
	return false
}

// Recalls are the connections that are to return what they hold, because
// somebody waits and the ledger has no more. Each is named again every second.
func (p *Purse) Recalls() (connections []string) {
	if len(p.waiting) == 0 || !p.exhausted || p.available() > 0 {
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(p.accounts)) {
		if a := p.accounts[id]; a.held() > 0 && a.recalled == 0 && id != p.waiting[0].connection {
			a.recalled = 1
			connections = append(connections, id)
		}
	}
	return connections
}

// Turn says which month it is: with a new one the quota begins again.
func (p *Purse) Turn(month string) {
	if month == p.month {
		return
	}
	p.month, p.base, p.spent, p.charged, p.exhausted = month, 0, 0, 0, false
	p.unread = month <= p.newest
	p.newest = max(month, p.newest)
}

// Unread says that Used does not count what the month cost before: see Read.
func (p *Purse) Unread() bool { return p.unread }

// Read takes what the ledger says was charged in the month.
func (p *Purse) Read(month string, charged int64) {
	if month != p.month || !p.unread {
		return
	}
	p.unread = false
	p.charged = charged
	for _, g := range p.grants {
		if g.GetMonth() == month {
			charged -= g.GetSize()
		}
	}
	p.base = max(0, charged-max(0, p.spent-p.used)) // what was settled since is in spent
}

// Tick is one second gone by. It returns the connections that are asked to
// return what they hold: once more, or because they have not spent for long. What
// nobody holds, no crash can lose.
func (p *Purse) Tick(month string) (again []string) {
	p.Turn(month)
	p.rate += (float64(p.fresh) - p.rate) / 3
	p.fresh = 0
	p.due = true
	for _, id := range slices.Sorted(maps.Keys(p.accounts)) {
		a := p.accounts[id]
		a.idle++
		switch {
		case a.recalled > 0 && a.recalled <= recallMost:
			if a.recalled++; a.recalled <= recallMost && len(p.waiting) > 0 {
				again = append(again, id)
			}
		case a.idle%idleMost == 0 && a.held() > 0:
			again = append(again, id)
		}
	}
	return again
}

// Next takes the operation that is due, nil when none is. The caller sees it
// through, and asks for none until then.
//
// What is settled leaves the purse here and not when the ledger has answered:
// while that takes, a connection could be handed what is being given back.
func (p *Purse) Next() *Operation {
	if len(p.waiting) > 0 && p.portion(p.waiting[0]) == 0 && !p.exhausted {
		if len(p.grants) >= grantsMost {
			return p.settle(1, true)
		}
		return p.reserve()
	}
	if o := p.bequest; o != nil {
		p.bequest = nil
		return o
	}
	if len(p.grants) == 0 {
		return nil
	}
	// Nobody draws on them: the rest is given back. Where nobody is connected
	// that is done at once: a node that stops has no second left.
	if p.outstanding == 0 && len(p.waiting) == 0 && (p.due || len(p.accounts) == 0) {
		return p.settle(len(p.grants), false)
	}
	if !p.due {
		return nil
	}
	whole, sum := 0, int64(0)
	for _, g := range p.grants {
		if sum += g.GetSize(); sum > p.used {
			break
		}
		whole++
	}
	if whole > 0 {
		return p.settle(whole, true)
	}
	p.due = false
	return nil
}

// reserve asks for half of what connections hold already, at least: fifty that
// ask one after the other and spend slowly would else have fifty grants open. So
// their number grows with the logarithm of what is held.
func (p *Purse) reserve() *Operation {
	var wanted int64
	for _, a := range p.waiting {
		wanted += a.want - p.accounts[a.connection].held()
	}
	n := max(int64(math.Ceil(reserveSeconds*p.rate)), wanted, p.outstanding/2)
	return &Operation{
		ID: p.name(), Month: p.month, Reserve: min(max(n, reserveLeast), reserveMost), Position: p.after(),
	}
}

func (p *Purse) name() string {
	p.next++
	return p.id + "-" + strconv.FormatUint(p.next, 10)
}

// settle closes the n oldest grants: as spent whole, or with what is used of them.
func (p *Purse) settle(n int, whole bool) *Operation {
	o := &Operation{ID: p.name(), Month: p.grants[0].GetMonth()}
	for _, g := range p.grants[:n] {
		used := g.GetSize()
		if !whole {
			used = min(used, max(p.used, 0))
		}
		p.used -= used
		o.Settle = append(o.Settle, Settlement{g, used})
	}
	if p.grants = p.grants[n:]; len(p.grants) == 0 {
		p.grants, p.mixed = nil, false
	}
	return o
}

// Reserved: the ledger has opened the grant.
func (p *Purse) Reserved(g *messages.Grant) {
	if g.GetSize() > 0 {
		p.grants = append(p.grants, g)
		if g.GetMonth() == p.month {
			p.charged += g.GetSize()
		}
	}
}

// Refused: the ledger of the operation's month has nothing left.
func (p *Purse) Refused(o *Operation) {
	if o.Month == p.month {
		p.exhausted = true
		p.charged = max(p.charged, p.limit)
	}
}

// Settled: the grants are closed, and the ledger may have something left again.
func (p *Purse) Settled(o *Operation) {
	for _, s := range o.Settle {
		if back := s.Grant.GetSize() - s.Used; back > 0 && s.Grant.GetMonth() == p.month {
			p.charged -= back
			p.exhausted = false
		}
	}
}

// Inherited are grants that instances before this one have left open. Nobody
// spends of them once all connections have come to this purse; how much was
// spent is for Bequeath.
func (p *Purse) Inherited() []*messages.Grant { return p.inherited }

// Bequeath settles what was inherited: at most used was spent of all of it
// together, the oldest first.
func (p *Purse) Bequeath(used int64) {
	o := &Operation{ID: p.name(), Month: p.month}
	for _, g := range p.inherited {
		s := Settlement{g, min(g.GetSize(), max(used, 0))}
		used -= s.Used
		if g.GetMonth() == p.month {
			p.base -= g.GetSize() - s.Used
		}
		o.Settle = append(o.Settle, s)
	}
	p.inherited = nil
	if len(o.Settle) > 0 {
		p.bequest = o
	}
}

// Exhausted says that nothing can be handed out any more this month.
func (p *Purse) Exhausted() bool {
	return p.exhausted && p.available() == 0 && p.outstanding == 0
}

// Clear says that nothing is open and nobody waits: the purse can be thrown
// away, once the operation under way is done.
func (p *Purse) Clear() bool {
	return len(p.grants) == 0 && len(p.waiting) == 0 && len(p.accounts) == 0 && p.bequest == nil
}

// Used is what the month has cost so far, as reported.
func (p *Purse) Used() int64 { return p.base + p.spent }

// Month is the one that Used speaks of.
func (p *Purse) Month() string { return p.month }
