package testkit

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// timer is a message that is sent later, or a function that is called.
type timer struct {
	number  uint64
	host    *Host // nil: of the kit's user, see Kit.Later
	to      *actor.PID
	message any
	run     func() // instead of a message
	cause   int    // the step that set it
	index   int    // in the heap; -1 once fired or cancelled
}

func (t *timer) String() string {
	if t.run != nil {
		return "a function of Kit.Later"
	}
	return fmt.Sprintf("%T to %s", t.message, t.to.GetId())
}

// timers is a heap by time, then by age: the first is the next. Its entries hold
// what they are compared by, and have four children each: ten thousand clients have
// tens of thousands of timers, and to look into each that is passed, or to do it by
// container/heap, took three times as long.
type timers []due

// due is a timer in the heap.
type due struct {
	at time.Duration // on the line
	*timer
}

const children = 4

func (d due) before(o due) bool {
	if d.at != o.at {
		return d.at < o.at
	}
	return d.number < o.number
}

func (t *timers) push(d due) {
	*t = append(*t, d)
	t.up(len(*t) - 1)
}

// pop takes the first of a heap that has one.
func (t *timers) pop() due {
	first := (*t)[0]
	t.remove(0)
	return first
}

// remove takes out the one at the index.
func (t *timers) remove(i int) {
	last := len(*t) - 1
	(*t)[i].index = -1
	moved := (*t)[last]
	(*t)[last] = due{}
	*t = (*t)[:last]
	if i == last {
		return
	}
	(*t)[i] = moved
	moved.index = i
	if !t.up(i) {
		t.down(i)
	}
}

// up moves the one at the index towards the first, and says whether it did.
func (t *timers) up(i int) (moved bool) {
	all := *t
	d := all[i]
	for i > 0 {
		parent := (i - 1) / children
		if !d.before(all[parent]) {
			break
		}
		all[i] = all[parent]
		all[i].index = i
		i, moved = parent, true
	}
	all[i] = d
	d.index = i
	return moved
}

func (t *timers) down(i int) {
	all := *t
	d := all[i]
	for {
		least := i*children + 1
		if least >= len(all) {
			break
		}
		for child := least + 1; child < min(i*children+1+children, len(all)); child++ {
			if all[child].before(all[least]) {
				least = child
			}
		}
		if !all[least].before(d) {
			break
		}
		all[i] = all[least]
		all[i].index = i
		i = least
	}
	all[i] = d
	d.index = i
}

// without are those of all other hosts; the host's have ended.
func (t timers) without(h *Host) (kept timers) {
	for _, d := range t {
		if d.host == h {
			d.index = -1
		} else {
			kept.push(d)
		}
	}
	return kept
}
