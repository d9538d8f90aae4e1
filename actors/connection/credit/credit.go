// Package credit is a connection's side of the conversation about credits: how
// many it may spend, and when it asks its key for more. It knows no actor and no
// frame.
//
// Invariant: what is handed on never passes what was granted, because nothing
// is handed on without Take.
package credit

import "time"

const (
	least = 64
	most  = 65_536
)

// Balance is what the key has granted and is not spent. The zero Balance has
// nothing.
type Balance struct {
	left       int64
	unreported int64 // used since the last report
	want       int64 // how many are asked for at a time
	asked      bool
	askedAt    time.Duration
}

// Take spends up to n credits and returns how many.
func (b *Balance) Take(n int) int {
	taken := min(b.left, int64(n))
	b.left -= taken
	b.unreported += taken
	return int(taken)
}

// Answered: the key has answered, with so many more.
func (b *Balance) Answered(more int64) {
	b.asked = false
	b.left += more
}

// Ask says how many to ask for at the time, and how many were used since the
// last report; false where there is no need. waiting is how many wait now. It
// asks while there is still some left, so that a steady stream never waits.
func (b *Balance) Ask(now time.Duration, waiting int) (want, used int64, ask bool) {
	b.want = max(b.want, least)
	if b.asked || b.left > b.want/2 && waiting == 0 {
		return 0, 0, false
	}
	switch since := now - b.askedAt; {
	case b.askedAt != 0 && since < time.Second:
		b.want = min(2*b.want, most)
	case since > 10*time.Second:
		b.want = max(b.want/2, least)
	}
	b.asked, b.askedAt = true, now
	used, b.unreported = b.unreported, 0
	return max(b.want, int64(waiting)), used, true
}

// Empty says that nothing is left.
func (b *Balance) Empty() bool { return b.left == 0 }

// Close is what was used since the last report, and what is given back.
func (b *Balance) Close() (used, returned int64) { return b.unreported, b.left }
