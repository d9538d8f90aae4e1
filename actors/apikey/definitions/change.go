package definitions

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/engine/definition"
	"github.com/birdwire/birdwire/messages"
)

// Create is an entry that becomes to. It is no part of All before Commit.
func (s *Set) Create(to definition.Definition) *Entry {
	e := &Entry{}
	s.byK[to.K()] = e
	e.begin(to)
	return e
}

// Change has the entry become to, or be deleted where to is nothing. False: the
// router has nothing to do with the change, because the same is asked for under
// the same name; then to takes over the version, and Commit is all there is to
// do. to is changed: nobody may have seen it.
func (e *Entry) Change(to definition.Definition) bool {
	if to.Nothing() {
		e.coming = &coming{}
		return e.query != nil
	}
	to.SetVersion(e.Version(), e.After())
	if proto.Equal(to.Query(), e.query) {
		e.coming = &coming{to: to}
		return false
	}
	e.begin(to)
	return true
}

func (e *Entry) begin(to definition.Definition) {
	e.tried++
	to.SetVersion(e.tried, 0)
	e.coming = &coming{to: to, query: to.Query(), origin: to.Origin()}
}

// Coming is what the router is to take for the change; nil: nothing, the
// position is all that is asked for.
func (e *Entry) Coming() *messages.Query { return e.coming.query }

// Known says at which position the change takes effect.
func (s *Set) Known(e *Entry, position uint64) {
	c := e.coming
	c.after, c.known = position, true
	s.deciding = append(s.deciding, e)
	if c.to.Nothing() {
		return
	}
	c.to.SetVersion(c.to.Version(), position)
	if !e.exists() {
		c.to.SetCreated(position)
	}
	c.query = c.to.Query()
}

// Replaced is the version that the change ends, with the stretch for which it
// held; nil where it has decided no event.
func (e *Entry) Replaced() *messages.Query {
	if e.query == nil || !e.coming.known || e.query.GetAfter() >= e.coming.after {
		return nil
	}
	q := proto.Clone(e.query).(*messages.Query)
	q.Until = e.coming.after
	return q
}

// Decides says whether the change has to do with which events are delivered.
func (e *Entry) Decides() bool { return e.coming.known }

// To is what the entry becomes, with its version and position; nothing where it
// is deleted.
func (e *Entry) To() definition.Definition { return e.coming.to }

// Commit: the change is durable, under the revision. former is the version that
// the router has no use for any more, once it has come to where that ends; nil
// where there is none.
func (s *Set) Commit(e *Entry, revision uint64) (former *messages.QueryName) {
	c, created := e.coming, !e.exists()
	if e.query != nil && c.known {
		former = &messages.QueryName{K: e.query.GetK(), Version: e.query.GetVersion()}
	}
	if q := e.Replaced(); q != nil {
		s.past.add(q)
		former.Until = q.GetUntil()
	}
	s.decided(e)
	switch {
	case c.to.Nothing():
		s.remove(e)
	case created:
		e.define(c.to, revision)
		s.insert(e)
	default:
		e.define(c.to, revision)
	}
	return former
}

// Abort: nothing of the change is durable, and nothing will be. tried is the
// version that the router has no use for, nil where there is none.
func (s *Set) Abort(e *Entry) (tried *messages.QueryName) {
	if q := e.coming.query; q != nil {
		tried = &messages.QueryName{K: q.GetK(), Version: q.GetVersion()}
	}
	if !e.exists() {
		delete(s.byK, e.coming.to.K())
	}
	s.decided(e)
	return tried
}

func (s *Set) decided(e *Entry) {
	e.coming = nil
	s.deciding = slices.DeleteFunc(s.deciding, func(o *Entry) bool { return o == e })
}
