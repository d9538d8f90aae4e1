package apikey

import (
	"errors"
	"fmt"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
)

// numbersAtOnce is how many of a key's numbers one write reserves. Those not
// used when the actor stops are skipped: a number is never used twice, and a
// creation seldom costs two writes.
const numbersAtOnce = 8

// serveStanding answers what concerns monitors and rules.
func (k *key) serveStanding(ctx actor.Context) {
	sender := ctx.Sender()
	change := func(run func(ctx actor.Context)) { k.begin(ctx, sender, run) }
	switch m := ctx.Message().(type) {
	case *messages.AuthorsLearnt:
		change(func(ctx actor.Context) { k.learn(ctx, m) })
		return
	case *messages.CreateMonitor, *messages.UpdateMonitor, *messages.DeleteMonitor, *messages.GetMonitor, *messages.ListMonitors,
		*messages.CreateRule, *messages.UpdateRule, *messages.DeleteRule, *messages.GetRule, *messages.ListRules, *messages.ListDeliveries:
		if !k.live() {
			k.respond(ctx, noKey())
			return
		}
	}
	switch m := ctx.Message().(type) {
	case *messages.CreateMonitor:
		change(func(ctx actor.Context) { k.create(ctx, &standing{monitor: m.GetMonitor()}, m.GetFields()) })
	case *messages.CreateRule:
		change(func(ctx actor.Context) { k.create(ctx, &standing{rule: m.GetRule()}, m.GetFields()) })
	case *messages.UpdateMonitor:
		change(func(ctx actor.Context) { k.update(ctx, &standing{monitor: m.GetMonitor()}, m.GetFields()) })
	case *messages.UpdateRule:
		change(func(ctx actor.Context) { k.update(ctx, &standing{rule: m.GetRule()}, m.GetFields()) })
	case *messages.DeleteMonitor:
		change(func(ctx actor.Context) { k.delete(ctx, m.GetMonitorId(), false) })
	case *messages.DeleteRule:
		change(func(ctx actor.Context) { k.delete(ctx, m.GetRuleId(), true) })
	case *messages.GetMonitor:
		k.get(ctx, m.GetMonitorId(), false)
	case *messages.GetRule:
		k.get(ctx, m.GetRuleId(), true)
	case *messages.ListMonitors:
		all := k.standing.monitors(m.GetStatus())
		k.respond(ctx, &messages.MonitorsListed{Monitors: page(all, m.GetOffset(), m.GetLimit()), Total: int32(len(all))})
	case *messages.ListRules:
		all := k.standing.rules(m.GetStatus())
		k.respond(ctx, &messages.RulesListed{Rules: page(all, m.GetOffset(), m.GetLimit()), Total: int32(len(all))})
	case *messages.ListDeliveries:
		k.listDeliveries(ctx, m)
	}
}

// find is the monitor or the rule with the id, nil if there is none.
func (k *key) find(id string, rule bool) *standing {
	if s := k.standing.byID[id]; s != nil && (s.rule != nil) == rule {
		return s
	}
	return nil
}

func notFound(rule bool) *messages.Rejected {
	if rule {
		return rejected(messages.Rejection_REJECTION_NOT_FOUND, "id", "there is no such filter rule")
	}
	return rejected(messages.Rejection_REJECTION_NOT_FOUND, "id", "there is no such monitor")
}

// get has the child answer, which knows the figures.
func (k *key) get(ctx actor.Context, id string, rule bool) {
	s := k.find(id, rule)
	if s == nil {
		k.respond(ctx, notFound(rule))
		return
	}
	if !k.tell(ctx, s, &messages.AskFigures{Monitor: s.monitor, Rule: s.rule}, ctx.Sender()) {
		k.respond(ctx, s.stands())
	}
}

// create makes what is asked for live and durable.
func (k *key) create(ctx actor.Context, asked *standing, fields []string) {
	if why := k.noRoom(asked); why != nil {
		k.done(ctx, why)
		return
	}
	s := &standing{}
	s.log.most = k.cfg.LogMost
	id := k.newID(asked.rule != nil)
	if asked.rule != nil {
		s.rule = &messages.Rule{Id: id}
	} else {
		s.monitor = &messages.Monitor{Id: id}
	}
	k.draft(ctx, s, asked, fields, true, func(ctx actor.Context, to *standing) {
		k.takeNumber(ctx, func(ctx actor.Context, number uint32, err error) {
			if err != nil {
				k.stopChild(ctx, s)
				k.doneUnknown(ctx, err)
				return
			}
			now := k.cfg.Clock.Now().UnixMilli()
			if to.rule != nil {
				to.rule.Id, to.rule.K, to.rule.CreatedMs, to.rule.UpdatedMs = id, number, now, now
			} else {
				to.monitor.Id, to.monitor.K, to.monitor.CreatedMs, to.monitor.UpdatedMs = id, number, now, now
			}
			k.createLive(ctx, s, to)
		})
	})
}

// noRoom says why the key may not have one more.
func (k *key) noRoom(asked *standing) *messages.Rejected {
	n, most, what := len(k.standing.rules("")), k.cfg.RulesMost, "filter rules"
	if asked.monitor != nil {
		n, most, what = len(k.standing.monitors("")), k.cfg.MonitorsMost, "monitors"
	}
	switch {
	case k.plan().Credits > 0 && k.exhausted():
		return rejected(messages.Rejection_REJECTION_CREDITS, "", "the month's credits are used up")
	case n >= most:
		return rejected(messages.Rejection_REJECTION_LIMIT, "", fmt.Sprintf("the key has %d %s, as many as it may", n, what))
	}
	return nil
}

// createLive registers the query, learns from where it counts, and writes.
func (k *key) createLive(ctx actor.Context, s, to *standing) {
	to.setVersion(1)
	to.define(to.monitor, to.rule, 0)
	put := &messages.PutQueries{}
	if q := to.query(); q != nil {
		put.Put = append(put.Put, q)
	}
	k.put(ctx, put, func(ctx actor.Context, position uint64, err error) {
		if err != nil {
			k.unput(ctx, to)
			k.stopChild(ctx, s)
			k.done(ctx, putFailed(err))
			return
		}
		if to.rule != nil {
			to.rule.CreatedPosition = position
		} else {
			to.monitor.CreatedPosition = position
		}
		s.define(to.monitor, to.rule, 0)
		k.standing.add(s) // from here on it delivers
		k.save(ctx, s, s, func(ctx actor.Context, err error) {
			if err != nil {
				k.standing.remove(s)
				k.unput(ctx, s)
				k.stopChild(ctx, s)
				k.doneUnknown(ctx, err)
				return
			}
			k.done(ctx, s.stands())
		})
	})
}

// save writes to as s's record.
func (k *key) save(ctx actor.Context, s, to *standing, next func(ctx actor.Context, err error)) {
	name, data, err := to.record(k.id)
	if err != nil {
		next(ctx, fmt.Errorf("encode %s: %w", name, err))
		return
	}
	k.write(ctx, name, data, s.revision, func(ctx actor.Context, revision uint64, err error) {
		if err == nil {
			s.revision = revision
		}
		next(ctx, err)
	})
}

// unput tells the router to forget; should that be lost, the first hit tells it
// again.
func (k *key) unput(ctx actor.Context, s *standing) {
	k.tellRouter(ctx, &messages.PutQueries{
		KeyId: k.id, Term: k.stream.Term(), Remove: []*messages.QueryName{{K: s.k(), Version: s.version()}},
	})
}

// putFailed tells the owner why the router did not take a query.
func putFailed(err error) *messages.Rejected {
	var refused *refusedError
	if errors.As(err, &refused) {
		return rejected(messages.Rejection_REJECTION_INVALID, "query", refused.why)
	}
	return &messages.Rejected{Rejection: messages.Rejection_REJECTION_UNAVAILABLE, Detail: err.Error()}
}

// update changes the fields of the one that asked names.
func (k *key) update(ctx actor.Context, asked *standing, fields []string) {
	s := k.find(asked.id(), asked.rule != nil)
	if s == nil {
		k.done(ctx, notFound(asked.rule != nil))
		return
	}
	k.draft(ctx, s, asked, fields, false, func(ctx actor.Context, to *standing) {
		if proto.Equal(to.rule, s.rule) && proto.Equal(to.monitor, s.monitor) {
			k.done(ctx, s.stands())
			return
		}
		now := k.cfg.Clock.Now().UnixMilli()
		if to.rule != nil {
			to.rule.UpdatedMs = now
		} else {
			to.monitor.UpdatedMs = now
		}
		k.replace(ctx, s, to, func(ctx actor.Context, answer *messages.Rejected, err error) {
			switch {
			case err != nil:
				k.doneUnknown(ctx, err)
			case answer != nil:
				k.done(ctx, answer)
			default:
				k.done(ctx, s.stands())
			}
		})
	})
}

// replace makes to what s is, live and durable. The router has both versions
// until the store has decided; then the other one is taken out of it. err: the
// write failed; answer: the router did not take it.
func (k *key) replace(ctx actor.Context, s, to *standing, next func(ctx actor.Context, answer *messages.Rejected, err error)) {
	to.define(to.monitor, to.rule, s.revision)
	if proto.Equal(s.query(), to.query()) { // the router has nothing to do with the change
		k.save(ctx, s, to, func(ctx actor.Context, err error) {
			if err == nil {
				s.define(to.monitor, to.rule, s.revision)
			}
			next(ctx, nil, err)
		})
		return
	}
	to.setVersion(s.nextVersion())
	to.define(to.monitor, to.rule, s.revision)
	commit := func(ctx actor.Context) {
		k.save(ctx, s, to, func(ctx actor.Context, err error) {
			s.coming = nil
			if err == nil {
				former := &standing{monitor: s.monitor, rule: s.rule}
				s.define(to.monitor, to.rule, s.revision)
				k.unput(ctx, former)
			} else {
				k.unput(ctx, to)
			}
			next(ctx, nil, err)
		})
	}
	if to.query() == nil {
		commit(ctx)
		return
	}
	k.put(ctx, &messages.PutQueries{Put: []*messages.Query{to.query()}}, func(ctx actor.Context, _ uint64, err error) {
		if err != nil {
			k.unput(ctx, to)
			next(ctx, putFailed(err), nil)
			return
		}
		s.coming = to
		commit(ctx)
	})
}

func (k *key) delete(ctx actor.Context, id string, rule bool) {
	s := k.find(id, rule)
	if s == nil {
		k.done(ctx, notFound(rule))
		return
	}
	name, _, err := s.record(k.id)
	if err != nil {
		k.doneUnknown(ctx, err)
		return
	}
	k.write(ctx, name, nil, s.revision, func(ctx actor.Context, _ uint64, err error) {
		if err != nil {
			k.doneUnknown(ctx, err)
			return
		}
		k.standing.remove(s)
		k.unput(ctx, s)
		k.stopChild(ctx, s)
		k.done(ctx, &messages.Deleted{Id: id})
	})
}

// learn adds account ids to a monitor that lacks them.
func (k *key) learn(ctx actor.Context, m *messages.AuthorsLearnt) {
	s := k.find(m.GetMonitorId(), false)
	if s == nil || !k.live() {
		k.done(ctx, nil)
		return
	}
	changed := proto.Clone(s.monitor).(*messages.Monitor)
	if len(changed.GetAuthorIds()) != len(changed.GetUsernames()) {
		changed.AuthorIds = make([]string, len(changed.GetUsernames()))
	}
	news := false
	for i, username := range changed.GetUsernames() {
		if id := m.GetIds()[username]; id != "" && changed.AuthorIds[i] == "" {
			changed.AuthorIds[i], news = id, true
		}
	}
	if !news {
		k.done(ctx, nil)
		return
	}
	k.replace(ctx, s, &standing{monitor: changed}, func(ctx actor.Context, _ *messages.Rejected, err error) {
		if err != nil {
			k.doneUnknown(ctx, err)
			return
		}
		k.done(ctx, nil) // not taken: the monitor learns it again
	})
}

// takeNumber goes on with a number that was never used.
func (k *key) takeNumber(ctx actor.Context, next func(ctx actor.Context, number uint32, err error)) {
	take := func(ctx actor.Context) {
		number := k.nextK
		k.nextK++
		next(ctx, number, nil)
	}
	if k.nextK < k.record.GetNextK() {
		take(ctx)
		return
	}
	k.nextK = max(k.record.GetNextK(), 1)
	k.writeKey(ctx, func(r *messages.Key) { r.NextK = k.nextK + numbersAtOnce }, func(ctx actor.Context, err error) {
		if err != nil {
			next(ctx, 0, err)
			return
		}
		take(ctx)
	})
}

// newID is one that the key does not have.
func (k *key) newID(rule bool) string {
	const letters = "abcdefghijklmnopqrstuvwxyz234567"
	id := []byte("mon-")
	if rule {
		id = []byte("rule-")
	}
	for range 16 { // 80 bits
		id = append(id, letters[k.cfg.Rand.Uint64N(uint64(len(letters)))])
	}
	return string(id)
}
