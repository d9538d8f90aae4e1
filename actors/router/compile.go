package router

import (
	"context"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/gauge"
	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/actors/router/index"
	"github.com/birdwire/birdwire/messages"
)

// This file is how a change of what is asked for becomes one of the index.
//
//	asked --small--> compiled here ----------------------------> put --> committed, answered
//	asked --large--> in line --> compiled by a worker --> put, a part each turn --> committed, answered
//
// Compiling a subscription of 900 keywords takes milliseconds, and a thousand
// rules a second: everybody's events would wait for it. What is put is not seen
// before it is committed, all of it at one position.
//
// The changes of one connection, or of one key, are made in the order in which
// they came. Of a connection's Joins only the newest is wanted: one that waits
// is forgotten when a later one comes.
//
// Bounds: a line is one change under way and LineMost waiting; past it a change
// is dropped, and asked for again. A restart forgets all lines: as well.

// change is one Join or PutQueries on its way.
type change struct {
	line    string // whose: "connection/" or "key/" and its id
	sender  *actor.PID
	join    *messages.Join // one of the two
	put     *messages.PutQueries
	queries []*messages.Query
	dropped bool // not wanted any more

	prepared []prepared     // one a query, once compiled
	asked    actors.Instant // the worker was
	ids      []index.ID     // of prepared, those put so far; noID where there is nothing to put
}

const noID = ^index.ID(0)

// prepared is a query that can be put, or why it never can.
type prepared struct {
	encoded *index.Encoded
	refused string
}

// compiled is a worker's answer.
type compiled struct {
	change   *change
	prepared []prepared
	panicked any
}

const (
	lineMost       = 16
	smallCost      = 64      // of a change, up to which it is compiled in the router's own turn: about a tenth of a millisecond
	wordsATurn     = 1 << 16 // put before others have their turn: a millisecond
	compileTimeout = time.Minute
)

// prepare compiles the queries. It reads nothing that changes.
func prepare(e index.Encoder, queries []*messages.Query) (all []prepared, panicked any) {
	all = make([]prepared, len(queries))
	for i, q := range queries {
		if reason := prepareOne(e, q, &all[i]); reason != nil {
			panicked = reason
		}
	}
	return all, panicked
}

// prepareOne keeps a query on which the compiler fails to itself.
func prepareOne(e index.Encoder, q *messages.Query, p *prepared) (panicked any) {
	defer func() {
		if panicked = recover(); panicked != nil {
			p.encoded, p.refused = nil, "the query can not be compiled: internal error"
		}
	}()
	c, err := rule.Compile(q)
	if err == nil {
		p.encoded, err = e.Encode(c)
	}
	if err != nil {
		p.refused = err.Error()
	}
	return nil
}

// submit makes the change, now or in its line.
func (r *router) submit(ctx actor.Context, c *change) {
	if line := r.lines[c.line]; len(line) > 0 && r.cfg.Clock.Elapsed()-line[0].asked > 2*compileTimeout {
		r.drop(ctx, c.line, func(other *change) bool { return other == line[0] }) // its worker was not heard of again
	}
	line := r.lines[c.line]
	if len(line) == 0 && costOf(c.queries) <= smallCost {
		prepared, panicked := prepare(r.state.index.Encoder(), c.queries)
		r.compiled(ctx, &compiled{c, prepared, panicked})
		return
	}
	if len(line) > lineMost {
		return
	}
	r.lines[c.line] = append(line, c)
	r.cfg.Queues.Grown(gauge.Queue{Name: "router: changes of queries that wait to be compiled", Items: len(line) + 1, MostItems: lineMost + 1})
	if len(line) == 0 {
		r.compile(ctx, c)
	}
}

// compile has a worker compile the change at the head of its line.
func (r *router) compile(ctx actor.Context, c *change) {
	encoder, queries := r.state.index.Encoder(), c.queries
	c.asked = r.cfg.Clock.Elapsed()
	if !r.cfg.Compile(c.keyID()).Do(ctx.Self(), compileTimeout, func(context.Context) any {
		prepared, panicked := prepare(encoder, queries)
		return &compiled{c, prepared, panicked}
	}) {
		r.endChange(ctx, c) // there is no room: it is asked for again
	}
}

func (c *change) keyID() string {
	if c.join != nil {
		return c.join.GetKeyId()
	}
	return c.put.GetKeyId()
}

// compiled goes on with a change that a worker has compiled.
func (r *router) compiled(ctx actor.Context, m *compiled) {
	c := m.change
	if c.dropped {
		return
	}
	if m.panicked != nil {
		r.cfg.Logger.Error("compiling a query failed; it is refused", "for", c.line, "reason", m.panicked)
		r.cfg.Observe(Observation{Panics: 1})
	}
	c.prepared = m.prepared
	r.staging = append(r.staging, c)
	if !r.going {
		r.takeTurn(ctx)
	}
}

// stage puts what was compiled, as much as one turn may, and commits what is
// put whole. True: there is more.
func (r *router) stage(ctx actor.Context) (more bool) {
	words := wordsATurn
	for len(r.staging) > 0 {
		c := r.staging[0]
		if !c.dropped {
			whole := false
			refused := r.try("put queries", func() { words, whole = r.putSome(c, words) })
			switch {
			case refused != "":
				r.unput(c)
				r.refuse(ctx, c, refused)
			case !whole:
				return true
			default:
				// Half a commit is finished by whoever asks again: what is there
				// already is answered as it is.
				r.try("commit queries", func() { r.commit(ctx, c) })
				r.unput(c)
			}
		}
		r.staging = r.staging[1:]
		r.endChange(ctx, c)
	}
	r.staging = nil
	return false
}

// putSome puts the next queries of the change; nobody owns them yet, so that
// nobody is told of what they match. Whole: all are put.
func (r *router) putSome(c *change, words int) (left int, whole bool) {
	for len(c.ids) < len(c.prepared) {
		if words <= 0 {
			return 0, false
		}
		p := &c.prepared[len(c.ids)]
		id := noID
		if p.encoded != nil && !r.there(c, len(c.ids)) {
			id = r.state.subscriptions.newID()
			r.state.unowned[id] = true
			words -= p.encoded.Words()
		}
		c.ids = append(c.ids, id) // before it is put: where that panics, this one is taken back too
		if id == noID {
			continue
		}
		if err := r.state.index.PutEncoded(id, p.encoded); err != nil {
			delete(r.state.unowned, id)
			p.refused, c.ids[len(c.ids)-1] = err.Error(), noID
		}
	}
	return words, true
}

// there says whether the key has the query already: a version of one never
// changes.
func (r *router) there(c *change, i int) bool {
	if c.put == nil {
		return false
	}
	key := r.state.subscriptions.key(c.put.GetKeyId())
	if key == nil {
		return false
	}
	_, there := key.queries[nameOf(c.queries[i])]
	return there
}

// unput takes back what was put of a change that is not committed. What half a
// commit has given an owner stays: whoever asks again is answered that it is
// there.
func (r *router) unput(c *change) {
	for _, id := range c.ids {
		if id == noID || !r.state.unowned[id] {
			continue
		}
		delete(r.state.unowned, id)
		if _, owned := r.state.subscriptions.owners[id]; !owned {
			r.state.index.Remove(id)
		}
	}
}

// drop forgets those changes of a line that are not wanted any more.
func (r *router) drop(ctx actor.Context, line string, unwanted func(*change) bool) {
	all := r.lines[line]
	for _, c := range all {
		if unwanted(c) {
			c.dropped = true
			r.unput(c)
		}
	}
	if len(all) > 0 && all[0].dropped {
		r.endChange(ctx, all[0])
	}
}

// endChange takes the change out of its line, and begins the one after it.
func (r *router) endChange(ctx actor.Context, c *change) {
	line := r.lines[c.line]
	if len(line) == 0 || line[0] != c {
		return
	}
	for line = line[1:]; len(line) > 0 && line[0].dropped; {
		line = line[1:]
	}
	if len(line) == 0 {
		delete(r.lines, c.line)
		return
	}
	r.lines[c.line] = line
	r.compile(ctx, line[0])
}

// try keeps the failure of one request to that request: with others' events
// and the node with it, a restart for each would end them all.
func (r *router) try(what string, do func()) (refused string) {
	defer func() {
		if reason := recover(); reason != nil {
			r.cfg.Logger.Error("a request failed and is refused", "request", what, "reason", fmt.Sprint(reason))
			r.cfg.Observe(Observation{Panics: 1})
			refused = "internal error: the server's log says more"
		}
	}()
	do()
	return ""
}
