package testkit

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"
)

// choice is one line of a log.
type choice struct {
	step   int           // of the loop that comes next
	at     time.Duration // since the run began
	stream Stream
	label  uint32 // index into labels
	n      uint64 // out of how many
	pick   uint64
}

// follower answers from what was chosen before. ok is false where it has no answer.
type follower interface {
	choose(s Stream, label string, n uint64) (pick uint64, ok bool)
	event(due []Event) (pick int, ok bool)
}

// decisions is where all that a run decides is decided.
type decisions struct {
	chance  [streams]*rand.Rand
	sizes   *rand.Rand
	set     map[string]int // options that are not drawn
	refused string         // the first of them that is out of its range, and what that is; "": none is
	drawn   []Drawn
	order   Chooser
	follow  follower     // nil: nobody
	explore *exploration // nil: the run is none of Explore
	keeps   bool         // choices and labels
	choices []choice     // as many as the run makes
	labels  []string
	index   map[string]uint32 // in labels
	step    int               // of the loop that comes next; the first is 1
	now     func() time.Duration
}

func newDecisions(seed uint64, now func() time.Duration) *decisions {
	d := &decisions{step: 1, now: now, order: inOrder{}, index: map[string]uint32{}, sizes: rand.New(rand.NewPCG(seed, 0x73697a65))}
	for s := range streams {
		d.chance[s] = rand.New(rand.NewPCG(seed, 0x6f72646572+uint64(s)))
	}
	if seed != 0 {
		d.order = bySeed{d.chance[Schedule]}
	}
	return d
}

func (d *decisions) choose(s Stream, label string, n uint64, draw func(r *rand.Rand) uint64) uint64 {
	if n == 0 {
		panic(fmt.Sprintf("testkit: a choice out of nothing: %s %q", s, label))
	}
	label = label[:min(len(label), labelMost-1)]
	pick, known := uint64(0), false
	switch {
	case d.explore != nil:
		pick, known = d.explore.choose(s, label, n), true
	case d.follow != nil:
		pick, known = d.follow.choose(s, label, n)
	}
	if !known {
		pick = draw(d.chance[s])
	}
	d.keep(s, label, n, pick)
	return pick
}

// event is which of those that are due is next. Of one there is no choice.
func (d *decisions) event(due []Event) int {
	if d.explore != nil {
		pick := d.explore.next(due, d.step)
		if d.keeps && pick >= 0 && len(due) > 1 {
			d.keep(Schedule, due[pick].label(), uint64(len(due)), uint64(pick))
		}
		return pick
	}
	if len(due) == 1 {
		return 0
	}
	pick, known := 0, false
	if d.follow != nil {
		pick, known = d.follow.event(due)
	}
	if !known {
		pick = d.order.Choose(due)
	}
	if d.keeps {
		d.keep(Schedule, due[pick].label(), uint64(len(due)), uint64(pick))
	}
	return pick
}

func (d *decisions) keep(s Stream, label string, n, pick uint64) {
	if !d.keeps {
		return
	}
	i, known := d.index[label]
	if !known {
		i = uint32(len(d.labels))
		d.labels = append(d.labels, label)
		d.index[label] = i
	}
	d.choices = append(d.choices, choice{step: d.step, at: d.now(), stream: s, label: i, n: n, pick: pick})
}

func (d *decisions) option(name string, least, most int) int {
	// It is drawn all the same: what comes after must not depend on who has set this.
	value := least + d.sizes.IntN(max(1, most-least+1))
	if set, ok := d.set[name]; ok {
		value = min(max(set, least), most)
		if value != set && d.refused == "" {
			d.refused = fmt.Sprintf("%s=%d: want a number from %d to %d", name, set, least, most)
		}
	}
	if i := slices.IndexFunc(d.drawn, func(o Drawn) bool { return o.Name == name }); i >= 0 {
		return d.drawn[i].Value
	}
	if _, set := d.set[name]; d.explore != nil && !set {
		value = d.explore.option(name, least, most)
	}
	d.drawn = append(d.drawn, Drawn{Name: name, Value: value, Least: least})
	return value
}

// chanceOf is a generator of the seed for whoever is called so.
func chanceOf(seed uint64, name string) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, name) // a hash takes all that it is given
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// strict follows a log choice by choice, and says where that is not possible.
type strict struct {
	log    *Log
	at     int // the next choice
	run    *decisions
	misfit string // why the log does not fit; "" while it does
}

func (f *strict) choose(s Stream, label string, n uint64) (uint64, bool) {
	c, ok := f.next(s, n, func() string { return fmt.Sprintf("%q", label) })
	if !ok {
		return 0, true
	}
	if want := f.log.labels[c.label]; want != label {
		f.differs(c, s, n, fmt.Sprintf("%q", label))
		return 0, true
	}
	return c.pick, true
}

func (f *strict) event(due []Event) (int, bool) {
	c, ok := f.next(Schedule, uint64(len(due)), func() string { return labels(due) })
	if !ok {
		return 0, true
	}
	if want := f.log.labels[c.label]; due[c.pick].label() != want {
		f.differs(c, Schedule, uint64(len(due)), labels(due))
		return 0, true
	}
	return int(c.pick), true
}

// next is the log's next choice, where it is one of the stream out of n.
func (f *strict) next(s Stream, n uint64, labels func() string) (c choice, ok bool) {
	if f.misfit != "" {
		return c, false
	}
	if f.at == len(f.log.choices) {
		f.misfit = fmt.Sprintf("at step %d, %v, it has ended, and the run has a choice of the %s out of %d, %s", f.run.step, f.run.now(), s, n, labels())
		return c, false
	}
	c = f.log.choices[f.at]
	f.at++
	if c.stream != s || c.n != n || c.step != f.run.step || c.pick >= n {
		f.differs(c, s, n, labels())
		return c, false
	}
	return c, true
}

func (f *strict) differs(c choice, s Stream, n uint64, found string) {
	f.misfit = fmt.Sprintf("at step %d, %v: expected choice %d of the %s out of %d at step %d, labelled %q; found one of the %s out of %d, %s",
		f.run.step, f.run.now(), c.pick, c.stream, c.n, c.step, f.log.labels[c.label], s, n, found)
}

// end says what is left of the log where the run has ended by itself.
func (f *strict) end() {
	if f.misfit == "" && f.at < len(f.log.choices) {
		c := f.log.choices[f.at]
		f.misfit = fmt.Sprintf("the run has ended at step %d, %v: expected choice %d of the %s out of %d at step %d, labelled %q",
			f.run.step, f.run.now(), c.pick, c.stream, c.n, c.step, f.log.labels[c.label])
	}
}

// labels are those of what is due, the first ones of many.
func labels(due []Event) string {
	const most = 12
	var all []string
	for _, e := range due[:min(most, len(due))] {
		all = append(all, e.label())
	}
	if len(due) > most {
		all = append(all, "…")
	}
	return fmt.Sprintf("%q", all)
}
