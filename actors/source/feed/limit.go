package feed

import (
	"sync"
	"time"
)

// HostLimiter paces requests by host. It never makes anybody wait: whoever is
// too early is told when to come again, and that turn is theirs, so that of a
// hundred feeds on one host none starves.
//
// Bound: hosts that were not asked for an hour are forgotten.
type HostLimiter struct {
	gap      time.Duration
	parallel int
	now      func() time.Time

	mu    sync.Mutex // protects all fields below
	hosts map[string]*host
	swept time.Time
}

type host struct {
	next    time.Time // the first turn that is not given away
	active  int
	blocked time.Time // the host asked to be left alone until then
}

const (
	forgetHost = time.Hour
	busyHost   = time.Second // come again when so many requests are under way
)

// NewHostLimiter returns a limiter that gives out one turn a gap and host, and
// lets parallel requests to a host run at a time.
func NewHostLimiter(gap time.Duration, parallel int, now func() time.Time) *HostLimiter {
	return &HostLimiter{gap: max(gap, 0), parallel: parallel, now: now, hosts: make(map[string]*host)}
}

// Take asks for a request to the host. turn is what the last Take of the same
// feed returned, zero at first. Granted: done must be called when the request
// is over. Not granted (done nil): come again at the returned turn.
func (l *HostLimiter) Take(name string, turn time.Time) (done func(), again time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.sweep(now)
	h := l.hosts[name]
	if h == nil {
		h = &host{}
		l.hosts[name] = h
	}
	if turn.IsZero() || turn.Before(h.blocked) || now.Sub(turn) > forgetHost {
		turn = later(later(h.next, now), h.blocked)
		h.next = turn.Add(l.gap)
	}
	if turn.After(now) {
		return nil, turn
	}
	if h.active >= l.parallel {
		return nil, now.Add(busyHost)
	}
	h.active++
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		h.active--
	}), time.Time{}
}

// Block keeps everybody from the host until then: it said 429 or 503.
func (l *HostLimiter) Block(name string, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.hosts[name]; h != nil {
		h.blocked = later(h.blocked, until)
	}
}

func (l *HostLimiter) sweep(now time.Time) {
	if now.Sub(l.swept) < forgetHost {
		return
	}
	l.swept = now
	for name, h := range l.hosts {
		if h.active == 0 && now.Sub(h.next) > forgetHost && now.After(h.blocked) {
			delete(l.hosts, name)
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
