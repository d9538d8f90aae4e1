package ranking

import (
	"math"
	"slices"
	"strings"
)

// Times are Unix milliseconds of event time.
const (
	minute = int64(60_000)
	hour   = 60 * minute
	day    = 24 * hour
)

// Article is what counts of an article.
type Article struct {
	Published  int64 // 0: unknown
	Discovered int64 // when it came
	Publisher  string
	Quality    float64 // of the source; held to 0.3 to 1
	Copy       bool    // a near-duplicate, or syndicated: counts a fifth, and nothing where its publisher has had the story within a day
}

// bounds of what one article and one story may be.
const (
	leastQuality = 0.3
	copyShare    = 0.2
	publishers   = 256 // remembered; more change no score that matters
)

// Story is what is kept of one story. The zero value is one without articles;
// its exported fields are the snapshot.
type Story struct {
	Now   int64 // the time that the sums are decayed to; never goes back
	First int64 // event time of the first article
	Last  int64 // of the latest

	Mass       float64 // Σ w·2^(−Δt/12 h)
	Fast, Slow float64 // Σ w·e^(−Δt/τ)/τ per hour, τ 1 h and 6 h, not yet divided by 1 − e^(−age/τ)
	Quality    float64 // of the best source

	Seen    []Publisher // of the last 24 h, by name; at most 256, the latest
	Printed []Publisher // of copies, likewise

	Priority Priority
	Since    int64 // when it took that priority; 0: it never changed
	Burst    int64 // when the burst began: the acceleration reached 70; 0: none
	Calm     int64 // since when the score, or the acceleration, is below what the priority needs; 0: it is not
	Checked  int64 // when the priority was last looked at
}

// Publisher is when a publisher last reported.
type Publisher struct {
	Name string
	At   int64
}

// time is when the article counts: never after it came, and never before what
// still counts for anything, so that a date of 1970 neither makes a story old
// nor a sum vanish, and one of 2090 moves no clock.
func (a *Article) time() int64 {
	if a.Published <= 0 || a.Published > a.Discovered {
		return a.Discovered
	}
	return max(a.Published, a.Discovered-day)
}

// Add counts an article.
func (s *Story) Add(a Article) {
	at := a.time()
	if s.First == 0 && s.Last == 0 {
		s.First, s.Last, s.Now = at, at, at
	}
	s.Advance(a.Discovered)
	s.First, s.Last = min(s.First, at), max(s.Last, at)
	quality := a.Quality
	if !(quality >= leastQuality) { // NaN too
		quality = leastQuality
	}
	quality = min(quality, 1)
	w := quality
	switch {
	case a.Copy && (has(s.Seen, a.Publisher) || has(s.Printed, a.Publisher)):
		w = 0 // publishers count, and not addresses
	case a.Copy:
		w *= copyShare
	}
	late := hours(s.Now - at)
	s.Mass += w * math.Exp2(-late/massHalf)
	s.Fast += w * math.Exp(-late/fastTau) / fastTau
	s.Slow += w * math.Exp(-late/slowTau) / slowTau
	s.Quality = max(s.Quality, quality)
	switch {
	case s.Now-at >= day:
	case a.Copy: // who prints another's text is no second witness
		report(&s.Printed, a.Publisher, at)
	default:
		report(&s.Seen, a.Publisher, at)
	}
}

// report remembers the publisher; of too many the one that is silent longest
// goes.
func report(list *[]Publisher, name string, at int64) {
	i, found := slices.BinarySearchFunc(*list, name, byName)
	if found {
		(*list)[i].At = max((*list)[i].At, at)
		return
	}
	if len(*list) == publishers {
		oldest := 0
		for k := range *list {
			if (*list)[k].At < (*list)[oldest].At {
				oldest = k
			}
		}
		*list = slices.Delete(*list, oldest, oldest+1)
		if oldest < i {
			i--
		}
	}
	*list = slices.Insert(*list, i, Publisher{name, at})
}

func has(list []Publisher, name string) bool {
	_, found := slices.BinarySearchFunc(list, name, byName)
	return found
}

func byName(p Publisher, name string) int { return strings.Compare(p.Name, name) }

// Advance decays the sums to now. An earlier time changes nothing.
func (s *Story) Advance(now int64) {
	if now <= s.Now {
		return
	}
	passed := hours(now - s.Now)
	s.Mass *= math.Exp2(-passed / massHalf)
	s.Fast *= math.Exp(-passed / fastTau)
	s.Slow *= math.Exp(-passed / slowTau)
	s.Now = now
	old := func(p Publisher) bool { return now-p.At >= day }
	s.Seen, s.Printed = slices.DeleteFunc(s.Seen, old), slices.DeleteFunc(s.Printed, old)
}

// Absorb adds all that o counted, of a story that merged into this one.
func (s *Story) Absorb(o *Story) {
	if o.First == 0 && o.Last == 0 {
		return
	}
	other := *o
	other.Seen, other.Printed = slices.Clone(o.Seen), slices.Clone(o.Printed)
	now := max(s.Now, o.Now)
	s.Advance(now)
	other.Advance(now)
	if s.First == 0 && s.Last == 0 {
		s.First, s.Last, s.Now = other.First, other.Last, now
	}
	s.First, s.Last = min(s.First, other.First), max(s.Last, other.Last)
	s.Mass += other.Mass
	s.Fast += other.Fast
	s.Slow += other.Slow
	s.Quality = max(s.Quality, other.Quality)
	for _, p := range other.Seen {
		report(&s.Seen, p.Name, p.At)
	}
	for _, p := range other.Printed {
		report(&s.Printed, p.Name, p.At)
	}
}

func hours(d int64) float64 { return float64(d) / float64(hour) }
