package testkit

import (
	"fmt"
	"time"
)

// Step is one step of the loop, for whoever looks at a run.
type Step struct {
	N     int           // of the loop; the first is 1
	At    time.Duration // since the run began
	Host  string        // its address; "" of nobody's
	Actor string        // the id of the actor that handled a message; "" of others
	Lane  string        // what it was instead: a Lane's name, a job
	Cause int           // the step that it comes of: which sent the message, or set the timer; 0: the test itself
	Text  string        // the message, as Record shows it
}

// Mark is what somebody has said of a run: what befalls a host from Step to Until,
// or, without Until, what happened to somebody who is no actor.
type Mark struct {
	Step, Until int
	At, End     time.Duration
	Who         string
	Text        string
	Fault       bool
}

// History is what a run did, step by step.
type History struct {
	Steps []Step // in their order
	Marks []Mark // as they began
}

func (h *History) add(s Step) {
	if h != nil {
		h.Steps = append(h.Steps, s)
	}
}

func hostOf(e Event) string {
	if h := e.of(); h != nil {
		return h.address
	}
	return ""
}

// Note says for whoever looks at the run that something happened to who, who is no
// actor: a client, the world.
func (k *Kit) Note(who, format string, args ...any) {
	if k.schedule.history != nil {
		k.mark(Mark{Who: who, Text: fmt.Sprintf(format, args...)})
	}
}

// Fault says that a fault has begun for who, and returns what says that it is over.
func (k *Kit) Fault(who, text string) (over func()) {
	k.faults++
	i := k.mark(Mark{Who: who, Text: text, Fault: true})
	return func() {
		if h := k.schedule.history; h != nil && i < len(h.Marks) {
			h.Marks[i].Until, h.Marks[i].End = k.Step(), k.schedule.time.elapsed()-century
		}
	}
}

func (k *Kit) mark(m Mark) int {
	h := k.schedule.history
	if h == nil {
		return 0
	}
	m.Step, m.At = k.Step(), k.schedule.time.elapsed()-century
	h.Marks = append(h.Marks, m)
	return len(h.Marks) - 1
}

// Step is the step that runs, or between two of them the last one.
func (k *Kit) Step() int { return k.schedule.decisions.step - 1 }

// String is the step in one line.
func (s Step) String() string {
	who := s.Actor
	if who == "" {
		who = s.Lane
		if s.Host != "" {
			who = s.Host + ": " + who
		}
	}
	return fmt.Sprintf("step %d, %v, of step %d: %s  %s", s.N, s.At, s.Cause, who, s.Text)
}

// Last are the newest n steps.
func (h *History) Last(n int) []Step { return h.Steps[max(0, len(h.Steps)-max(n, 0)):] }

// Differs is the first step that is not the same in both, with what it is in each,
// cut to where that differs; 0: there is none.
func (h *History) Differs(other *History) (step int, first, second string) {
	const ended = "(has ended)"
	for i := range max(len(h.Steps), len(other.Steps)) {
		switch {
		case i >= len(h.Steps):
			return other.Steps[i].N, ended, other.Steps[i].String()
		case i >= len(other.Steps):
			return h.Steps[i].N, h.Steps[i].String(), ended
		case h.Steps[i] != other.Steps[i]:
			first, second = differing(h.Steps[i].String(), other.Steps[i].String())
			return h.Steps[i].N, first, second
		}
	}
	return 0, "", ""
}
