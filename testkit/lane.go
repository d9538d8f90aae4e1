package testkit

import "time"

// Lane does things in order, one a step of the loop: what connects two hosts is
// made of lanes, so that what is sent on one arrives in order and what is sent
// on two may overtake.
type Lane struct {
	name     string
	host     *Host // nil: nobody's
	schedule *schedule

	// The schedule's mu protects these.
	waiting []func() // bounded by the test's own length
	due     bool
}

// Lane is an empty one; name is what a Chooser sees.
func (k *Kit) Lane(name string) *Lane { return &Lane{name: name, schedule: k.schedule} }

// Lane is one that ends at the host: what is on it waits while the host is
// frozen, and does not happen once it has crashed.
func (h *Host) Lane(name string) *Lane {
	return &Lane{name: name, host: h, schedule: h.kit.schedule}
}

// Add has f done after what was added before.
func (l *Lane) Add(f func()) {
	l.schedule.mu.Lock()
	defer l.schedule.mu.Unlock()
	l.waiting = append(l.waiting, f)
	if !l.due {
		l.due = true
		l.schedule.add(l)
	}
}

// Clear forgets what was not done yet, and says how much that was.
func (l *Lane) Clear() (forgotten int) {
	l.schedule.mu.Lock()
	defer l.schedule.mu.Unlock()
	forgotten, l.waiting = len(l.waiting), nil
	return forgotten
}

func (l *Lane) String() string { return l.name }

func (l *Lane) of() *Host { return l.host }

func (l *Lane) step() (more bool) {
	l.schedule.mu.Lock()
	var f func()
	if l.host != nil && l.host.ended {
		l.waiting = nil
	}
	if len(l.waiting) > 0 {
		f, l.waiting = l.waiting[0], l.waiting[1:]
	}
	l.schedule.mu.Unlock()
	if f != nil {
		f()
	}
	l.schedule.mu.Lock()
	defer l.schedule.mu.Unlock()
	l.due = len(l.waiting) > 0
	return l.due
}

// Later has f done once d of virtual time has passed, by the Advance that
// reaches it. It is no host's: no Crash ends it.
func (k *Kit) Later(d time.Duration, f func()) (cancel func()) {
	return k.schedule.time.add(d, &timer{run: f})
}
