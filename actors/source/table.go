package source

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors/source/item"
	"github.com/birdwire/birdwire/messages"
)

var (
	errPanicked = errors.New("panicked; the log has the stack")
	errContest  = errors.New("others keep writing the same articles")
)

type (
	// looked is what the table said, and what it makes of the drafts.
	looked struct {
		step   uint64
		plan   item.Plan
		states map[string]item.State
		err    error
	}
	// wrote is the table's answer to a write; again are the identities whose
	// drafts must be looked at again.
	wrote struct {
		step  uint64
		again []string
		err   error
	}
	// recalled is what the log holds at the positions of repeats.
	recalled struct {
		step   uint64
		events []*messages.Event
		err    error
	}
)

// look asks the table what the drafts in todo mean. Posts have no place in it.
func (a *appender) look(ctx actor.Context) {
	drafts := make([]*messages.Event, len(a.todo))
	articles := false
	for i, d := range a.todo {
		drafts[i] = a.drafts[d]
		articles = articles || a.drafts[d].GetPost() == nil
	}
	a.begun()
	rules := item.Rules{Source: a.cfg.ID, NowMs: a.cfg.Clock.Now().UnixMilli(), Dated: a.dated}
	if !articles {
		a.looked(ctx, &looked{step: a.step, plan: item.Decide(drafts, nil, rules)})
		return
	}
	step, items := a.step, a.cfg.Items
	if !a.cfg.Worker.Do(ctx.Self(), a.cfg.TableTimeout, func(c context.Context) any {
		found, states, err := lookUp(c, items, drafts)
		if err != nil {
			return &looked{step: step, err: fmt.Errorf("read item table: %w", err)}
		}
		return &looked{step: step, plan: item.Decide(found, states, rules), states: states}
	}) {
		a.wait(ctx, a.jitter(poolRetry), a.look)
	}
}

// lookUp returns the drafts, with the source named where a withdrawal left it
// out, and the states of their identities.
func lookUp(c context.Context, items Items, drafts []*messages.Event) ([]*messages.Event, map[string]item.State, error) {
	drafts, err := nameSources(c, items, drafts)
	if err != nil {
		return nil, nil, err
	}
	states := make(map[string]item.State, len(drafts))
	identities := make([]string, 0, len(drafts))
	for _, d := range drafts {
		if a := d.GetArticle().GetArticle(); a != nil {
			identity := item.Identity(a)
			if _, twice := states[identity]; !twice {
				states[identity] = item.State{}
				identities = append(identities, identity)
			}
		}
	}
	found, revisions, err := items.Get(c, identities)
	if err != nil {
		return nil, nil, err
	}
	for i, identity := range identities {
		states[identity] = item.State{Item: found[i], Revision: revisions[i]}
	}
	return drafts, states, nil
}

// nameSources resolves withdrawals of a pushed id alone. An id that nobody
// pushed stays as it is and is found to be nothing.
func nameSources(c context.Context, items Items, drafts []*messages.Event) ([]*messages.Event, error) {
	var unnamed []int
	var aliases []string
	for i, d := range drafts {
		if a := d.GetArticle().GetArticle(); a != nil && a.GetSourceId() == "" && a.GetId() != "" {
			unnamed, aliases = append(unnamed, i), append(aliases, item.AliasOf(a.GetId()))
		}
	}
	if len(unnamed) == 0 {
		return drafts, nil
	}
	found, _, err := items.Get(c, aliases)
	if err != nil {
		return nil, err
	}
	named := append([]*messages.Event(nil), drafts...)
	for i, d := range unnamed {
		if found[i] != nil {
			named[d] = &messages.Event{Body: &messages.Event_Article{Article: &messages.ArticleChange{
				Action:  drafts[d].GetArticle().GetAction(),
				Article: found[i].GetArticle(),
			}}}
		}
	}
	return named, nil
}

func (a *appender) looked(ctx actor.Context, m *looked) {
	if m.err != nil {
		a.tryAgain(ctx, m.err, a.look)
		return
	}
	a.tries = 0
	a.plan, a.states = m.plan, m.states
	for i, d := range a.plan.Drafts {
		a.plan.Drafts[i] = a.todo[d]
	}
	a.acked, a.held = make([]fate, len(a.plan.Events)), make([]messages.Position, len(a.plan.Events))
	a.next, a.single = 0, false
	for _, d := range a.todo {
		if a.fates[d] == pending {
			a.fates[d] = unchanged
		}
	}
	for _, d := range a.plan.Drafts {
		a.fates[d] = pending
	}
	a.offerNext(ctx)
}

// put is one write of the table.
type put struct {
	event    *messages.Event
	item     *messages.Item
	revision uint64
	repeated bool              // the log held the event: what it holds is what readers saw
	held     messages.Position // and where; 0: not known
}

// changes are the states after the acknowledged events, one an
// identity.
func (a *appender) changes() []put {
	at := make(map[string]int)
	var puts []put
	for i, after := range a.plan.After {
		if after == nil || a.acked[i] != appended && a.acked[i] != repeated {
			continue
		}
		p := put{
			event: a.plan.Events[i], item: after, repeated: a.acked[i] == repeated, held: a.held[i],
			revision: a.states[after.GetIdentity()].Revision,
		}
		if j, twice := at[after.GetIdentity()]; twice {
			puts[j] = p
			continue
		}
		at[after.GetIdentity()] = len(puts)
		puts = append(puts, p)
	}
	return puts
}

// write writes what is new, and then what the log has held before: reading
// that may fail or take time, and the rest must not wait for it.
func (a *appender) write(ctx actor.Context) {
	a.again, a.repeats = a.again[:0], a.repeats[:0]
	var fresh []put
	for _, p := range a.changes() {
		if p.repeated && p.held != 0 && a.cfg.Log != nil {
			a.repeats = append(a.repeats, p)
		} else {
			fresh = append(fresh, p)
		}
	}
	if len(fresh) == 0 {
		a.recall(ctx)
		return
	}
	a.put(ctx, fresh)
}

func (a *appender) put(ctx actor.Context, puts []put) {
	a.begun()
	a.puts = puts
	step, w := a.step, writer{items: a.cfg.Items, aliases: a.aliases}
	if !a.cfg.Worker.Do(ctx.Self(), a.cfg.TableTimeout, func(c context.Context) any {
		again, err := w.put(c, puts)
		if err != nil {
			err = fmt.Errorf("write item table: %w", err)
		}
		return &wrote{step: step, again: again, err: err}
	}) {
		a.wait(ctx, a.jitter(poolRetry), a.putAgain)
	}
}

func (a *appender) putAgain(ctx actor.Context) { a.put(ctx, a.puts) }

// recall reads what the log holds under the ids of repeats, or ends the write
// where there are none.
func (a *appender) recall(ctx actor.Context) {
	if len(a.repeats) == 0 {
		a.written(ctx)
		return
	}
	a.begun()
	positions := make([]messages.Position, len(a.repeats))
	for i, p := range a.repeats {
		positions[i] = p.held
	}
	step, log := a.step, a.cfg.Log
	if !a.cfg.Worker.Do(ctx.Self(), a.cfg.LogTimeout, func(c context.Context) any {
		events, err := log.Events(c, positions)
		return &recalled{step: step, events: events, err: err}
	}) {
		a.wait(ctx, a.jitter(poolRetry), a.recall)
	}
}

// recalled writes what the log holds in the place of what was offered under
// the same id, and looks again at what differs: an edit between a crash and
// its retry must not be taken for delivered. An event that the log does not
// hold any more is taken to be the same.
//
// A log that cannot be read fails those drafts alone, and at once.
func (a *appender) recalled(ctx actor.Context, m *recalled) {
	puts := a.repeats
	a.repeats = nil
	if m.err != nil {
		a.logErr = fmt.Errorf("read repeated events from the log: %w", m.err)
		a.cfg.Logger.Warn("articles that the log already holds could not be compared with it", "articles", len(puts), "error", m.err)
		for _, p := range puts {
			a.markUnread(p.item.GetIdentity())
		}
		a.written(ctx)
		return
	}
	for i, p := range puts {
		held := m.events[i]
		if held.GetArticle() == nil || held.GetId() != p.event.GetId() {
			continue
		}
		puts[i].item = item.FromLog(held, a.dated)
		puts[i].item.Past = p.item.GetPast()
		if string(puts[i].item.GetContentHash()) != string(p.item.GetContentHash()) {
			a.again = append(a.again, p.item.GetIdentity())
		}
	}
	a.put(ctx, puts)
}

func (a *appender) markUnread(identity string) {
	for i, after := range a.plan.After {
		if after.GetIdentity() == identity {
			a.fates[a.plan.Drafts[i]] = unread
		}
	}
}

func (a *appender) wrote(ctx actor.Context, m *wrote) {
	if m.err != nil {
		a.tryAgain(ctx, m.err, a.putAgain)
		return
	}
	a.tries = 0
	a.again = append(a.again, m.again...)
	a.recall(ctx)
}

// written looks again at what another wrote first. Of several drafts of one
// identity only the last still has something to say.
func (a *appender) written(ctx actor.Context) {
	if len(a.again) == 0 {
		a.finish(ctx, nil)
		return
	}
	if a.looks++; a.looks == maxLooks {
		a.finish(ctx, errContest)
		return
	}
	last := make(map[string]int, len(a.again))
	for _, identity := range a.again {
		last[identity] = -1
	}
	for i, after := range a.plan.After {
		if _, wanted := last[after.GetIdentity()]; wanted && after != nil {
			last[after.GetIdentity()] = a.plan.Drafts[i]
		}
	}
	a.todo = a.todo[:0]
	for _, identity := range slices.Sorted(maps.Keys(last)) {
		a.todo = append(a.todo, last[identity])
	}
	slices.Sort(a.todo)
	a.look(ctx)
}

// tryAgain repeats a call of the table a few times. A write that half happened
// is safe to repeat: what was written conflicts, and is found to be so.
func (a *appender) tryAgain(ctx actor.Context, err error, call func(ctx actor.Context)) {
	if a.tries++; a.tries >= tableTries || errors.Is(err, messages.ErrFull) {
		a.tries = 0
		a.finish(ctx, err)
		return
	}
	a.wait(ctx, a.jitter(tableRetry<<(a.tries-1)), call)
}

// writer writes the table, inside a Worker.
type writer struct {
	items   Items
	aliases bool
}

// put returns the identities that another wrote first.
func (w writer) put(c context.Context, puts []put) (again []string, err error) {
	items := make([]*messages.Item, 0, 2*len(puts))
	revisions := make([]uint64, 0, 2*len(puts))
	for _, p := range puts {
		items, revisions = append(items, p.item), append(revisions, p.revision)
	}
	for _, p := range puts {
		if alias := w.alias(p); alias != nil {
			items, revisions = append(items, alias), append(revisions, 0)
		}
	}
	each, err := w.items.CAS(c, items, revisions)
	if err != nil {
		return nil, err
	}
	for i, err := range each {
		switch {
		case i >= len(puts):
			if err := w.moveAlias(c, items[i], err); err != nil {
				return nil, err
			}
		case errors.Is(err, messages.ErrConflict):
			again = append(again, items[i].GetIdentity())
		case err != nil:
			return nil, err
		}
	}
	return again, nil
}

// alias is written when an article is created under a pushed id.
func (w writer) alias(p put) *messages.Item {
	a := p.item.GetArticle()
	if !w.aliases || a.GetId() == "" || p.event.GetArticle().GetAction() != messages.ArticleAction_ARTICLE_CREATED {
		return nil
	}
	return &messages.Item{
		Identity: item.AliasOf(a.GetId()), Revision: 1,
		Article: &messages.Article{Id: a.GetId(), SourceId: a.GetSourceId()},
	}
}

// moveAlias points an id that was there already at the newest article under it.
func (w writer) moveAlias(c context.Context, alias *messages.Item, err error) error {
	if !errors.Is(err, messages.ErrConflict) {
		return err
	}
	found, revisions, err := w.items.Get(c, []string{alias.GetIdentity()})
	if err != nil {
		return err
	}
	if found[0].GetArticle().GetSourceId() == alias.GetArticle().GetSourceId() {
		return nil
	}
	each, err := w.items.CAS(c, []*messages.Item{alias}, revisions)
	if err != nil {
		return err
	}
	if errors.Is(each[0], messages.ErrConflict) {
		return nil // the other writer's article is as new as this one
	}
	return each[0]
}
