package gateway

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

// Digest tells in the log of things that clients make happen as often as they
// like: the first few of a kind at once, one line each, and after a while how
// many more there were. Kinds are texts of ours; there are few.
type Digest struct {
	log   *slog.Logger
	first int           // so many are told at once
	every time.Duration // then one line in so long
	level slog.Level

	mu    sync.Mutex // protects kinds
	kinds map[string]*digested
}

// digested is a kind since its last line.
type digested struct {
	told, more int
	addresses  map[netip.Addr]struct{} // of more; at most mostAddresses
}

// mostAddresses is how many are told apart: past it the figure is "at least".
const mostAddresses = 4096

// NewDigest tells of the first few of each kind, and of the rest once in every.
func NewDigest(log *slog.Logger, first int, every time.Duration) *Digest {
	return &Digest{log: log, first: first, every: every, kinds: map[string]*digested{}}
}

// RefusalsEvery is how often a kind of refusal is told of at most.
const RefusalsEvery = 10 * time.Second

// Note tells of one, from addr. more are attributes for the line, if it
// gets one of its own. A nil Digest tells nobody.
func (d *Digest) Note(kind string, addr netip.Addr, more ...any) {
	if d == nil {
		return
	}
	d.mu.Lock()
	of := d.kinds[kind]
	if of == nil {
		of = &digested{}
		d.kinds[kind] = of
		time.AfterFunc(d.every, func() { d.tell(kind) }) // ends with the first stretch in which nothing happens
	}
	alone := of.told < d.first
	if alone {
		of.told++
	} else {
		of.more++
		if of.addresses == nil {
			of.addresses = map[netip.Addr]struct{}{}
		}
		if len(of.addresses) < mostAddresses {
			of.addresses[Network(addr)] = struct{}{}
		}
	}
	d.mu.Unlock()
	if alone {
		if addr.IsValid() {
			more = append([]any{"client", addr}, more...)
		}
		d.log.Log(context.Background(), d.level, kind, more...)
	}
}

func (d *Digest) tell(kind string) {
	d.mu.Lock()
	of := d.kinds[kind]
	more, addresses := of.more, len(of.addresses)
	if more == 0 {
		delete(d.kinds, kind)
	} else {
		of.told, of.more, of.addresses = d.first, 0, nil // as long as it goes on, a line in a while is enough
		time.AfterFunc(d.every, func() { d.tell(kind) })
	}
	d.mu.Unlock()
	if more > 0 {
		d.log.Log(context.Background(), d.level, kind, "more", more, "addresses", addresses, "within", d.every)
	}
}
