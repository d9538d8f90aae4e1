package testkit

import "math/rand/v2"

// Strategies are how a run that follows no log picks what is next: random, where
// each event is as likely as the others, and priority, where some mailboxes run
// before others until that changes, which finds what takes one to be late for long.
var Strategies = []string{"random", "priority"}

// lookMost bounds how many of those that are due byPriority compares.
const lookMost = 64

// changeOnce in so many choices whoever is chosen gets another priority.
const changeOnce = 64

// byPriority has those of one label, a kind of actor on a host, share a priority.
// Nobody starves for long: time does not go on before all that is due is done.
type byPriority struct {
	r    *rand.Rand
	with map[string]uint64 // as many as there are labels
}

func (b *byPriority) Choose(due []Event) int {
	best, most := 0, uint64(0)
	for i, e := range due[:min(len(due), lookMost)] {
		if p := b.of(e.label()); p > most {
			best, most = i, p
		}
	}
	if b.r.IntN(changeOnce) == 0 {
		delete(b.with, due[best].label())
	}
	return best
}

func (b *byPriority) of(label string) uint64 {
	p, known := b.with[label]
	if !known {
		p = 1 + b.r.Uint64N(1<<32)
		b.with[label] = p
	}
	return p
}

// strategy is the chooser of that name.
func (d *decisions) strategy(name string) Chooser {
	switch name {
	case "priority":
		return &byPriority{r: d.chance[Schedule], with: map[string]uint64{}}
	case DepthFirst:
		return inOrder{}
	default:
		return d.order
	}
}
