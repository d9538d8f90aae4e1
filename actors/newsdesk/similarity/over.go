package similarity

// over says whether the story has ended by the time that m comes: it was
// reported often, and then not, for hours in which others were. What is told of
// the same matter after that is another story: a game is announced, and the next
// day it is sold.
//
// A story's reports grow rarer as it grows old: of n of them in the time that it
// has lasted, n·ln(1 + t/lasted) more are to be expected in the time t after the
// last one. Time is counted in articles of the stream, because nights and holidays
// are silent for all. A few strays, which have joined it since, are passed over.
func (s *story) over(m *member) bool {
	n := len(s.members)
	if n < overLeast {
		return false
	}
	first := s.members[0].came
	for strays := 0; strays*strayShare <= n; strays++ {
		last := &s.members[n-1-strays]
		silent := m.came - last.came
		if silent <= 0 || m.at-last.at < overAfter {
			continue
		}
		lasted := float64(last.came - first + 1)
		expected := float64(n-1-strays) * logarithm(1+float64(silent)/lasted)
		if expected >= float64(overExpected*(1+strays)) {
			return true
		}
	}
	return false
}

const (
	overLeast    = 8        // articles, before anybody knows a story's pace
	overAfter    = 8 * hour // of event time without a report
	overExpected = 4        // reports in that time, for each that came
	strayShare   = 6        // of so many articles one may be a stray
)
