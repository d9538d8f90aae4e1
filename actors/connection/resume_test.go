package connection_test

import (
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors/connection"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// A cursor that cannot be served is told so, with where the log begins, and the
// client gets what comes from now on; a log that does not answer is asked again.
func TestACursorThatMeansNothingHere(t *testing.T) {
	for _, c := range []struct {
		cursor messages.Cursor
		why    string
	}{
		{messages.Cursor{Epoch: "other", Position: messages.At(5, 0)}, "is of another history"},
		{messages.Cursor{Epoch: "e", Position: messages.At(10, 0)}, "lies beyond the end of the log"},
	} {
		cfg := connection.Begin{API: messages.Api_API_KITE, Cursors: true, Cursor: &c.cursor}
		run(t, cfg, func(r *rig) {
			r.Advance(13 * time.Second) // until the log's end is believed
			r.joined(r.router, messages.At(9, 0))
			r.want(t, "connected", "error: cursor "+c.why+"; the first position still held is 12288; live events follow", "cursor 36864")
		}, func(h *history) {
			h.first, h.last, h.unheld = messages.At(3, 0), 9, 3
		})
	}
}

// A leader of the log that was cut off names the end that it knew, for a while: who
// comes with a cursor from after that goes on from it once the log is asked of another.
func TestACursorFromAfterWhatAFormerLeaderKnows(t *testing.T) {
	cfg := connection.Begin{API: messages.Api_API_KITE, Cursors: true, Cursor: &messages.Cursor{Epoch: "e", Position: messages.At(8, 0)}}
	var log *history
	run(t, cfg, func(r *rig) {
		r.Advance(5 * time.Second)
		if got := r.router.Messages(); len(got) > 0 {
			t.Errorf("before the log was known to hold it: %v", got)
		}
		log.last = 9
		r.Advance(2 * time.Second) // it is asked again, and kite's client may say first what it wants
		testkit.FishFor[*messages.AskVoids](r.router)
		r.want(t, "connected")
		r.Stop(r.pid)
		if left := r.Clock.Pending(); len(left) > 0 {
			t.Errorf("timers are left: %v", left)
		}
	}, func(h *history) { log, h.last = h, 7 })
}

// What a client sends while its cursor is looked at is answered in its order
// once that is done, and what needs no log at once.
func TestMessagesBeforeTheCursorIsKnown(t *testing.T) {
	cfg := connection.Begin{API: messages.Api_API_KITE, Cursors: true, Cursor: &messages.Cursor{Epoch: "e", Position: messages.At(5, 0)}}
	run(t, cfg, func(r *rig) {
		r.Tell(r.pid, &messages.ClientPinged{})
		r.Tell(r.pid, kite("a"))
		r.Tell(r.pid, &messages.ClientUnsubscribed{})
		r.Tell(r.pid, kite("b"))
		r.want(t, "connected", "pong")
		r.Worker.Release()
		for range 10 {
			for _, m := range r.router.Messages() {
				switch m := m.(type) {
				case *messages.AskVoids:
					r.Tell(r.pid, &messages.VoidsKnown{From: m.GetFrom(), Through: uint64(messages.At(9, 0)), Ask: m.GetAsk()})
				case *messages.Join:
					r.Tell(r.pid, &messages.Joined{Join: m.GetJoin(), Position: uint64(messages.At(9, 0))})
				}
			}
		}
		r.want(t, "subscribed a", "subscribed ", "subscribed b")
	}, func(h *history) { h.last = 9; h.kit.Worker.Hold() })
	run(t, cfg, func(r *rig) {
		for range 17 {
			r.Tell(r.pid, kite("a"))
		}
		r.Settle()
		if r.socket.ended != "END_ABUSE" {
			t.Errorf("after 17 subscribes: %q", r.socket.ended)
		}
		r.Worker.Release()
		r.Settle()
	}, func(h *history) { h.kit.Worker.Hold() })
}

// The pool is full, the worker panics, the answer never comes: it is asked
// again; an answer to an old question is dropped. A connection that ends in
// between leaves nothing.
func TestTheLogIsAskedAgainWhatItHolds(t *testing.T) {
	cfg := connection.Begin{API: messages.Api_API_KITE, Cursors: true, Cursor: &messages.Cursor{Epoch: "e", Position: messages.At(5, 0)}, Filters: kite()}
	run(t, cfg, func(r *rig) {
		r.Advance(time.Second) // refused by the pool
		r.Worker.Refuse(false)
		r.Worker.Hold()
		r.Advance(time.Second) // and now held
		r.Advance(31 * time.Second)
		r.socket.heard = r.Clock.Elapsed()
		if r.Worker.Held() != 2 {
			t.Fatalf("asked %d times", r.Worker.Held())
		}
		r.Worker.ReleaseNext() // the old question's
		r.Settle()
		if got := r.router.Messages(); len(got) > 0 {
			t.Errorf("an old answer was taken: %v", got)
		}
		r.Worker.Release()
		testkit.FishFor[*messages.AskVoids](r.router)
		r.Stop(r.pid)
		if left := r.Clock.Pending(); len(left) > 0 {
			t.Errorf("timers are left: %v", left)
		}
	}, func(h *history) { h.kit.Worker.Refuse(true) })
	run(t, cfg, func(r *rig) {
		r.Stop(r.pid)
		r.Worker.Release()
		r.Advance(time.Minute)
		if left := r.Clock.Pending(); len(left) > 0 {
			t.Errorf("timers are left: %v", left)
		}
		testkit.FishFor[*messages.Release](r.key)
	}, func(h *history) { h.kit.Worker.Hold() })
}
