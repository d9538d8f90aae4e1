package readable

import (
	"errors"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

const address = "https://post.example/news/harbour?x=1"

func outlet(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/outlet.html")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRead(t *testing.T) {
	p, err := Read(outlet(t), "text/html; charset=utf-8", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"The harbour of the town has opened", "Two ferries and eleven", "“We have been lucky,”"} {
		if !strings.Contains(p.Text, want) {
			t.Errorf("%q is missing in %q", want, p.Text)
		}
	}
	for _, other := range []string{"Sport", "cookies", "First!", "Privacy", "track"} {
		if strings.Contains(p.Text, other) {
			t.Errorf("%q is no part of the article: %q", other, p.Text)
		}
	}
	if p.Canonical != "https://wire.example/harbour" || p.Image != "https://post.example/pictures/harbour.jpg" || p.Byline != "Jane Doe" ||
		p.Language != "en-GB" || p.Excerpt != "The harbour has opened again after three days." {
		t.Errorf("%+v", p)
	}
}

// The encoding is what the server or the page says it is.
func TestEncodings(t *testing.T) {
	text := strings.Repeat("Die Stra\xdfe f\xfchrt \xfcber die gro\xdfe Br\xfccke zum H\xfcgel. ", 10)
	page := "<html><body><article><h1>x</h1><p>" + text + "</p><p>" + text + "</p></article></body></html>"
	for name, c := range map[string]struct{ body, kind string }{
		"by the header": {page, "text/html; charset=iso-8859-1"},
		"by the page":   {strings.Replace(page, "<html>", `<html><head><meta charset="windows-1252"></head>`, 1), "text/html"},
	} {
		p, err := Read([]byte(c.body), c.kind, address, nil)
		if err != nil || !strings.Contains(p.Text, "Die Straße führt über die große Brücke zum Hügel.") {
			t.Errorf("%s: %v %q", name, err, p.Text)
		}
	}
}

func TestWhatIsNoArticle(t *testing.T) {
	for name, c := range map[string]struct{ body, kind string }{
		"a picture":       {"\x89PNG", "image/png"},
		"nothing":         {"", "text/html"},
		"a wall":          {"<html><body><p>Please sign in to read on.</p></body></html>", "text/html"},
		"too long":        {strings.Repeat("x", BytesMost+1), "text/html"},
		"deep":            {strings.Repeat("<div>", 100_000) + "x", "text/html"},
		"many":            {strings.Repeat("<p>x</p>", 100_000), "text/html"},
		"a deep unknown":  {strings.Repeat("<a><b>", 50_000) + "x", "text/html"},
		"a table in rows": {strings.Repeat("<table><tr><td>", 50_000) + "x", "text/html"},
	} {
		if p, err := Read([]byte(c.body), c.kind, address, nil); !errors.Is(err, ErrPage) {
			t.Errorf("%s: %v %.80q", name, err, p.Text)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(outlet(f), "text/html", address)
	f.Add([]byte("<p>x<table><p>"), "text/html; charset=utf-16", "x")
	f.Fuzz(func(t *testing.T, body []byte, kind, address string) {
		p, err := Read(body, kind, address, nil)
		if err == nil && (!utf8.ValidString(p.Text+p.Excerpt+p.Byline) || len(p.Text) < charsLeast) {
			t.Errorf("%+v", p)
		}
	})
}
