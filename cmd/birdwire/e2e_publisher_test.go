package main_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// publisher is a site with one feed, which the test edits.
type publisher struct {
	*httptest.Server

	mu        sync.Mutex // protects what follows
	document  string
	status    int // 0: 200, and 304 for a reader that has the document
	unchanged int // answers of 304
}

// publish serves the document until it is edited.
func publish(t *testing.T, document string) *publisher {
	p := &publisher{document: document}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

// ServeHTTP answers with the feed.
func (p *publisher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	etag := fmt.Sprintf(`"%d"`, len(p.document))
	switch {
	case p.status != 0:
		http.Error(w, "out of order", p.status)
	case r.Header.Get("If-None-Match") == etag:
		p.unchanged++
		w.WriteHeader(http.StatusNotModified)
	default:
		w.Header().Set("ETag", etag)
		_, _ = w.Write([]byte(p.document))
	}
}

// edit changes the document; two of the same length are one to readers.
func (p *publisher) edit(document string, status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.document, p.status = document, status
}

func (p *publisher) spared() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.unchanged
}

func rss(items ...string) string {
	return `<?xml version="1.0"?><rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/"><channel><title>RSS</title><link>https://rss.example/</link>` +
		strings.Join(items, "") + `</channel></rss>`
}

func rssItem(guid, title, more string) string {
	return fmt.Sprintf(`<item><guid isPermaLink="false">%s</guid><title>%s</title><link>https://rss.example/%s</link>%s</item>`, guid, title, guid, more)
}

func atom(entries ...string) string {
	return `<feed xmlns="http://www.w3.org/2005/Atom" xmlns:at="http://purl.org/atompub/tombstones/1.0"><title>Atom</title><id>urn:feed</id>` +
		strings.Join(entries, "") + `</feed>`
}

func atomEntry(id, title, updated string) string {
	return fmt.Sprintf(`<entry><id>%s</id><title>%s</title><link href="https://atom.example/1"/><updated>%s</updated></entry>`, id, title, updated)
}

const (
	jsonFeed = `{"version":"https://jsonfeed.org/version/1.1","title":"JSON","items":[{"id":"1","url":"https://json.example/1","title":"%s","content_text":"Text."}]}`

	centralBank = `<?xml version="1.0"?><rdf:RDF xmlns="http://purl.org/rss/1.0/" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:cb="http://www.cbwiki.net/wiki/index.php/Specification_1.2/">
 <channel rdf:about="https://bank.example/rss"><title>Bank</title><link>https://bank.example/</link><description>All</description>
 <items><rdf:Seq><rdf:li rdf:resource="https://bank.example/speech"/><rdf:li rdf:resource="https://bank.example/rate"/></rdf:Seq></items></channel>
 <item rdf:about="https://bank.example/speech"><title>On inflation</title><link>https://bank.example/speech</link><description>A speech.</description>
 <dc:date>2026-03-04T12:00:00Z</dc:date><cb:speech><cb:simpleTitle>On inflation</cb:simpleTitle><cb:occurrenceDate>2026-03-04</cb:occurrenceDate>
 <cb:institutionAbbrev>ECB</cb:institutionAbbrev><cb:person><cb:nameAsWritten>Ada Bell</cb:nameAsWritten><cb:role><cb:jobTitle>Governor</cb:jobTitle></cb:role></cb:person>
 <cb:venue>Frankfurt</cb:venue></cb:speech></item>
 <item rdf:about="https://bank.example/rate"><title>1 EUR = 1.0850 USD</title><link>https://bank.example/rate</link><description>Reference rate.</description>
 <dc:date>2026-03-04T13:00:00Z</dc:date><cb:statistics><cb:institutionAbbrev>ECB</cb:institutionAbbrev><cb:exchangeRate>
 <cb:value>1.0850</cb:value><cb:baseCurrency>EUR</cb:baseCurrency><cb:targetCurrency>usd</cb:targetCurrency></cb:exchangeRate></cb:statistics></item></rdf:RDF>`
)
