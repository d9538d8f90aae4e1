package runtime

import (
	"sync"

	"github.com/asynkron/protoactor-go/actor"
)

// mailbox is an actor's: bounded, one message at a time, and nothing but this
// struct while no more than one message waits, where the library's own keeps
// two queues. There is one for each connection, so every field counts.
//
// Invariant: at most one goroutine runs the actor; running says whether one
// does, or will. It is true from the beginning until Start: others know the actor's
// name before it is made, and what they post waits until it can be run, behind the
// library's own first message.
type mailbox struct {
	*kind
	invoker actor.MessageInvoker

	mu        sync.Mutex // protects all fields below
	running   bool
	suspended bool
	full      bool  // a connection was told that it is ended
	system    *fifo // nil: empty
	user      fifo
	bytes     int // of user
}

// kind is what the mailboxes of one kind of actor share.
type kind struct {
	name       string
	bound      bound
	dropped    interface{ Inc() }
	dispatcher *dispatcher
}

var _ actor.Mailbox = (*mailbox)(nil)

func (m *mailbox) RegisterHandlers(invoker actor.MessageInvoker, _ actor.Dispatcher) {
	m.invoker = invoker
}

func (m *mailbox) Start() {
	m.mu.Lock()
	m.running = false
	if m.system == nil && m.user.len() == 0 {
		m.mu.Unlock()
		return
	}
	m.schedule()
}

func (m *mailbox) UserMessageCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.user.len()
}

func (m *mailbox) PostUserMessage(message any) {
	n := weigh(message)
	m.mu.Lock()
	if m.bound.passed(m.user.len(), m.bytes, n) && shed(message) {
		m.dropped.Inc()
		message = instead(m.name)
		if message == nil || m.full {
			m.mu.Unlock()
			return
		}
		m.full = true
		n = weigh(message)
	}
	m.user.push(message, n)
	m.bytes += n
	m.schedule()
}

func (m *mailbox) PostSystemMessage(message any) {
	m.mu.Lock()
	if m.system == nil {
		m.system = &fifo{}
	}
	m.system.push(message, 0)
	m.schedule()
}

// schedule sees to it that the actor runs. Called with m.mu held, which it
// releases.
func (m *mailbox) schedule() {
	runs := m.running
	m.running = true
	m.mu.Unlock()
	if !runs {
		m.dispatcher.schedule(m)
	}
}

// process is one turn of the actor. One that fails in it goes on with what its
// supervisor says.
func (m *mailbox) process() {
	for !m.run() {
	}
}

// next takes the next message: system messages first, users' unless suspended.
// Where there is none the actor does not run any more.
func (m *mailbox) next() (message any, system, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.system != nil {
		message, _ := m.system.pop()
		if m.system.len() == 0 {
			m.system = nil
		}
		switch message.(type) {
		case *actor.SuspendMailbox:
			m.suspended = true
		case *actor.ResumeMailbox:
			m.suspended = false
		default:
			return message, true, true
		}
	}
	if m.suspended || m.user.len() == 0 {
		m.running = false
		return nil, false, false
	}
	message, n := m.user.pop()
	m.bytes -= n
	return message, false, true
}

// run handles messages until none is left or the turn is over, when the actor
// goes to the back of the queue. False: the actor failed.
func (m *mailbox) run() (over bool) {
	var message any
	defer func() {
		if reason := recover(); reason != nil {
			m.invoker.EscalateFailure(reason, message)
		}
	}()
	for t := (turn{}); ; {
		next, system, ok := m.next()
		if !ok {
			return true
		}
		message = next
		if system {
			m.invoker.InvokeSystemMessage(message)
		} else {
			m.invoker.InvokeUserMessage(message)
		}
		if m.dispatcher.over(&t) {
			m.dispatcher.schedule(m)
			return true
		}
	}
}

// fifo is a queue: the oldest in a place of its own, since mostly there is no
// other, and those after it in a ring that doubles, and goes once it is empty.
type fifo struct {
	oldest waiting   // where count > 0
	ring   []waiting // its length is a power of two
	head   uint32
	count  uint32 // the oldest included
}

// waiting is a message and its weight.
type waiting struct {
	message any
	bytes   int
}

func (f *fifo) len() int { return int(f.count) }

func (f *fifo) push(message any, bytes int) {
	f.count++
	if f.count == 1 {
		f.oldest = waiting{message, bytes}
		return
	}
	inRing := int(f.count) - 2
	if inRing == len(f.ring) {
		larger := make([]waiting, max(2, 2*len(f.ring)))
		n := copy(larger, f.ring[f.head:])
		copy(larger[n:], f.ring[:f.head])
		f.ring, f.head = larger, 0
	}
	f.ring[(int(f.head)+inRing)&(len(f.ring)-1)] = waiting{message, bytes}
}

func (f *fifo) pop() (message any, bytes int) {
	w := f.oldest
	f.count--
	if f.count == 0 {
		f.oldest, f.ring, f.head = waiting{}, nil, 0
		return w.message, w.bytes
	}
	f.oldest, f.ring[f.head] = f.ring[f.head], waiting{}
	f.head = (f.head + 1) & uint32(len(f.ring)-1)
	return w.message, w.bytes
}
