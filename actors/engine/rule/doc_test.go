package rule_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/messages"
)

// typicalPost has what most posts have, and a little more.
func typicalPost() *messages.Event {
	return &messages.Event{Body: &messages.Event_Post{Post: &messages.Post{
		Id:   "1334987486343299072",
		Text: "RT @SpaceNews: Falcon 9 lifts off from Cape Canaveral carrying 23 Starlink satellites, the 45th launch of 2026 https://t.co/a1B2c3D4e5 #SpaceX",
		Lang: "en",
		Author: &messages.Author{
			Id: "123456", Username: "RocketFan", Name: "Rocket Fan 🚀", FollowersCount: 321, FollowingCount: 500, TweetCount: 9000,
			Description: "Watching rockets since 1969. Opinions are mine.", Location: "Cocoa Beach, FL",
		},
		ConversationId: "1334987486343299072",
		RetweetOf: &messages.PostRef{
			Id: "1334987486343299000", Username: "SpaceNews", AuthorId: "77",
			Text: "Falcon 9 lifts off from Cape Canaveral carrying 23 Starlink satellites, the 45th launch of 2026 https://t.co/a1B2c3D4e5 #SpaceX",
		},
		Urls:     []*messages.Link{{Url: "https://t.co/a1B2c3D4e5", ExpandedUrl: "https://spacenews.com/falcon-9-starlink-45/"}},
		Hashtags: []string{"SpaceX"}, Mentions: []string{"SpaceNews"}, Source: "X for Android",
	}}}
}

func barePost() *messages.Event {
	return &messages.Event{Body: &messages.Event_Post{Post: &messages.Post{
		Id:     "1334987486343299073",
		Text:   "Falcon 9 lifts off from Cape Canaveral carrying 23 Starlink satellites, the 45th launch of 2026 https://t.co/a1B2c3D4e5 #SpaceX",
		Author: &messages.Author{Id: "123456", Username: "rocketfan"},
	}}}
}

// What the index relies on: an exact atom holds for the documents that have
// its key and for no others, and every other atom's keys are necessary.
func TestKeysAreNecessary(t *testing.T) {
	var d rule.Doc
	var check func(where string, x *rule.Expr)
	check = func(where string, x *rule.Expr) {
		for _, a := range x.Args {
			check(where, a)
		}
		if x.Op != rule.OpAtom {
			return
		}
		a := &x.Atom
		has := true
		keys := a.Keys(nil)
		for _, k := range keys {
			has = has && slices.Contains(d.Keys(), k)
		}
		switch holds := d.Match(a); {
		case a.Exact() && (len(keys) != 1 || holds != has):
			t.Errorf("%s: %s: holds %v, its key is there %v", where, a, holds, has)
		case holds && !has:
			t.Errorf("%s: %s holds without its keys", where, a)
		}
	}
	for _, e := range corpus(t) {
		d.Reset(&messages.Event{Body: &messages.Event_Post{Post: e.post}})
		r, err := rule.Parse(e.rule, rule.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		check(e.where, r.Expr)
	}
	for kind, e := range newsEvents() {
		d.Reset(e)
		for _, q := range []*messages.Query{
			{Want: &messages.Query_Newsrank{Newsrank: &messages.NewsrankFilters{
				Categories: []string{"business"}, Sources: []string{"reuters"}, Keywords: []string{"fed", "rate cut"}, Entities: []int64{42}, Tickers: []string{"spy"},
			}}},
			{Want: &messages.Query_Kite{Kite: &messages.KiteFilters{
				Sources: []string{"reuters business"}, Keywords: []string{"federal reserve", "inflation"}, Companies: []string{"apple"}, Tickers: []string{"SPY"},
			}}},
		} {
			c, err := rule.Compile(q)
			if err != nil {
				t.Fatal(err)
			}
			check(kind, c.Expr)
		}
	}
}

// Expressions and their rearrangements answer alike.
func TestEvalIsBoolean(t *testing.T) {
	examples := corpus(t)
	var d rule.Doc
	for i, e := range examples {
		other := examples[(i*7+3)%len(examples)]
		a, err := rule.Parse(e.rule, rule.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := rule.Parse(other.rule, rule.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		x, y := a.Expr, b.Expr
		d.Reset(&messages.Event{Body: &messages.Event_Post{Post: e.post}})
		ex, ey := rule.Eval(x, &d), rule.Eval(y, &d)
		for name, got := range map[string]bool{
			"and":           rule.Eval(rule.And(x, y), &d) == (ex && ey),
			"or":            rule.Eval(rule.Or(x, y), &d) == (ex || ey),
			"not":           rule.Eval(rule.Not(x), &d) == !ex,
			"De Morgan":     rule.Eval(rule.Not(rule.And(x, y)), &d) == rule.Eval(rule.Or(rule.Not(x), rule.Not(y)), &d),
			"order":         rule.Eval(rule.And(x, y), &d) == rule.Eval(rule.And(y, x), &d),
			"absorption":    rule.Eval(rule.Or(x, rule.And(x, y)), &d) == ex,
			"true":          rule.Eval(rule.And(x, rule.True), &d) == ex && rule.Eval(rule.Or(x, rule.True), &d),
			"false":         rule.Eval(rule.Or(x, rule.False), &d) == ex && !rule.Eval(rule.And(x, rule.False), &d),
			"contradiction": !rule.Eval(rule.And(x, rule.Not(x)), &d),
		} {
			if !got {
				t.Errorf("%s of %s and %s at %s", name, x, y, e.where)
			}
		}
	}
}

// A document that was another before is as one that was not.
func TestResetForgets(t *testing.T) {
	var used rule.Doc
	for kind, e := range newsEvents() {
		used.Reset(typicalPost())
		used.Reset(e)
		var fresh rule.Doc
		fresh.Reset(e)
		if !slices.Equal(used.Keys(), fresh.Keys()) || used.Type != fresh.Type || used.Classes != fresh.Classes {
			t.Errorf("%s: a used document differs", kind)
		}
		used.Reset(barePost())
		fresh = rule.Doc{}
		fresh.Reset(barePost())
		for f := rule.FieldText; f <= rule.FieldItemLead; f++ {
			if !slices.Equal(used.Tokens(f), fresh.Tokens(f)) {
				t.Errorf("after %s: field %d differs", kind, f)
			}
		}
		if v, m := used.Embedding(); v != nil || m != "" {
			t.Errorf("after %s: a post with a vector", kind)
		}
	}
}

func TestSampleIsOfTheID(t *testing.T) {
	var d rule.Doc
	const posts = 20000
	seen := map[int]int{}
	for i := range posts {
		d.Reset(&messages.Event{Body: &messages.Event_Post{Post: &messages.Post{Id: strconv.Itoa(1334987486343299072 + i*4096)}}})
		before := false
		for _, n := range []int{1, 10, 50, 99, 100} {
			in := d.Sampled(n)
			if before && !in {
				t.Fatalf("post %d is in a smaller sample than %d and not in that", i, n)
			}
			if before = in; in {
				seen[n]++
			}
		}
	}
	for n, got := range seen {
		if want := posts * n / 100; got < want*8/10 || got > want*12/10 {
			t.Errorf("sample:%d takes %d of %d", n, got, posts)
		}
	}
	d.Reset(newsEvents()["item.new"])
	if !d.Sampled(1) {
		t.Error("an article is never sampled away")
	}
}

func TestResetAllocatesNothing(t *testing.T) {
	var d rule.Doc
	for name, e := range map[string]*messages.Event{"typical": typicalPost(), "bare": barePost(), "article": newsEvents()["item.new"]} {
		d.Reset(e)
		if n := testing.AllocsPerRun(100, func() { d.Reset(e) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestExplain(t *testing.T) {
	var d rule.Doc
	d.Reset(typicalPost())
	golden(t, "testdata/explain.txt", func(s string) []string {
		r, err := rule.Parse(s, rule.Limits{})
		if err != nil {
			return []string{err.Error()}
		}
		return strings.Split(strings.TrimRight(rule.Draw(r.Explain(&d)), "\n"), "\n")
	})
}

func BenchmarkReset(b *testing.B) {
	for name, e := range map[string]*messages.Event{"typical": typicalPost(), "bare": barePost(), "article": newsEvents()["item.new"]} {
		b.Run(name, func(b *testing.B) {
			var d rule.Doc
			b.ReportAllocs()
			for b.Loop() {
				d.Reset(e)
			}
			b.ReportMetric(float64(len(d.Keys())), "keys")
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for _, c := range []struct{ name, rule string }{
		{"usual", `(falcon OR starlink OR "space x") launch lang:en -is:retweet has:links`},
		{"long", strings.TrimSuffix(strings.Repeat("from:user_name OR ", 56), " OR ")},
		{"brackets", strings.Repeat("(", 1024)},
		{"minus", strings.Repeat("-(", 512)},
		{"negations", strings.Repeat("-a ", 341)},
		{"unknown", strings.Repeat("a", 1000) + ":x"},
		{"ands in ors", strings.Repeat("a OR -b ", 127)},
		{"han", strings.Repeat("東", 1024)},
		{"marks", "a" + strings.Repeat("\u0301", 1023)},
		{"warnings", strings.Repeat("or ", 341)},
		{"megabytes", strings.Repeat("a OR ", 4<<20)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = rule.Parse(c.rule, rule.Limits{})
			}
		})
	}
}

func TestAReasonIsNoLongerThanALine(t *testing.T) {
	post := &messages.Post{Text: "x"}
	for i := range 100 {
		post.Urls = append(post.Urls, &messages.Link{Url: fmt.Sprintf("https://example.com/%d/a/long/address", i)})
	}
	var d rule.Doc
	d.Reset(&messages.Event{Body: &messages.Event_Post{Post: post}})
	r, err := rule.Parse("x url_contains:nowhere", rule.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if reason := []rune(r.Explain(&d).Clauses[1].Reason); len(reason) != 300 || reason[299] != '…' {
		t.Errorf("%d characters: %s", len(reason), string(reason))
	}
}
