package apikey

import (
	"context"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey/change"
	"github.com/birdwire/birdwire/messages"
)

// This file is what the key does for its change.Machine.

// answered is what a worker or a timer has to say to the machine.
type answered struct {
	of     *key
	answer any
	newer  uint64 // the shard's term in the store, where another owner has taken it
}

// answered brings an answer to the machine. Where it shows that the shard has
// another owner, the shard is told: it notices by itself only when it writes.
func (k *key) answered(ctx actor.Context, a *answered) {
	if a.newer != 0 {
		k.cfg.Sometimes.Reached(actors.KeyHearsOfAnother)
		ctx.Send(ctx.Parent(), &messages.NotOwner{KeyId: k.id, Term: actors.KeyTerm(a.newer, 0)})
	}
	k.do(ctx, k.changes.Answer(a.answer))
}

// changeTimer names the machine's one timer.
type changeTimer struct{}

func (k *key) changeConfig() change.Config {
	return change.Config{
		KeyID: k.id, MonitorsMost: k.cfg.MonitorsMost, RulesMost: k.cfg.RulesMost, QueueMost: k.cfg.QueueMost,
		AnswerWithin: k.cfg.AnswerWithin, FirstToken: k.cfg.Rand.Uint64N(1 << 62),
		NewID:   func(rule bool) string { return newID(k.cfg.Rand, rule) },
		Now:     func() int64 { return k.cfg.Clock.Now().UnixMilli() },
		Handled: func() uint64 { return uint64(k.stream.Position()) },
		Fault:   func(r *messages.Key) *messages.Rejected { return keyFault(&k.cfg, r) },
		Credits: func() *messages.Rejected {
			if k.plan().Credits > 0 && k.ledger.exhausted() {
				return rejected(messages.Rejection_REJECTION_CREDITS, "", "the month's credits are used up")
			}
			return nil
		},
	}
}

// change begins what the present message asks for.
func (k *key) change(ctx actor.Context, command any) {
	ticket := uint64(0)
	if ctx.Sender() != nil {
		k.ticket++
		ticket = k.ticket
		k.tickets[ticket] = ctx.Sender()
	}
	k.do(ctx, k.changes.Do(ticket, command))
}

// do does what the machine says, in order.
func (k *key) do(ctx actor.Context, effects []change.Effect) {
	for _, e := range effects {
		switch e := e.(type) {
		case change.Draft:
			k.draft(ctx, e)
		case change.Put:
			e.Message.Term = k.stream.Term()
			k.tellRouter(ctx, e.Message)
		case change.Store:
			k.storeRecords(ctx, e)
		case change.Load:
			k.loading = &loaded{of: k, Loaded: change.Loaded{Token: e.Token}}
			k.loadRecords(ctx, k.loading, k.cfg.Worker)
		case change.Wait:
			k.timers.Cancel(changeTimer{})
			if e.For > 0 {
				k.timers.Set(changeTimer{}, e.For, k.self, &answered{of: k, answer: change.Silent{Token: e.Token}})
			}
		case change.Decided:
			k.followSet(ctx)
			k.openGate(ctx)
		case change.Synced:
			k.sync(ctx, messages.Position(e.Position))
		case change.Report:
			k.report(e)
		default:
			k.tellOutcome(ctx, e)
		}
	}
}

// tellOutcome is for the effects that concern others than those whom the
// machine asks.
func (k *key) tellOutcome(ctx actor.Context, e change.Effect) {
	switch e := e.(type) {
	case change.Reply:
		k.reply(ctx, e.Ticket, e.Message)
	case change.Describe:
		k.reply(ctx, e.Ticket, k.described())
	case change.Show:
		k.reply(ctx, e.Ticket, k.parts.of(k.changes.Set.ByID(e.ID)).shown())
	case change.Gone:
		k.forget(ctx, e.ID)
	case change.Drop:
		ctx.Send(k.cfg.Router, &messages.DropKey{KeyId: k.id, Term: k.stream.Term()})
	case change.Made:
		k.ledger.open(month(k.cfg.Clock.Now()), nil, false)
	case change.Revoked, change.Narrowed:
		k.expel(ctx)
	}
}

func (k *key) reply(ctx actor.Context, ticket uint64, answer any) {
	if to := k.tickets[ticket]; to != nil {
		delete(k.tickets, ticket)
		ctx.Send(to, answer)
	}
}

func (k *key) report(r change.Report) {
	if r.Count != "" {
		k.cfg.Count(r.Count)
		if r.Count == change.Fenced {
			k.cfg.Sometimes.Reached(actors.ChangeBarred)
		}
	}
	if r.Text != "" {
		k.log.Warn(r.Text, "error", r.Err)
	}
}

// draft asks the child what its monitor or rule becomes.
func (k *key) draft(ctx actor.Context, e change.Draft) {
	p := k.parts.byID[e.ID]
	if p == nil {
		p = k.parts.add(e.ID, e.Rule)
	}
	if !k.parts.tell(ctx, p, e.Message, ctx.Self()) {
		ctx.Send(k.self, &answered{of: k, answer: change.Failed{Token: e.Token}})
		return
	}
	p.token = e.Token
}

// tellRouter sends in the shard's name: answers come the way that Matched
// comes, and so after what was matched before them.
func (k *key) tellRouter(ctx actor.Context, message any) {
	ctx.RequestWithCustomSender(k.cfg.Router, message, ctx.Parent())
}

// newID is one that nobody has had.
func newID(rand actors.Rand, rule bool) string {
	const letters = "abcdefghijklmnopqrstuvwxyz234567"
	id := []byte("mon-")
	if rule {
		id = []byte("rule-")
	}
	for range 16 { // 80 bits
		id = append(id, letters[rand.Uint64N(uint64(len(letters)))])
	}
	return string(id)
}

// logFirst is a worker's word on where the log begins.
type logFirst struct {
	of    *key
	first messages.Position
	err   error
}

// expireEvery is how often the versions that no event needs any more are looked
// for: they go with the log, which goes slowly.
const expireEvery = time.Hour

// expireTimer names the timer of that.
type expireTimer struct{}

// expire asks where the log begins, where there is a version that may be older.
func (k *key) expire(ctx actor.Context) {
	k.timers.Set(expireTimer{}, expireEvery, k.self, &expireTime{k})
	if k.cfg.Log == nil || len(k.changes.Set.Past()) == 0 {
		return
	}
	log := k.cfg.Log
	k.work(ctx, k.cfg.StoreTimeout, func(work context.Context) any {
		l := &logFirst{of: k}
		l.first, _, l.err = log.Bounds(work)
		return l
	})
}

type expireTime struct{ of *key }

func (k *key) logFirst(ctx actor.Context, l *logFirst) {
	switch {
	case l.of != k:
	case l.err != nil:
		k.log.Warn("where the log begins is not known; it is asked again", "error", l.err, "in", expireEvery)
	default:
		k.do(ctx, k.changes.Do(0, change.Expire{First: uint64(l.first)}))
	}
}

func rejected(why messages.Rejection, field, detail string) *messages.Rejected {
	return &messages.Rejected{Rejection: why, Field: field, Detail: detail}
}

func noKey() *messages.Rejected {
	return rejected(messages.Rejection_REJECTION_NOT_FOUND, "id", "there is no such key")
}

// keyFault says which field of a key's record is not as it must be, and why.
func keyFault(cfg *Config, r *messages.Key) *messages.Rejected {
	field, why := faultIn(cfg, r)
	if why == "" {
		return nil
	}
	return rejected(messages.Rejection_REJECTION_INVALID, field, why)
}
