package gateway

import (
	"container/list"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"sync"
	"time"
)

// ThrottleConfig bounds failed authentications.
type ThrottleConfig struct {
	Burst     int              // failures that an address or a text may make at once; default 10
	Every     time.Duration    // one more is allowed after each; default 6 s
	Addresses int              // how many addresses are remembered, and as many texts; default 65,536
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

// Throttle counts failed authentications, by address and by what was
// presented. It is asked once a key or token has turned out wrong, and never
// about a right one: clients share addresses, and one of them with a wrong key
// must not lock the others out. A key cannot be guessed; what a refusal by
// throttle saves is the answer in full and its client's next attempts.
//
// An IPv6 client is its /64, since it can take any address in it.
type Throttle struct {
	mu        sync.Mutex // protects what follows
	addresses *buckets[netip.Addr]
	texts     *buckets[uint64] // by hash
}

// NewThrottle makes one that remembers nobody.
func NewThrottle(cfg ThrottleConfig) *Throttle {
	cfg = cfg.withDefaults()
	return &Throttle{addresses: newBuckets[netip.Addr](cfg), texts: newBuckets[uint64](cfg)}
}

// Failed notes that text, from addr, is no key or token. Where either has
// failed too often, the client is throttled: told to come back after so long.
// What is throttled is not counted, so that the time it is told holds.
func (t *Throttle) Failed(addr netip.Addr, text string) (after time.Duration, throttled bool) {
	sum := sha256.Sum256([]byte(text))
	addr, hash := Network(addr), binary.BigEndian.Uint64(sum[:])
	t.mu.Lock()
	defer t.mu.Unlock()
	if after = max(t.addresses.wait(addr), t.texts.wait(hash)); after > 0 {
		return after, true
	}
	t.addresses.take(addr)
	t.texts.take(hash)
	return 0, false
}

// buckets are one for each key, which is full at first and fills steadily.
//
// The table is bounded: past it the key that failed longest ago is forgotten,
// which is the one whose bucket is fullest again.
type buckets[K comparable] struct {
	cfg    ThrottleConfig
	of     map[K]*list.Element
	oldest *list.List // of *bucket[K], the one that failed longest ago in front
}

type bucket[K comparable] struct {
	key   K
	empty time.Duration // how long until it is full again, as of at; at most Burst * Every
	at    time.Time
}

func newBuckets[K comparable](cfg ThrottleConfig) *buckets[K] {
	return &buckets[K]{cfg: cfg, of: make(map[K]*list.Element), oldest: list.New()}
}

// wait is how long until the key may fail again; 0: now.
func (b *buckets[K]) wait(key K) time.Duration {
	e := b.of[key]
	if e == nil {
		return 0
	}
	one := e.Value.(*bucket[K])
	left := one.empty - b.cfg.Now().Sub(one.at)
	if left <= 0 {
		b.forget(e)
		return 0
	}
	return max(0, left-time.Duration(b.cfg.Burst-1)*b.cfg.Every)
}

// take is one failure; wait has said that there is room.
func (b *buckets[K]) take(key K) {
	now := b.cfg.Now()
	e := b.of[key]
	if e == nil {
		if b.oldest.Len() >= b.cfg.Addresses {
			b.forget(b.oldest.Front())
		}
		e = b.oldest.PushBack(&bucket[K]{key: key, at: now})
		b.of[key] = e
	}
	one := e.Value.(*bucket[K])
	one.empty = max(0, one.empty-now.Sub(one.at)) + b.cfg.Every
	one.at = now
	b.oldest.MoveToBack(e)
}

func (b *buckets[K]) forget(e *list.Element) {
	delete(b.of, e.Value.(*bucket[K]).key)
	b.oldest.Remove(e)
}

// Network is who an address belongs to, as far as anybody can tell: an IPv4
// address is its own, of IPv6 a client has a whole /64.
func Network(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return addr
}
