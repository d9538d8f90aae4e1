package change

import (
	"cmp"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/apikey/definitions"
	"github.com/birdwire/birdwire/messages"
)

// failure is a write that failed. nothing: it is certain that it has not
// happened, and will not.
type failure struct {
	err     error
	nothing bool
	doubt   *Write // may happen still; nil: none
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// store writes, and goes on when the outcome of the last write is certain, or
// cannot be made so.
func (m *Machine) store(writes []Write, then func(revision uint64, err error)) {
	if len(writes) == 0 {
		then(0, nil)
		return
	}
	token := m.ask(0, func(answer any) {
		s := answer.(Stored)
		if s.Err == nil {
			then(s.Revision, nil)
			return
		}
		m.emit(Report{Text: "writing records failed", Err: s.Err})
		f := &failure{err: s.Err, nothing: s.Nothing}
		if !s.Nothing && !s.Replaced {
			f.doubt = &writes[len(writes)-1]
		}
		then(0, f)
	})
	m.emit(Store{token, writes})
}

// fail ends an operation whose write failed. Unless it is certain that nothing
// was written, the records are read before the next one begins, and before them
// what is in doubt is made certain.
func (m *Machine) fail(err error) {
	detail := "the store does not take it: nothing has changed; try again"
	if f, ok := err.(*failure); !ok || !f.nothing {
		m.emit(Report{Count: "write_unknown"})
		if m.next(m.reload); ok && f.doubt != nil {
			m.next(func() { m.settle(*f.doubt) })
		}
		detail = "the store does not answer: try again; nothing is known to have changed"
	} else if errors.Is(f.err, messages.ErrFull) {
		detail = "the server's disk is full: nothing has changed; try again later"
	}
	m.end(unavailable(detail))
}

// settle asks for a write whose outcome is not known until it is: a store may do what
// it was asked for long after it has given no answer, so a reading that does not show
// the write proves nothing. Once it is there, or another has written the record, no
// earlier try can happen any more. Those that wait meanwhile are refused.
func (m *Machine) settle(w Write) {
	m.sure(w, func(uint64) { m.end(nil) }, func() { m.end(nil) })
}

// sure asks for a write until it is done, or another has written the record.
func (m *Machine) sure(w Write, done func(revision uint64), replaced func()) {
	token := m.ask(0, func(answer any) {
		s := answer.(Stored)
		if s.Err != nil && !s.Replaced {
			wait := m.backoff.Failed()
			m.emit(Report{Text: fmt.Sprintf("it is not known whether a record was written; it is written again in %v", wait), Err: s.Err})
			m.refuseQueue()
			m.ask(wait, func(any) { m.sure(w, done, replaced) })
			return
		}
		if m.backoff.Succeeded(); s.Err != nil {
			replaced()
			return
		}
		done(s.Revision)
	})
	m.emit(Store{token, []Write{w}})
}

// reload reads the records until that succeeds, and has the router have what
// they say. Until then those that wait after it are refused.
func (m *Machine) reload() {
	token := m.ask(0, func(answer any) {
		l := answer.(*Loaded)
		if l.Err != nil {
			wait := m.backoff.Failed()
			m.emit(Report{Text: fmt.Sprintf("reading the key's records failed; they are read again in %v", wait), Err: l.Err})
			m.refuseQueue()
			m.ask(wait, func(any) { m.reload() })
			return
		}
		m.backoff.Succeeded()
		m.take(l)
		m.fence(m.resync)
	})
	m.emit(Load{token})
}

func (m *Machine) refuseQueue() {
	queue := m.queue
	m.queue = nil
	for _, o := range queue {
		if o.ticket == 0 {
			m.queue = append(m.queue, o)
			continue
		}
		m.reply(o.ticket, unavailable("the store does not answer: try again; nothing has changed"))
	}
}

// change has the router take what the entry becomes, learns at which position
// that takes effect, and writes. why: it was refused; err: the write failed.
func (m *Machine) change(e *definitions.Entry, routed bool, then func(why *messages.Rejected, err error)) {
	if !routed {
		m.write(e, then)
		return
	}
	put := &messages.PutQueries{}
	if q := e.Coming(); q != nil {
		put.Put = []*messages.Query{q}
	}
	m.put(put, func(position uint64, err error) {
		if err != nil {
			m.remove(m.Set.Abort(e))
			then(putFailed(err), nil)
			return
		}
		// What was decided on already stays so, here and by an owner before, and a
		// change never takes effect before one that was made before it.
		m.Set.Known(e, max(position, m.cfg.Handled(), m.Set.Newest(), m.logEnd))
		m.write(e, then)
	})
}

// putFailed tells the owner why the router did not take a query.
func putFailed(err error) *messages.Rejected {
	if refused, ok := err.(*errRefused); ok {
		return rejected(messages.Rejection_REJECTION_INVALID, "query", refused.why)
	}
	return unavailable(err.Error())
}

// write makes what the entry becomes durable. Where no version is written that it
// replaces, it is named before.
func (m *Machine) write(e *definitions.Entry, then func(why *messages.Rejected, err error)) {
	named := &messages.Changing{Rule: e.IsRule() || e.To().IsRule(), Id: cmp.Or(e.ID(), e.To().ID()), Version: max(e.Version()+1, e.To().Version())}
	if !e.Decides() || e.Replaced() != nil || proto.Equal(named, m.Key.GetChanging()) {
		m.writeNamed(e, then)
		return
	}
	m.writeKey(func(k *messages.Key) { k.Changing = named }, func(err error) {
		if err != nil {
			m.remove(m.Set.Abort(e))
			m.emit(Decided{})
			then(nil, err)
			return
		}
		m.writeNamed(e, then)
	})
}

func (m *Machine) writeNamed(e *definitions.Entry, then func(why *messages.Rejected, err error)) {
	writes, err := writesOf(e)
	if err != nil {
		m.remove(m.Set.Abort(e))
		m.emit(Decided{})
		then(nil, &failure{err: err, nothing: true})
		return
	}
	m.store(writes, func(revision uint64, err error) {
		f, failed := err.(*failure)
		switch {
		case !failed:
			m.remove(m.Set.Commit(e, revision))
			m.emit(Decided{})
			m.shrinkNext()
		case f.nothing:
			m.remove(m.Set.Abort(e))
			m.emit(Decided{})
		default: // undecided until the records are read: see fail
		}
		then(nil, err)
	})
}

// writesOf are the records of a change; the last one decides.
func writesOf(e *definitions.Entry) (writes []Write, err error) {
	if q := e.Replaced(); q != nil {
		data, err := proto.Marshal(q)
		if err != nil {
			return nil, fmt.Errorf("encode a version of %s: %w", e.ID(), err)
		}
		writes = append(writes, Write{Kind: OfPast, Past: q, Data: data})
	}
	to := e.To()
	if to.Nothing() {
		return append(writes, Write{Kind: kindOf(e.IsRule()), ID: e.ID(), Revision: e.Revision}), nil
	}
	data, err := to.Marshal()
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", to.ID(), err)
	}
	return append(writes, Write{Kind: kindOf(to.IsRule()), ID: to.ID(), Data: data, Revision: e.Revision}), nil
}

// expire deletes the records of versions that no event needs any more.
func (m *Machine) expire(first uint64) {
	m.forget(m.Set.Expire(first))
}

// shrinkNext bounds what is kept of a key whose rules change all the time. How
// far back it is known what held is written before anything is deleted.
func (m *Machine) shrinkNext() {
	gone := m.Set.Shrink()
	if len(gone) == 0 {
		return
	}
	since := m.Set.Since()
	m.next(func() {
		m.writeKey(func(k *messages.Key) { k.PastSince = since }, func(err error) {
			if err != nil {
				m.fail(err)
				return
			}
			m.forget(gone)
		})
	})
}

// forget deletes records of versions. One that stays is deleted after the next
// reading.
func (m *Machine) forget(gone []*messages.Query) {
	m.store(deletions(gone), func(_ uint64, err error) { m.end(nil) })
}

func deletions(gone []*messages.Query) (writes []Write) {
	for _, q := range gone {
		writes = append(writes, Write{Kind: OfPast, Past: q})
	}
	return writes
}
