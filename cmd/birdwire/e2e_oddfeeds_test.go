package main_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/gateway/client"
)

// oddFeeds are documents that publishers send and parsers stumble over, each
// with one item, and what of it comes to a client.
var oddFeeds = map[string]struct {
	document string
	want     client.NewsItem
}{
	"Text": {
		`<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title><entry><id>1</id><title>Vec&lt;T&gt; &amp;amp; &lt;b&gt;</title><link href="https://a.example/1"/></entry></feed>`,
		client.NewsItem{Title: "Vec<T> &amp; <b>", URL: "https://a.example/1"},
	},
	"Namespace": {
		`<feed xmlns="https://www.w3.org/2005/atom/"><title>T</title><entry><id>1</id><title>in another namespace</title><link>https://a.example/2</link></entry></feed>`,
		client.NewsItem{Title: "in another namespace", URL: "https://a.example/2"},
	},
	"Types": {
		`{"version":1,"items":[{"id":1,"title":"types","url":"https://a.example/3","tags":7,"authors":"Ada","image":{},"date_published":[]}]}`,
		client.NewsItem{Title: "types", URL: "https://a.example/3"},
	},
	"Zone": {
		rss(rssItem("1", "a zone", "<pubDate>Wed, 04 Mar 2026 21:00:00 JST</pubDate>")),
		client.NewsItem{Title: "a zone", URL: "https://rss.example/1", Published: "2026-03-04T12:00:00.000Z"},
	},
	"Unknown": {
		rss(rssItem("1", "no zone that is known", "<pubDate>Wed, 04 Mar 2026 12:00:00 XYZ</pubDate>")),
		client.NewsItem{Title: "no zone that is known", URL: "https://rss.example/1"},
	},
	"Controls": {rss(rssItem("1", "It\u0092s &#147;on&#148;", "")), client.NewsItem{Title: "It’s “on”", URL: "https://rss.example/1"}},
	"Link": {
		rss(`<item><title>a link</title><link><!-- x -->https://bücher.example/100% neu</link></item>`),
		client.NewsItem{Title: "a link", URL: "https://xn--bcher-kva.example/100%%20neu"},
	},
	"Media": {
		rss(`<item><media:group><media:title>a picture</media:title><media:content url="/p.jpg" medium="image"/></media:group></item>`),
		client.NewsItem{Title: "a picture"},
	},
	"Alone":  {rss(`<item><link>https://a.example/alone</link></item>`), client.NewsItem{Title: "https://a.example/alone", URL: "https://a.example/alone"}},
	"Before": {"Warning: x<br/>\n<!-- <rss> -->\n<?xml version='1.0' encoding='windows-1251'?>" + rss(rssItem("1", "\xcc\xe8\xf0", ""))[len(`<?xml version="1.0"?>`):], client.NewsItem{Title: "Мир", URL: "https://rss.example/1"}},
}

// TestOddFeeds: what publishers send is read as it was meant, from an address
// that only browsers take, through a redirect that wants its cookie back.
func TestOddFeeds(t *testing.T) {
	t.Parallel()
	f := startForFeeds(t)
	ids := map[string]string{}
	for name, odd := range oddFeeds { // a host each: they are asked at a pace
		site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := r.Cookie("seen"); err != nil {
				http.SetCookie(w, &http.Cookie{Name: "seen", Value: "1", Path: "/"})
				w.Header()["Location"] = []string{r.RequestURI}
				w.WriteHeader(http.StatusFound)
				return
			}
			if r.URL.Path != "/ü feed" {
				http.NotFound(w, r)
				return
			}
			_, _ = w.Write([]byte(odd.document))
		}))
		t.Cleanup(site.Close)
		ids[name] = f.create(name, site.URL+"/ü feed")
	}
	for name, odd := range oddFeeds {
		got := f.item(name, "create")
		if got.Title != odd.want.Title || got.URL != odd.want.URL || got.Published != odd.want.Published {
			t.Errorf("%s: %q, %q, %q; want %+v", name, got.Title, got.URL, got.Published, odd.want)
		}
	}
	for name, id := range ids {
		f.listed(id, name, "that all is well", func(r *client.Feed) bool {
			return r.Status == "ok" && r.LastError == "" && r.Warning == "" && r.Events == 1
		})
	}
	// A document that holds nothing is not one that is well.
	nothing := publish(t, `<rss xmlns:n="urn:n"><channel><title>T</title><n:item><n:title>x</n:title></n:item></channel></rss>`)
	f.listed(f.create("Nothing", nothing.URL), "Nothing", "that there is nothing", func(r *client.Feed) bool {
		return r.Status == "failing" && strings.Contains(r.LastError, "neither RSS nor Atom")
	})
}
