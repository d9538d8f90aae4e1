package change

import (
	"fmt"

	"github.com/birdwire/birdwire/actors/engine/definition"
	"github.com/birdwire/birdwire/messages"
)

// definitionRunner is for the commands that change monitors and rules.
func (m *Machine) definitionRunner(command any) func() {
	switch c := command.(type) {
	case *messages.CreateMonitor:
		return func() { m.create(definition.Definition{Monitor: c.GetMonitor()}, c.GetFields()) }
	case *messages.CreateRule:
		return func() { m.create(definition.Definition{Rule: c.GetRule()}, c.GetFields()) }
	case *messages.UpdateMonitor:
		return func() { m.update(definition.Definition{Monitor: c.GetMonitor()}, c.GetFields()) }
	case *messages.UpdateRule:
		return func() { m.update(definition.Definition{Rule: c.GetRule()}, c.GetFields()) }
	case *messages.DeleteMonitor:
		return func() { m.delete(c.GetMonitorId(), false) }
	case *messages.DeleteRule:
		return func() { m.delete(c.GetRuleId(), true) }
	}
	return nil
}

// create makes what is asked for live and durable.
func (m *Machine) create(asked definition.Definition, fields []string) {
	if !m.Live() {
		m.end(noKey())
		return
	}
	if why := m.noRoom(asked.IsRule()); why != nil {
		m.end(why)
		return
	}
	id := m.cfg.NewID(asked.IsRule())
	m.draft(id, definition.Definition{}, asked, fields, func(to definition.Definition, why *messages.Rejected) {
		if why != nil {
			m.emit(Gone{id})
			m.end(why)
			return
		}
		m.takeNumber(asked.IsRule(), id, func(k uint32, err error) {
			if err != nil {
				m.emit(Gone{id})
				m.fail(err)
				return
			}
			to.SetNumber(id, k, m.cfg.Now())
			e := m.Set.Create(to)
			m.change(e, true, func(why *messages.Rejected, err error) {
				if why != nil || err != nil {
					m.emit(Gone{id})
				}
				m.show(id, why, err)
			})
		})
	})
}

// noRoom says why the key may not have one more.
func (m *Machine) noRoom(rule bool) *messages.Rejected {
	if why := m.cfg.Credits(); why != nil {
		return why
	}
	n, most, what := len(m.Set.Monitors("")), m.cfg.MonitorsMost, "monitors"
	if rule {
		n, most, what = len(m.Set.Rules("")), m.cfg.RulesMost, "filter rules"
	}
	if n >= most {
		return rejected(messages.Rejection_REJECTION_LIMIT, "", fmt.Sprintf("the key has %d %s, as many as it may", n, what))
	}
	return nil
}

// show ends an operation with the monitor or rule, or with why there is none.
func (m *Machine) show(id string, why *messages.Rejected, err error) {
	switch {
	case err != nil:
		m.fail(err)
	case why != nil:
		m.end(why)
	default:
		if m.running.ticket != 0 {
			m.emit(Show{m.running.ticket, id})
		}
		m.end(nil)
	}
}

// draft has the child say what present becomes, and goes on with that or with
// why it becomes nothing. present is nothing for a creation.
func (m *Machine) draft(id string, present, asked definition.Definition, fields []string, then func(to definition.Definition, why *messages.Rejected)) {
	token := m.ask(m.cfg.AnswerWithin, func(answer any) {
		var to definition.Definition
		var why *messages.Rejected
		switch a := answer.(type) {
		case *messages.MonitorDrafted:
			to.Monitor, why = a.GetMonitor(), a.GetRejected()
		case *messages.RuleDrafted:
			to.Rule, why = a.GetRule(), a.GetRejected()
		default:
			why = unavailable("the change failed inside the server, the log says why; nothing has changed")
		}
		if why == nil {
			why = m.taken(id, to)
		}
		if why != nil {
			then(definition.Definition{}, why)
			return
		}
		then(to.Clone(), nil)
	})
	if asked.IsRule() {
		m.emit(Draft{token, id, true, &messages.DraftRule{Id: token, Present: present.Rule, Change: asked.Rule, Fields: fields}})
		return
	}
	m.emit(Draft{token, id, false, &messages.DraftMonitor{Id: token, Present: present.Monitor, Change: asked.Monitor, Fields: fields}})
}

// taken says that another rule has the tag.
func (m *Machine) taken(id string, to definition.Definition) *messages.Rejected {
	if !to.IsRule() {
		return nil
	}
	if other := m.Set.Tagged(to.Rule.GetTag()); other != nil && other.ID() != id {
		return rejected(messages.Rejection_REJECTION_CONFLICT, "tag", "another filter rule of the key has this tag")
	}
	return nil
}

// update changes the fields that are named.
func (m *Machine) update(asked definition.Definition, fields []string) {
	id := asked.ID()
	e := m.Set.Find(id, asked.IsRule())
	if e == nil || !m.Live() {
		m.end(m.notFound(id, asked.IsRule()))
		return
	}
	m.draft(id, e.Definition, asked, fields, func(to definition.Definition, why *messages.Rejected) {
		switch {
		case why != nil:
			m.end(why)
			return
		case to.Equal(e.Definition):
			m.show(id, nil, nil)
			return
		}
		to.SetUpdated(m.cfg.Now())
		m.change(e, e.Change(to), func(why *messages.Rejected, err error) { m.show(id, why, err) })
	})
}

func (m *Machine) delete(id string, rule bool) {
	e := m.Set.Find(id, rule)
	switch {
	case e == nil && m.IsLost(id, rule):
		m.deleteLost(id, rule)
		return
	case e == nil || !m.Live():
		m.end(m.notFound(id, rule))
		return
	}
	m.change(e, e.Change(definition.Definition{}), func(why *messages.Rejected, err error) {
		switch {
		case err != nil:
			m.fail(err)
		case why != nil:
			m.end(why)
		default:
			m.emit(Gone{id})
			m.end(&messages.Deleted{Id: id})
		}
	})
}

func (m *Machine) notFound(id string, rule bool) *messages.Rejected {
	if !m.Live() {
		return noKey()
	}
	if m.IsLost(id, rule) {
		return rejected(messages.Rejection_REJECTION_CONFLICT, "id", LostDetail)
	}
	return NotFound(rule)
}

// NotFound is the reply where there is no such rule, or no such monitor.
func NotFound(rule bool) *messages.Rejected {
	if rule {
		return rejected(messages.Rejection_REJECTION_NOT_FOUND, "id", "there is no such filter rule")
	}
	return rejected(messages.Rejection_REJECTION_NOT_FOUND, "id", "there is no such monitor")
}

// learn adds account ids to a monitor that lacks them.
func (m *Machine) learn(c *messages.AuthorsLearnt) {
	e := m.Set.Find(c.GetMonitorId(), false)
	if e == nil || !m.Live() {
		m.end(nil)
		return
	}
	to := e.Clone()
	if len(to.Monitor.GetAuthorIds()) != len(to.Monitor.GetUsernames()) {
		to.Monitor.AuthorIds = make([]string, len(to.Monitor.GetUsernames()))
	}
	news := false
	for _, learnt := range c.GetLearnt() {
		for i, username := range to.Monitor.GetUsernames() {
			if username == learnt.GetUsername() && learnt.GetId() != "" && to.Monitor.AuthorIds[i] == "" {
				to.Monitor.AuthorIds[i], news = learnt.GetId(), true
			}
		}
	}
	if !news {
		m.end(nil)
		return
	}
	m.change(e, e.Change(to), func(_ *messages.Rejected, err error) {
		// Where the router did not take it, the monitor learns it again.
		m.endBy(err)
	})
}
