package similarity

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// made makes articles of made-up events: each event has names and words of its
// own, told in sentences that share them with others. One outlet of nine begins
// its headlines alike.
func made(seed uint64, n, events int, every int64) []Article {
	r := rand.New(rand.NewPCG(seed, 1))
	out := make([]Article, n)
	for i := range out {
		event := i*events/n + r.IntN(5) // events come and go
		own := rand.New(rand.NewPCG(seed, uint64(event)+2))
		vocabulary := make([]string, 12)
		for w := range vocabulary {
			vocabulary[w] = fmt.Sprintf("%c%s%d", "AbCdEfGh"[w%8], "orvin", own.IntN(4000))
		}
		sentence := func(words int) string {
			var b strings.Builder
			for range words {
				if r.IntN(3) > 0 {
					b.WriteString(vocabulary[r.IntN(len(vocabulary))])
				} else {
					fmt.Fprintf(&b, "word%d", r.IntN(300))
				}
				b.WriteByte(' ')
			}
			return b.String()
		}
		out[i] = Article{ID: int64(i + 1), Title: sentence(6), Source: fmt.Sprint("s", i%9), Discovered: 1_700_000_000_000 + int64(i)*every}
		out[i].Published = out[i].Discovered - int64(r.IntN(7200_000))
		if r.IntN(3) > 0 {
			out[i].Body = sentence(30)
		}
		if i%9 == 3 {
			out[i].Title, out[i].Body = "Orvin briefing tonight: "+out[i].Title, ""
		}
	}
	return out
}

func engine(t testing.TB, cfg Config) *Engine {
	t.Helper()
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// The index must find what asking every live story finds: the same changes,
// with the same scores to the last bit.
func TestIndexAgreesWithAskingAll(t *testing.T) {
	for seed := range uint64(2) {
		e := engine(t, Config{Window: 2 * day, Members: 6})
		for _, a := range made(seed, 200, 40, 20*minute) {
			before := engine(t, e.cfg)
			if err := reload(before, e); err != nil {
				t.Fatal(err)
			}
			m := before.weigh(&a)
			want, wantLogit := askAll(before, m)
			got := e.Add(a)
			var first Change
			for _, c := range got {
				if c.Article == a.ID {
					first = c
				}
			}
			switch joined := first.Kind == Joined; {
			case joined != (want != nil && wantLogit > 0):
				t.Fatalf("seed %d, article %d: %+v, asking all: %v %g", seed, a.ID, first, want, wantLogit)
			case joined && (first.Story != want.id || first.Logit != wantLogit):
				t.Fatalf("seed %d, article %d: joined %d by %v, asking all: %d by %v", seed, a.ID, first.Story, first.Logit, want.id, wantLogit)
			}
		}
	}
}

func reload(into, from *Engine) error {
	e, err := Restore(from.cfg, from.Snapshot())
	if err == nil {
		*into = *e
	}
	return err
}

// askAll is nearest without an index.
func askAll(e *Engine, m member) (best *story, logit float64) {
	q := m.query()
	for _, s := range e.live {
		d := dotsOf(&q, s)
		if !related(d, &q, s) || e.cold(s) {
			continue
		}
		f := features(d, &q, s, s.gap(m.at))
		z := e.cfg.join.Logit(&f)
		if z > 0 && m.own != nil && m.source == s.source { // one outlet alone
			plain := q
			plain.v, plain.own = *m.own, nil
			f = features(dotsOf(&plain, s), &plain, s, s.gap(m.at))
			z = e.cfg.join.Logit(&f)
		}
		if best == nil || z > logit || z == logit && s.id < best.id {
			best, logit = s, z
		}
	}
	return best, logit
}

// Two engines, one of which is written out and read back all the while, say
// the same and are the same, byte for byte.
func TestRestoredGoesOnAlike(t *testing.T) {
	cfg := Config{Window: day, Live: 30, Members: 6, Dictionary: 1000}
	straight, broken := engine(t, cfg), engine(t, cfg)
	seen := map[Kind]int{}
	for i, a := range made(7, 700, 100, 4*minute) {
		want := straight.Add(a)
		if i%50 == 0 {
			snapshot := broken.Snapshot()
			var err error
			if broken, err = Restore(cfg, snapshot); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(snapshot, broken.Snapshot()) {
				t.Fatalf("article %d: a restored engine's snapshot differs", i)
			}
		}
		if got := broken.Add(a); !reflect.DeepEqual(got, want) {
			t.Fatalf("article %d: %+v, want %+v", i, got, want)
		}
		for _, c := range want {
			seen[c.Kind]++
		}
	}
	if seen[Created] == 0 || seen[Joined] == 0 || seen[Retired] == 0 {
		t.Errorf("the articles try too little: %v", seen)
	}
	if !bytes.Equal(straight.Snapshot(), broken.Snapshot()) {
		t.Error("the snapshots differ in the end")
	}
}

// Every article is in exactly one story at any time, whatever merges, splits
// and retires, and the index holds the live stories' sums and nothing else.
func TestInvariants(t *testing.T) {
	e := engine(t, Config{Window: day, Live: 30, Members: 8})
	in := map[int64][]int64{}
	placed := 0
	for _, a := range made(3, 700, 100, 5*minute) {
		for _, c := range e.Add(a) {
			switch c.Kind {
			case Created, Joined:
				in[c.Story] = append(in[c.Story], c.Article)
				placed++
			case Merged:
				in[c.Story] = append(in[c.Story], in[c.Other]...)
				delete(in, c.Other)
			case Split:
				in[c.Other] = c.Articles
				for _, moved := range c.Articles {
					in[c.Story] = without(t, in[c.Story], moved)
				}
			case Retired:
				placed -= len(in[c.Story])
				delete(in, c.Story)
			}
		}
		total := 0
		for id, articles := range in {
			s := e.live[id]
			if s == nil || s.count != len(articles) {
				t.Fatalf("story %d of %d articles is %+v", id, len(articles), s)
			}
			total += len(articles)
		}
		if total != placed || len(in) != e.Live() || e.Live() > 30 {
			t.Fatalf("%d articles in stories of %d; %d stories, %d live", total, placed, len(in), e.Live())
		}
	}
	posted := 0
	for _, x := range e.words.terms {
		for view := range x.posts {
			posted += len(x.posts[view])
		}
	}
	for _, s := range e.live {
		for view := range indexed {
			posted -= len(s.sum[view])
		}
	}
	if posted != 0 {
		t.Errorf("the index has %d postings more than the stories have terms", posted)
	}
}

func without(t *testing.T, list []int64, x int64) []int64 {
	t.Helper()
	for i := range list {
		if list[i] == x {
			return append(list[:i:i], list[i+1:]...)
		}
	}
	t.Fatalf("article %d leaves a story that it is not in", x)
	return nil
}

func TestDrivesHalvesApart(t *testing.T) {
	e := engine(t, Config{})
	at := int64(1_700_000_000_000)
	s := e.begin(1)
	for i := range 8 {
		title := fmt.Sprintf("Orvin quake rescue teams reach valley %d", i)
		if i%2 == 1 {
			title = fmt.Sprintf("Central bank of Tolmar cuts interest rates %d", i)
		}
		a := Article{ID: int64(i + 1), Title: title, Discovered: at}
		e.take(s, e.weigh(&a))
	}
	e.enqueue(s)
	changes := e.Settle()
	if len(changes) != 1 || changes[0].Kind != Split || !reflect.DeepEqual(changes[0].Articles, []int64{2, 4, 6, 8}) && !reflect.DeepEqual(changes[0].Articles, []int64{1, 3, 5, 7}) {
		t.Fatalf("%+v", changes)
	}
}

// One article with a wrong date, or without, neither retires stories nor is
// lost.
func TestWrongClocks(t *testing.T) {
	const at = int64(1_700_000_000_000)
	e := engine(t, Config{})
	e.Add(Article{ID: 1, Title: "Ferry runs aground off Orvin island, 40 rescued", Discovered: at})
	e.Add(Article{ID: 2, Title: "Parliament of Tolmar passes budget", Published: 3_786_912_000_000, Discovered: at + 1000})
	e.Add(Article{ID: 3, Title: "Unrelated sculpture festival opens", Discovered: 3_786_912_000_000})
	for i, published := range []int64{0, -5, 1, 3_786_912_000_000, at} {
		got := e.Add(Article{ID: int64(10 + i), Title: "Ferry runs aground off Orvin island, 40 rescued", Published: published, Discovered: at + 5000})
		if published != 1 && (got[0].Kind != Joined || got[0].Story != 1) {
			t.Errorf("published %d: %+v", published, got)
		}
	}
	if e.Live() < 3 {
		t.Errorf("%d live stories", e.Live())
	}
}

func TestHugeArticle(t *testing.T) {
	e := engine(t, Config{})
	huge := strings.Repeat("Orvin ferry ", 1_000_000)
	if got := e.Add(Article{ID: 1, Title: huge, Body: huge, Entities: []string{huge}, Discovered: 1}); len(got) != 1 || got[0].Kind != Created {
		t.Errorf("%+v", got)
	}
	if got := e.Add(Article{ID: 2, Discovered: 1}); len(got) != 1 || got[0].Kind != Created {
		t.Errorf("an article without words: %+v", got)
	}
	if n := len(e.Snapshot()); n > 10_000 {
		t.Errorf("%d bytes are kept", n)
	}
}

func FuzzAdd(f *testing.F) {
	f.Add("Ferry aground", "Off Orvin island", int64(1000), "日本の首相が辞任 Überraschung", int64(0))
	f.Add("", "", int64(-1), "\xff\xfe", int64(1<<62))
	f.Fuzz(func(t *testing.T, title, body string, at int64, second string, later int64) {
		e := engine(t, Config{Members: 4})
		for i, a := range []Article{
			{Title: title, Body: body, Published: at, Discovered: later},
			{Title: second, Discovered: at},
			{Title: title, Body: second, Published: later, Discovered: at},
			{Title: second + " " + title, Body: body, Entities: []string{title}, Discovered: later},
		} {
			a.ID = int64(i + 1)
			if got := e.Add(a); len(got) == 0 {
				t.Fatalf("article %d has no story", i)
			}
		}
		snapshot := e.Snapshot()
		again, err := Restore(e.cfg, snapshot)
		if err != nil || !bytes.Equal(again.Snapshot(), snapshot) {
			t.Fatalf("restored: %v", err)
		}
	})
}

// What a snapshot holds after its configuration may be anything: an error, or
// an engine that works.
func FuzzRestore(f *testing.F) {
	e := engine(f, Config{})
	var head writer
	head.out = []byte{snapshotVersion}
	head.config(&e.cfg)
	for i, title := range []string{"Ferry aground", "Bank raises rates", "Ferry aground off Orvin"} {
		e.Add(Article{ID: int64(i + 1), Title: title, Discovered: int64(i)})
	}
	rest := e.Snapshot()[len(head.out):]
	f.Add(rest)
	f.Add(rest[:len(rest)/2])
	f.Add(binary.AppendUvarint(nil, 1<<60))
	f.Fuzz(func(t *testing.T, in []byte) {
		e, err := Restore(Config{}, append(head.out[:len(head.out):len(head.out)], in...))
		if err != nil {
			return
		}
		e.Add(Article{ID: 1 << 40, Title: "Ferry aground", Discovered: 1})
		e.Settle()
	})
}

// The cases are what people would call them: the third article of a story is
// old, and the first of the later story most like it is new.
func TestCases(t *testing.T) {
	a, b, c := "bank", "ferry", "bank again"
	texts := []struct {
		title string
		gold  *string
	}{
		{"Tolmar central bank raises rates to 4 percent", &a},
		{"Central bank of Tolmar raises rates", &a},
		{"Weather stays mild", nil},
		{"Ferry runs aground off Orvin", &b},
		{"Rates raised by Tolmar central bank", &a},
		{"Tolmar central bank cuts rates after election", &c},
	}
	var articles []Article
	var gold []*string
	for i, x := range texts {
		articles = append(articles, Article{ID: int64(i + 1), Title: x.title, Discovered: 1_700_000_000_000 + int64(i)*hour})
		gold = append(gold, x.gold)
	}
	cases, err := Cases(Config{}, articles, gold)
	if err != nil || len(cases) != 2 || cases[0].New || !cases[1].New {
		t.Fatalf("%+v, %v", cases, err)
	}
	if cases[0].Fresh.NewTitle > 0.01 || cases[1].Fresh.NewTitle < 0.1 || cases[1].Fresh.Nearest <= 0 {
		t.Errorf("old %+v\nnew %+v", cases[0].Fresh, cases[1].Fresh)
	}
}
