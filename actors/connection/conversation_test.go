package connection_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/actors/router/replay"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

var quiet = slog.New(slog.DiscardHandler)

// judge lets everything come to rest, without harm, and asks the oracle.
func (w *world) judge(name string) {
	w.t.Helper()
	w.faults.end()
	w.advance(150 * time.Second) // pings, proofs, and whoever waits for an answer
	w.k.Panics()                 // those that were wanted
	for _, c := range w.clients {
		if wrong := c.check(); wrong != "" {
			w.t.Errorf("%s: %v: %s\nharm done: %v\nit saw: %s", name, c.api, wrong, w.faults.did, c.story())
		}
	}
}

// life is what happens to clients in every test: they come from now and from a
// cursor, change filters and lanes while events flow, several times at once.
func (w *world) life(r *rand.Rand) {
	some := func() *filters {
		f := &filters{words: []string{words[r.IntN(len(words))]}}
		if r.IntN(3) == 0 {
			f.near = 1 + r.IntN(2)
		}
		return f
	}
	flow := func(n int) {
		for range n {
			w.random(r)
			if r.IntN(3) == 0 {
				w.k.Advance(time.Duration(r.IntN(300)) * time.Millisecond)
				w.step()
			}
		}
	}
	flow(3)
	w.connect(messages.Api_API_NEWSRANK, some())
	w.connect(messages.Api_API_TWITTER, nil)
	for range 5 {
		flow(2)
		for _, c := range w.clients {
			if c.api != messages.Api_API_NEWSRANK || c.closed {
				continue
			}
			for range r.IntN(3) {
				c.subscribe(some())
				if r.IntN(2) == 0 {
					w.random(r)
				}
			}
		}
		flow(2)
	}
	w.advance(3 * time.Second)
	flow(2)
	// They go, and come back where they were.
	for _, c := range w.clients {
		if !c.closed {
			w.k.Tell(c.pid, &messages.End{Reason: messages.EndReason_END_EVICTED})
		}
	}
	w.k.Settle()
	flow(5)
	w.step()
	flow(3)
	w.advance(2 * time.Second)
	flow(3)
}

// TestEveryMessageLostDoubledAndLate: each message of the conversation, by its
// turn, comes to each harm.
func TestEveryMessageLostDoubledAndLate(t *testing.T) {
	t.Parallel()
	turns := 6
	if testing.Short() {
		turns = 3
	}
	for _, name := range conversationNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := 1; n <= turns; n++ {
				for _, h := range []harm{lost, doubled, late, veryLate} {
					testkit.Run(t, func(k *testkit.Kit) {
						w := newWorld(t, k, "moon", "sun")
						w.faults.begin(func(message string, i int) harm {
							if message == name && i == n {
								return h
							}
							return none
						}, nil)
						w.life(rand.New(rand.NewPCG(uint64(n), 5)))
						w.judge(fmt.Sprintf("%s %d %v", name, n, h))
					})
				}
			}
		})
	}
}

// TestHarmByChance: several messages at once, in every order of events.
func TestHarmByChance(t *testing.T) {
	t.Parallel()
	seeds := 120
	if testing.Short() {
		seeds = 30
	}
	testkit.RunSeeds(t, seeds, func(t *testing.T, k *testkit.Kit) {
		r := rand.New(rand.NewPCG(k.Rand.Uint64N(1<<62), 7))
		w := newWorld(t, k, "moon", "sun")
		w.log.found = 1 + r.IntN(4)
		if r.IntN(3) == 0 { // they overflow, leave and join again
			w.cfg.Follow = follow.Config{HeldMost: 2, RoundsMost: 1000}
			w.reads = 48 << 10
		}
		if r.IntN(3) == 0 {
			w.log.fail = r.IntN(5)
		}
		only := ""
		if r.IntN(2) == 0 {
			only = conversationNames[r.IntN(len(conversationNames))]
		}
		w.faults.begin(func(message string, _ int) harm {
			if only != "" && message != only || r.IntN(20) > 0 && (only == "" || r.IntN(3) > 0) {
				return none
			}
			return lost + harm(r.IntN(4))
		}, nil)
		w.life(r)
		w.judge("by chance")
	})
}

// TestEachActorRestartedInEachState: an actor fails with the message, or in the
// middle of sending one.
func TestEachActorRestartedInEachState(t *testing.T) {
	t.Parallel()
	turns := 6
	if testing.Short() {
		turns = 2
	}
	sent := map[string][]string{
		"router":     {"Joined", "Left", "Through", "VoidsKnown", "Deliveries", "Matched"},
		"shard":      {},
		"apikey":     {"Joined", "Through", "Queries", "Deliveries", "AskThrough", "Rejoin"},
		"connection": {"Join", "Leave", "AskThrough", "AskVoids", "AskQueries"},
	}
	for kind, messages := range sent {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			all := append([]string(nil), conversationNames...)
			for _, m := range messages {
				all = append(all, "send "+m)
			}
			for _, name := range all {
				for n := 1; n <= turns; n++ {
					reached := false
					testkit.Run(t, func(k *testkit.Kit) {
						w := newWorld(t, k, "moon", "sun")
						w.faults.begin(nil, func(at, message string, i int) bool {
							hit := at == kind && message == name && i == n
							reached = reached || hit
							return hit
						})
						w.life(rand.New(rand.NewPCG(uint64(n), 9)))
						w.judge(fmt.Sprintf("%s fails at %s %d", kind, name, n))
					})
					if !reached {
						break // it is not sent or received so often
					}
				}
			}
		})
	}
}

// pump announces frames that are in the log already to one router, more than
// it can handle in that time.
type pump struct {
	w    *world
	to   *actor.PID
	next int
}

func (p *pump) Receive(ctx actor.Context) {
	if _, ok := ctx.Message().(*pump); !ok {
		return
	}
	for range 3 {
		if p.next <= len(p.w.log.frames) {
			ctx.Send(p.to, &messages.FrameAppended{Sequence: uint64(p.next), Frame: p.w.log.frames[p.next-1]})
			p.next++
			ctx.Send(ctx.Self(), p)
		}
	}
}

// A change from the plain to the semantic lane, or back, while the old one has
// a lot to do: what it sends before it hears that the client has left is not
// the new one's.
func TestAChangeOfLanesUnderWayLosesNothing(t *testing.T) {
	t.Parallel()
	testkit.RunSeeds(t, 40, func(t *testing.T, k *testkit.Kit) {
		w := newWorld(t, k)
		w.append(w.event(false, 0, "star"))
		to := int(k.Rand.Uint64N(2))
		near := []int{0, 1}
		c := w.connect(messages.Api_API_NEWSRANK, &filters{words: []string{"sun"}, near: near[1-to]})
		from := len(w.log.frames) + 1
		for i := range 300 {
			w.log.frames = append(w.log.frames, &messages.Frame{
				Number: uint64(len(w.log.frames) + 1), Events: []*messages.Event{w.event(false, i%2, []string{"sun", "moon"}[i%3%2])},
			})
		}
		p := k.Spawn("pump", func() actor.Actor { return &pump{w, w.routers[1-to], from} })
		k.Tell(p, &pump{})
		c.wants = &filters{words: []string{"moon"}, near: near[to]}
		c.said = append(c.said, c.wants)
		k.Tell(c.pid, c.wants.message())
		k.Settle()
		w.judge(fmt.Sprint("to lane ", to))
	})
}

// A subscribe that the router was answering, or had just answered, when it
// failed.
func TestASubscribeIsNotRevertedByARestartOfTheRouter(t *testing.T) {
	for _, at := range []string{"Join", "send Joined", "FrameAppended", "send Deliveries"} {
		testkit.Run(t, func(k *testkit.Kit) {
			w := newWorld(t, k)
			c := w.connect(messages.Api_API_NEWSRANK, &filters{words: []string{"sun"}})
			w.append(w.event(false, 0, "sun"))
			crashed := false
			w.faults.begin(nil, func(kind, message string, _ int) bool {
				hit := !crashed && kind == "router" && message == at
				crashed = crashed || hit
				return hit
			})
			k.Tell(c.pid, (&filters{words: []string{"moon"}}).message())
			c.wants = &filters{words: []string{"moon"}}
			c.said = append(c.said, c.wants)
			w.append(w.event(false, 0, "sun"), w.event(false, 0, "moon"))
			for range 5 {
				w.append(w.event(false, 0, "sun"), w.event(false, 0, "moon"))
				w.advance(time.Second)
			}
			if !crashed {
				t.Fatalf("the router did not fail at %s", at)
			}
			w.judge("fails at " + at)
		})
	}
}

// A client comes back while its key fails so often that it cools down: its
// shard drops the question for the key's queries, and it is asked again.
func TestAResumeOutlastsAKeyThatCoolsDown(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w := beginWorld(&world{t: t, k: k, log: &worldLog{memory: replay.NewVoids()}, rules: []string{"moon"}, asker: k.Probe(), restarts: 1})
		c := w.connect(messages.Api_API_TWITTER, nil)
		w.append(w.event(true, 0, "moon"))
		k.Tell(c.pid, &messages.End{Reason: messages.EndReason_END_EVICTED})
		k.Settle()
		for range 5 {
			w.append(w.event(true, 0, "moon"))
		}
		failed := 0
		w.faults.begin(nil, func(kind, message string, n int) bool {
			hit := kind == "apikey" && message == "AskQueries" && n <= 3
			if hit {
				failed++
			}
			return hit
		})
		w.step()
		w.advance(time.Minute)
		if failed != 3 {
			t.Fatalf("the key failed %d times", failed)
		}
		w.judge("cools down")
		if c.closes != 1 {
			t.Errorf("it was closed: %s", c.story())
		}
	})
}

// The last message before a silence is lost: the proof that follows must not
// move the cursor past it.
func TestALostMessageBeforeAProof(t *testing.T) {
	for _, api := range []messages.Api{messages.Api_API_TWITTER, messages.Api_API_NEWSRANK} {
		testkit.Run(t, func(k *testkit.Kit) {
			w := newWorld(t, k, "moon")
			w.connect(api, &filters{words: []string{"moon"}})
			w.append(w.event(true, 0, "moon"), w.event(false, 0, "moon"))
			w.faults.begin(func(message string, n int) harm {
				if message == "Deliveries" && n == 1 {
					return lost
				}
				return none
			}, nil)
			w.append(w.event(true, 0, "moon"), w.event(false, 0, "moon"))
			w.advance(time.Minute)
			if len(w.faults.did) != 1 {
				t.Fatalf("harm done: %v", w.faults.did)
			}
			w.judge("a proof")
		})
	}
}

// Too much comes live while a slow client catches up: it is not closed, and
// misses nothing.
func TestASlowClientThatCatchesUpIsNotClosed(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w := newWorld(t, k, "moon")
		w.cfg.Follow = follow.Config{HeldMost: 3, Near: 1}
		w.log.found = 4
		c := w.connect(messages.Api_API_TWITTER, nil)
		w.append(w.event(true, 0, "moon"))
		k.Tell(c.pid, &messages.End{Reason: messages.EndReason_END_EVICTED})
		k.Settle()
		for range 100 {
			w.append(w.event(true, 0, "moon"))
		}
		c.reads = 96 << 10 // three frames with every step
		w.step()
		for range 60 {
			w.append(w.event(true, 0, "moon"))
			w.append(w.event(true, 0, "moon"))
			w.step()
		}
		w.advance(20 * time.Second)
		w.judge("slow")
		if c.closes != 1 {
			t.Errorf("it was closed: %s", c.story())
		}
	})
}

// A part of the log is gone: a client that reads over it is told, at its
// place, whether it comes back or was there all the time.
func TestAHoleIsNamed(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w := newWorld(t, k, "moon")
		stays := w.connect(messages.Api_API_NEWSRANK, &filters{words: []string{"moon"}})
		comes := w.connect(messages.Api_API_TWITTER, nil)
		both := func() { w.append(w.event(true, 0, "moon"), w.event(false, 0, "moon")) }
		both()
		k.Tell(comes.pid, &messages.End{Reason: messages.EndReason_END_EVICTED})
		k.Settle()
		w.log.frames = append(w.log.frames, nil, nil)
		both()
		w.advance(time.Second)
		w.judge("a hole")
		want := fmt.Sprintf("events were lost: those at positions %d to %d, the disk no longer holds them; what follows comes after them",
			messages.At(2, 0), messages.EndOf(3))
		for _, c := range []*client{stays, comes} {
			told := 0
			for i, s := range c.seen {
				if s.text == want && c.seen[i+1].position.Sequence() == 4 {
					told++
				}
			}
			if told != 1 {
				t.Errorf("%v was told %d times: %s", c.api, told, c.story())
			}
		}
	})
}

// Nobody answers: after a while the client is told, and may come back.
func TestLongSilenceEndsWithAWord(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w := newWorld(t, k, "moon")
		c := w.connect(messages.Api_API_TWITTER, nil)
		w.append(w.event(true, 0, "moon"))
		w.faults.begin(func(message string, _ int) harm {
			if message == "AskThrough" || message == "Join" {
				return lost
			}
			return none
		}, nil)
		k.Advance(3 * time.Minute)
		if !c.closed || c.seen[len(c.seen)-1].text != "END_INTERNAL the server does not come to an answer at the moment: resume later" {
			t.Fatalf("after three minutes of silence it saw %s", c.story())
		}
		w.judge("silence")
	})
}
