// Package credit is a connection's side of the conversation about credits: how
// many it may spend, and when it asks its key for more. It knows no actor and no
// frame.
//
// What it may spend is granted - used - returned of one account: one instance of
// its key. All three are sums that only grow, so a message that is lost or comes
// twice changes nothing. A new account ends the one before: what was granted
// there stays charged by the key until it has settled it.
//
// Invariant: used + returned <= granted. Nothing is handed on without Spend.
package credit

import (
	"math"
	"time"
)

const (
	least   = 16     // credits asked for at a time, when little is spent
	most    = 65_536 // when much is
	seconds = 10     // of the present rate that are asked for
	// Patience is how long an answer is waited for before it is asked for again.
	Patience = 2 * time.Second
)

// Balance is what the key has granted and is not spent. The zero Balance has
// nothing.
type Balance struct {
	account                 uint64 // 0: none yet
	granted, used, returned int64

	// want is how many are to be held; below 0 after a recall, until something
	// waits for credit.
	want     int64
	question uint64
	asked    bool          // the question is open
	askedAt  time.Duration // of the newest question that was not a repetition; 0: never
	usedAt   int64         // used then, of the account
}

// Statement is what the key is told.
type Statement struct {
	Account        uint64
	Used, Returned int64
	Want           int64
	Question       uint64
}

// Left is what may be spent.
func (b *Balance) Left() int64 { return b.granted - b.used - b.returned }

// Spend takes the cost of one frame; false where there is not as much.
func (b *Balance) Spend(cost int64) bool {
	if cost > b.Left() {
		return false
	}
	b.used += cost
	return true
}

// Granted takes a sum that was granted, as the answer to a question or of the
// key's own accord. False: by a key before the present one, of whose account nothing
// is spent any more.
func (b *Balance) Granted(account uint64, granted int64, question uint64) bool {
	if !b.open(account) {
		return false
	}
	b.granted = max(b.granted, granted)
	if b.asked && question == b.question {
		b.asked = false
		// Towards the end of a quota little is granted; that little is enough
		// until it is half spent.
		b.want = min(b.want, b.Left())
	}
	return true
}

// Exhausted takes word that nothing more is granted, and says whether it answers
// the open question: one that does not speaks of what may have changed.
func (b *Balance) Exhausted(account uint64, granted int64, question uint64) bool {
	answers := b.asked && question == b.question && account >= b.account
	b.Granted(account, granted, question)
	return answers
}

// open says whether the account is the present one. A newer one becomes it, and
// what was left of the one before may not be spent any more.
func (b *Balance) open(account uint64) bool {
	if account > b.account {
		b.account, b.granted, b.used, b.returned, b.usedAt = account, 0, 0, 0, 0
	}
	return account == b.account
}

// Recalled gives back what is not spent of a sum that was granted, of which it may not
// have heard. False: the key that asks is one before the present one, and nobody waits
// for the answer.
func (b *Balance) Recalled(account uint64, granted int64) (Statement, bool) {
	if !b.open(account) {
		return Statement{}, false
	}
	b.granted = max(b.granted, granted)
	b.returned, b.want = b.granted-b.used, -1
	return b.state(), true
}

// Ask says what to ask for at the time; false where there is no need. waiting is
// what the frames that wait now cost. It asks while there is still some left, so
// that a steady stream never waits; how much follows what was spent since it
// asked last, so that a crash costs seconds of it and not hours.
func (b *Balance) Ask(now time.Duration, waiting int64) (Statement, bool) {
	if b.asked || waiting == 0 && (b.want < 0 || b.Left() > b.want/2) {
		return Statement{}, false
	}
	switch since := now - b.askedAt; {
	case b.askedAt == 0:
		b.want = least
	case since < time.Second:
		b.want = min(max(2*b.want, least), most)
	default:
		rate := float64(b.used-b.usedAt) / since.Seconds()
		b.want = min(max(int64(math.Ceil(seconds*rate)), least), most)
	}
	b.asked, b.askedAt, b.usedAt = true, max(now, 1), b.used
	b.question++
	s := b.state()
	s.Want = max(b.want, waiting, 1)
	return s, true
}

// Again repeats the open question; false where there is none.
func (b *Balance) Again(waiting int64) (Statement, bool) {
	if !b.asked {
		return Statement{}, false
	}
	s := b.state()
	s.Want = max(b.want, waiting, 1)
	return s, true
}

// Asked says that a question is open.
func (b *Balance) Asked() bool { return b.asked }

// Close gives back what is not spent, at the connection's end.
func (b *Balance) Close() Statement {
	b.returned = b.granted - b.used
	return b.state()
}

func (b *Balance) state() Statement {
	return Statement{Account: b.account, Used: b.used, Returned: b.returned, Question: b.question}
}
