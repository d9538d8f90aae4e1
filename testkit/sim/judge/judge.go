// Package judge says what must hold of a cluster's clients, of plain records. It is
// one definition for two worlds: the simulation judges its runs by it, and the tests
// that break real processes judge what their clients wrote down.
package judge

import (
	"fmt"
	"maps"
	"slices"
)

// Place is where a delivery is: no other of the same client has it.
type Place struct {
	Position uint64 // of the event in the log
	K        uint32 // of the delivery among those of the event
}

// After says whether a client that stands at q may be handed what is at p.
func (p Place) After(q Place) bool {
	return p.Position > q.Position || p.Position == q.Position && p.K > q.K
}

// Delivered holds that a client was handed exactly what it should, in that order.
// right is how many of the first are.
func Delivered[T comparable](got, want []T) (right int, err error) {
	for right < len(got) && right < len(want) && got[right] == want[right] {
		right++
	}
	if right == len(got) && right == len(want) {
		return right, nil
	}
	return right, fmt.Errorf("was handed %d of %d; the first %d are right, then it was handed %v, want %v",
		len(got), len(want), right, at(got, right), at(want, right))
}

func at[T any](all []T, i int) any {
	if i < len(all) {
		return all[i]
	}
	return "nothing"
}

// Limit holds that a key has no more connections open than its plan allows.
func Limit(keyID string, open []string, limit int) error {
	if len(open) > limit {
		return fmt.Errorf("%s has %d connections, its limit is %d: %v", keyID, len(open), limit, open)
	}
	return nil
}

// Term holds that a term is one process's; before is who has taken it already, "" for
// nobody.
func Term(of string, term uint64, before, by string) error {
	if before != "" && before != by {
		return fmt.Errorf("%s term %d was taken by %s and by %s", of, term, before, by)
	}
	return nil
}

// Owner holds that, once nothing moves any more, no two processes serve the same;
// owners are those that have taken a term of it and have neither ended nor given it up.
func Owner(of string, owners []string) error {
	if len(owners) > 1 {
		return fmt.Errorf("%s is served by %v", of, owners)
	}
	return nil
}

// Growing holds that the views which one process goes by are numbered upwards.
func Growing(process string, before, number uint64) error {
	if number <= before {
		return fmt.Errorf("%s goes by view %d after %d", process, number, before)
	}
	return nil
}

// Agree holds that, once nothing moves any more, all processes go by the same view;
// views are what each sees.
func Agree(views map[string]string) error {
	first, of := "", ""
	for _, process := range slices.Sorted(maps.Keys(views)) {
		switch {
		case of == "":
			first, of = views[process], process
		case views[process] != first:
			return fmt.Errorf("%s sees %q, and %s sees %q", of, first, process, views[process])
		}
	}
	return nil
}

// Charged holds that what was handed to a key's clients was charged; lent is what
// may be charged besides: the grants that are open, and what was on its way when a
// connection broke. exactly: and nothing else.
func Charged(keyID string, handed, charged, lent int64, exactly bool) error {
	if charged < handed || exactly && charged > handed+lent {
		return fmt.Errorf("%d frames were handed to clients of %s; %d are charged, of which %d may be lent or lost", handed, keyID, charged, lent)
	}
	return nil
}
