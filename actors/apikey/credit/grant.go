package credit

import (
	"math"
	"strconv"
	"strings"

	"github.com/birdwire/birdwire/messages"
)

// This file is the purse's dealings with the ledger: which operation is due, and
// what its outcome means.

const (
	// reserveSeconds is how much of the present rate one reservation covers:
	// the store writes one record in that time and not one an event.
	reserveSeconds = 15
	// rateSeconds is how long the rate is the mean of: connections say what they
	// have used when half of what they hold is gone, and that is seconds.
	rateSeconds  = 10
	reserveLeast = 64
	reserveMost  = 1 << 20
)

// Operation is one thing to do in the ledger, at most one at a time. An
// uncertain answer is asked for again with the same Operation.
type Operation struct {
	ID     string
	Settle []Settlement // closes these; nil: it reserves

	Month    string
	Reserve  int64               // credits wanted, besides what is left of what is replaced
	Replaces Settlement          // closed by the same write; no Grant: none
	Spenders []*messages.Spender // of the grant to open
}

// Settlement closes a grant.
type Settlement struct {
	Grant *messages.Grant
	Used  int64 // of it
}

// rest is what is left of the grant.
func (s Settlement) rest() int64 { return s.Grant.GetSize() - s.Used }

// Pending is the operation that was taken and is not seen through; nil: none.
func (p *Purse) Pending() *Operation { return p.pending }

// Next takes the operation that is due, nil when none is or one is pending. The
// caller sees it through.
//
// What is settled leaves the purse here and not when the ledger has answered:
// while that takes, a connection could be handed what is being given back.
func (p *Purse) Next() *Operation {
	switch {
	case p.pending != nil:
		return nil
	case p.lacking():
		p.pending = p.reserve()
	case p.bequest != nil:
		p.pending, p.bequest = p.bequest, nil
	default:
		p.pending = p.settle()
	}
	return p.pending
}

// Lacking says that a reservation is due.
func (p *Purse) Lacking() bool { return p.pending == nil && p.lacking() }

// lacking says that somebody waits for another grant.
func (p *Purse) lacking() bool {
	return len(p.waiting) > 0 && !p.stale() && p.portion(p.waiting[0]) == 0 && (!p.exhausted || p.available() > 0)
}

// reserve is for those that wait. It replaces the open grant; where nothing more
// is to be had, to name the spenders alone.
func (p *Purse) reserve() *Operation {
	o := &Operation{ID: p.name(), Month: p.month, Spenders: p.spenders()}
	if !p.exhausted {
		reach := p.reach()
		o.Reserve = max(reach-p.available(), 0)
		p.reached, p.age = reach, 0
	}
	if p.open != nil {
		o.Replaces = p.closeOpen(p.used)
	}
	return o
}

// reach is how much is to be there for those that wait and will. The rate is
// known when it has lasted for some seconds: a grant that was spent before half of
// its time is followed by one of twice what was spent of it.
func (p *Purse) reach() int64 {
	n := max(int64(math.Ceil(reserveSeconds*p.rate)), reserveLeast)
	if p.available() == 0 && p.age < reserveSeconds/2 {
		n = max(n, 2*p.reached)
	}
	var wanted int64
	for _, a := range p.waiting {
		wanted += p.need(a)
	}
	return min(max(n, wanted), reserveMost)
}

func (p *Purse) name() string {
	p.next++
	return p.id + "-" + strconv.FormatUint(p.next, 10)
}

// settle closes a grant that nobody draws on: the rest is given back. Where
// nobody is connected that is done at once: a node that stops has no second left.
// When the month has turned it is closed once everything that is held has been
// returned; what is not within seconds counts as used, and is spent first later.
func (p *Purse) settle() *Operation {
	switch {
	case p.open == nil:
		return nil
	case p.held == 0 && (p.stale() || len(p.waiting) == 0 && (p.due || len(p.of) == 0)):
	case p.stale() && !p.recallable(""):
		p.used += p.writeOff()
	default:
		p.due = false
		return nil
	}
	s := p.closeOpen(p.used)
	p.reached = min(p.reached, s.Used) // the rest is given back and was not needed: see reach
	return &Operation{ID: p.name(), Settle: []Settlement{s}}
}

func (p *Purse) closeOpen(used int64) Settlement {
	s := Settlement{p.open, min(p.open.GetSize(), max(used, 0))}
	p.used -= s.Used
	p.open = nil
	return s
}

func (p *Purse) finish() {
	p.pending = nil
	p.finished++
}

// Reserved: the ledger has opened the grant. It is empty where nothing was left
// of what it replaces and the ledger has nothing more; Next asks it once more
// then, and is refused.
func (p *Purse) Reserved(o *Operation, g *messages.Grant) {
	p.finish()
	more := g.GetSize() - o.Replaces.rest()
	if more < 0 { // it was settled by another owner of the key: see Lost
		p.used += more
		more = 0
	}
	if g.GetSize() > 0 {
		p.open = g
	}
	p.writeOffLost(o.Month != p.month)
	if o.Month == p.month {
		p.charged += more
		p.exhausted = p.exhausted || g.GetSize() > 0 && more == 0 && o.Reserve > 0
	}
}

// Refused: the ledger of the operation's month has nothing left.
func (p *Purse) Refused(o *Operation) {
	p.finish()
	if o.Month == p.month {
		p.exhausted = true
		p.charged = max(p.charged, p.limit)
	}
}

// Lost: what the operation replaces is not open in the ledger. Another owner of
// the key has settled it, or it was the oldest of too many: it counts as spent,
// and what of it is not can be handed out still.
func (p *Purse) Lost(o *Operation) {
	p.finish()
	p.used -= o.Replaces.rest()
	p.writeOffLost(o.Month != p.month)
}

// writeOffLost ends what was lost, once the month is over in which it was charged.
func (p *Purse) writeOffLost(over bool) {
	if over && p.open == nil {
		p.writeOff()
		p.used = 0
	}
}

// Settled: the grants are closed, and the ledger may have something left again.
func (p *Purse) Settled(o *Operation) {
	p.finish()
	for _, s := range o.Settle {
		if s.rest() > 0 && s.Grant.GetMonth() == p.month {
			p.charged -= s.rest()
			p.exhausted = false
		}
	}
}

// Inherited are grants that instances before this one have left open. Nobody
// spends of them once all connections have come to this purse; how much was
// spent is for Bequeath.
func (p *Purse) Inherited() []*messages.Grant { return p.inherited }

// Inherit takes what was reserved by an instance before, and came to the ledger after it
// was read: open is what is open there, asked at the mark. false: it is to be asked
// again, for an operation came in between, or what was inherited is not settled yet.
func (p *Purse) Inherit(open []*messages.Grant, mark uint64) bool {
	if len(p.inherited) > 0 || p.bequest != nil || p.pending != nil || p.finished != mark {
		return false
	}
	for _, g := range open {
		if strings.HasPrefix(g.GetId(), p.id+"-") {
			continue
		}
		p.inherited = append(p.inherited, g)
		if g.GetMonth() == p.month {
			p.base += g.GetSize()
			p.charged += g.GetSize()
		}
	}
	return true
}

// Bequeath settles what was inherited: at most used was spent of all of it
// together, the oldest first.
func (p *Purse) Bequeath(used int64) {
	o := &Operation{ID: p.name()}
	for _, g := range p.inherited {
		s := Settlement{g, min(g.GetSize(), max(used, 0))}
		used -= s.Used
		if g.GetMonth() == p.month {
			p.base -= s.rest()
		}
		o.Settle = append(o.Settle, s)
	}
	p.inherited = nil
	if len(o.Settle) > 0 {
		p.bequest = o
	}
}
