package runtime

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// As many actors as there are goroutines never run out of messages. What a
// third is asked it must answer all the same, whether those are many short
// messages or a few long ones.
func TestBusyActorsLeaveNobodyUnserved(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for name, work := range map[string]func(){
		"short": func() {},
		"long": func() {
			for begun := time.Now(); time.Since(begun) < time.Millisecond; { // work that takes a millisecond
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := testSystem()
			defer s.Shutdown()
			var over atomic.Bool
			var turns atomic.Int64
			busy := func() actor.Actor {
				return actor.ReceiveFunc(func(ctx actor.Context) {
					if _, ok := ctx.Message().(string); ok && !over.Load() {
						turns.Add(1)
						work()
						ctx.Send(ctx.Self(), "more")
					}
				})
			}
			for _, id := range []string{"a", "b", "c", "d"} { // twice as many as goroutines are kept
				s.Root.Send(spawn(t, s, id, busy), "begin")
			}
			answered := make(chan int64, 1)
			third := spawn(t, s, "third", func() actor.Actor {
				return actor.ReceiveFunc(func(ctx actor.Context) {
					if _, ok := ctx.Message().(string); ok {
						answered <- turns.Load()
					}
				})
			})
			for turns.Load() == 0 {
				runtime.Gosched()
			}
			asked := turns.Load()
			s.Root.Send(third, "a question")
			select {
			case at := <-answered:
				if at-asked > 10*dispatchThroughput { // each of the four has had a share or two
					t.Errorf("%d messages of others came first", at-asked)
				}
			case <-time.After(20 * time.Second):
				t.Error("a third actor was not served")
			}
			over.Store(true)
		})
	}
}

// Nothing that was scheduled is lost when the dispatcher ends, and nothing runs
// after it.
func TestCloseWaitsForWhatRuns(t *testing.T) {
	d := newDispatcher()
	var ran atomic.Int64
	hold := make(chan struct{})
	const most = 5000 // more places than an empty queue keeps
	for range most {
		d.schedule(call(func() {
			<-hold
			ran.Add(1)
		}))
	}
	close(hold)
	d.close()
	if ran.Load() != most {
		t.Fatalf("%d of %d ran before the end", ran.Load(), most)
	}
}

type call func()

func (c call) process() { c() }

func spawn(t *testing.T, s *System, id string, produce actor.Producer) *actor.PID {
	t.Helper()
	pid, err := s.spawn(id, s.Props("journal", produce, nil), stopOnFailure)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}
