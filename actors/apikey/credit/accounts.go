package credit

import (
	"maps"
	"slices"

	"github.com/birdwire/birdwire/messages"
)

const (
	wantMost = 1 << 17 // of one connection at once
	// recallMost is how many seconds a connection may take to return what it
	// holds. After that nobody waits for it.
	recallMost = 3
	// idleMost is how many seconds a connection may hold credits and say nothing.
	idleMost = 60
)

// accounts are what connections hold and want. Those that hold or want
// something are the spenders.
//
// Invariant: held is the sum of what each account holds, and each of waiting
// has an account.
type accounts struct {
	of      map[string]*account // by connection
	held    int64
	waiting []ask // in order of asking, one a connection
}

// account is what one connection was granted, in sums.
type account struct {
	api                     messages.Api
	granted, used, returned int64
	// old is what it has of months that are over, and is charged there: it spends
	// or returns that first, and nobody else is given it.
	old      int64
	after    messages.Position // what it has not reported is spent on events after it
	recalled int               // seconds since it was asked to return what it holds, from 1; 0: it was not
	idle     int               // seconds since it said anything
}

// held is what it has of the present month's.
func (a *account) held() int64 { return a.granted - a.used - a.returned - a.old }

// move counts n of what it has as used or returned, in sum, and returns how
// much of that was held.
func (a *account) move(sum *int64, n int64) (held int64) {
	n = max(min(n, a.held()+a.old), 0)
	*sum += n
	old := min(n, a.old)
	a.old -= old
	return n - old
}

type ask struct {
	connection string
	want       int64
	question   uint64
}

// Ask is a connection's wish to hold Want credits, and how its account is.
type Ask struct {
	Connection string
	Api        messages.Api
	State      State
	Want       int64
	Question   uint64
}

// State is how a connection says that its account is, in sums.
type State struct {
	Used, Returned int64
	After          messages.Position // what it has not used yet it spends on events after it, each of them once
}

// ask takes a wish, and returns how much was used since the last word.
func (l *accounts) ask(a Ask) (used int64) {
	to := l.of[a.Connection]
	if to == nil {
		to = &account{api: a.Api}
		l.of[a.Connection] = to
	}
	used = l.state(to, a.State)
	w := ask{a.Connection, min(max(a.Want, 1), wantMost), a.Question}
	if i := slices.IndexFunc(l.waiting, func(o ask) bool { return o.connection == a.Connection }); i >= 0 {
		l.waiting[i] = w
	} else {
		l.waiting = append(l.waiting, w)
	}
	return used
}

// state moves an account on to the sums that its connection says, and returns
// how much was used in between. Older sums change nothing.
func (l *accounts) state(a *account, s State) (used int64) {
	a.recalled, a.idle = 0, 0
	a.after = max(a.after, s.After)
	used = a.move(&a.used, s.Used-a.used)
	l.held -= used + a.move(&a.returned, s.Returned-a.returned)
	return used
}

// useAll counts everything that it holds as used.
func (l *accounts) useAll(a *account) (used int64) {
	used = a.move(&a.used, a.held()+a.old)
	l.held -= used
	return used
}

// writeOff makes everything that is held old, and returns how much that was.
func (l *accounts) writeOff() (held int64) {
	for _, a := range l.of {
		a.old += a.held()
	}
	held, l.held = l.held, 0
	return held
}

// grant hands out to the first of those that wait.
func (l *accounts) grant(n int64) {
	l.of[l.waiting[0].connection].granted += n
	l.held += n
}

// need is how much the one that waits lacks.
func (l *accounts) need(a ask) int64 {
	of := l.of[a.connection]
	return a.want - of.held() - of.old
}

// answered takes the first of those that wait away.
func (l *accounts) answered() {
	if l.waiting = l.waiting[1:]; len(l.waiting) == 0 {
		l.waiting = nil
	}
}

// close ends an account, of which nothing is spent any more: what it holds is
// back.
func (l *accounts) close(connection string) {
	if a := l.of[connection]; a != nil {
		l.held -= a.held()
		delete(l.of, connection)
		l.waiting = slices.DeleteFunc(l.waiting, func(w ask) bool { return w.connection == connection })
	}
}

func (l *accounts) waits(connection string) bool {
	return slices.ContainsFunc(l.waiting, func(w ask) bool { return w.connection == connection })
}

// connections are those that have an account, in order.
func (l *accounts) connections() []string { return slices.Sorted(maps.Keys(l.of)) }

// holders are those that hold something unspent, in order.
func (l *accounts) holders() []string {
	return slices.DeleteFunc(l.connections(), func(id string) bool { return l.of[id].held() == 0 })
}

// spenders are those that may have spent what is not reported, or will, in order.
func (l *accounts) spenders() (all []*messages.Spender) {
	for _, id := range l.connections() {
		if a := l.of[id]; a.held() > 0 || l.waits(id) {
			all = append(all, &messages.Spender{ConnectionId: id, Api: a.api, After: uint64(a.after)})
		}
	}
	return all
}

// recallable says whether another connection holds something and has not been
// given up on.
func (l *accounts) recallable(but string) bool {
	for id, a := range l.of {
		if id != but && a.held() > 0 && a.recalled <= recallMost {
			return true
		}
	}
	return false
}

// recall marks those that hold something, but for one, as asked to return it,
// and returns those that were not marked.
func (l *accounts) recall(but string) (connections []string) {
	for _, id := range l.connections() {
		if a := l.of[id]; a.held() > 0 && a.recalled == 0 && id != but {
			a.recalled = 1
			connections = append(connections, id)
		}
	}
	return connections
}

// recalling says whether somebody was asked to return what it holds, and is waited for.
func (l *accounts) recalling() bool {
	for _, a := range l.of {
		if a.recalled > 0 && a.recalled <= recallMost && a.held() > 0 {
			return true
		}
	}
	return false
}

// tick is so many seconds gone by. It returns those that are asked to return what
// they hold: once more, where it is wanted, or because they have not spent for
// long.
func (l *accounts) tick(seconds int, wanted bool) (again []string) {
	for _, id := range l.connections() {
		a := l.of[id]
		before := a.idle
		a.idle += seconds
		switch {
		case a.recalled > 0 && a.recalled <= recallMost:
			if a.recalled++; a.recalled <= recallMost && wanted {
				again = append(again, id)
			}
		case a.idle/idleMost > before/idleMost && a.held() > 0:
			again = append(again, id)
		}
	}
	return again
}
