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
