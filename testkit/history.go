package testkit

import "time"

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
func (k *Kit) Note(who, text string) { k.mark(Mark{Who: who, Text: text}) }

// Fault says that a fault has begun for who, and returns what says that it is over.
func (k *Kit) Fault(who, text string) (over func()) {
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
