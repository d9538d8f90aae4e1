package syndication

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFrom(t *testing.T) {
	post := func(change func(*Article)) Article {
		a := Article{SourceID: "post", SourceName: "The Daily Post", Host: "www.post.example", Body: "It rains in London today."}
		change(&a)
		return a
	}
	for name, c := range map[string]struct {
		article Article
		want    string
	}{
		"nothing said":        {post(func(a *Article) { a.Author = "Jane Doe" }), ""},
		"byline":              {post(func(a *Article) { a.Author = "Jane Doe, Associated Press" }), "Associated Press"},
		"by and staff":        {post(func(a *Article) { a.Author = "By Reuters Staff" }), "Reuters"},
		"two":                 {post(func(a *Article) { a.Author = "AFP and Jane Doe" }), "Agence France-Presse"},
		"a name like one":     {post(func(a *Article) { a.Author = "Michael Bloomberg" }), ""},
		"dateline":            {post(func(a *Article) { a.Body = "LONDON, March 3 (Reuters) - It rains." }), "Reuters"},
		"initials":            {post(func(a *Article) { a.Body = "PARIS (AP) — It rains." }), "Associated Press"},
		"an aside":            {post(func(a *Article) { a.Body = "The bill (AP) passed, said others." }), ""},
		"credit":              {post(func(a *Article) { a.Body = strings.Repeat("It rains. ", 200) + "© 2026 AFP" }), "Agence France-Presse"},
		"own copyright":       {post(func(a *Article) { a.Body = "It rains. © 2026 Daily Post" }), ""},
		"first published":     {post(func(a *Article) { a.Body = "It rains. This article was originally published on Grist. Read on." }), "Grist"},
		"republished":         {post(func(a *Article) { a.Body = "It rains. Republished with permission from The Weather Review" }), "The Weather Review"},
		"the original's host": {post(func(a *Article) { a.Original = "grist.org" }), "grist.org"},
		"the same site":       {post(func(a *Article) { a.Original = "amp.post.example" }), ""},
		"the agency itself":   {post(func(a *Article) { a.SourceID, a.SourceName, a.Author = "reuters", "Reuters", "Reuters" }), ""},
		"the agency by initial": {post(func(a *Article) {
			a.SourceID, a.SourceName, a.Host, a.Body = "ap", "AP", "apnews.com", "PARIS (AP) — It rains."
		}), ""},
	} {
		if got := From(c.article); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func FuzzFrom(f *testing.F) {
	f.Add("By Reuters", "LONDON (AFP) - © 2026 AP", "grist.org", "post")
	f.Fuzz(func(t *testing.T, author, body, original, source string) {
		name := From(Article{SourceID: source, Author: author, Body: body, Host: "post.example", Original: original})
		if utf8.ValidString(author+body+original) && !utf8.ValidString(name) {
			t.Errorf("%q", name)
		}
	})
}
