package repeat

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/birdwire/birdwire/messages"
)

func contains(w *Window, id string) bool {
	_, found := w.Find(id)
	return found
}

// oracle remembers where every id was last, and where it was shown.
type oracle struct {
	last  map[string]int
	shown map[string]int
	n     int
}

func (o *oracle) add(id string) bool {
	at, seen := o.last[id]
	repeat := seen && o.n-at <= Size
	o.last[id] = o.n
	if !repeat {
		o.shown[id] = o.n
	}
	o.n++
	return repeat
}

func TestWindowAgreesWithPlainHistory(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	w, o := NewPlaced(), &oracle{last: map[string]int{}, shown: map[string]int{}}
	repeats := 0
	for i := range 3 * Size {
		// Ids come back after anything from one event to twice the window.
		id := fmt.Sprint("e", i-int(r.ExpFloat64()*Size/2))
		if r.IntN(3) > 0 {
			id = fmt.Sprint("n", i)
		}
		want := o.add(id)
		if want {
			repeats++
		}
		if got := w.AddAt(id, messages.Position(i)); got != want {
			t.Fatalf("event %d, id %s: repeat = %v, want %v", i, id, got, want)
		}
		if at, found := w.Find(id); !found || int(at) != o.shown[id] {
			t.Fatalf("event %d, id %s: shown at %d, want %d", i, id, at, o.shown[id])
		}
	}
	if repeats < Size/10 {
		t.Fatalf("only %d repeats: the test shows nothing", repeats)
	}
}

func TestRepeatAtTheEdge(t *testing.T) {
	for _, distance := range []int{Size - 1, Size, Size + 1} {
		w := New()
		w.Add("x")
		for i := range distance - 1 {
			w.Add(fmt.Sprint(i))
		}
		if got, want := w.Add("x"), distance <= Size; got != want {
			t.Errorf("id %d events back: repeat = %v, want %v", distance, got, want)
		}
	}
}

func TestCloneIsIndependent(t *testing.T) {
	w := New()
	w.Add("a")
	c := w.Clone()
	c.Add("b")
	if contains(w, "b") || !contains(c, "a") {
		t.Fatal("clone shares state with its origin")
	}
}

func BenchmarkAdd(b *testing.B) {
	w := New()
	ids := make([]string, 1<<18)
	for i := range ids {
		ids[i] = fmt.Sprintf("push:post:%d:1", i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w.Add(ids[i%len(ids)])
	}
}
