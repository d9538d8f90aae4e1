package feed_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors/source/feed"
	"github.com/birdwire/birdwire/messages"
)

func atomOf(entries string) string {
	return `<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title><id>urn:f</id><updated>2026-03-04T12:00:00Z</updated>` + entries + `</feed>`
}

func jsonOf(items string) string {
	return `{"version":"https://jsonfeed.org/version/1.1","title":"T","items":[` + items + `]}`
}

// only is the one article that the document has.
func only(t *testing.T, body string) *messages.Article {
	t.Helper()
	drafts, err := feed.Drafts([]byte(body), "")
	if err != nil || len(drafts) != 1 {
		t.Fatalf("%d drafts, %v of %s", len(drafts), err, body)
	}
	return drafts[0].GetArticle().GetArticle()
}

// A text of Atom is what its type says; without one it is text, in which '<'
// and '&' mean themselves once they are out of the XML.
func TestAtomTexts(t *testing.T) {
	for _, c := range []struct{ attrs, inside, want string }{
		{``, `if a &lt; b then`, "if a < b then"},
		{``, `the &lt;b&gt; tag`, "the <b> tag"},
		{``, `the &lt;b&gt;bold&lt;/b&gt; tag`, "the <b>bold</b> tag"},
		{` type="text"`, `Vec&lt;T&gt; &amp;amp; Map&lt;K, V&gt;`, "Vec<T> &amp; Map<K, V>"},
		{` type="text"`, `&amp;lt;script&amp;gt; doubly escaped`, "&lt;script&gt; doubly escaped"},
		{` type="text"`, `&amp;#8217;`, "&#8217;"},
		{` type="text"`, `<![CDATA[Tom &amp; <b>Jerry</b>]]>`, "Tom &amp; <b>Jerry</b>"},
		{` type="text"`, `a<![CDATA[<]]>b`, "a<b"},
		{` type="TEXT"`, `x &lt;i&gt;`, "x <i>"},
		{` type=" text "`, `x &lt;i&gt;`, "x <i>"},
		{` type="text/plain"`, `x &lt;i&gt;y&lt;/i&gt;`, "x <i>y</i>"},
		{` type="text"`, `real <b>tags</b> go`, "real tags go"},
		{` type="text"`, `5 < 6`, "5 < 6"},
		{` type="html"`, `AT&amp;amp;T &lt;b&gt;rises&lt;/b&gt;`, "AT&T rises"},
		{` type="html"`, `if a &amp;lt; b`, "if a < b"},
		{` type="html"`, `&amp;lt;b&amp;gt; is bold`, "<b> is bold"},
		{` type="HTML"`, `&lt;em&gt;x&lt;/em&gt;`, "x"},
		{` type="text/html"`, `&lt;em&gt;x&lt;/em&gt;`, "x"},
		{` type="text/html; charset=utf-8"`, `&lt;em&gt;x&lt;/em&gt;`, "x"},
		{` type="html"`, `<![CDATA[<em>x</em> &amp; y]]>`, "x & y"},
		{` type="html"`, `<em>x</em> &amp; y`, "x & y"},
		{` type="xhtml"`, `<div xmlns="http://www.w3.org/1999/xhtml">a &lt; b <em>and</em> &amp;amp;</div>`, "a < b and &amp;"},
		{` type="xhtml"`, `<xhtml:div xmlns:xhtml="http://www.w3.org/1999/xhtml">x <xhtml:b>y</xhtml:b></xhtml:div>`, "x y"},
		{` type="xhtml"`, `&lt;p&gt;escaped all the same&lt;/p&gt;`, "escaped all the same"},
		{` type="application/xhtml+xml"`, `<div xmlns="http://www.w3.org/1999/xhtml">x<script>y</script></div>`, "x"},
	} {
		for _, name := range []string{"title", "summary"} {
			a := only(t, atomOf(fmt.Sprintf(`<entry><id>1</id><link href="https://a.example/"/><%s%s>%s</%s></entry>`, name, c.attrs, c.inside, name)))
			got := a.GetTitle()
			if name == "summary" {
				got = a.GetDescription()
			}
			if got != c.want {
				t.Errorf("%s%s of %s: %q, want %q", name, c.attrs, c.inside, got, c.want)
			}
		}
	}
	// Contents have types of files too.
	for _, c := range []struct{ attrs, inside, want string }{
		{` type="text"`, `a &lt;b&gt; c`, "a <b> c"},
		{``, `a &lt;b&gt; c`, "a <b> c"},
		{` type="html"`, `&lt;p&gt;a&lt;/p&gt;&lt;p&gt;b&lt;/p&gt;`, "a\nb"},
		{` type="image/png"`, `aGVsbG8=`, ""},
		{` type="text/plain" mode="base64"`, `aGVsbG8gPGI+`, "hello <b>"},
		{` type="text/html" mode="base64"`, `PHA+aGVsbG88L3A+`, "hello"},
		{` type="text/html" mode="escaped"`, `&lt;p&gt;a&lt;/p&gt;`, "a"},
		{` mode="escaped"`, `a &lt;b&gt; c`, "a <b> c"},
		{` type="application/xml"`, `<x>a</x><x>b</x>`, "ab"},
	} {
		a := only(t, atomOf(fmt.Sprintf(`<entry><id>1</id><title>t</title><content%s>%s</content></entry>`, c.attrs, c.inside)))
		if a.GetContent() != c.want {
			t.Errorf("content%s of %s: %q, want %q", c.attrs, c.inside, a.GetContent(), c.want)
		}
	}
	// In RSS, Atom's elements follow Atom's rules.
	a := only(t, rssOf(`<item xmlns:a="http://www.w3.org/2005/Atom"><guid>1</guid><a:title>x &lt;b&gt;y&lt;/b&gt;</a:title><a:summary type="html">&lt;b&gt;z&lt;/b&gt;</a:summary></item>`))
	if a.GetTitle() != "x <b>y</b>" || a.GetDescription() != "z" {
		t.Errorf("Atom in RSS: %q, %q", a.GetTitle(), a.GetDescription())
	}
}

// A title of RSS is markup where it has an element that is closed, and text
// otherwise, as readers show it.
func TestRSSTitles(t *testing.T) {
	for _, c := range []struct{ inside, want string }{
		{`Shares &lt;em&gt;rise&lt;/em&gt;`, "Shares rise"},
		{`<![CDATA[Shares <em class="x">rise</em> &amp; fall]]>`, "Shares rise & fall"},
		{`Shares <em>rise</em>`, "Shares rise"},
		{`AT&amp;amp;T`, "AT&T"},
		{`AT&amp;T`, "AT&T"},
		{`AT&T rises`, "AT&T rises"},
		{`It&amp;#8217;s &amp;quot;on&amp;quot;`, "It’s \"on\""},
		{`It&#8217;s&nbsp;on &hellip;`, "It’s on …"},
		{`5 &lt; 10 and 7 > 3`, "5 < 10 and 7 > 3"},
		{`Vec&lt;T&gt; in Rust`, "Vec<T> in Rust"},
		{`The &lt;b&gt; tag`, "The <b> tag"},
		{`The &lt;script&gt; tag explained`, "The <script> tag explained"},
		{`The &lt;b&gt; tag in &lt;i&gt;HTML&lt;/i&gt;`, "The <b> tag in HTML"},
		{`One&lt;br/&gt;two`, "One two"},
		{`a &lt;b`, "a <b"},
		{`a &lt;3 b`, "a <3 b"},
		{`R&amp;D &amp;copy 2026`, "R&D &copy 2026"},
		{`x&lt;script&gt;alert(1)&lt;/script&gt;y`, "x y"},
		{`Don\'t`, `Don\'t`},
		{`&lt;![CDATA[Shares &amp;amp; &lt;i&gt;bonds&lt;/i&gt;]]&gt;`, "Shares & bonds"},
		{`<![CDATA[<![CDATA[double]]]]><![CDATA[>]]>`, "double"},
	} {
		a := only(t, rssOf(`<item><guid>1</guid><title>`+c.inside+`</title></item>`))
		if a.GetTitle() != c.want {
			t.Errorf("%s: %q, want %q", c.inside, a.GetTitle(), c.want)
		}
	}
	for _, c := range []struct{ inside, want string }{
		{`&lt;p&gt;One&lt;/p&gt;&lt;p&gt;Two`, "One Two"},
		{`<p>One</p><p>Two</p>`, "One Two"},
		{`<![CDATA[<p>One]]> &lt;b&gt;Two&lt;/b&gt;`, "One Two"},
		{`One <br> Two <img src="x">`, "One Two"},
		{`&lt;p&gt;One&lt;/p&gt;<br/>Two`, "One Two"},
		{`a &lt; b`, "a < b"},
		{`<b>a</b> &lt; c`, "a < c"},
		{`&lt;![CDATA[&lt;p&gt;x&lt;/p&gt;]]&gt;`, "x"},
	} {
		a := only(t, rssOf(`<item><guid>1</guid><title>t</title><description>`+c.inside+`</description></item>`))
		if a.GetDescription() != c.want {
			t.Errorf("%s: %q, want %q", c.inside, a.GetDescription(), c.want)
		}
	}
}

// A namespace that is nearly right is the one that was meant.
func TestNamespaces(t *testing.T) {
	atomEntries := `<title>F</title><entry><id>1</id><title>t</title><link href="https://a.example/1"/><updated>2026-03-04T12:00:00Z</updated></entry>`
	rssItems := `<channel><title>F</title><item><guid>1</guid><title>t</title><link>https://a.example/1</link><pubDate>Wed, 04 Mar 2026 12:00:00 GMT</pubDate></item></channel>`
	rdfItems := `<channel><title>F</title></channel><item><title>t</title><link>https://a.example/1</link></item>`
	var bodies []string
	for _, space := range []string{
		"http://www.w3.org/2005/Atom", "https://www.w3.org/2005/Atom", "http://www.w3.org/2005/Atom/", "http://www.w3.org/2005/atom", "HTTP://WWW.W3.ORG/2005/ATOM",
		"http://w3.org/2005/Atom", "www.w3.org/2005/Atom", " http://www.w3.org/2005/Atom ", "http://purl.org/atom/ns#", "http://purl.org/atom/ns", "https://purl.org/atom/ns#",
		"http://purl.org/rss/1.0/", "http://backend.userland.com/rss2", "http://example.com/whatever", "", "http://search.yahoo.com/mrss/", "http://purl.org/dc/elements/1.1/",
	} {
		bodies = append(bodies, fmt.Sprintf(`<feed xmlns="%s">%s</feed>`, space, atomEntries),
			fmt.Sprintf(`<rss version="2.0" xmlns="%s">%s</rss>`, space, rssItems),
			fmt.Sprintf(`<rss version="2.0">%s</rss>`, strings.Replace(rssItems, "<channel>", `<channel xmlns="`+space+`">`, 1)),
			fmt.Sprintf(`<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="%s">%s</rdf:RDF>`, space, rdfItems))
		if space != "" {
			prefixed := strings.NewReplacer("</", "</p:", "<", "<p:").Replace(atomEntries)
			bodies = append(bodies, fmt.Sprintf(`<p:feed xmlns:p="%s">%s</p:feed>`, space, prefixed))
		}
	}
	bodies = append(bodies,
		`<rss version="2.0">`+strings.Replace(rssItems, "<item>", `<item xmlns="http://purl.org/rss/1.0/">`, 1)+`</rss>`,
		`<rss version="2.0">`+strings.Replace(rssItems, "<item>", `<item xmlns="http://unheard.example/">`, 1)+`</rss>`,
		`<RSS VERSION="2.0">`+strings.NewReplacer("item>", "ITEM>", "title>", "Title>", "channel>", "Channel>").Replace(rssItems)+`</RSS>`,
		`<rdf:rdf xmlns:rdf="https://www.w3.org/1999/02/22-rdf-syntax-ns" xmlns="http://my.netscape.com/rdf/simple/0.9/">`+rdfItems+`</rdf:rdf>`,
		`<RDF xmlns="http://purl.org/rss/1.0/">`+rdfItems+`</RDF>`,
		`<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:r="http://purl.org/rss/1.0/">`+strings.NewReplacer("</", "</r:", "<", "<r:").Replace(rdfItems)+`</rdf:RDF>`,
		`<atom:feed>`+strings.NewReplacer("</", "</atom:", "<", "<atom:").Replace(atomEntries)+`</atom:feed>`,
		`<feed xmlns="http://www.w3.org/2005/Atom"><title>F</title><item><guid>1</guid><title>t</title><link>https://a.example/1</link></item></feed>`,
		`<rss version="2.0"><channel><title>F</title><entry><id>1</id><title>t</title><link href="https://a.example/1"/></entry></channel></rss>`,
		`<rss version="2.0"><channel><title>F</title><items><item><title>t</title><link>https://a.example/1</link></item></items></channel></rss>`,
		`<rss version="2.0"><title>F</title><item><title>t</title><link>https://a.example/1</link></item></rss>`,
		`<channel><title>F</title><item><title>t</title><link>https://a.example/1</link></item></channel>`,
	)
	for _, body := range bodies {
		drafts, err := feed.Drafts([]byte(body), "")
		if err != nil || len(drafts) != 1 {
			t.Errorf("%d drafts, %v of %s", len(drafts), err, body)
			continue
		}
		if a := drafts[0].GetArticle().GetArticle(); a.GetTitle() != "t" || a.GetUrl() != "https://a.example/1" {
			t.Errorf("%q, %q of %s", a.GetTitle(), a.GetUrl(), body)
		}
	}
	// The same of what is added to a feed.
	for space, element := range map[string]string{
		"https://search.yahoo.com/mrss": `<x:title>t</x:title><x:content url="https://a.example/1.jpg" medium="image"/>`, "http://search.yahoo.com/mrss/": `<x:title>t</x:title><x:thumbnail url="https://a.example/1.jpg"/>`,
		"http://search.yahoo.com/MRSS/":    `<x:title>t</x:title><x:group><x:content url="https://a.example/1.jpg" type="image/jpeg"/></x:group>`,
		"https://purl.org/dc/elements/1.1": `<x:title>t</x:title><x:creator>Ada</x:creator><x:date>2026-03-04</x:date>`, "http://purl.org/dc/terms/": `<x:title>t</x:title><x:creator>Ada</x:creator><x:created>2026-03-04</x:created>`,
		"http://PURL.org/dc/elements/1.0/": `<x:title>t</x:title><x:creator>Ada</x:creator><x:date>2026-03-04</x:date>`,
	} {
		a := only(t, rssOf(`<item xmlns:x="`+space+`"><guid>1</guid>`+element+`</item>`))
		if a.GetTitle() != "t" || a.GetImageUrl() == "" && (a.GetAuthor() != "Ada" || a.GetPublishedMs() == 0) {
			t.Errorf("%s: %v", space, a)
		}
	}
	for _, prefix := range []string{"media", "dc", "content", "itunes"} { // undeclared, or of an unheard namespace
		for _, declared := range []string{"", ` xmlns:` + prefix + `="http://unheard.example/"`} {
			a := only(t, rssOf(fmt.Sprintf(`<item%s><guid>1</guid><link>https://a.example/</link><%[2]s:title>t</%[2]s:title><%[2]s:encoded>t</%[2]s:encoded></item>`, declared, prefix)))
			if a.GetTitle() != "t" {
				t.Errorf("%s%s: %q", prefix, declared, a.GetTitle())
			}
		}
	}
	// A prefix that everybody knows, with the namespace of something else.
	for _, space := range []string{"http://purl.org/dc/elements/1.1/", "http://www.w3.org/2005/Atom", "http://search.yahoo.com/mrss/", "http://purl.org/rss/1.0/", "http://purl.org/rss/1.0/modules/slash/", "http://www.w3.org/1999/xhtml"} {
		for _, root := range []string{`<rss version="2.0"`, `<rss version="2.0" xmlns="` + space + `"`} {
			a := only(t, root+` xmlns:media="`+space+`" xmlns:dc="`+space+`" xmlns:content="`+space+`"><channel><title>T</title><item><title>t</title>`+
				`<content:encoded>&lt;p&gt;words</content:encoded><dc:creator>Ada</dc:creator><dc:date>2026-03-04</dc:date><media:thumbnail url="https://a.example/1.jpg"/></item></channel></rss>`)
			if a.GetContent() != "words" || a.GetAuthor() != "Ada" || a.GetPublishedMs() == 0 || a.GetImageUrl() == "" {
				t.Errorf("%s: %v", space, a)
			}
		}
	}
	for _, space := range []string{"http://www.cbwiki.net/wiki/index.php/Specification_1.1", "https://www.cbwiki.net/wiki/index.php/Specification_1.2/", "http://cbwiki.net/wiki/index.php/specification_1.2", "http://unheard.example/cb"} {
		a := only(t, `<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/" xmlns:cb="`+space+`"><item><title>t</title><cb:speech><cb:person><cb:nameAsWritten>Ada</cb:nameAsWritten></cb:person></cb:speech></item></rdf:RDF>`)
		if a.GetArticleType() != "speech" || a.GetSpeaker() != "Ada" {
			t.Errorf("%s: %v", space, a)
		}
	}
}

// What is no feed, or one without what it should have, is never "ok".
func TestNothingIsAnError(t *testing.T) {
	for body, want := range map[string]string{
		`<rss version="2.0"/>`:                        "nothing of itself",
		`<rss version="2.0"></rss>`:                   "nothing of itself",
		`<feed xmlns="http://www.w3.org/2005/Atom"/>`: "nothing of itself",
		`<rss><channel></channel></rss>`:              "nothing of itself",
		`<rss><channel><title>T</title><item/><item><guid>1</guid></item></channel></rss>`:                                                                                                    "none of its 2 items",
		`<rss><channel><title>T</title><story><title>a</title><link>https://a.example/</link></story></channel></rss>`:                                                                        `"story"`,
		`<rss><channel><title>T</title><stories><story><title>a</title></story></stories></channel></rss>`:                                                                                    `"story"`,
		`<feed><title>T</title><post><headline>a</headline></post></feed>`:                                                                                                                    `"post"`,
		`<rss xmlns:n="http://unheard.example/"><channel><title>T</title><n:item><n:title>a</n:title></n:item></channel></rss>`:                                                               `"item"`,
		`<rdf:RDF xmlns:rdf="x" xmlns="http://purl.org/rss/1.0/"><channel><title>T</title><items><rdf:Seq><rdf:li resource="a"/><rdf:li resource="b"/></rdf:Seq></items></channel></rdf:RDF>`: "names 2 items",
		`<!DOCTYPE html><html><head><title>x</title></head><body><rss></rss></body></html>`:                                                                                                   "HTML page",
		`<opml version="2.0"><body><outline/></body></opml>`:                                                                                                                                  "not a feed",
		`<urlset><url><loc>https://a.example/</loc></url></urlset>`:                                                                                                                           "not a feed",
		`<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>`:                                                                                                                       "not a feed",
		`Just words`: "not a feed", ``: "not a feed", `<`: "not a feed", `[]`: "not a feed", `{}`: "not a feed", `null`: "not a feed",
		`{"version":"https://jsonfeed.org/version/1.1","title":"T"}`:             "no list of items",
		`{"version":"https://jsonfeed.org/version/1.1","items":null}`:            "no list of items",
		`{"version":"https://jsonfeed.org/version/1.1","items":"none"}`:          "no list of items",
		`{"version":"https://jsonfeed.org/version/1.1","items":[{},{"id":"1"}]}`: "none of its 2 items",
		`{"version":"https://jsonfeed.org/version/1.1","items":["a","b"]}`:       "none of its 2 items",
		`{"items":[{"id":`: "before its first item",
	} {
		if drafts, err := feed.Drafts([]byte(body), ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %d drafts, error %v; want %q", body, len(drafts), err, want)
		}
	}
	for _, body := range []string{
		rssOf(""), rssOf("<ttl>5</ttl><custom>x</custom>"), `<rss><channel><title>T</title></channel></rss>`, atomOf(""), `<feed><id>urn:x</id></feed>`,
		`<rdf:RDF><channel><title>T</title><items><rdf:Seq/></items></channel></rdf:RDF>`, jsonOf(""),
	} {
		if drafts, err := feed.Drafts([]byte(body), ""); err != nil || len(drafts) != 0 {
			t.Errorf("%s is an empty feed: %d drafts, %v", body, len(drafts), err)
		}
	}
}

// A field of another type is passed over, and the rest of its item is read.
func TestJSONFeedTypes(t *testing.T) {
	for _, c := range []struct {
		item string
		want *messages.Article
	}{
		{`{"id":1,"title":"a","url":"https://a.example/1"}`, &messages.Article{Identity: "guid|1", Title: "a", Url: "https://a.example/1"}},
		{`{"id":1.50,"title":"a"}`, &messages.Article{Identity: "guid|1.50", Title: "a"}},
		{`{"id":true,"title":"a"}`, &messages.Article{Identity: "guid|true", Title: "a"}},
		{`{"id":{"x":1},"title":"a"}`, &messages.Article{Identity: "title||a", Title: "a"}},
		{`{"id":["x"],"title":"a","url":"https://a.example/1"}`, &messages.Article{Title: "a", Url: "https://a.example/1"}},
		{`{"id":"1","title":7,"content_text":"words"}`, &messages.Article{Identity: "guid|1", Title: "words", Description: "words", Content: "words"}},
		{`{"id":"1","title":{"rendered":"x"},"summary":"words"}`, &messages.Article{Identity: "guid|1", Title: "words", Description: "words"}},
		{`{"id":"1","title":"a","url":7}`, &messages.Article{Identity: "guid|1", Title: "a"}},
		{`{"id":"1","title":"a","url":["https://a.example/"],"external_url":"https://b.example/"}`, &messages.Article{Identity: "guid|1", Title: "a", Url: "https://b.example/"}},
		{`{"id":"1","title":"a","content_html":7,"content_text":"words"}`, &messages.Article{Identity: "guid|1", Title: "a", Description: "words", Content: "words"}},
		{`{"id":"1","title":"a","summary":["x"]}`, &messages.Article{Identity: "guid|1", Title: "a"}},
		{`{"id":"1","title":"a","tags":"x, y"}`, &messages.Article{Identity: "guid|1", Title: "a", Tags: []string{"x", "y"}}},
		{`{"id":"1","title":"a","tags":["x",7,null,{"name":"z"},"y"]}`, &messages.Article{Identity: "guid|1", Title: "a", Tags: []string{"x", "y"}}},
		{`{"id":"1","title":"a","tags":{"x":1}}`, &messages.Article{Identity: "guid|1", Title: "a"}},
		{`{"id":"1","title":"a","author":"Ada"}`, &messages.Article{Identity: "guid|1", Title: "a", Author: "Ada"}},
		{`{"id":"1","title":"a","author":{"name":"Ada","url":7}}`, &messages.Article{Identity: "guid|1", Title: "a", Author: "Ada"}},
		{`{"id":"1","title":"a","author":{"name":7}}`, &messages.Article{Identity: "guid|1", Title: "a"}},
		{`{"id":"1","title":"a","author":[{"name":"Ada"},{"name":"Bo"}]}`, &messages.Article{Identity: "guid|1", Title: "a", Author: "Ada, Bo"}},
		{`{"id":"1","title":"a","authors":"Ada"}`, &messages.Article{Identity: "guid|1", Title: "a", Author: "Ada"}},
		{`{"id":"1","title":"a","authors":{"name":"Ada"}}`, &messages.Article{Identity: "guid|1", Title: "a", Author: "Ada"}},
		{`{"id":"1","title":"a","authors":["Ada",7,null,{"name":"Bo"}]}`, &messages.Article{Identity: "guid|1", Title: "a", Author: "Ada, Bo"}},
		{`{"id":"1","title":"a","authors":7,"author":{"name":"Ada"}}`, &messages.Article{Identity: "guid|1", Title: "a", Author: "Ada"}},
		{`{"id":"1","title":"a","date_published":1772625600}`, &messages.Article{Identity: "guid|1", Title: "a", PublishedMs: 1772625600000}},
		{`{"id":"1","title":"a","date_published":{"x":1},"date_modified":"2026-03-04T12:00:00Z"}`, &messages.Article{Identity: "guid|1", Title: "a", PublishedMs: 1772625600000}},
		{`{"id":"1","title":"a","image":{"url":"https://a.example/1.png"}}`, &messages.Article{Identity: "guid|1", Title: "a", ImageUrl: "https://a.example/1.png"}},
		{`{"id":"1","title":"a","image":false,"banner_image":"https://a.example/2.png"}`, &messages.Article{Identity: "guid|1", Title: "a", ImageUrl: "https://a.example/2.png"}},
		{`{"id":"1","title":"a","attachments":{"url":"https://a.example/1.mp4","mime_type":"video/mp4","size_in_bytes":"big"}}`, &messages.Article{Identity: "guid|1", Title: "a", VideoUrl: "https://a.example/1.mp4"}},
		{`{"id":"1","title":"a","attachments":["https://a.example/1.mp4",7,{"url":7},{"url":"https://a.example/1.jpg","mime_type":7}]}`, &messages.Article{Identity: "guid|1", Title: "a", VideoUrl: "https://a.example/1.mp4", ImageUrl: "https://a.example/1.jpg"}},
		{`{"id":"1","title":"a","language":7,"_x":{"y":[{}]},"extra":null}`, &messages.Article{Identity: "guid|1", Title: "a"}},
		{`null,7,"x",[],{"id":"1","title":"a"}`, &messages.Article{Identity: "guid|1", Title: "a"}},
	} {
		got := only(t, jsonOf(c.item))
		want := c.want
		want.SourceId, want.SourceName = "src", "Source"
		if got.String() != want.String() {
			t.Errorf("%s:\n%v, want\n%v", c.item, got, want)
		}
	}
	for _, body := range []string{
		`{"version":1.1,"title":["x"],"home_page_url":{},"authors":7,"language":[],"expired":"no","items":[{"id":"1","title":"t"}]}`,
		`{"version":"https://jsonfeed.org/version/1.1","author":"Ada","items":{"0":{"id":"1","title":"t"}}}`,
		`{"Version":"https://jsonfeed.org/version/1.1","Items":[{"ID":"1","Title":"t"}]}`,
		"\n\n{\"items\":[{\"id\":\"1\",\"title\":\"t\"}],\"hubs\":null}\n",
	} {
		if a := only(t, body); a.GetTitle() != "t" || a.GetIdentity() != "guid|1" {
			t.Errorf("%s: %v", body, a)
		}
	}
}

// The C1 controls are windows-1252 that somebody took for characters.
func TestControlsAreWindows1252(t *testing.T) {
	const want = "It’s “5” € – now…"
	raw := "It\u0092s \u00935\u0094 \u0080 \u0096 now\u0085"
	var refs strings.Builder
	for _, r := range raw {
		if r >= 0x80 && r < 0xa0 {
			fmt.Fprintf(&refs, "&#%d;", r)
			continue
		}
		refs.WriteRune(r)
	}
	for name, body := range map[string]string{
		"RSS": rssOf(`<item><guid>1</guid><title>` + raw + `</title></item>`), "references": rssOf(`<item><guid>1</guid><title>` + refs.String() + `</title></item>`),
		"escaped references": rssOf(`<item><guid>1</guid><title>` + strings.ReplaceAll(refs.String(), "&", "&amp;") + `</title></item>`),
		"CDATA":              rssOf(`<item><guid>1</guid><title><![CDATA[` + raw + `]]></title></item>`), "HTML": rssOf(`<item><guid>1</guid><description><![CDATA[<p>` + refs.String() + `</p>]]></description></item>`),
		"Atom text": atomOf(`<entry><id>1</id><title>` + raw + `</title></entry>`), "Atom HTML": atomOf(`<entry><id>1</id><title type="html">` + strings.ReplaceAll(refs.String(), "&", "&amp;") + `</title></entry>`),
		"Atom XHTML": atomOf(`<entry><id>1</id><title type="xhtml"><div>` + refs.String() + `</div></title></entry>`),
		"JSON":       jsonOf(`{"id":"1","title":"` + raw + `"}`), "JSON escapes": jsonOf(`{"id":"1","title":"It\u0092s \u00935\u0094 \u0080 \u0096 now\u0085"}`),
		"author": rssOf(`<item><guid>1</guid><title>x</title><author>` + raw + `</author></item>`), "tag": rssOf(`<item><guid>1</guid><title>x</title><category>` + raw + `</category></item>`),
		"Atom tag": atomOf(`<entry><id>1</id><title>x</title><category term="` + refs.String() + `"/></entry>`),
	} {
		a := only(t, body)
		if a.GetTitle() != want && a.GetAuthor() != want && (len(a.GetTags()) != 1 || a.GetTags()[0] != want) {
			t.Errorf("%s: %v", name, a)
		}
	}
}

// A link is one that clients open, wherever in the item it is.
func TestLinks(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		// Hosts in other scripts, and what browsers take.
		{rssOf(`<item><title>t</title><link>https://bücher.example/über uns?q=ä</link></item>`), "https://xn--bcher-kva.example/%C3%BCber%20uns?q=%C3%A4"},
		{rssOf(`<item><title>t</title><link>https://пример.испытание/новости/1</link></item>`), "https://xn--e1afmkfd.xn--80akhbyknj4f/%D0%BD%D0%BE%D0%B2%D0%BE%D1%81%D1%82%D0%B8/1"},
		{rssOf(`<item><title>t</title><link>https://例え.テスト/</link></item>`), "https://xn--r8jz45g.xn--zckzah/"},
		{atomOf(`<entry><id>1</id><title>t</title><link href="https://müller.example/a"/></entry>`), "https://xn--mller-kva.example/a"},
		{jsonOf(`{"id":"1","title":"t","url":"https://bücher.example/"}`), "https://xn--bcher-kva.example/"},
		{rssOf("<item><title>t</title><link>\n https://a.example/100%\n/x </link></item>"), "https://a.example/100%/x"},
		{rssOf(`<item><title>t</title><link>https:\\a.example\x</link></item>`), "https://a.example/x"},
		{rssOf(`<item><title>t</title><link>https://a.example/?a=1&b=2&amp;c=3&copy=4</link></item>`), "https://a.example/?a=1&b=2&c=3&copy=4"},
		{rssOf(`<item><title>t</title><link>//cdn.example/x</link></item>`), "https://cdn.example/x"},
		{rssOf(`<item><title>t</title><link>/x?y#z</link></item>`), "https://site.example/x?y#z"},
		// Next to a comment, in CDATA, as an attribute.
		{rssOf(`<item><title>t</title><link><!-- permalink -->https://a.example/1</link></item>`), "https://a.example/1"},
		{rssOf(`<item><title>t</title><link>https://a.example/1<!-- x --></link></item>`), "https://a.example/1"},
		{rssOf(`<item><title>t</title><link>https://a.example<!-- x -->/1</link></item>`), "https://a.example/1"},
		{rssOf(`<item><title>t</title><link><![CDATA[https://a.example/1?a=1&b=2]]></link></item>`), "https://a.example/1?a=1&b=2"},
		{rssOf(`<item><title>t</title><link><?x y?> <![CDATA[https://a.example]]>/1</link></item>`), "https://a.example/1"},
		{rssOf(`<item><title>t</title><link href="https://a.example/1"/></item>`), "https://a.example/1"},
		{rssOf(`<item><title>t</title><link href=https://a.example/1 /></item>`), "https://a.example/1"},
		{rssOf(`<item><title>t</title><link></link><a:link xmlns:a="http://www.w3.org/2005/Atom" href="https://a.example/1"/></item>`), "https://a.example/1"},
		{rssOf(`<item><title>t</title><atom:link href="https://a.example/self" rel="self"/><atom:link href="https://a.example/1" rel="alternate"/></item>`), "https://a.example/1"},
		{rssOf(`<item><title>t</title><atom:link rel="alternate" href="https://a.example/2"/><link>https://a.example/1</link></item>`), "https://a.example/1"},
		{rssOf(`<item><title>t</title><atom:link>https://a.example/1</atom:link></item>`), "https://a.example/1"},
		{rssOf(`<item><title>t</title><link/><guid>https://a.example/1</guid></item>`), "https://a.example/1"},
		{rssOf(`<item><title>t</title><guid isPermaLink="true">p/1</guid></item>`), "https://site.example/p/1"},
		{rssOf(`<item><title>t</title><guid>/p/1</guid></item>`), "https://site.example/p/1"},
		{rssOf(`<item><title>t</title><guid isPermaLink="false">/p/1</guid></item>`), ""},
		{rssOf(`<item><title>t</title><guid>12345</guid></item>`), ""},
		{rssOf(`<item><title>t</title><link>javascript:alert(1)</link><guid>https://a.example/1</guid></item>`), "https://a.example/1"},
		// Atom.
		{atomOf(`<entry><id>1</id><title>t</title><link>https://a.example/1</link></entry>`), "https://a.example/1"},
		{atomOf(`<entry><id>1</id><title>t</title><link><!-- x --> https://a.example/1 </link></entry>`), "https://a.example/1"},
		{atomOf(`<entry><id>1</id><title>t</title><link rel="self" href="https://a.example/s"/><link rel="alternate" type="application/json" href="https://a.example/j"/><link rel="alternate" type="text/html" href="https://a.example/1"/></entry>`), "https://a.example/1"},
		{atomOf(`<entry><id>1</id><title>t</title><link rel="http://www.iana.org/assignments/relation/alternate" href="https://a.example/1"/></entry>`), "https://a.example/1"},
		{atomOf(`<entry><id>1</id><title>t</title><link rel="ALTERNATE" href="https://a.example/1"/></entry>`), "https://a.example/1"},
		{atomOf(`<entry><id>1</id><title>t</title><link rel="related" href="https://a.example/r"/></entry>`), "https://a.example/r"},
		{atomOf(`<entry><id>https://a.example/1</id><title>t</title></entry>`), "https://a.example/1"},
		{atomOf(`<entry><id>1</id><title>t</title><content type="html" src="https://a.example/1"/></entry>`), "https://a.example/1"},
		// Relative to xml:base, wherever that is, and else to the document or its site.
		{atomOf(`<entry xml:base="https://b.example/x/"><id>1</id><title>t</title><link href="1"/></entry>`), "https://b.example/x/1"},
		{atomOf(`<entry xml:base="https://b.example/x/"><id>1</id><title>t</title><link xml:base="y/" href="1"/></entry>`), "https://b.example/x/y/1"},
		{atomOf(`<entry xml:base="/x/y"><id>1</id><title>t</title><link href="1"/></entry>`), "https://feed.example/x/1"},
		{atomOf(`<entry><id>1</id><title>t</title><link href="1"/></entry>`), "https://feed.example/1"},
		{`<rss xml:base="https://b.example/x/"><channel><title>T</title><link>https://site.example/</link><item><title>t</title><link>1</link></item></channel></rss>`, "https://b.example/x/1"},
		{`<feed xmlns="http://www.w3.org/2005/Atom" xml:base="ä/"><title>T</title><entry><id>1</id><title>t</title><link href="ö"/></entry></feed>`, "https://feed.example/%C3%A4/%C3%B6"},
		{`{"version":"https://jsonfeed.org/version/1.1","home_page_url":"https://bücher.example/x/","items":[{"id":"1","title":"t","url":"1"}]}`, "https://xn--bcher-kva.example/x/1"},
	} {
		if a := only(t, c.body); a.GetUrl() != c.want {
			t.Errorf("%s: %q, want %q", c.body, a.GetUrl(), c.want)
		}
	}
}

// Media RSS describes an item like the format's own elements do, where those
// are missing; an item of a picture or a link alone is an item.
func TestMedia(t *testing.T) {
	media := func(s string) string {
		return strings.Replace(rssOf(`<item>`+s+`</item>`), "<rss ", `<rss xmlns:media="http://search.yahoo.com/mrss/" `, 1)
	}
	for _, c := range []struct{ item, title, description, image, video, url string }{
		{`<guid>1</guid><media:title>t</media:title><media:description>d</media:description>`, "t", "d", "", "", ""},
		{`<guid>1</guid><media:group><media:title>t</media:title><media:description type="html">&lt;b&gt;d&lt;/b&gt;</media:description><media:thumbnail url="https://a.example/t.jpg"/><media:content url="https://a.example/v.mp4" type="video/mp4"/></media:group>`, "t", "d", "https://a.example/t.jpg", "https://a.example/v.mp4", ""},
		{`<title>own</title><guid>1</guid><media:title>t</media:title><description>own d</description><media:description>d</media:description>`, "own", "own d", "", "", ""},
		{`<guid>1</guid><media:content url="https://a.example/v.mp4" medium="video"><media:title>t</media:title><media:description>d</media:description><media:thumbnail url="https://a.example/t.jpg"/></media:content>`, "t", "d", "https://a.example/t.jpg", "https://a.example/v.mp4", ""},
		{`<media:content url="https://a.example/p.jpg"/>`, "https://a.example/p.jpg", "", "https://a.example/p.jpg", "", "https://a.example/p.jpg"},
		{`<media:thumbnail url="https://a.example/p.jpg"/>`, "https://a.example/p.jpg", "", "https://a.example/p.jpg", "", "https://a.example/p.jpg"},
		{`<media:group><media:group><media:content url="/p" type="image"/></media:group></media:group>`, "https://site.example/p", "", "https://site.example/p", "", "https://site.example/p"},
		{`<enclosure url="https://a.example/p.png?x=1"/>`, "https://a.example/p.png?x=1", "", "https://a.example/p.png?x=1", "", "https://a.example/p.png?x=1"},
		{`<enclosure url="https://a.example/a.mp3" type="audio/mpeg"/>`, "https://a.example/a.mp3", "", "", "", "https://a.example/a.mp3"},
		{`<enclosure url="https://a.example/v.webm" type="application/octet-stream"/><link>https://a.example/1</link>`, "https://a.example/1", "", "", "https://a.example/v.webm", "https://a.example/1"},
		{`<link>https://a.example/1</link>`, "https://a.example/1", "", "", "", "https://a.example/1"},
		{`<image><url>https://a.example/p.jpg</url></image>`, "https://a.example/p.jpg", "", "https://a.example/p.jpg", "", "https://a.example/p.jpg"},
		{`<image>https://a.example/p.jpg</image><title>t</title>`, "t", "", "https://a.example/p.jpg", "", ""},
		{`<description>&lt;img src="https://a.example/p.jpg"&gt;</description>`, "https://a.example/p.jpg", "", "https://a.example/p.jpg", "", "https://a.example/p.jpg"},
		{`<description>&lt;img src="/p.jpg" alt="A bird &amp;amp; its nest"&gt;</description><link>https://a.example/1</link>`, "A bird & its nest", "", "https://site.example/p.jpg", "", "https://a.example/1"},
		{`<description>&lt;a href="x"&gt;&lt;img src="/p.jpg"&gt;&lt;/a&gt;</description><guid>https://a.example/1</guid>`, "https://a.example/1", "", "https://site.example/p.jpg", "", "https://a.example/1"},
		{`<title>t</title><media:content url="https://a.example/p.jpg" medium="image"/><media:thumbnail url="https://a.example/t.jpg"/>`, "t", "", "https://a.example/p.jpg", "", ""},
		{`<title>t</title><media:content url="https://a.example/v.mp4"><media:status state="deleted"/></media:content>`, "t", "", "", "https://a.example/v.mp4", ""},
		{`<title>t</title><media:player url="https://a.example/play"/>`, "t", "", "", "", "https://a.example/play"},
		{`<title>t</title><itunes:image href="https://a.example/i.jpg"/><itunes:summary>d</itunes:summary>`, "t", "d", "https://a.example/i.jpg", "", ""},
	} {
		a := only(t, media(c.item))
		if a.GetTitle() != c.title || a.GetDescription() != c.description || a.GetImageUrl() != c.image || a.GetVideoUrl() != c.video || a.GetUrl() != c.url {
			t.Errorf("%s: %v", c.item, a)
		}
	}
	for _, body := range []string{
		atomOf(`<entry><link href="https://a.example/1"/></entry>`), atomOf(`<entry><link rel="enclosure" type="image/png" href="https://a.example/1"/></entry>`),
		atomOf(`<entry><media:group><media:thumbnail url="https://a.example/1"/></media:group></entry>`), atomOf(`<entry><content type="image/png" src="https://a.example/1"/></entry>`),
		atomOf(`<entry><id>https://a.example/1</id></entry>`), jsonOf(`{"url":"https://a.example/1"}`), jsonOf(`{"image":"https://a.example/1"}`),
		jsonOf(`{"attachments":[{"url":"https://a.example/1","mime_type":"image/png"}]}`), jsonOf(`{"id":"https://a.example/1"}`), jsonOf(`{"content_html":"<img src='https://a.example/1'>"}`),
	} {
		if a := only(t, body); a.GetTitle() == "" || a.GetUrl() != "https://a.example/1" {
			t.Errorf("%s: %v", body, a)
		}
	}
}

func TestAuthors(t *testing.T) {
	for inside, want := range map[string]string{
		`<author>desk@a.example (Picture Desk)</author>`: "Picture Desk", `<author>Ada Bell (ada@a.example)</author>`: "Ada Bell", `<author>Ada Bell &lt;ada@a.example&gt;</author>`: "Ada Bell",
		`<author>ada@a.example</author>`: "ada@a.example", `<dc:creator>Vera Holm (staff)</dc:creator>`: "Vera Holm (staff)", `<dc:creator>Ada</dc:creator><dc:creator>Bo</dc:creator>`: "Ada, Bo",
		`<author>Own</author><dc:creator>Other</dc:creator>`: "Own", `<itunes:author>Ada</itunes:author>`: "Ada", `<author><name>Ada</name></author>`: "Ada", `<a:author xmlns:a="http://www.w3.org/2005/Atom"><a:name>Ada</a:name></a:author>`: "Ada",
		`<author>&lt;a href="x"&gt;Ada&lt;/a&gt; &amp;amp; Bo</author>`: "Ada & Bo", `<media:credit role="author">Ada</media:credit>`: "Ada",
	} {
		if a := only(t, rssOf(`<item><title>t</title>`+inside+`</item>`)); a.GetAuthor() != want {
			t.Errorf("%s: %q, want %q", inside, a.GetAuthor(), want)
		}
	}
	a := only(t, atomOf(`<author><name>Feed</name></author><entry><id>1</id><title>t</title><source><author><name>Elsewhere</name></author></source></entry>`))
	if a.GetAuthor() != "Elsewhere" {
		t.Errorf("an entry of another feed: %q", a.GetAuthor())
	}
}

// The feed's own zone of the host changes no date, and a zone that nobody knows
// makes none.
func TestItemDates(t *testing.T) {
	want := time.Date(2026, 8, 4, 12, 30, 0, 0, time.UTC).UnixMilli()
	for inside, want := range map[string]int64{
		`<pubDate>Tue, 04 Aug 2026 21:30:00 JST</pubDate>`: want, `<pubDate>Tue, 04 Aug 2026 07:30:00 GMT-05:00</pubDate>`: want, `<dc:date>2026-08-04T14:30+02</dc:date>`: want,
		`<pubDate>Tue, 04 Aug 2026 12:30:00 XYZ</pubDate>`: 0, `<pubDate>31 Feb 2026 12:00 GMT</pubDate>`: 0, `<pubDate>soon</pubDate><dc:date>2026-08-04T12:30Z</dc:date>`: want,
		`<pubDate>Tue, 04 Aug 2026 12:30:00 XYZ</pubDate><a:updated xmlns:a="http://www.w3.org/2005/Atom">2026-08-04T12:30:00Z</a:updated>`: want,
		`<pubDate/><date>2026-08-04T12:30:00Z</date>`: want, `<PUBDATE>Tue, 04 Aug 2026 12:30:00 GMT</PUBDATE>`: want, `<pubDate>0001-01-01T00:00:00Z</pubDate>`: 0,
	} {
		if a := only(t, rssOf(`<item><title>t</title>`+inside+`</item>`)); a.GetPublishedMs() != want {
			t.Errorf("%s: %d, want %d", inside, a.GetPublishedMs(), want)
		}
	}
	for inside, want := range map[string]int64{
		`<published>2026-08-04T12:30:00Z</published><updated>2026-08-05T12:30:00Z</updated>`: want, `<updated>2026-08-04T12:30:00z</updated>`: want,
		`<issued>2026-08-04T12:30:00Z</issued><modified>2026-08-05T12:30:00Z</modified>`: want, `<modified>2026-08-04T12:30:00Z</modified>`: want,
		`<published>nonsense</published><updated>2026-08-04T12:30:00Z</updated>`: want,
	} {
		if a := only(t, atomOf(`<entry><id>1</id><title>t</title>`+inside+`</entry>`)); a.GetPublishedMs() != want {
			t.Errorf("%s: %d, want %d", inside, a.GetPublishedMs(), want)
		}
	}
}

// What is whole of a document that ends too early is read, with a warning.
func TestCutDocuments(t *testing.T) {
	one, two := rssItem("a"), rssItem("b")
	rss, atom := rssOf(one+two), atomOf(`<entry><id>a</id><title>a</title></entry><entry><id>b</id><title>b</title></entry>`)
	json := jsonOf(`{"id":"a","title":"a"},{"id":"b","title":"b"}`)
	for _, c := range []struct{ body, want string }{
		{strings.TrimSuffix(rss, "</rss>"), "b a"},
		{strings.TrimSuffix(rss, "</channel></rss>"), "b a"},
		{strings.TrimSuffix(rss, ">"), "b a"},
		{strings.TrimSuffix(rss, "ss>"), "b a"},
		{strings.TrimSuffix(rss, "</item></channel></rss>"), "a"},
		{rss[:len(rss)-40], "a"},
		{rss[:strings.Index(rss, two)+7], "a"},
		{strings.TrimSuffix(rss, "</channel></rss>") + "<!-- x", "b a"},
		{strings.TrimSuffix(rss, "</channel></rss>") + "<item><title><![CDATA[x", "b a"},
		{strings.TrimSuffix(rss, "</channel></rss>") + `<item><link href="`, "b a"},
		{strings.TrimSuffix(atom, "</feed>"), "b a"},
		{atom[:len(atom)-20], "a"},
		{atom[:strings.LastIndex(atom, "<entry>")+3], "a"},
		{strings.TrimSuffix(json, "}"), "b a"},
		{strings.TrimSuffix(json, "]}"), "b a"},
		{json[:len(json)-4], "a"},
		{json[:len(json)-12], "a"},
		{strings.TrimSuffix(json, "]}") + ",]}", "b a"},
		{`{"items":[{"id":"a","title":"a"},{"id":"b" "title":"b"}]}`, "a"},
	} {
		drafts, warning, err := feed.DraftsWarned([]byte(c.body), "")
		if err != nil || titles(drafts) != c.want || !strings.Contains(warning, "cut off") {
			t.Errorf("%s: %q, warning %q, %v; want %q", c.body, titles(drafts), warning, err, c.want)
		}
	}
	for _, body := range []string{
		rss, atom, json, rss + "\n<!-- served in 3 ms", strings.Replace(rss, "</item><item>", "<item>", 1), strings.Replace(rss, "</channel>", "", 1), json + "\x00 trailing",
		strings.Replace(rss, "</title>", "", 2), strings.Replace(rss, "</item></channel>", "</channel>", 1),
	} {
		if drafts, warning, err := feed.DraftsWarned([]byte(body), ""); err != nil || len(drafts) != 2 || warning != "" {
			t.Errorf("%s: %q, warning %q, %v; want it whole", body, titles(drafts), warning, err)
		}
	}
	for _, body := range []string{rss[:60], rss[:strings.Index(rss, one)+20], atom[:strings.Index(atom, "<entry>")+20], `<rss version="2.0"><channel><title>T</title>`, `<rss`} {
		if drafts, err := feed.Drafts([]byte(body), ""); err == nil {
			t.Errorf("%s: %d drafts, no error", body, len(drafts))
		}
	}
	_, warning, err := feed.DraftsWarned([]byte(rssOf(one+`<item><title> </title><foo>x</foo></item>`)), "")
	if err != nil || !strings.Contains(warning, "of its items 1 show nothing") {
		t.Errorf("an item that shows nothing: %q, %v", warning, err)
	}
}
