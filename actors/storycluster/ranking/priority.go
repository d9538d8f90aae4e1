package ranking

// Priority is how urgent a story is.
type Priority uint8

// From the quietest up; Major is a big story whose burst is over.
const (
	Normal Priority = iota
	Developing
	Major
	Breaking
)

// String is the priority as newsrank names it.
func (p Priority) String() string {
	return [...]string{"normal", "developing", "major", "breaking"}[p]
}

// What the priorities need, and how long what they lose must be missing.
const (
	checkEvery = minute
	stay       = 15 * minute // in a priority, at least

	developingAt  = 45.0
	developingS   = 3
	normalBelow   = 35.0
	normalAfter   = 30 * minute
	majorAt       = 70.0
	breakingAt    = 75.0
	breakingSpeed = 70.0
	breakingS     = 5
	burstLasts    = 6 * hour
	calmSpeed     = 45.0
	calmAfter     = 60 * minute
	calmBelow     = 60.0
)

// Changed is a change of priority and the scores that made it.
type Changed struct {
	From, To Priority
	At       int64
	Scores   Scores
}

// Check moves the story to now and, once a minute, looks at its priority. A
// step at a time: what is normal is developing before it breaks, one minimum
// stay later at the earliest.
func (s *Story) Check(now int64) (Changed, bool) {
	s.Advance(now)
	now = s.Now
	if s.First == 0 && s.Last == 0 || s.Checked != 0 && now-s.Checked < checkEvery {
		return Changed{}, false
	}
	s.Checked = now
	f := s.Scores()
	s.watchBurst(f)
	to, due := s.next(f)
	if !due || to == s.Priority || s.Since != 0 && now-s.Since < stay {
		return Changed{}, false
	}
	c := Changed{From: s.Priority, To: to, At: now, Scores: f}
	s.Priority, s.Since, s.Calm = to, now, 0
	return c, true
}

// watchBurst remembers since when the story speeds up; a burst ends where it
// slows down, and what comes after is another.
func (s *Story) watchBurst(f Scores) {
	switch {
	case f.Acceleration >= breakingSpeed && s.Burst == 0:
		s.Burst = s.Now
	case f.Acceleration < calmSpeed:
		s.Burst = 0
	}
}

// next is the priority that the scores ask for.
func (s *Story) next(f Scores) (to Priority, due bool) {
	breaks := f.Overall >= breakingAt && f.Acceleration >= breakingSpeed && f.Publishers >= breakingS &&
		s.Burst != 0 && s.Now-s.Burst < burstLasts
	switch s.Priority {
	case Normal:
		return Developing, f.Overall >= developingAt && f.Publishers >= developingS
	case Breaking:
		out := Developing
		if f.Overall >= majorAt {
			out = Major
		}
		calm := s.missing(f.Acceleration < calmSpeed, calmAfter)
		return out, calm || f.Overall < calmBelow
	case Major:
		if breaks {
			return Breaking, true
		}
		return Developing, s.missing(f.Overall < majorAt, normalAfter)
	}
	if breaks {
		return Breaking, true
	}
	return Normal, s.missing(f.Overall < normalBelow, normalAfter)
}

// missing says whether something has been below its mark for so long.
func (s *Story) missing(below bool, long int64) bool {
	switch {
	case !below:
		s.Calm = 0
		return false
	case s.Calm == 0:
		s.Calm = s.Now
	}
	return s.Now-s.Calm >= long
}
