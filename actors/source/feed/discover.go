package feed

import (
	"strings"

	nethtml "golang.org/x/net/html"

	"github.com/birdwire/birdwire/actors/engine/weburl"
)

// feedTypes are what a page calls a feed, and how likely it is one.
var feedTypes = map[string]int{
	"application/rss+xml": 1, "application/atom+xml": 1, "application/feed+json": 1, "application/rdf+xml": 1, "application/x-rss+xml": 1,
	"text/rss+xml": 1, "text/atom+xml": 1, "application/rss": 1, "application/atom": 1, "text/rss": 1,
	"text/xml": 2, "application/xml": 2,
}

// discover is the feed that an HTML page names as its own, the first of the
// likeliest; nil where it names none. A feed of comments is less likely meant.
func discover(page, contentType string, at *weburl.URL) *weburl.URL {
	const maxPage = 2 << 20 // what names a feed is in the head
	decoded, err := toUTF8(page[:min(len(page), maxPage)], contentType)
	if err != nil {
		return nil
	}
	var found *weburl.URL
	rank := 0
	z := nethtml.NewTokenizer(strings.NewReader(decoded))
	for {
		kind := z.Next()
		if kind == nethtml.ErrorToken {
			return found
		}
		if kind != nethtml.StartTagToken && kind != nethtml.SelfClosingTagToken {
			continue
		}
		name, more := z.TagName()
		element := string(name)
		if element != "link" && element != "base" {
			continue
		}
		attrs := map[string]string{}
		for more {
			var key, value []byte
			key, value, more = z.TagAttr()
			attrs[string(key)] = strings.TrimSpace(string(value))
		}
		if element == "base" {
			if u, err := at.Resolve(attrs["href"]); err == nil && attrs["href"] != "" && u.IsWeb() {
				at = u
			}
			continue
		}
		r := feedRank(attrs)
		if r == 0 || rank != 0 && r >= rank {
			continue
		}
		if u, err := at.Resolve(attrs["href"]); err == nil && u.IsWeb() {
			found, rank = u, r
		}
	}
}

// feedRank is 0 for a link that is no feed of the page.
func feedRank(attrs map[string]string) int {
	kind, _, _ := strings.Cut(strings.ToLower(attrs["type"]), ";")
	rank := feedTypes[strings.TrimSpace(kind)]
	relations := strings.Fields(strings.ToLower(attrs["rel"]))
	feed := false
	for _, relation := range relations {
		switch relation {
		case "feed":
			feed = true
			rank = max(rank, 1)
		case "alternate":
			feed = true
		case "stylesheet":
			return 0
		}
	}
	if !feed || rank == 0 || attrs["href"] == "" {
		return 0
	}
	if about := strings.ToLower(attrs["title"] + " " + attrs["href"]); strings.Contains(about, "comment") {
		rank += 10
	}
	return rank
}
