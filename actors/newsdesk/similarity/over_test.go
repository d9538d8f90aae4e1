package similarity

import (
	"fmt"
	"testing"
)

// wire is a stream of articles, ten minutes apart.
type wire struct {
	engine *Engine
	now    int64
	number int64
	story  int64 // of the last article
}

func newWire(t *testing.T) *wire {
	e, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	return &wire{engine: e, now: 1_700_000_000_000}
}

func (w *wire) say(title string) {
	w.number++
	w.now += 10 * minute
	for _, c := range w.engine.Add(Article{ID: w.number, Title: title, Published: w.now, Discovered: w.now}) {
		if c.Kind == Created || c.Kind == Joined {
			w.story = c.Story
		}
	}
}

// others are articles of nothing else.
func (w *wire) others(n int) {
	for i := range n {
		w.say(fmt.Sprintf("Quartz%d opens Vellum%d near Tolmar%d", w.number, i*7+1, i*13+1))
	}
}

// game is a story of eleven articles.
func (w *wire) game() (story int64) {
	for i := range 10 {
		w.say("Orvinfall on Boxten, a game by Respan, hits stores, says shop number " + fmt.Sprint(i))
		w.others(1)
	}
	w.say("Orvinfall, a game by Respan for Boxten, is in stores")
	return w.story
}

// A story that was told often and then not, while others were, is over: what
// comes after hours is another. Where all were silent it goes on.
func TestAStoryIsOverWhenOthersAreToldAndItIsNot(t *testing.T) {
	const again = "Orvinfall on Boxten, a game by Respan, sells out in stores"
	for name, c := range map[string]struct {
		after func(w *wire)
		same  bool
	}{
		"at once":                      {func(w *wire) {}, true},
		"an hour later":                {func(w *wire) { w.others(6) }, true},
		"a day later":                  {func(w *wire) { w.others(144) }, false},
		"with a stray":                 {func(w *wire) { w.others(20); w.say(again); w.others(124) }, false},
		"after a quiet night":          {func(w *wire) { w.now += 12 * hour }, true},
		"after a quiet night and some": {func(w *wire) { w.now += 12 * hour; w.others(4) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			w.others(60)
			first := w.game()
			if n := w.engine.live[first].count; n != 11 {
				t.Fatalf("the story has %d articles", n)
			}
			c.after(w)
			w.say(again)
			if (w.story == first) != c.same {
				t.Errorf("it joined the first story: %v, want %v", w.story == first, c.same)
			}
		})
	}
}
