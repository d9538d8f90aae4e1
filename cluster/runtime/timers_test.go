package runtime

import (
	"cmp"
	"container/heap"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// rung sends what it is told to the channel.
func rung(t *testing.T, s *System) (*actor.PID, chan int) {
	t.Helper()
	out := make(chan int, 1024)
	return spawn(t, s, "rung", func() actor.Actor {
		return actor.ReceiveFunc(func(ctx actor.Context) {
			if n, ok := ctx.Message().(int); ok {
				out <- n
			}
		})
	}), out
}

// Timers fire once, and not before their time; those that are cancelled do not.
func TestTimersFireOnce(t *testing.T) {
	s := testSystem()
	defer s.Shutdown()
	pid, out := rung(t, s)
	clock := s.Clock()
	began := clock.Elapsed()
	const most = 100
	var want []int // what is not cancelled
	cancels := map[int]func(){}
	for _, n := range rand.Perm(most) {
		cancels[n] = clock.After(time.Duration(n)*time.Millisecond+50*time.Millisecond, pid, n)
	}
	for n := range most {
		if n%3 == 1 {
			cancels[n]()
			cancels[n]() // again: of no effect
		} else {
			want = append(want, n)
		}
	}
	var got []int
	for range want {
		n := <-out
		if at := clock.Elapsed() - began; at < time.Duration(n)*time.Millisecond+50*time.Millisecond {
			t.Errorf("timer %d fired after %v", n, at)
		}
		cancels[n]() // it has fired: of no effect
		got = append(got, n)
	}
	slices.Sort(got) // on a busy machine they were not set at once
	if !slices.Equal(got, want) {
		t.Errorf("fired %v", got)
	}
	if n := s.timers.queue.Len(); n != 0 {
		t.Errorf("%d timers are left", n)
	}
}

// What is due comes out by time, and in the order it was set where that is the
// same, whatever is taken out in between.
func TestTimersAreInOrder(t *testing.T) {
	var q timerQueue
	var all []*timer
	for n := range 500 {
		all = append(all, &timer{due: time.Duration(rand.IntN(50)), order: uint64(n)})
		heap.Push(&q, all[n])
	}
	for n := 0; n < len(all); n += 7 {
		heap.Remove(&q, all[n].at)
		all[n].at = -2
	}
	all = slices.DeleteFunc(all, func(t *timer) bool { return t.at == -2 })
	slices.SortStableFunc(all, func(a, b *timer) int { return cmp.Compare(a.due, b.due) })
	for n, want := range all {
		if got := heap.Pop(&q).(*timer); got != want || got.at != -1 {
			t.Fatalf("%d: due %d, set as %d, comes in the place of one due %d", n, got.due, got.order, want.due)
		}
	}
}

// One that is set for sooner than those that wait does not wait for them, and
// one of no time, or less, fires at once.
func TestATimerForSoonerDoesNotWait(t *testing.T) {
	s := testSystem()
	defer s.Shutdown()
	pid, out := rung(t, s)
	s.Clock().After(time.Hour, pid, 1)
	s.Clock().After(time.Millisecond, pid, 2)
	if n := <-out; n != 2 {
		t.Fatalf("timer %d fired", n)
	}
	s.Clock().After(-time.Hour, pid, 3)
	if n := <-out; n != 3 {
		t.Fatalf("timer %d fired", n)
	}
	s.Clock().After(0, pid, 4)
	if n := <-out; n != 4 {
		t.Fatalf("timer %d fired", n)
	}
}

// Nothing fires after the end, also what is set after it.
func TestTimersEndWithTheSystem(t *testing.T) {
	s := testSystem()
	pid, out := rung(t, s)
	cancel := s.Clock().After(time.Millisecond, pid, 1)
	s.timers.end()
	cancel()
	s.Clock().After(0, pid, 2)()
	if s.timers.queue.Len() != 0 {
		t.Errorf("%d timers are left", s.timers.queue.Len())
	}
	s.Shutdown()
	for len(out) > 0 {
		if n := <-out; n == 2 {
			t.Error("what was set after the end has fired")
		}
	}
}
