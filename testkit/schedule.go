package testkit

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// settleMax ends a system that never comes to rest.
const settleMax = 1_000_000

// Event is something that can happen now: a mailbox handles its next message,
// a job runs, a Lane does what is next.
type Event interface {
	String() string // whose it is
	// label is the same in every run: with its host's address, and no id that counts.
	label() string
	// process is whose next step it is: a mailbox or a lane has one after the other.
	// No two have the same.
	process() string
	// step does one thing and says whether there is more to do.
	step() (more bool)
	of() *Host // nil: nobody's
}

// Chooser picks which of the events that are due happens next. Whatever order a
// run has is in what it answers: to replay a run is to answer the same.
type Chooser interface {
	// Choose returns an index of due, which has two events at least, in no order
	// that means anything, and must not be kept or changed. Of one there is no choice.
	Choose(due []Event) int
}

// bySeed chooses among all, each as likely as the others.
type bySeed struct{ r *rand.Rand }

func (c bySeed) Choose(due []Event) int { return c.r.IntN(len(due)) }

// inOrder takes the event that became due first.
type inOrder struct{}

func (inOrder) Choose([]Event) int { return 0 }

// schedule holds what is due and runs it one step at a time on the goroutine
// that drains. Only posting is safe from others.
type schedule struct {
	mu     sync.Mutex   // protects due, panics and the queues of every mailbox
	due    queue[Event] // as large as the systems have mailboxes and jobs with something to do
	panics []any
	wake   chan struct{} // holds one token when something was posted

	time      *timeline       // what the messages of trace are dated by
	trace     trace           // of the draining goroutine
	record    *Record         // of the draining goroutine; nil: none was asked for
	wall      map[string]bool // kinds of actors that have set the library's own timer
	backoff   bool            // an actor waits for its restart by the library's own timer
	decisions *decisions
	fired     *timer       // the last
	paused    []*job       // of the draining goroutine, in the order in which they first were
	ends      func() bool  // whether the run ends before its next step; nil: it does not
	history   *History     // nil: none was asked for
	explored  *exploration // nil: the run is none of Explore
	together  bool         // timers of one instant fire before what comes of them is handled
	// cause is the step that what is posted now comes of: the one that runs, or that
	// set the timer which fires; 0: none, the test itself. Steps are counted from 1.
	cause atomic.Int64
}

func newSchedule(seed uint64) *schedule {
	s := &schedule{wake: make(chan struct{}, 1), wall: map[string]bool{}, time: &timeline{now: century}}
	s.decisions = newDecisions(seed, func() time.Duration { return s.time.elapsed() - century })
	return s
}

// add makes e due. The caller holds mu.
func (s *schedule) add(e Event) {
	if h := e.of(); h != nil && h.frozen {
		h.waits = append(h.waits, e)
		return
	}
	s.due.push(e)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// drain runs events until none is due, or the run ends. It returns the last event
// when there seems to be no end to them.
func (s *schedule) drain() (busy string, ended bool) {
	var last Event
	for range settleMax {
		if s.ends != nil && s.ends() {
			return "", true
		}
		e := s.next()
		if e == nil {
			return "", s.rest()
		}
		last = e
		if _, notesItself := e.(*mailbox); !notesItself && s.record != nil {
			s.record.add(s.time.elapsed()-century, whose(e), "")
		}
		s.cause.Store(int64(s.decisions.step))
		s.decisions.step++
		more := e.step()
		s.cause.Store(0)
		if more {
			s.mu.Lock()
			s.add(e)
			s.mu.Unlock()
		}
	}
	return last.String(), false
}

func (s *schedule) comesOf() int { return int(s.cause.Load()) }

func (s *schedule) next() Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.due.len() == 0 {
		return nil
	}
	due := s.due.all()
	i := s.decisions.event(due)
	if i < 0 {
		return nil
	}
	due[0], due[i] = due[i], due[0]
	return s.due.pop()
}

// rest is where there is nothing to do; it says whether the run ends here.
func (s *schedule) rest() (ended bool) {
	if s.explored == nil {
		return false
	}
	s.explored.rest()
	return s.explored.stuck()
}

// whose names an event with its host.
func whose(e Event) string {
	if h := e.of(); h != nil {
		return h.address + ": " + e.String()
	}
	return e.String()
}

// wallTimers are the kinds of actors that have set the library's own timer.
func (s *schedule) wallTimers() []string { return slices.Sorted(maps.Keys(s.wall)) }

func (s *schedule) panicked(reason any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.panics = append(s.panics, fmt.Sprintf("%v%s", reason, stack()))
}

// stack is what has panicked and who called it, up to the kit, and the same in every
// run: no addresses, and not which goroutine it was.
func stack() string {
	var callers [64]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(1, callers[:])])
	var b strings.Builder
	for panicked := false; ; {
		f, more := frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			panicked = true
			b.Reset() // one in a deferred call comes of an earlier one
		case strings.HasSuffix(f.Function, "testkit.(*mailbox).step"), strings.HasSuffix(f.Function, "testkit.(*job).run"):
			more = false
		case panicked && !strings.HasPrefix(f.Function, "runtime."):
			fmt.Fprintf(&b, "\n\t%s\n\t\t%s:%d", f.Function, f.File, f.Line)
		}
		if !more {
			return b.String()
		}
	}
}

func (s *schedule) takePanics() []any {
	s.mu.Lock()
	defer s.mu.Unlock()
	panics := s.panics
	s.panics = nil
	return panics
}

// posted is a message, and the step that it comes of.
type posted struct {
	message any
	cause   int
	weight  int
}

// mailbox gives an actor one message a step. It is protoactor's default
// mailbox in what it does (system messages first, suspension by a failure),
// which drains until empty and so would hide what other orders there are.
type mailbox struct {
	kind     string
	host     *Host
	schedule *schedule
	invoker  actor.MessageInvoker

	called string // label, once it was asked for
	self   string // as process, once it was asked for: to put it together was a tenth of a message

	// The schedule's mu protects these.
	system, user queue[posted] // bounded by the host's Bounds, else by nothing: a test ends, and settleMax ends a flood
	bytes        int           // of user, where there are bounds
	full         bool          // it has dropped something
	suspended    bool
	due          bool // Invariant: due exactly when it is in schedule.due or steps now.
}

var _ actor.Mailbox = (*mailbox)(nil)

func (m *mailbox) PostUserMessage(message any) {
	m.post(message)
	if posted := m.host.Posted; posted != nil {
		posted(m.kind, message)
	}
}

func (m *mailbox) post(message any) {
	m.schedule.mu.Lock()
	defer m.schedule.mu.Unlock()
	m.schedule.reaches(m, false)
	weight := 0
	if b := m.host.Bounds; b != nil {
		if b.Drop(m.kind, m.user.len(), m.bytes, message) {
			message = b.Instead(m.kind)
			if message == nil || m.full {
				return
			}
			m.full = true
		}
		weight = b.Weigh(message)
	}
	m.user.push(posted{message, m.schedule.comesOf(), weight})
	m.bytes += weight
	m.becomeDue()
}

func (m *mailbox) PostSystemMessage(message any) {
	m.schedule.mu.Lock()
	defer m.schedule.mu.Unlock()
	m.schedule.reaches(m, true)
	m.system.push(posted{message: message, cause: m.schedule.comesOf()})
	m.becomeDue()
}

func (m *mailbox) becomeDue() {
	if !m.due && m.invoker != nil && m.waiting() {
		m.due = true
		m.schedule.add(m)
	}
}

func (m *mailbox) waiting() bool {
	return !m.host.ended && (m.system.len() > 0 || m.user.len() > 0 && !m.suspended)
}

func (m *mailbox) RegisterHandlers(invoker actor.MessageInvoker, _ actor.Dispatcher) {
	m.schedule.mu.Lock()
	defer m.schedule.mu.Unlock()
	m.invoker = invoker
	m.becomeDue()
}

func (m *mailbox) Start() {}

func (m *mailbox) UserMessageCount() int {
	m.schedule.mu.Lock()
	defer m.schedule.mu.Unlock()
	return m.user.len()
}

func (m *mailbox) String() string { return m.kind }

func (m *mailbox) label() string {
	if m.called == "" {
		m.called = m.host.address + ": " + m.kind
	}
	return m.called
}

func (m *mailbox) of() *Host { return m.host }

func (m *mailbox) process() string {
	if m.self == "" {
		if who, ok := m.invoker.(identified); ok {
			m.self = who.Self().GetAddress() + "/" + who.Self().GetId()
		}
	}
	return m.self
}

func (m *mailbox) step() (more bool) {
	next, system := m.take()
	message := next.message
	m.touches(next, system)
	defer func() {
		if reason := recover(); reason != nil {
			m.schedule.panicked(fmt.Sprintf("%s on %T: %v", m.kind, message, reason))
			m.fail(reason, message)
		}
		more = m.stillDue()
	}()
	switch message.(type) {
	case nil:
	case *actor.SuspendMailbox:
		m.suspend(true)
	case *actor.ResumeMailbox:
		m.suspend(false)
	default:
		m.note(message, next.cause)
		if system {
			m.invoker.InvokeSystemMessage(message)
		} else {
			m.invoker.InvokeUserMessage(message)
		}
		if t, ok := m.invoker.(timed); ok && t.ReceiveTimeout() > 0 {
			m.schedule.wall[m.kind] = true
		}
	}
	return false
}

// rooted is what an actor's context is that has no parent.
type rooted interface {
	actor.Supervisor
	identified
	Parent() *actor.PID
}

// fail has the actor's parent decide what becomes of it. The library restarts one
// without a parent ten times in ten seconds of wall time; here they are of its host.
func (m *mailbox) fail(reason, message any) {
	root, ok := m.invoker.(rooted)
	if !ok || root.Parent() != nil {
		m.invoker.EscalateFailure(reason, message)
		return
	}
	m.PostSystemMessage(&actor.SuspendMailbox{})
	m.host.roots.HandleFailure(m.host.System, root, root.Self(), nil, reason, message)
}

// touches is what a step of it always touches. Of what it handles before all else, and
// of what may be its last, those who send to it can see more.
func (m *mailbox) touches(next posted, system bool) {
	s := m.schedule
	if s.explored == nil {
		return
	}
	s.comes(next.cause)
	s.touch(actorOf(m.process()), true)
	s.touch(hostThing(m.host), false)
	_, last := next.message.(*actor.PoisonPill)
	if e, ok := next.message.(*actor.MessageEnvelope); ok && !last {
		_, last = e.Message.(*actor.PoisonPill)
	}
	if system || last || m.host.Bounds != nil {
		s.touch(waitingOf(m.process()), true)
	}
}

// note keeps the message for the case that the test fails.
func (m *mailbox) note(message any, cause int) {
	t := traced{at: m.schedule.time.elapsed() - century, kind: m.kind, message: message}
	if e, ok := message.(*actor.MessageEnvelope); ok {
		t.message = e.Message
	}
	t.id = m.whose()
	m.schedule.trace.add(t)
	if m.schedule.record != nil || m.schedule.history != nil {
		text := render(t.message)
		m.schedule.record.add(t.at, t.id, text)
		m.schedule.history.add(Step{N: m.schedule.comesOf(), At: t.at, Host: m.host.address, Actor: t.id, Cause: cause, Text: text})
	}
}

// whose is the id of the mailbox's actor, with its host's address unless that is
// the kit's own.
func (m *mailbox) whose() string {
	if m.host.address != Address {
		return m.process()
	}
	if who, ok := m.invoker.(identified); ok {
		return who.Self().GetId()
	}
	return ""
}

// take returns the next message; nil when there is none.
func (m *mailbox) take() (next posted, system bool) {
	m.schedule.mu.Lock()
	defer m.schedule.mu.Unlock()
	if m.host.ended {
		return posted{}, false
	}
	if m.system.len() > 0 {
		return m.system.pop(), true
	}
	if m.user.len() > 0 && !m.suspended {
		next = m.user.pop()
		m.bytes -= next.weight
	}
	return next, false
}

func (m *mailbox) suspend(suspended bool) {
	m.schedule.mu.Lock()
	defer m.schedule.mu.Unlock()
	m.suspended = suspended
}

func (m *mailbox) stillDue() bool {
	m.schedule.mu.Lock()
	defer m.schedule.mu.Unlock()
	m.due = m.waiting()
	return m.due
}
