package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
)

// Bounds of one ledger (messages.Ledger says what they mean).
const (
	maxOpenGrants = 16
	maxDoneOps    = 64
)

// LedgerPrefix is where NewCounters keeps its records in a Control.
const LedgerPrefix = "ledgers."

// NewCounters holds ledgers as records of a Control, one a key and month,
// written by compare-and-set. Both stores use it: the arithmetic of credit
// is here once, and is exact wherever Control is.
func NewCounters(c Control) Counters { return counters{c} }

type counters struct{ control Control }

func ledgerKey(keyID, month string) string { return LedgerPrefix + keyID + "." + month }

func (c counters) Reserve(ctx context.Context, r Reservation) (*messages.Grant, error) {
	if r.N < 0 || r.N == 0 && r.Replaces == nil || r.Op == "" || r.KeyID == "" || r.Month == "" {
		return nil, fmt.Errorf("reserve credits of key %q, month %q: n %d, op %q: n above 0, key, month and op are needed", r.KeyID, r.Month, r.N, r.Op)
	}
	if g := r.Replaces; g != nil && (r.Used < 0 || r.Used > g.GetSize() || g.GetKeyId() != r.KeyID || g.GetMonth() != r.Month) {
		return nil, fmt.Errorf("reserve credits of key %s, month %s: used %d of %d of grant %s of key %s, month %s: used is at most the size, key and month are the same",
			r.KeyID, r.Month, r.Used, g.GetSize(), g.GetId(), g.GetKeyId(), g.GetMonth())
	}
	var grant *messages.Grant
	err := c.update(ctx, r.KeyID, r.Month, func(l *messages.Ledger) (changed bool, err error) {
		grant, changed, err = reserve(l, r)
		return changed, err
	})
	if err != nil {
		return nil, fmt.Errorf("reserve credits of key %s, month %s: %w", r.KeyID, r.Month, err)
	}
	return grant, nil
}

func (c counters) Settle(ctx context.Context, g *messages.Grant, used int64) error {
	if used < 0 || used > g.GetSize() {
		return fmt.Errorf("settle grant %s of key %s: used %d of %d", g.GetId(), g.GetKeyId(), used, g.GetSize())
	}
	err := c.update(ctx, g.GetKeyId(), g.GetMonth(), func(l *messages.Ledger) (bool, error) {
		return settle(l, g.GetId(), used), nil
	})
	if err != nil {
		return fmt.Errorf("settle grant %s of key %s: %w", g.GetId(), g.GetKeyId(), err)
	}
	return nil
}

func (c counters) Usage(ctx context.Context, keyID, month string) (*messages.Ledger, error) {
	l, _, err := c.read(ctx, ledgerKey(keyID, month))
	if err != nil {
		return nil, fmt.Errorf("usage of key %s, month %s: %w", keyID, month, err)
	}
	return l, nil
}

func (c counters) Prune(ctx context.Context, keyID string, keep int) error {
	all, err := c.control.List(ctx, ledgerKey(keyID, ""))
	if err != nil {
		return fmt.Errorf("prune the ledgers of key %s: %w", keyID, err)
	}
	for _, v := range all[:max(0, len(all)-keep)] { // by key, so by month
		// Deleted or written by another already: nothing is left to do here.
		err := c.control.Delete(ctx, v.Key, v.Revision)
		if err != nil && !errors.Is(err, messages.ErrNotFound) && !errors.Is(err, messages.ErrConflict) {
			return fmt.Errorf("prune the ledgers of key %s: %w", keyID, err)
		}
	}
	return nil
}

func (c counters) read(ctx context.Context, key string) (*messages.Ledger, uint64, error) {
	v, err := c.control.Get(ctx, key)
	if errors.Is(err, messages.ErrNotFound) {
		return new(messages.Ledger), 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	l := new(messages.Ledger)
	if err := proto.Unmarshal(v.Data, l); err != nil {
		return nil, 0, fmt.Errorf("record %s: %w: %w", key, messages.ErrDamaged, err)
	}
	return l, v.Revision, nil
}

// update applies change until it was written against the ledger that it saw.
// A conflict means that somebody else got through, so the loop ends; after an
// ambiguous answer the ledger itself tells whether the operation is in it.
func (c counters) update(ctx context.Context, keyID, month string, change func(*messages.Ledger) (bool, error)) error {
	key := ledgerKey(keyID, month)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		l, revision, err := c.read(ctx, key)
		if err != nil {
			return err
		}
		changed, err := change(l)
		if err != nil || !changed {
			return err
		}
		data, err := proto.Marshal(l)
		if err != nil {
			return err
		}
		_, err = c.control.CAS(ctx, key, data, revision)
		if err == nil {
			return nil
		}
		if !errors.Is(err, messages.ErrConflict) && !errors.Is(err, messages.ErrAmbiguous) {
			return err
		}
	}
}

// reserve opens the grant in the ledger, or finds the one that the same
// operation opened.
//
// Invariant: charged = settled use + the sizes of open grants, and charged
// never passes the limit of the moment at which it grew.
func reserve(l *messages.Ledger, r Reservation) (*messages.Grant, bool, error) {
	for _, g := range l.Open {
		if g.Id == r.Op {
			return g, false, nil
		}
	}
	g := &messages.Grant{KeyId: r.KeyID, Month: r.Month, Id: r.Op, Spenders: r.Spenders}
	if slices.Contains(l.Done, r.Op) {
		return g, false, nil // settled: there is nothing left in it to spend
	}
	more := r.N
	if r.Limit > 0 {
		more = max(min(more, r.Limit-l.Charged), 0)
	}
	if r.Replaces == nil {
		if more == 0 {
			return nil, false, messages.ErrExhausted
		}
		g.Size = more
	} else {
		i := grantAt(l, r.Replaces.GetId())
		if i < 0 {
			return nil, false, messages.ErrNotFound
		}
		g.Size = l.Open[i].Size - r.Used + more
		closeGrant(l, i)
	}
	l.Charged += more
	if g.Size == 0 {
		l.Done = remember(l.Done, r.Op)
		return g, true, nil
	}
	if len(l.Open) == maxOpenGrants {
		// Its owner died with it open. It stays charged, as if all of it had
		// been spent: delivered <= charged, whatever happened.
		closeGrant(l, 0)
	}
	l.Open = append(l.Open, g)
	return g, true, nil
}

// settle closes an open grant; one that is closed or unknown changes nothing.
func settle(l *messages.Ledger, id string, used int64) bool {
	i := grantAt(l, id)
	if i < 0 {
		return false
	}
	l.Charged -= l.Open[i].Size - used
	closeGrant(l, i)
	return true
}

// grantAt is the place of the grant among those that are open; below 0 where it
// is not.
func grantAt(l *messages.Ledger, id string) int {
	return slices.IndexFunc(l.Open, func(g *messages.Grant) bool { return g.Id == id })
}

func closeGrant(l *messages.Ledger, i int) {
	l.Done = remember(l.Done, l.Open[i].Id)
	l.Open = slices.Delete(l.Open, i, i+1)
}

func remember(done []string, id string) []string {
	if len(done) >= maxDoneOps {
		done = done[len(done)-maxDoneOps+1:]
	}
	return append(done, id)
}
