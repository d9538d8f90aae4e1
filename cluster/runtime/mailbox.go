package runtime

import (
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/messages"
)

// mailbox is an actor's: bounded, one message at a time, and nothing but this
// struct while it is empty, where the library's own keeps two queues.
//
// Invariant: at most one goroutine runs the actor; running says whether one does.
type mailbox struct {
	kind    string
	bound   bound
	dropped interface{ Inc() }

	invoker    actor.MessageInvoker
	dispatcher *dispatcher
	running    atomic.Bool

	mu        sync.Mutex // protects all fields below
	system    fifo
	user      fifo
	bytes     int // of user
	suspended bool
	full      bool // a connection was told that it is ended
}

var _ actor.Mailbox = (*mailbox)(nil)

func (m *mailbox) RegisterHandlers(invoker actor.MessageInvoker, _ actor.Dispatcher) {
	m.invoker = invoker
}

func (m *mailbox) Start() {}

func (m *mailbox) UserMessageCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.user.len()
}

func (m *mailbox) PostUserMessage(message any) {
	n := weigh(message)
	m.mu.Lock()
	if (m.user.len() >= m.bound.messages || m.user.len() > 0 && m.bytes+n > m.bound.bytes) && shed(message) {
		if m.kind != "connection" || m.full {
			m.mu.Unlock()
			m.dropped.Inc()
			return
		}
		m.full = true
		m.dropped.Inc()
		message = &messages.End{Reason: messages.EndReason_END_SLOW, Detail: "events come faster than they are handled"}
		n = weigh(message)
	}
	m.user.push(message, n)
	m.bytes += n
	m.mu.Unlock()
	m.schedule()
}

func (m *mailbox) PostSystemMessage(message any) {
	m.mu.Lock()
	m.system.push(message, 0)
	m.mu.Unlock()
	m.schedule()
}

func (m *mailbox) schedule() {
	if m.running.CompareAndSwap(false, true) {
		m.dispatcher.Schedule(m.process)
	}
}

// process runs the actor until nothing is left for it or its turn is over, when
// it goes to the back of the queue, still marked as running. What is posted
// between the last look and the end of running is seen by the second look.
func (m *mailbox) process() {
	for {
		if m.run() {
			m.dispatcher.Schedule(m.process)
			return
		}
		m.running.Store(false)
		if !m.pending() || !m.running.CompareAndSwap(false, true) {
			return
		}
	}
}

func (m *mailbox) pending() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.system.len() > 0 || !m.suspended && m.user.len() > 0
}

// next takes the next message: system messages first, users' unless suspended.
func (m *mailbox) next() (message any, system, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.system.len() > 0 {
		switch message, _ := m.system.pop(); message.(type) {
		case *actor.SuspendMailbox:
			m.suspended = true
		case *actor.ResumeMailbox:
			m.suspended = false
		default:
			return message, true, true
		}
	}
	if m.suspended || m.user.len() == 0 {
		return nil, false, false
	}
	message, n := m.user.pop()
	m.bytes -= n
	return message, false, true
}

// run handles messages and says whether there may be more: its turn is over.
func (m *mailbox) run() (more bool) {
	var message any
	defer func() {
		if reason := recover(); reason != nil {
			m.invoker.EscalateFailure(reason, message)
		}
	}()
	for t := (turn{}); ; {
		next, system, ok := m.next()
		if !ok {
			return false
		}
		message = next
		if system {
			m.invoker.InvokeSystemMessage(message)
		} else {
			m.invoker.InvokeUserMessage(message)
		}
		if m.dispatcher.over(&t) {
			return true
		}
	}
}

// fifo is a queue in a ring that doubles. It lets go of a large ring once it
// is empty.
type fifo struct {
	ring        []waiting // its length is a power of two
	head, count int
}

// waiting is a message and its weight.
type waiting struct {
	message any
	bytes   int
}

const fifoKeep = 8 // places kept when empty

func (f *fifo) len() int { return f.count }

func (f *fifo) push(message any, bytes int) {
	if f.count == len(f.ring) {
		larger := make([]waiting, max(2, 2*len(f.ring)))
		n := copy(larger, f.ring[f.head:])
		copy(larger[n:], f.ring[:f.head])
		f.ring, f.head = larger, 0
	}
	f.ring[(f.head+f.count)&(len(f.ring)-1)] = waiting{message, bytes}
	f.count++
}

func (f *fifo) pop() (message any, bytes int) {
	w := f.ring[f.head]
	f.ring[f.head] = waiting{}
	f.head = (f.head + 1) & (len(f.ring) - 1)
	if f.count--; f.count == 0 && len(f.ring) > fifoKeep {
		f.ring, f.head = nil, 0
	}
	return w.message, w.bytes
}
