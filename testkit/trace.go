package testkit

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// The newest messages are kept for a test that fails, and each is shown cut.
const (
	traceMost = 60
	traceWide = 200
)

// traced is one message that was handled.
type traced struct {
	at      time.Duration // since the test began
	kind    string
	id      string
	message any
}

// trace is the newest messages, as a ring: writing one costs no allocation, and
// they are made text only where the test fails.
type trace struct {
	ring []traced
	next int
}

func (t *trace) add(m traced) {
	if len(t.ring) < traceMost {
		t.ring = append(t.ring, m)
		return
	}
	t.ring[t.next] = m
	t.next = (t.next + 1) % traceMost
}

func (t *trace) String() string {
	var b strings.Builder
	for _, m := range slices.Concat(t.ring[t.next:], t.ring[:t.next]) {
		text := render(m.message)
		if r := []rune(text); len(r) > traceWide {
			text = string(r[:traceWide-1]) + "…"
		}
		fmt.Fprintf(&b, "\n\t%12v  %s  %s", m.at, m.id, text)
	}
	return b.String()
}

// tell shows a failed test what its actors handled last, and why they may not
// have done what was expected.
func (k *Kit) tell() {
	k.TB.Helper()
	if !k.TB.Failed() || len(k.schedule.trace.ring) == 0 {
		return
	}
	k.TB.Logf("testkit: the last messages, each with the virtual time since the test began and the actor that handled it:%s%s",
		&k.schedule.trace, k.hint())
}

// hint names what the kit does not run: a test that expects something of it waits in
// vain, or for as long as the machine takes.
func (k *Kit) hint() string {
	beside := k.beside()
	if beside == "" {
		return ""
	}
	return "\ntestkit: the kit does not run, and Advance does not move:" + beside
}

// beside are actors of another's mailbox, and those that wait by the machine's clock.
func (k *Kit) beside() string {
	var b strings.Builder
	for _, kind := range k.schedule.wallTimers() {
		fmt.Fprintf(&b, "\n\t%s has set a receive timeout, which the library runs by wall time: give the actor a clock, and let it use After", kind)
	}
	if k.schedule.backoff {
		b.WriteString("\n\tthe library's strategy with a backoff, which restarts by wall time: give the supervisor a clock")
	}
	for _, h := range k.hosts {
		var each []string
		for _, part := range h.System.ProcessRegistry.LocalPIDs.LocalPIDs {
			for id, process := range part.Items() {
				switch {
				case strings.HasPrefix(id, "future"):
					each = append(each, id+" is a future that waits by wall time: send a request and receive its answer as a message")
				case foreign(process):
					each = append(each, id+" is an actor with a mailbox of its own, which runs on goroutines: make its props by the Props of its Host")
				}
			}
		}
		slices.Sort(each)
		for _, text := range each {
			b.WriteString("\n\t" + text)
		}
	}
	return b.String()
}

// foreign says whether an actor's mailbox is not the kit's.
func foreign(process any) bool {
	p, ok := process.(*actor.ActorProcess)
	if !ok {
		return false
	}
	box := reflect.ValueOf(p).Elem().FieldByName("mailbox")
	return box.IsValid() && box.Kind() == reflect.Interface && !box.IsNil() && box.Elem().Type() != reflect.TypeFor[*mailbox]()
}

// timed is what an actor's context tells of the library's own timer.
type timed interface{ ReceiveTimeout() time.Duration }

// identified is what an actor's context tells of whose it is.
type identified interface{ Self() *actor.PID }
