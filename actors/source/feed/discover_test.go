package feed_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors/engine/weburl"
	"github.com/birdwire/birdwire/actors/source/feed"
)

func TestDiscover(t *testing.T) {
	for _, c := range []struct{ page, want string }{
		{`<link rel="alternate" type="application/rss+xml" href="/feed">`, "https://site.example/feed"},
		{`<LINK REL=ALTERNATE TYPE=application/atom+xml HREF=feed>`, "https://site.example/a/feed"},
		{`<link rel="alternate" type="application/feed+json; charset=utf-8" href=" feed.json "/>`, "https://site.example/a/feed.json"},
		{`<link rel="feed" href="//cdn.example/ü 1">`, "https://cdn.example/%C3%BC%201"},
		{`<link rel="home alternate" type="application/rdf+xml" href="x&amp;y">`, "https://site.example/a/x&y"},
		{`<base href="https://b.example/c/"><link rel="alternate" type="application/rss+xml" href="feed">`, "https://b.example/c/feed"},
		{`<link rel="alternate" type="application/rss+xml" href="/comments/feed"><link rel="alternate" type="application/rss+xml" href="/feed">`, "https://site.example/feed"},
		{`<link rel="alternate" type="text/xml" href="/x.xml"><link rel="alternate" type="application/rss+xml" href="/feed">`, "https://site.example/feed"},
		{`<link rel="alternate" type="application/rss+xml" title="Comments" href="/c">`, "https://site.example/c"},
		{`<link rel="alternate" hreflang="de" href="/de"><link rel="alternate" type="application/json" href="/wp-json/1">`, ""},
		{`<link rel="alternate stylesheet" type="text/xml" href="/x">`, ""},
		{`<link rel="alternate" type="application/rss+xml">`, ""},
		{`<link rel="alternate" type="application/rss+xml" href="feed:https://x/">`, ""},
		{`<!-- <link rel="alternate" type="application/rss+xml" href="/feed"> -->`, ""},
		{`<script>"<link rel=alternate type=application/rss+xml href=/feed>"</script>`, ""},
		{`<p>no links</p>`, ""},
		{``, ""},
	} {
		if got := feed.Discover(c.page); got != c.want {
			t.Errorf("%s: %q, want %q", c.page, got, c.want)
		}
	}
}

func FuzzDiscover(f *testing.F) {
	f.Add(`<base href="x"><link rel="alternate" type="application/rss+xml" href="/feed">`)
	f.Add(`<link rel=feed href=\\é>`)
	f.Fuzz(func(t *testing.T, page string) {
		if got := feed.Discover(page); got != "" {
			if u, err := weburl.Parse(got); err != nil || !u.IsWeb() {
				t.Errorf("%q names %q: %v", page, got, err)
			}
		}
	})
}

// Try reads a page through to its feed, once, and says why where it cannot.
func TestTry(t *testing.T) {
	var documents map[string]string
	s := newSite(t, feed.ReaderConfig{}, func(w http.ResponseWriter, r *http.Request) {
		document, ok := documents[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(document))
	})
	page := func(href string) string {
		return `<!DOCTYPE html><html><head><link rel="alternate" type="application/rss+xml" href="` + href + `"></head></html>`
	}
	documents = map[string]string{
		"/rss": rssOf(rssItem("a") + rssItem("b")), "/atom": `<feed version="0.3" xmlns="http://purl.org/atom/ns#"><title type="html">&lt;b&gt;A&lt;/b&gt; &amp;amp; B</title><entry><title>t</title></entry></feed>`,
		"/json": jsonOf(""), "/cut": rssOf(rssItem("a"))[:150], "/page": page("rss"), "/page/of/page": page("/page"), "/page/of/nothing": page("/gone?key=sesame"), "/bare": "<html><p>x</p></html>",
		"/moved": page("//127.0.0.1:1/feed"),
	}
	reader := s.reader(t)
	for _, c := range []struct {
		path, url, title, format string
		items                    int
		failure                  string
	}{
		{"/rss", "/rss", "T", "RSS 2.0", 2, ""},
		{"/atom", "/atom", "A & B", "Atom 0.3", 1, ""},
		{"/json", "/json", "T", "JSON Feed 1.1", 0, ""},
		{"/page", "/rss", "T", "RSS 2.0", 2, ""},
		{"/cut", "", "", "", 0, "before its first item"},
		{"/page/of/page", "", "", "", 0, "HTML page"},
		{"/page/of/nothing", "", "", "", 0, "/gone: fetch: unexpected status: 404"},
		{"/bare", "", "", "", 0, "names no feed"},
		{"/moved", "", "", "", 0, "connection refused"},
		{"/nothing", "", "", "", 0, "404 Not Found"},
	} {
		got, err := reader.Try(t.Context(), s.server.URL+c.path)
		if c.failure != "" {
			if err == nil || !strings.Contains(err.Error(), c.failure) || strings.Contains(err.Error(), "sesame") {
				t.Errorf("%s: %+v, %v; want %q", c.path, got, err, c.failure)
			}
			continue
		}
		if want := (feed.Tried{URL: s.server.URL + c.url, Title: c.title, Format: c.format, Items: c.items}); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", c.path, got, err, want)
		}
	}
	public := feed.NewReader(feed.ReaderConfig{HostGap: -1, Now: time.Now})
	t.Cleanup(public.Close)
	if _, err := public.Try(t.Context(), s.server.URL+"/rss"); !errors.Is(err, feed.ErrPrivateNetwork) {
		t.Errorf("a private network: %v", err)
	}
}
