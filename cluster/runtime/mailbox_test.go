package runtime

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/messages"
)

func TestFifoKeepsOrderAndLetsGo(t *testing.T) {
	var f fifo
	next, want := 0, 0
	for round := range 200 {
		for range round % 37 {
			f.push(next, 2*next)
			next++
		}
		for range round % 31 {
			if f.len() == 0 {
				break
			}
			if got, bytes := f.pop(); got != want || bytes != 2*want {
				t.Fatalf("popped %v, want %d", got, want)
			}
			want++
		}
	}
	for f.len() > 0 {
		if got, _ := f.pop(); got != want {
			t.Fatalf("popped %v, want %d", got, want)
		}
		want++
	}
	if want != next || f.ring != nil {
		t.Fatalf("%d of %d came out, %d places kept", want, next, len(f.ring))
	}
}

func testSystem() *System {
	return New(Config{
		Name: "test", Logger: slog.New(slog.DiscardHandler), WorkPanicked: func() {},
		Failed:     func(string, string, actor.Directive, any) {},
		DeadLetter: func(*actor.PID, any) {},
		Dropped:    func(string) interface{ Inc() } { return new(counter) },
	})
}

type counter struct{ n atomic.Int64 }

func (c *counter) Inc() { c.n.Add(1) }

// A node's actors have the same names at every start, and other nodes tell them
// things before they are made: at each moment of what the library does to spawn one.
func TestWhatComesBeforeTheActorIsMade(t *testing.T) {
	spawn := []func(m *mailbox, i actor.MessageInvoker){
		func(m *mailbox, i actor.MessageInvoker) { m.RegisterHandlers(i, nil) },
		func(m *mailbox, _ actor.MessageInvoker) { m.PostSystemMessage(&actor.Started{}) },
		func(m *mailbox, _ actor.MessageInvoker) { m.Start() },
	}
	for early := range len(spawn) + 1 {
		d := &dispatcher{queue: make([]process, 8)} // nobody takes from it
		m := &mailbox{kind: &kind{name: "connection", bound: boundOf("connection"), dropped: new(counter), dispatcher: d}, running: true}
		var got invoked
		for step, do := range spawn {
			if step == early {
				m.PostUserMessage(&messages.ClientPinged{})
			}
			if d.waiting.Load() > 0 {
				t.Fatalf("early %d: at step %d the actor is run", early, step)
			}
			do(m, &got)
		}
		if early == len(spawn) {
			m.PostUserMessage(&messages.ClientPinged{})
		}
		if d.waiting.Load() != 1 {
			t.Fatalf("early %d: the actor waits %d times for its turn", early, d.waiting.Load())
		}
		m.process()
		if len(got) != 2 {
			t.Fatalf("early %d: handled %v", early, got)
		}
		if _, first := got[0].(*actor.Started); !first {
			t.Errorf("early %d: the actor's first message was %T", early, got[0])
		}
	}
}

// invoked is what an actor was given, in order.
type invoked []any

func (i *invoked) InvokeSystemMessage(m any)     { *i = append(*i, m) }
func (i *invoked) InvokeUserMessage(m any)       { *i = append(*i, m) }
func (i *invoked) EscalateFailure(reason, m any) { panic(reason) }

func TestEveryMessageOfManySendersIsHandledOnceInTheirOrder(t *testing.T) {
	s := testSystem()
	defer s.Shutdown()
	const senders, each = 8, 5000
	var last [senders]int
	var handled sync.WaitGroup
	handled.Add(senders * each)
	pid, err := s.spawn("x", s.Props("journal", func() actor.Actor {
		return actor.ReceiveFunc(func(ctx actor.Context) {
			if m, ok := ctx.Message().([2]int); ok {
				if m[1] != last[m[0]]+1 {
					t.Errorf("sender %d: %d after %d", m[0], m[1], last[m[0]])
				}
				last[m[0]] = m[1]
				handled.Done()
			}
		})
	}, nil), stopOnFailure)
	if err != nil {
		t.Fatal(err)
	}
	for sender := range senders {
		go func() {
			for n := range each {
				s.Root.Send(pid, [2]int{sender, n + 1})
			}
		}()
	}
	handled.Wait()
}

func TestAFullMailboxShedsButNotWhatGivesBack(t *testing.T) {
	s := testSystem()
	defer s.Shutdown()
	hold, begun := make(chan struct{}), make(chan struct{})
	var handled, released atomic.Int64
	done := make(chan struct{})
	pid, err := s.spawn("x", s.Props("monitor", func() actor.Actor {
		return actor.ReceiveFunc(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case string:
				if m == "first" {
					close(begun)
					<-hold
				}
			case *messages.Admit:
				handled.Add(1)
			case *messages.Release:
				released.Add(1)
				close(done)
			}
		})
	}, nil), stopOnFailure)
	if err != nil {
		t.Fatal(err)
	}
	s.Root.Send(pid, "first")
	<-begun
	for range 10_000 {
		s.Root.Send(pid, &messages.Admit{})
	}
	s.Root.Send(pid, &messages.Release{})
	close(hold)
	<-done
	if handled.Load() != 4096 || released.Load() != 1 {
		t.Fatalf("%d messages and %d releases were handled, want 4,096 and 1", handled.Load(), released.Load())
	}
}

func TestARestartKeepsTheMailbox(t *testing.T) {
	s := testSystem()
	defer s.Shutdown()
	done := make(chan int)
	var starts atomic.Int64
	pid, err := s.spawn("x", s.Props("journal", func() actor.Actor {
		return actor.ReceiveFunc(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *actor.Started:
				starts.Add(1)
			case string:
				panic(m)
			case int:
				done <- m
			}
		})
	}, nil), restartWithBudget)
	if err != nil {
		t.Fatal(err)
	}
	s.Root.Send(pid, "a bug")
	s.Root.Send(pid, 1)
	if got := <-done; got != 1 || starts.Load() != 2 {
		t.Fatalf("got %d after %d starts", got, starts.Load())
	}
}
