package runtime

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	goruntime "runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

func taken(l *line[int]) (list []string) {
	for {
		name, job, ok := l.next()
		if !ok {
			return list
		}
		list = append(list, fmt.Sprint(name, job))
	}
}

func TestTurnsGoRoundByOwner(t *testing.T) {
	l := newLine[int](Share{Places: 4, PlacesEach: 2, Waiting: 100, WaitingEach: 10})
	for i := range 10 {
		if !l.add("greedy", i) {
			t.Fatal("refused")
		}
	}
	l.add("a", 0)
	l.add("b", 0)
	if got, want := taken(l), []string{"greedy0", "a0", "b0", "greedy1"}; !slices.Equal(got, want) {
		t.Fatalf("first %v, want %v", got, want)
	}
	l.add("c", 0)
	l.done("a")
	if got, want := taken(l), []string{"c0"}; !slices.Equal(got, want) {
		t.Fatalf("then %v, want %v: the greedy one has its two", got, want)
	}
	l.done("greedy")
	l.done("b")
	if got, want := taken(l), []string{"greedy2"}; !slices.Equal(got, want) {
		t.Fatalf("then %v, want %v", got, want)
	}
}

func TestALineHasBounds(t *testing.T) {
	l := newLine[int](Share{Places: 1, PlacesEach: 1, Waiting: 5, WaitingEach: 2})
	for _, c := range []struct {
		owner string
		want  bool
	}{{"a", true}, {"a", true}, {"a", false}, {"b", true}, {"b", true}, {"c", true}, {"d", false}} {
		if got := l.add(c.owner, 0); got != c.want {
			t.Fatalf("%s: %v, want %v", c.owner, got, c.want)
		}
	}
	if !l.leave("b", func(int) bool { return true }) || !l.add("d", 0) {
		t.Error("who leaves makes room")
	}
	if l.leave("nobody", func(int) bool { return true }) {
		t.Error("nobody left")
	}
}

// Whatever comes, the bounds hold, nobody with a free place is passed over, and
// nothing is kept of those who are gone.
func TestLineKeepsItsWord(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	share := Share{Places: 5, PlacesEach: 2, Waiting: 40, WaitingEach: 9}
	l := newLine[int](share)
	running, waiting := map[string]int{}, map[string][]int{}
	total := func(m map[string]int) (n int) {
		for _, v := range m {
			n += v
		}
		return n
	}
	inLine := func() (n int) {
		for _, v := range waiting {
			n += len(v)
		}
		return n
	}
	for i := range 20_000 {
		name := fmt.Sprint(r.IntN(8))
		switch r.IntN(4) {
		case 0, 1:
			want := inLine() < share.Waiting && len(waiting[name]) < share.WaitingEach
			if got := l.add(name, i); got != want {
				t.Fatalf("add %s: %v, want %v", name, got, want)
			}
			if want {
				waiting[name] = append(waiting[name], i)
			}
		case 2:
			got, job, ok := l.next()
			want := false
			for o, jobs := range waiting {
				want = want || len(jobs) > 0 && running[o] < share.PlacesEach
			}
			if want = want && total(running) < share.Places; ok != want {
				t.Fatalf("next: %v, want %v", ok, want)
			}
			if ok {
				if running[got] >= share.PlacesEach || job != waiting[got][0] {
					t.Fatalf("next: %s's %d, want %v", got, job, waiting[got])
				}
				running[got]++
				waiting[got] = waiting[got][1:]
			}
		case 3:
			if running[name] > 0 {
				running[name]--
				l.done(name)
			} else if jobs := waiting[name]; len(jobs) > 0 {
				last := jobs[len(jobs)-1]
				waiting[name] = jobs[:len(jobs)-1]
				if !l.leave(name, func(j int) bool { return j == last }) {
					t.Fatalf("leave %s: not in line", name)
				}
			}
		}
	}
	for name, n := range running {
		for range n {
			l.done(name)
		}
	}
	for {
		name, _, ok := l.next()
		if !ok {
			break
		}
		l.done(name)
	}
	if len(l.owners) != 0 || len(l.circle) != 0 || l.running != 0 || l.waiting != 0 {
		t.Errorf("still there: %d owners, %d in the circle, %d running, %d waiting", len(l.owners), len(l.circle), l.running, l.waiting)
	}
}

func TestGate(t *testing.T) {
	g := NewGate(Share{Places: 2, PlacesEach: 1, Waiting: 4, WaitingEach: 2})
	ctx := context.Background()
	leave, err := g.Enter(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := g.Enter(gone, "a"); !errors.Is(err, context.Canceled) {
		t.Fatalf("given up: %v", err)
	}
	other, err := g.Enter(ctx, "b") // a's second would wait; b does not
	if err != nil {
		t.Fatal(err)
	}
	entered := make(chan func())
	for range 2 {
		go func() {
			leave, err := g.Enter(ctx, "a")
			if err != nil {
				t.Error(err)
			}
			entered <- leave
		}()
	}
	for { // until both are in line
		g.mu.Lock()
		n := g.line.waiting
		g.mu.Unlock()
		if n == 2 {
			break
		}
		goruntime.Gosched()
	}
	if _, err := g.Enter(ctx, "a"); !errors.Is(err, ErrBusy) {
		t.Fatalf("past the line: %v, want busy", err)
	}
	leave()
	leave() // twice is once
	(<-entered)()
	(<-entered)()
	other()
	if len(g.line.owners) != 0 {
		t.Error("somebody is still there")
	}
}

func TestGateUnderMany(t *testing.T) {
	g := NewGate(Share{Places: 3, PlacesEach: 2, Waiting: 1000, WaitingEach: 1000})
	var mu sync.Mutex
	in := map[string]int{}
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			name := fmt.Sprint(i % 5)
			ctx, cancel := context.WithCancel(context.Background())
			if i%7 == 0 {
				go cancel()
			}
			defer cancel()
			leave, err := g.Enter(ctx, name)
			if err != nil {
				return
			}
			mu.Lock()
			in[name]++
			in["all"]++
			if in[name] > 2 || in["all"] > 3 {
				t.Errorf("%d of %s and %d in all are in", in[name], name, in["all"])
			}
			mu.Unlock()
			mu.Lock()
			in[name]--
			in["all"]--
			mu.Unlock()
			leave()
		})
	}
	all.Wait()
	if len(g.line.owners) != 0 || g.line.running != 0 {
		t.Error("somebody is still there")
	}
}

// One owner's long work does not keep the others waiting, and a pool that ends
// leaves nothing running.
func TestPoolSharesByOwner(t *testing.T) {
	system := actor.NewActorSystem()
	s := &System{ActorSystem: system}
	p := s.NewSharedPool("read", Share{Places: 2, PlacesEach: 1, Waiting: 100, WaitingEach: 3})
	answers := make(chan any, 10)
	to := system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		if text, ok := ctx.Message().(string); ok {
			answers <- text
		}
	}))
	held, begun := make(chan struct{}), make(chan struct{}, 10)
	hold := func(ctx context.Context) any {
		begun <- struct{}{}
		select {
		case <-held:
		case <-ctx.Done():
		}
		return "held"
	}
	for i, want := range []bool{true, true, true, true, false} {
		if i == 1 {
			<-begun // the first has left the line
		}
		if got := p.For("greedy").Do(to, time.Minute, hold); got != want {
			t.Fatalf("job %d: %v, want %v", i, got, want)
		}
	}
	for range 20 {
		if !p.For("modest").Do(to, time.Minute, func(context.Context) any { return "modest" }) {
			t.Fatal("refused")
		}
		if got := <-answers; got != "modest" {
			t.Fatalf("answer %v", got)
		}
	}
	p.Close()
	close(held)
}
