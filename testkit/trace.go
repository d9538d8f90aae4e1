package testkit

import (
	"fmt"
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

// hint names actors that wait for a clock which the kit does not move.
func (k *Kit) hint() string {
	var b strings.Builder
	for _, kind := range k.schedule.wallTimers() {
		fmt.Fprintf(&b, "\n\t%s has set a receive timeout, which the library runs by wall time: give the actor a clock, and let it use After", kind)
	}
	for _, h := range k.hosts {
		for _, part := range h.System.ProcessRegistry.LocalPIDs.LocalPIDs {
			for id := range part.Items() {
				if strings.HasPrefix(id, "future") {
					fmt.Fprintf(&b, "\n\t%s is a future that waits by wall time: send a request and receive its answer as a message", id)
				}
			}
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "\ntestkit: Advance moves no timer of the library's own:" + b.String()
}

// timed is what an actor's context tells of the library's own timer.
type timed interface{ ReceiveTimeout() time.Duration }

// identified is what an actor's context tells of whose it is.
type identified interface{ Self() *actor.PID }
