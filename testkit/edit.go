package testkit

import "time"

// edit is a log of which some choices are made otherwise.
type edit struct {
	log     *Log
	picks   map[int]uint64 // by index of the choice
	options map[string]int
}

func newEdit(l *Log) *edit {
	e := &edit{log: l, picks: map[int]uint64{}, options: map[string]int{}}
	for _, o := range l.Options {
		e.options[o.Name] = o.Value
	}
	return e
}

func (e *edit) pick(i int) uint64 {
	if pick, ok := e.picks[i]; ok {
		return pick
	}
	return e.log.choices[i].pick
}

// question is what is asked again in another run.
type question struct {
	of    Stream
	label string
}

// loose answers a question that comes again as it was answered then, and others
// plainly. Questions of the schedule come again by their place in an instant: two
// runs that have drifted apart meet again at the next one.
type loose struct {
	answers map[question][]uint64
	order   map[time.Duration][]ordered
	now     func() time.Duration
	instant time.Duration
	place   int // in the instant
}

// ordered is which event was next.
type ordered struct {
	pick  uint64
	label string
}

func (e *edit) follow(now func() time.Duration) follower {
	f := &loose{answers: map[question][]uint64{}, order: map[time.Duration][]ordered{}, now: now}
	for i, c := range e.log.choices {
		label := e.log.labels[c.label]
		if c.stream == Schedule {
			f.order[c.at] = append(f.order[c.at], ordered{e.pick(i), label})
			continue
		}
		q := question{c.stream, label}
		f.answers[q] = append(f.answers[q], e.pick(i))
	}
	return f
}

func (f *loose) choose(s Stream, label string, n uint64) (uint64, bool) {
	q := question{s, label}
	left := f.answers[q]
	if len(left) == 0 {
		return 0, true
	}
	f.answers[q] = left[1:]
	return min(left[0], n-1), true
}

func (f *loose) event(due []Event) (int, bool) {
	if now := f.now(); now != f.instant {
		f.instant, f.place = now, 0
	}
	of := f.order[f.instant]
	if f.place >= len(of) {
		return 0, true
	}
	was := of[f.place]
	f.place++
	if was.pick == 0 {
		return 0, true
	}
	if was.pick < uint64(len(due)) && due[was.pick].label() == was.label {
		return int(was.pick), true
	}
	for i, e := range due {
		if e.label() == was.label {
			return i, true
		}
	}
	return 0, true
}
