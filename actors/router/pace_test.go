package router_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// slowClock is the kit's clock with pauses, in which time passes and nothing
// runs, and with work that takes time: each look at it moves it on.
type slowClock struct {
	*testkit.Clock
	paused, each time.Duration
}

func (c *slowClock) Elapsed() time.Duration {
	c.paused += c.each
	return c.Clock.Elapsed() + c.paused
}

// slowing is what the journal was told since it was last asked.
func (r *rig) slowing() (down, up int) {
	for _, m := range r.journal.Messages() {
		switch m := m.(type) {
		case *messages.SlowDown:
			if down++; m.GetForMs() != 1000 {
				r.TB.Errorf("slowed for %d ms", m.GetForMs())
			}
		case *messages.SpeedUp:
			up++
		}
	}
	return down, up
}

func TestARouterThatIsBehindSlowsTheSourcesUntilItIsNot(t *testing.T) {
	run(t, func(r *rig) {
		r.log.fail = 1 << 20 // nothing can be read, and the first frame is lost
		r.log.append(article("1", "a"))
		r.Tell(r.pid, r.log.append(article("2", "a")))
		r.Advance(2 * time.Second)
		if down, up := r.slowing(); down != 0 || up != 0 {
			t.Fatalf("slowed after two seconds: %d, %d", down, up)
		}
		for range 20 { // a lease lasts a second
			r.Advance(500 * time.Millisecond)
			if down, _ := r.slowing(); down == 0 {
				t.Fatal("slowing was not said again in time")
			}
		}
		r.log.fail = 0
		r.Advance(250 * time.Millisecond)
		if _, up := r.slowing(); up != 1 {
			t.Fatalf("%d SpeedUps once it had caught up, with no frame to follow", up)
		}
		r.Advance(time.Minute)
		if down, up := r.slowing(); down != 0 || up != 0 {
			t.Fatalf("slowed again: %d, %d", down, up)
		}
	})
}

// A router without a journal, as that of semantic filters is, slows nobody
// however late it is, and catches up from the log.
func TestARouterWithoutAJournalCatchesUpByItself(t *testing.T) {
	run(t, func(r *rig) {
		r.alone = true
		c := r.Probe()
		r.subscribe(c, "c")
		r.clock.each = 20 * time.Millisecond // every event
		for i := range 2000 {
			r.Tell(r.pid, r.log.append(article(fmt.Sprint(i), "a")))
		}
		r.Advance(time.Second)
		if n := len(got(c)); n != 2000 {
			t.Errorf("%d of 2,000 came", n)
		}
		if down, up := r.slowing(); down+up > 0 {
			t.Errorf("slowed: %d, %d", down, up)
		}
		if r.clock.paused < 10*time.Second {
			t.Error("it was not late: the test shows nothing")
		}
	})
}

// Neither a step of the wall clock nor a pause with nothing under way is lag,
// and a pause with a frame under way is over with that frame.
func TestPausesAndStepsSlowNobodyForLong(t *testing.T) {
	run(t, func(r *rig) {
		for i := range 10 {
			switch i {
			case 3:
				r.Clock.Step(70 * time.Second)
			case 6:
				r.Clock.Step(-time.Hour)
			case 8:
				r.clock.paused += 4 * time.Second
			}
			r.Tell(r.pid, r.log.append(article(fmt.Sprint(i), "a")))
			r.Advance(time.Second)
		}
		if down, _ := r.slowing(); down != 0 {
			t.Fatalf("slowed %d times", down)
		}
		r.log.append(article("lost", "a"))
		r.Tell(r.pid, r.log.append(article("held", "a")))
		r.Settle()
		r.clock.paused += 4 * time.Second
		r.Advance(time.Second)
		if down, up := r.slowing(); down > 1 || up != down {
			t.Fatalf("after a pause: slowed %d times, ended %d times", down, up)
		}
	})
}

// A frame that was announced and that the log does not have must not be waited
// for, and its lag is nobody's.
func TestAFrameThatIsNotInTheLogSlowsNobody(t *testing.T) {
	run(t, func(r *rig) {
		c := r.Probe()
		r.subscribe(c, "c")
		r.Tell(r.pid, &messages.FrameAppended{Sequence: 1 << 40, Frame: &messages.Frame{Events: []*messages.Event{article("x", "a")}}})
		r.Tell(r.pid, &messages.FrameAppended{Sequence: 2})
		r.Tell(r.pid, &messages.FrameAppended{})
		r.Advance(10 * time.Second)
		if down, _ := r.slowing(); down != 0 {
			t.Fatalf("slowed %d times", down)
		}
		r.Tell(r.pid, r.log.append(article("1", "a")))
		r.Settle()
		want(t, c, messages.At(1, 0))
	})
}

// A frame that takes long is handled in parts: who asks in between is
// answered, and filters change between two of its events.
func TestALongFrameLetsOthersHaveTheirTurn(t *testing.T) {
	run(t, func(r *rig) {
		c, other := r.Probe(), r.Probe()
		r.subscribe(c, "c", "gold")
		r.clock.each = 3 * time.Millisecond // each event, since every one is then looked at
		var events []*messages.Event
		for i := range 256 {
			events = append(events, article(fmt.Sprint(i), []string{"gold", "oil"}[i%2]))
		}
		r.Tell(r.pid, r.log.append(events...))
		other.Request(r.pid, &messages.AskThrough{})
		c.Request(r.pid, join(2, c, "c", "oil"))
		r.Settle()
		through := messages.Position(testkit.Expect[*messages.Through](other).GetPosition())
		if through.Sequence() != 1 || through.Index() > 32 {
			t.Errorf("asked while a long frame was handled, it answered at %d.%d", through.Sequence(), through.Index())
		}
		var got []messages.Position
		joined, number := messages.Position(0), uint64(0)
		for _, m := range c.Messages() {
			switch m := m.(type) {
			case *messages.Joined:
				joined, number = messages.Position(m.GetPosition()), m.GetNumber()
			case *messages.Deliveries:
				if m.GetPrevious() != number || m.GetNumber() <= number {
					t.Errorf("after number %d came %d, which names %d", number, m.GetNumber(), m.GetPrevious())
				}
				number = m.GetNumber()
				for _, d := range m.GetDeliveries() {
					got = append(got, messages.Position(d.GetPosition()))
				}
			}
		}
		var wanted []messages.Position
		for i := range events {
			if gold := i%2 == 0; gold == (messages.At(1, i) <= joined) {
				wanted = append(wanted, messages.At(1, i))
			}
		}
		if joined.Sequence() != 1 || joined.Index() > 64 || !slices.Equal(got, wanted) {
			t.Errorf("joined at %d.%d, %d delivered, want %d", joined.Sequence(), joined.Index(), len(got), len(wanted))
		}
	})
}

// What a router may hold is bounded in bytes, and what it drops it reads.
func TestFramesThatWaitAreBoundedInBytes(t *testing.T) {
	run(t, func(r *rig) {
		c := r.Probe()
		r.subscribe(c, "c")
		big := make([]byte, 250<<10)
		for i := range big {
			big[i] = 'x'
		}
		r.log.append(article("lost", "a"))
		for i := range 300 {
			a := article(fmt.Sprint(i), "a")
			a.GetArticle().Article.Description = string(big)
			r.Tell(r.pid, r.log.append(a))
		}
		r.Settle()
		if n := r.log.reads; n > 2 {
			t.Fatalf("%d readings before the hole's time", n)
		}
		r.Advance(5 * time.Second)
		if n := len(got(c)); n != 301 {
			t.Fatalf("%d of 301 were delivered", n)
		}
		live := 0
		for _, o := range r.seen {
			if !o.FromLog {
				live++
			}
		}
		if most := 32 << 20 / len(big); live > most || live < most-10 {
			t.Fatalf("%d frames were held; 32 MiB are %d", live, most)
		}
	})
}

// Lag is counted from when the frame that is due was heard of, not the newest
// that was: with a frame every 100 ms it would never be more than that.
func TestLagIsThatOfTheFrameThatIsDue(t *testing.T) {
	run(t, func(r *rig) {
		r.log.fail = 1 << 20
		r.log.append(article("lost", "a"))
		slowedAfter := time.Duration(0)
		for i := range 40 {
			r.Tell(r.pid, r.log.append(article(fmt.Sprint(i), "a")))
			r.Advance(100 * time.Millisecond)
			if down, _ := r.slowing(); down > 0 && slowedAfter == 0 {
				slowedAfter = time.Duration(i+1) * 100 * time.Millisecond
			}
		}
		if slowedAfter < 2*time.Second || slowedAfter > 2500*time.Millisecond {
			t.Errorf("slowed %v after the frame that is due was heard of; want 2 s", slowedAfter)
		}
	})
}
