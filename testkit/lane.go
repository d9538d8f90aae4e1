package testkit

import (
	"fmt"
	"time"
)

// Lane does things in order, one a step of the loop: what connects two hosts is
// made of lanes, so that what is sent on one arrives in order and what is sent
// on two may overtake.
type Lane struct {
	name     string
	host     *Host // nil: nobody's
	schedule *schedule

	called string // label, once it was asked for
	self   string // as process
	tells  bool

	// The schedule's mu protects these.
	waiting queue[waiting] // bounded by the test's own length
	due     bool
}

// waiting is what a lane does, and the step that it comes of.
type waiting struct {
	do    func()
	cause int
}

// Lane is an empty one; name is what a Chooser sees.
func (k *Kit) Lane(name string) *Lane {
	return &Lane{name: name, schedule: k.schedule, self: k.schedule.named("lane " + name)}
}

// Lane is one that ends at the host: what is on it waits while the host is
// frozen, and does not happen once it has crashed.
func (h *Host) Lane(name string) *Lane {
	return &Lane{name: name, host: h, schedule: h.kit.schedule, self: h.kit.schedule.named("lane " + name)}
}

// Add has f done after what was added before.
func (l *Lane) Add(f func()) {
	l.schedule.mu.Lock()
	defer l.schedule.mu.Unlock()
	l.schedule.reaches(l, false)
	l.waiting.push(waiting{f, l.schedule.comesOf()})
	if !l.due {
		l.due = true
		l.schedule.add(l)
	}
}

// Clear forgets what was not done yet, and says how much that was.
func (l *Lane) Clear() (forgotten int) {
	l.schedule.mu.Lock()
	defer l.schedule.mu.Unlock()
	l.schedule.reaches(l, true)
	forgotten, l.waiting = l.waiting.len(), queue[waiting]{}
	return forgotten
}

func (l *Lane) String() string { return l.name }

func (l *Lane) label() string {
	if l.called == "" {
		l.called = whose(l)
	}
	return l.called
}

func (l *Lane) of() *Host { return l.host }

func (l *Lane) process() string { return l.self }

// Tells says, for Explore, that what is done on the lane touches nothing but what the
// kit sees (it sends, sets timers, asks Chance) and what Kit.Touch and Look tell. Of
// another lane's steps it is not known, so that they are tried in every order.
func (l *Lane) Tells() *Lane {
	l.tells = true
	return l
}

// touches is what a step of it always touches.
func (l *Lane) touches(next waiting) {
	s := l.schedule
	if s.explored == nil {
		return
	}
	s.comes(next.cause)
	s.touch(actorOf(l.self), true)
	if l.host != nil {
		s.touch(hostThing(l.host), false)
	}
	if !l.tells {
		s.touch(elsewhere, true)
	}
}

func (l *Lane) step() (more bool) {
	l.schedule.mu.Lock()
	var next waiting
	if l.host != nil && l.host.ended {
		l.waiting = queue[waiting]{}
	}
	if l.waiting.len() > 0 {
		next = l.waiting.pop()
	}
	l.schedule.mu.Unlock()
	l.touches(next)
	if next.do != nil {
		l.schedule.history.add(Step{N: l.schedule.comesOf(), At: l.schedule.time.elapsed() - century, Host: hostOf(l), Lane: l.name, Cause: next.cause})
		next.do()
	}
	l.schedule.mu.Lock()
	defer l.schedule.mu.Unlock()
	l.due = l.waiting.len() > 0
	return l.due
}

// Later has f done once d of virtual time has passed, by the Advance that
// reaches it. It is no host's: no Crash ends it.
func (k *Kit) Later(d time.Duration, f func()) (cancel func()) {
	if s := k.schedule; s.explored != nil {
		s.touch(fmt.Sprint("later, at ", s.time.elapsed()+d), true)
	}
	return k.schedule.time.add(d, &timer{run: f, cause: k.schedule.comesOf()})
}
