package item_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/birdwire/birdwire/actors/engine/revision"
	"github.com/birdwire/birdwire/actors/source/item"
	"github.com/birdwire/birdwire/messages"
)

func TestCanonicalURL(t *testing.T) {
	for _, c := range [][2]string{
		{"https://a.com/b", "https://a.com/b"},
		{"HTTP://A.com:80/b", "https://a.com/b"},
		{"https://a.com:443", "https://a.com/"},
		{"https://a.com:8443/x", "https://a.com:8443/x"},
		{"https://a.com/b?utm_source=rss&id=3&fbclid=x", "https://a.com/b?id=3"},
		{"https://a.com/b?utm_source=rss", "https://a.com/b"},
		{"https://a.com/b?b=2&a=1", "https://a.com/b?b=2&a=1"},
		{"https://a.com/log#v1.2", "https://a.com/log#v1.2"},
		{"https://a.com/b#xtor=RSS-3", "https://a.com/b"},
		{"https://a.com/b#utm_source=x", "https://a.com/b"},
		{"  https://a.com/b\n", "https://a.com/b"},
		{"tag:a.com,2005:1", "tag:a.com,2005:1"},
		{"not a url %zz", "not a url %zz"},
		{"http://A.com:80/100%?utm_source=rss&id=3#a%", "https://a.com/100%?id=3#a%"},
		{"https://a.com/100%?utm_source=rss#utm_source=%", "https://a.com/100%"},
		{"http://a.com:8080/a\tb%", "http://a.com:8080/ab%"},
		{"ftp://a.com/100%", "ftp://a.com/100%"},
		{"", ""},
	} {
		if got := item.CanonicalURL(c[0]); got != c[1] {
			t.Errorf("CanonicalURL(%q) = %q, want %q", c[0], got, c[1])
		}
	}
}

func FuzzCanonicalURL(f *testing.F) {
	f.Add("HTTP://A.com:80/b?utm_source=1&x=%2f#y")
	f.Add("https://[::1]:443?&&a=&utm_x")
	f.Add("http://a.com/%?utm_x&#%")
	f.Fuzz(func(t *testing.T, raw string) {
		once := item.CanonicalURL(raw)
		if twice := item.CanonicalURL(once); twice != once {
			t.Errorf("%q becomes %q becomes %q", raw, once, twice)
		}
	})
}

func TestIdentityKinds(t *testing.T) {
	same := &messages.Article{SourceId: "bbc", Identity: "x", Url: "https://a.com/?utm_source=rss"}
	for _, c := range []struct {
		a    *messages.Article
		want string
	}{
		{same, "bbc|x"},
		{&messages.Article{SourceId: "bbc", Id: "7", Identity: "x"}, "bbc|id|7"},
		{&messages.Article{SourceId: "bbc", Url: "http://A.com/?utm_source=rss"}, "bbc|url|https://a.com/"},
		{&messages.Article{SourceId: "cnn", Url: "http://A.com/"}, "cnn|url|https://a.com/"},
	} {
		if got := item.Identity(c.a); got != c.want {
			t.Errorf("identity of %v: %q, want %q", c.a, got, c.want)
		}
	}
	// SHA-256("abc") begins ba7816bf8f01cf...
	if got := item.Number("abc"); got != 0xba7816bf8f01c {
		t.Errorf("number %x", got)
	}
	if got := item.URLHash("abc"); !strings.HasPrefix(got, "ba7816bf8f01cfea") || len(got) != 64 {
		t.Errorf("hash %s", got)
	}
}

// unseen are the fields that are not the source's to change, or that no reader sees change.
var unseen = map[protoreflect.Name]bool{
	"id": true, "identity": true, "number": true, "url_hash": true, "excerpt": true, "published_ms": true,
	"discovered_ms": true, "updated_ms": true, "source_id": true,
	// Worked out from the others when the article is enriched.
	"entities": true, "simhash": true, "syndicated_from": true,
}

// Every field that a reader sees is in the hash: a field added to the message
// and forgotten in the hash would never be delivered as an update.
func TestContentHashCoversTheArticle(t *testing.T) {
	plain := &messages.Article{SourceId: "s", SourceName: "S"}
	fields := plain.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		changed := proto.CloneOf(plain)
		m := changed.ProtoReflect()
		if field.IsList() {
			list := m.Mutable(field).List()
			if field.Kind() == protoreflect.MessageKind {
				list.Append(list.NewElement())
			} else {
				list.Append(sample(field))
			}
		} else {
			m.Set(field, sample(field))
		}
		differs := string(item.ContentHash(changed, false)) != string(item.ContentHash(plain, false))
		if differs == unseen[field.Name()] {
			t.Errorf("field %s: hash differs %v", field.Name(), differs)
		}
	}
	dated := &messages.Article{SourceId: "s", SourceName: "S", PublishedMs: 5}
	if string(item.ContentHash(dated, true)) == string(item.ContentHash(plain, true)) {
		t.Error("a pushed date is not in the hash")
	}
	a := &messages.Article{Tags: []string{"x", "y"}, ImageUrl: "https://i/1?sig=1", Url: "http://a/?utm_x=1"}
	b := &messages.Article{Tags: []string{"y", "x"}, ImageUrl: "https://i/1?sig=2", Url: "https://a/"}
	if string(item.ContentHash(a, false)) != string(item.ContentHash(b, false)) {
		t.Error("order of tags, signatures or tracking change the hash")
	}
}

func sample(field protoreflect.FieldDescriptor) protoreflect.Value {
	switch field.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString("x")
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(1)
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(1)
	default:
		return protoreflect.ValueOfUint64(1)
	}
}

func TestExcerpt(t *testing.T) {
	long := strings.Repeat("word ", 100)
	got := item.Excerpt(long)
	if n := utf8.RuneCountInString(got); n > 300 || n < 280 || !strings.HasSuffix(got, "word…") {
		t.Errorf("%d runes: %q", n, got)
	}
	if got := item.Excerpt(" a\n\tb "); got != "a b" {
		t.Errorf("%q", got)
	}
	if got := item.Excerpt(strings.Repeat("字", 400)); utf8.RuneCountInString(got) != 300 {
		t.Errorf("%d runes", utf8.RuneCountInString(got))
	}
}

func TestDecideLeavesDraftsAlone(t *testing.T) {
	draft := &messages.Event{Body: &messages.Event_Article{Article: &messages.ArticleChange{
		Article: &messages.Article{SourceId: "s", Title: "T", Url: "https://a.com/"},
	}}}
	before := proto.CloneOf(draft)
	plan := item.Decide([]*messages.Event{draft, draft}, nil, item.Rules{Source: "f", NowMs: 5})
	if !proto.Equal(draft, before) {
		t.Error("the draft was changed")
	}
	if len(plan.Events) != 1 || plan.Drafts[0] != 0 || plan.After[0].GetRevision() != 1 {
		t.Errorf("plan %v", plan)
	}
	a := plan.Events[0].GetArticle().GetArticle()
	if a.GetSourceName() != "s" || a.GetArticleType() != "news" {
		t.Errorf("defaults missing: %v", a)
	}
	if held := item.FromLog(plan.Events[0], false); string(held.GetContentHash()) != string(plan.After[0].GetContentHash()) {
		t.Error("the log's article has another hash than the draft it came of")
	}
}

// Each change is kept with its differences, from what the source had said
// before, whatever was filled in since.
func TestRevisionsKeepWhatChanged(t *testing.T) {
	said := func(title, content string) *messages.Event {
		return &messages.Event{Body: &messages.Event_Article{Article: &messages.ArticleChange{Article: &messages.Article{
			SourceId: "src", Id: "1", Title: title, Content: content,
		}}}}
	}
	states := map[string]item.State{}
	decide := func(d *messages.Event) *messages.Item {
		t.Helper()
		plan := item.Decide([]*messages.Event{d}, states, item.Rules{Source: "s", NowMs: 5})
		if len(plan.After) != 1 {
			t.Fatalf("%v", plan)
		}
		states["src|id|1"] = item.State{Item: plan.After[0]}
		return plan.After[0]
	}
	if first := decide(said("Fed signals a cut", "")); len(first.GetPast()) > 0 {
		t.Errorf("the first revision: %v", first.GetPast())
	}
	row := states["src|id|1"].Item
	enriched := proto.CloneOf(row.GetArticle())
	enriched.Content, enriched.Tickers = "the page", []string{"A"}
	revision.Fill(row, enriched)
	second := decide(said("Fed signals a rise", ""))
	if len(second.GetPast()) != 1 || len(second.GetPast()[0].GetChanges()) != 1 {
		t.Fatalf("%v", second.GetPast())
	}
	r := second.GetPast()[0]
	if e := r.GetChanges()[0].GetEdits()[0]; r.GetNumber() != 2 || r.GetUpdatedMs() != 5 || e.GetRemoved() != "cut" || e.GetAdded() != "rise" || e.GetWord() != 3 {
		t.Errorf("%v", r)
	}
	if third := decide(said("Fed signals a rise", "why")); len(third.GetPast()) != 2 {
		t.Errorf("%v", third.GetPast())
	}
}
