package gateway

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// ThrottleConfig bounds failed authentications.
type ThrottleConfig struct {
	Burst     int              // failures an address may make at once; default 10
	Every     time.Duration    // one more is allowed after each; default 6 s
	Addresses int              // how many addresses are remembered; default 65,536
	Now       func() time.Time // default time.Now
}

func (c ThrottleConfig) withDefaults() ThrottleConfig {
	if c.Burst <= 0 {
		c.Burst = 10
	}
	if c.Every <= 0 {
		c.Every = 6 * time.Second
	}
	if c.Addresses <= 0 {
		c.Addresses = 65536
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Throttle counts failed authentications by address: a bucket each, which
// only failures empty. An IPv6 client is its /64, since it can take any
// address in it. A key cannot be guessed; what this saves is the asking.
//
// The table is bounded: past it the address that failed longest ago is
// forgotten, which is the one whose bucket is fullest again.
type Throttle struct {
	cfg     ThrottleConfig
	mu      sync.Mutex // protects what follows
	buckets map[netip.Addr]*list.Element
	oldest  *list.List // of *bucket, the one that failed longest ago in front
}

type bucket struct {
	addr  netip.Addr
	empty time.Duration // how long until it is full again, as of at; at most 2 * Burst * Every
	at    time.Time
}

// NewThrottle makes an empty one.
func NewThrottle(cfg ThrottleConfig) *Throttle {
	return &Throttle{cfg: cfg.withDefaults(), buckets: make(map[netip.Addr]*list.Element), oldest: list.New()}
}

// Check says whether addr may try a key now, and if not, when. Ask it before
// a key is looked at, so that a throttled address learns nothing.
func (t *Throttle) Check(addr netip.Addr) (retryAfter time.Duration, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.buckets[network(addr)]
	if e == nil {
		return 0, true
	}
	b := e.Value.(*bucket)
	left := b.empty - t.cfg.Now().Sub(b.at)
	if left <= 0 {
		t.oldest.Remove(e)
		delete(t.buckets, b.addr)
		return 0, true
	}
	if most := time.Duration(t.cfg.Burst-1) * t.cfg.Every; left > most {
		return left - most, false
	}
	return 0, true
}

// Failed counts one failure. Attempts that were in flight together may take
// the bucket below empty; what they owe is bounded by another burst.
func (t *Throttle) Failed(addr netip.Addr) {
	addr = network(addr)
	now := t.cfg.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.buckets[addr]
	if e == nil {
		if t.oldest.Len() >= t.cfg.Addresses {
			front := t.oldest.Front()
			delete(t.buckets, front.Value.(*bucket).addr)
			t.oldest.Remove(front)
		}
		e = t.oldest.PushBack(&bucket{addr: addr, at: now})
		t.buckets[addr] = e
	}
	b := e.Value.(*bucket)
	left := max(0, b.empty-now.Sub(b.at)) + t.cfg.Every
	b.empty = min(left, 2*time.Duration(t.cfg.Burst)*t.cfg.Every)
	b.at = now
	t.oldest.MoveToBack(e)
}

func network(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return addr
}
