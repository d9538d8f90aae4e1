package runtime

import (
	"context"
	"log/slog"
	"runtime"
	"strings"
	"testing"
)

// stuck is an actor whose turn does not end.
type stuck struct{ began, end chan struct{} }

func (s stuck) process() {
	s.began <- struct{}{}
	<-s.end
}

// A system whose goroutines are all taken says that its actors do not run, to
// all who ask; it runs again when they are free.
func TestASystemSaysWhetherItsActorsRun(t *testing.T) {
	s := New(Config{Name: "pulse", Logger: slog.New(slog.DiscardHandler)})
	defer s.Shutdown()
	if err := s.Runs(context.Background()); err != nil {
		t.Fatal(err)
	}
	taken := stuck{make(chan struct{}), make(chan struct{})}
	for range 2 * runtime.GOMAXPROCS(0) {
		s.dispatcher.schedule(taken)
		<-taken.began
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	for range 100 {
		if err := s.Runs(over); err == nil || !strings.Contains(err.Error(), "actors do not run") {
			t.Fatalf("while none can have a turn: %v", err)
		}
	}
	if waiting := s.dispatcher.waiting.Load(); waiting != 1 {
		t.Errorf("a hundred questions wait as %d turns, want one", waiting)
	}
	close(taken.end)
	if err := s.Runs(context.Background()); err != nil {
		t.Errorf("free again: %v", err)
	}
}
