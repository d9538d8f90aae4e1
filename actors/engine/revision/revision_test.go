package revision

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/birdwire/birdwire/messages"
)

func shown(r *messages.Revision) string {
	var b strings.Builder
	for _, c := range r.GetChanges() {
		fmt.Fprintf(&b, "%s:", c.GetField())
		if c.GetBefore() != "" || c.GetAfter() != "" {
			fmt.Fprintf(&b, " %q -> %q", c.GetBefore(), c.GetAfter())
		}
		for _, e := range c.GetEdits() {
			fmt.Fprintf(&b, " @%d -%q +%q", e.GetWord(), e.GetRemoved(), e.GetAdded())
		}
		b.WriteString("; ")
	}
	if r.GetCut() {
		b.WriteString("cut")
	}
	return b.String()
}

func TestDifference(t *testing.T) {
	for name, c := range map[string]struct {
		before, after *messages.Article
		want          string
	}{
		"nothing":   {&messages.Article{Title: "a b"}, &messages.Article{Title: "a b"}, ""},
		"a word":    {&messages.Article{Title: "Fed signals a cut"}, &messages.Article{Title: "Fed signals a rise"}, `title: @3 -"cut" +"rise"; `},
		"two":       {&messages.Article{Title: "one two three four"}, &messages.Article{Title: "two three 3 five"}, `title: @0 -"one" +"" @3 -"four" +"3 five"; `},
		"added":     {&messages.Article{}, &messages.Article{Content: "It rains."}, `content: @0 -"" +"It rains."; `},
		"a field":   {&messages.Article{Author: "Jane"}, &messages.Article{Author: "Jane, John"}, `author: "Jane" -> "Jane, John"; `},
		"tickers":   {&messages.Article{Tickers: []string{"A"}}, &messages.Article{Tickers: []string{"A", "B"}}, `tickers: "A" -> "A, B"; `},
		"only ours": {&messages.Article{UpdatedMs: 1}, &messages.Article{UpdatedMs: 2, Simhash: 3}, ""},
	} {
		if got := shown(Difference(c.before, c.after)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func applied(old, now []string, all []edit) []string {
	var out []string
	at := 0
	for _, e := range all {
		out = append(out, old[at:e.at]...)
		out = append(out, now[e.from:e.from+e.added]...)
		at = e.at + e.removed
	}
	return append(out, old[at:]...)
}

// lcs is the length of the longest common subsequence, by the textbook.
func lcs(a, b []string) int {
	row := make([]int, len(b)+1)
	for i := range a {
		diagonal := 0
		for j := range b {
			diagonal, row[j+1] = row[j+1], max(row[j+1], row[j], map[bool]int{true: diagonal + 1}[a[i] == b[j]])
		}
	}
	return row[len(b)]
}

func TestEditsAreTheFewest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 14)
		old, now := words.Draw(t, "old"), words.Draw(t, "now")
		all := edits(old, now)
		if got := applied(old, now, all); !slices.Equal(got, now) {
			t.Fatalf("%v make %v", all, got)
		}
		steps := 0
		for i, e := range all {
			steps += e.removed + e.added
			if i > 0 && e.at <= all[i-1].at+all[i-1].removed && e.from <= all[i-1].from+all[i-1].added {
				t.Fatalf("%v are not joined", all)
			}
		}
		if want := len(old) + len(now) - 2*lcs(old, now); steps != want {
			t.Fatalf("%v take %d steps, want %d", all, steps, want)
		}
	})
}

// Whatever changes, what is kept of it is small.
func TestWhatIsKeptIsSmall(t *testing.T) {
	var past []*messages.Revision
	before := &messages.Article{Title: "x", Content: strings.Repeat("alpha beta ", 10_000)}
	for i := range 40 {
		after := &messages.Article{Title: strings.Repeat("größer ", 150_000), Content: strings.Repeat(fmt.Sprint("word", i, " "), 10_000), Tags: slices.Repeat([]string{"tag"}, 1000)}
		past = Add(past, uint32(i+2), before, after)
		before = after
	}
	bytes := 0
	for _, r := range past {
		bytes += proto.Size(r)
	}
	if len(past) == 0 || len(past) > pastMost || bytes > pastBytes || past[len(past)-1].GetNumber() != 41 || !past[0].GetCut() {
		t.Errorf("%d revisions of %d bytes, the last is %d", len(past), bytes, past[len(past)-1].GetNumber())
	}
}

// What enrichment has filled in is no change of the source's.
func TestSaid(t *testing.T) {
	source := &messages.Article{Title: "t", Content: "short", Tickers: []string{"A"}, Number: 7}
	row := &messages.Item{Article: source, Revision: 1}
	enriched := proto.CloneOf(source)
	enriched.Content, enriched.Tickers, enriched.Language, enriched.EntityIds = "the page's text", []string{"A", "B"}, "en", []int64{1}
	enriched.Embedding, enriched.Entities = []float32{1}, []*messages.Entity{{Id: 1}}
	Fill(row, enriched)
	if !proto.Equal(row.GetArticle(), enriched) || !proto.Equal(Said(row), source) || proto.Size(row.GetSaid()) > 20 {
		t.Errorf("%v", row)
	}
	again := proto.CloneOf(enriched)
	again.Content = "another text"
	Fill(row, again)
	if !proto.Equal(row.GetArticle(), again) || !proto.Equal(Said(row), source) {
		t.Errorf("enriched twice: %v", row)
	}
	row.Filled = append(row.Filled, "of_a_later_version")
	if !proto.Equal(Said(row), source) {
		t.Error("a field that is not known")
	}
}
