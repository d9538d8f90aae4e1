package desk

import "github.com/birdwire/birdwire/messages"

// turn is what follows from one event.
type turn struct {
	position messages.Position
	at       int64 // detection of the event
	steps    []*step
	done     int // steps that were answered

	answers []*messages.StoryTold // to the tells of the present step, in their order
	missing int
	state   []byte // that the step before was answered
	said    int    // events so far
}

// step is told at once.
type step struct {
	tells []*messages.TellStory
	// carries: its answer's state goes into the tell of the next step.
	carries bool
	// ends: its stories are no more after it.
	ends bool
}

// Busy says whether a turn goes on.
func (m *Machine) Busy() bool { return m.turn != nil }

// Tells are what the present step tells the stories, to be sent in order; the
// same slice until all are answered. A story whose tell has a state, or that
// begins with it, is made anew by it.
func (m *Machine) Tells() []*messages.TellStory {
	if m.turn == nil {
		return nil
	}
	return m.turn.steps[m.turn.done].tells
}

// Told takes an answer. stepped: it was the last one of its step, and Tells are
// those of the next, or the turn is over. An answer to anything else than the
// present step is dropped: it was asked twice.
func (m *Machine) Told(told *messages.StoryTold) (stepped bool) {
	t := m.turn
	if t == nil || told.GetTurn() != m.number || int(told.GetStep()) != t.done {
		return false
	}
	for i, tell := range t.steps[t.done].tells {
		if tell.GetStory() == told.GetStory() && t.answers[i] == nil {
			t.answers[i] = told
			t.missing--
			break
		}
	}
	if t.missing > 0 {
		return false
	}
	m.stepped()
	return true
}

// Rests says whether the story that answers so has no actor after it.
func (m *Machine) Rests(told *messages.StoryTold) bool {
	t := m.turn
	if t == nil || told.GetTurn() != m.number || int(told.GetStep()) != t.done {
		return false
	}
	for _, tell := range t.steps[t.done].tells {
		if tell.GetStory() == told.GetStory() {
			return tell.GetKeep().GetRest()
		}
	}
	return false
}

// Waits says whether the story has not answered the present step.
func (m *Machine) Waits(story uint64) bool {
	t := m.turn
	if t == nil {
		return false
	}
	for i, tell := range t.steps[t.done].tells {
		if tell.GetStory() == story {
			return t.answers[i] == nil
		}
	}
	return false
}

// stepped takes the answers of the present step and begins the next.
func (m *Machine) stepped() {
	t := m.turn
	s := t.steps[t.done]
	for i, told := range t.answers {
		for _, e := range told.GetEvents() {
			m.say(e)
		}
		if s.carries {
			t.state = told.GetState()
		}
		if q := told.GetQuestion(); q != nil {
			m.ask(q)
		}
		m.answered(s, s.tells[i], told)
	}
	t.done++
	m.goOn()
}

// answered takes in what one story is now.
func (m *Machine) answered(s *step, tell *messages.TellStory, told *messages.StoryTold) {
	id := tell.GetStory()
	e := m.stories[id]
	if s.ends {
		m.end(id)
		return
	}
	if e == nil {
		return
	}
	if _, looks := tell.GetWhat().(*messages.TellStory_Look); !looks && tell.GetKeep() == nil {
		m.rerank = m.rerank || told.GetFace().GetArticles() > 1
	}
	e.face = told.GetFace()
	switch keep := tell.GetKeep(); {
	case keep.GetRest():
		e.state, e.awake = told.GetState(), false
		delete(m.awake, id)
	case keep != nil:
		m.saved[id] = told.GetState()
	}
}

// goOn begins the next step, or ends the turn.
func (m *Machine) goOn() {
	t := m.turn
	for t.done < len(t.steps) {
		s := t.steps[t.done]
		for _, tell := range s.tells {
			m.address(tell)
		}
		t.answers, t.missing = make([]*messages.StoryTold, len(s.tells)), len(s.tells)
		if t.missing > 0 {
			return
		}
		t.done++
	}
	m.rank()
	m.turn = nil
	m.forget()
}

// address completes a tell: when it is, what its story is if nobody has it, and
// what the step before was answered.
func (m *Machine) address(tell *messages.TellStory) {
	tell.Turn, tell.Step, tell.NowMs = m.number, uint32(m.turn.done), m.now
	if e := m.stories[tell.GetStory()]; e != nil {
		tell.State, e.state = e.state, nil
	}
	for _, absorb := range []*messages.StoryAbsorb{tell.GetAbsorb(), tell.GetFound()} {
		if absorb != nil {
			absorb.State = m.turn.state
		}
	}
}

// say adds an event to what is pending. It gets its id here.
func (m *Machine) say(body *messages.Event) {
	m.pending = append(m.pending, &messages.Event{
		Id: eventID(m.turn.position, m.turn.said), Source: Source, DetectedMs: max(m.turn.at, 1), Body: body.GetBody(),
	})
	m.turn.said++
}

// end forgets a story.
func (m *Machine) end(id uint64) {
	e := m.stories[id]
	if e == nil {
		return
	}
	for _, a := range e.articles {
		if m.of[a] == id {
			delete(m.of, a)
		}
	}
	delete(m.stories, id)
	delete(m.awake, id)
	m.rerank = m.rerank || e.awake && e.face.GetArticles() > 1
}

// then adds a step of one tell.
func (m *Machine) then(tell *messages.TellStory) *step {
	s := &step{tells: []*messages.TellStory{tell}}
	m.turn.steps = append(m.turn.steps, s)
	return s
}
