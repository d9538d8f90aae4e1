package desk

import (
	"slices"

	"github.com/birdwire/birdwire/messages"
)

// This file is what a model is asked, and what its verdicts do.

const (
	// questionsMost are open at a time. Past it none is added: if the oldest gave
	// way, a model that is too slow would answer none in time.
	questionsMost = 64
	// questionLasts is how long a verdict is waited for: a development that is told
	// later is no news.
	questionLasts = 5 * minute
)

// Questions are those that have no verdict yet, the oldest first. They and the
// slice are not to be changed; the slice is good until the next Take.
func (m *Machine) Questions() []*messages.DeskQuestion { return m.questions }

func (m *Machine) ask(q *messages.StoryQuestion) {
	if len(m.questions) < questionsMost {
		m.questions = append(m.questions, &messages.DeskQuestion{Position: uint64(m.place), Question: q, AskedMs: m.now})
	}
}

// giveUp forgets questions that were open for too long.
func (m *Machine) giveUp() {
	m.questions = slices.DeleteFunc(m.questions, func(q *messages.DeskQuestion) bool { return m.now-q.GetAskedMs() > questionLasts })
}

// verdict has the story that the article is in now take the answer. One to no
// question is dropped: it came twice, or too late.
func (m *Machine) verdict(v *messages.StoryVerdict) {
	i := slices.IndexFunc(m.questions, func(q *messages.DeskQuestion) bool { return q.GetPosition() == v.GetQuestion() })
	if i < 0 || m.questions[i].GetQuestion().GetArticle() != v.GetArticle() || m.now-m.questions[i].GetAskedMs() > questionLasts {
		return
	}
	m.questions = slices.Delete(m.questions, i, i+1)
	story, ok := m.of[v.GetArticle()]
	if !ok {
		return // withdrawn, or its story has ended
	}
	m.wake(story)
	m.then(&messages.TellStory{Story: story, What: &messages.TellStory_Verdict{Verdict: v}})
}
