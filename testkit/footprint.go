package testkit

import "strconv"

// footprint is what a step has touched, and whether it has changed that or only
// looked at it. Two steps of different actors whose footprints do not meet commute:
// whichever comes first, the same comes of both.
type footprint map[string]bool

// meets says whether one changes what the other touches.
func (f footprint) meets(g footprint) bool {
	if len(g) < len(f) {
		f, g = g, f
	}
	for thing, changed := range f {
		if other, both := g[thing]; both && (changed || other) {
			return true
		}
	}
	return false
}

func (f footprint) add(g footprint) {
	for thing, changed := range g {
		f[thing] = f[thing] || changed
	}
}

// What the kit itself sees touched. A mailbox is two things, what waits in it and its
// actor: what an actor handles next does not depend on what comes after that.
func actorOf(process string) string   { return "actor " + process }
func waitingOf(process string) string { return "waiting for " + process }
func hostThing(h *Host) string        { return "host " + h.address }

// elsewhere is all that the kit does not see: what a Worker's jobs and a Lane's steps
// do, unless they tell.
const elsewhere = "what the kit does not see"

// Touch says, for Explore, that the step that runs changes something that others can
// see and the kit does not: a file, a record of a store, what the test itself keeps.
// Two steps that touch the same thing are tried in both orders. What an actor keeps
// for itself, and what it sends, the kit sees.
func (k *Kit) Touch(thing string) { k.schedule.told(thing, true) }

// Look is Touch for a step that changes nothing: two that look are in no order.
func (k *Kit) Look(thing string) { k.schedule.told(thing, false) }

func (s *schedule) told(thing string, changes bool) {
	if s.explored != nil {
		s.touch("told: "+thing, changes)
	}
}

// touch is of the step that runs; between steps there is no order to be found.
func (s *schedule) touch(thing string, changes bool) {
	if x := s.explored; x != nil && x.running != nil {
		p := x.running.prints
		p[thing] = p[thing] || changes
	}
}

// reaches is of what is put into a mailbox or a lane; first: before all that waits, so
// that what would have been next is not.
func (s *schedule) reaches(e Event, first bool) {
	if s.explored == nil {
		return
	}
	s.touch(waitingOf(e.process()), true)
	if h := e.of(); h != nil {
		s.touch(hostThing(h), false)
	}
	if first {
		s.touch(actorOf(e.process()), true)
		s.halts([]Event{e})
	}
}

// comes says which step the one that runs comes of.
func (s *schedule) comes(of int) {
	if x := s.explored; x != nil && x.running != nil {
		x.running.of = of
	}
}

// named makes the name of something that is made now one of its own: the same in every
// run that comes here by the same decisions.
func (s *schedule) named(what string) string {
	if s.explored == nil {
		return what
	}
	s.explored.made++
	return what + " " + strconv.Itoa(s.explored.made)
}

// halts says that the processes of the events do not do what they would have done next.
func (s *schedule) halts(waits []Event) {
	if x := s.explored; x != nil && x.running != nil {
		for _, e := range waits {
			x.running.halts = append(x.running.halts, e.process())
		}
	}
}
