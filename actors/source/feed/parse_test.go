package feed_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/engine/weburl"
	"github.com/birdwire/birdwire/actors/source/feed"
	"github.com/birdwire/birdwire/messages"
)

// read serves a document and returns what its feed makes of it.
func read(t *testing.T, contentType string, body []byte) []*messages.Event {
	t.Helper()
	s := newSite(t, feed.ReaderConfig{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(body)
	})
	return s.mustPoll()
}

// TestDocuments reads the documents in testdata and compares with the files
// of the same names: one article a block, oldest first, the server's address as HOST.
func TestDocuments(t *testing.T) {
	documents, err := filepath.Glob("testdata/documents/*.*ml")
	if err != nil || len(documents) < 8 {
		t.Fatalf("%d documents, %v", len(documents), err)
	}
	more, _ := filepath.Glob("testdata/documents/*.json")
	for _, path := range append(documents, more...) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			body, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			wanted, err := os.ReadFile(strings.TrimSuffix(path, filepath.Ext(path)) + ".want")
			if err != nil {
				t.Fatal(err)
			}
			var host string
			s := newSite(t, feed.ReaderConfig{}, func(w http.ResponseWriter, r *http.Request) {
				host = r.Host
				_, _ = w.Write(body)
			})
			drafts := s.mustPoll()
			var want []*messages.Event
			for block := range strings.SplitSeq(strings.ReplaceAll(string(wanted), "HOST", host), "\n---\n") {
				e := &messages.Event{}
				if err := prototext.Unmarshal([]byte(block), e); err != nil {
					t.Fatal(err)
				}
				a := e.GetArticle().GetArticle()
				a.SourceId = "src"
				if e.GetArticle().GetAction() != messages.ArticleAction_ARTICLE_DELETED {
					a.SourceName, a.Category = "Source", "business"
				}
				want = append(want, e)
			}
			if len(drafts) != len(want) {
				t.Fatalf("%d drafts, want %d: %v", len(drafts), len(want), drafts)
			}
			for i, d := range drafts {
				if !proto.Equal(d, want[i]) {
					t.Errorf("draft %d:\n%s\nwant\n%s", i, prototext.Format(d), prototext.Format(want[i]))
				}
			}
		})
	}
}

func TestEncodings(t *testing.T) {
	const russian, japan, german = "Новости дня", "日本語のニュース", "Größe – “Straße” €5"
	doc := func(declared, title string) string {
		if declared != "" {
			declared = fmt.Sprintf(` encoding="%s"`, declared)
		}
		return `<?xml version="1.0"` + declared + `?><rss version="2.0"><channel><title>T</title><item><guid>1</guid><title>` + title + `</title></item></channel></rss>`
	}
	in := func(e encoding.Encoding, s string) []byte {
		b, err := e.NewEncoder().Bytes([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	utf16le, utf16be := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	for _, c := range []struct {
		name, contentType string
		body              []byte
		want              string
	}{
		{"UTF-8, undeclared", "application/rss+xml", []byte(doc("", russian)), russian},
		{"UTF-8 with a mark", "text/xml", append([]byte("\xef\xbb\xbf"), doc("utf-8", russian)...), russian},
		{"ISO-8859-1 by declaration", "text/xml", in(charmap.ISO8859_1, doc("ISO-8859-1", "Größe")), "Größe"},
		{"ISO-8859-1 by header", "text/xml; charset=ISO-8859-1", in(charmap.ISO8859_1, doc("", "Größe")), "Größe"},
		{"ISO-8859-1 that is Windows-1252", "text/xml", in(charmap.Windows1252, doc("ISO-8859-1", german)), german},
		{"windows-1251 by declaration", "text/xml", in(charmap.Windows1251, doc("windows-1251", russian)), russian},
		{"windows-1251 by header", `text/xml; charset="windows-1251"`, in(charmap.Windows1251, doc("", russian)), russian},
		{"windows-1251 under a server's default", "text/xml; charset=ISO-8859-1", in(charmap.Windows1251, doc("windows-1251", russian)), russian},
		{"KOI8-R", "text/xml", in(charmap.KOI8R, doc("koi8-r", russian)), russian},
		{"Shift_JIS", "text/xml", in(japanese.ShiftJIS, doc("Shift_JIS", japan)), japan},
		{"EUC-JP", "text/xml", in(japanese.EUCJP, doc("EUC-JP", japan)), japan},
		{"ISO-2022-JP", "text/xml", in(japanese.ISO2022JP, doc("ISO-2022-JP", japan)), japan},
		{"EUC-KR", "text/xml", in(korean.EUCKR, doc("euc-kr", "뉴스")), "뉴스"},
		{"GB18030 as GB2312", "text/xml", in(simplifiedchinese.GB18030, doc("gb2312", "新闻")), "新闻"},
		{"UTF-16 little with a mark", "text/xml", append([]byte{0xff, 0xfe}, in(utf16le, doc("utf-16", japan))...), japan},
		{"UTF-16 big with a mark", "text/xml", append([]byte{0xfe, 0xff}, in(utf16be, doc("utf-16", japan))...), japan},
		{"UTF-16 little, no mark", "text/xml", in(utf16le, doc("utf-16", japan)), japan},
		{"UTF-16 big, no mark", "text/xml; charset=utf-16", in(utf16be, doc("", japan)), japan},
		{"UTF-8 declared as UTF-16", "text/xml", []byte(doc("utf-16", "plain")), "plain"},
		{"UTF-8 declared as ISO-8859-1", "text/xml", []byte(doc("iso-8859-1", russian)), russian},
		{"UTF-8 declared as Shift_JIS in the header", "text/xml; charset=Shift_JIS", []byte(doc("utf-8", russian)), russian},
		{"windows-1251 declared as UTF-8 in the header only", "text/xml; charset=utf-8", in(charmap.Windows1251, doc("windows-1251", russian)), russian},
		{"Windows-1252 declared as UTF-8", "text/xml; charset=utf-8", in(charmap.Windows1252, doc("utf-8", "Größe")), "Größe"},
		{"UTF-8 with one broken byte", "text/xml", []byte(doc("utf-8", "Новости \xd0 дня")), "Новости \uFFFD дня"},
		{"an unknown encoding", "text/xml; charset=klingon", []byte(doc("x-unheard-of", "plain")), "plain"},
		{"control characters", "text/xml", []byte(doc("", "a\x00b\x08c&#x0;&#8;&#xFFFF;&#55296;d&#x41;")), "abcdA"},
		{"JSON with a mark", "application/json", []byte("\xef\xbb\xbf" + `{"version":"https://jsonfeed.org/version/1.1","items":[{"id":"1","title":"` + japan + `"}]}`), japan},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := titles(read(t, c.contentType, c.body)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestHostileDocuments(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"nested", `<rss version="2.0"><channel><item>` + strings.Repeat("<x:a>", 200_000), "nest too deep"},
		{"nested in atom", `<feed xmlns="http://www.w3.org/2005/Atom"><entry>` + strings.Repeat("<b>", 15_000), "nest too deep"},
		{"many", `<rss version="2.0"><channel>` + strings.Repeat("<item/>", 300_000) + `</channel></rss>`, "too many elements"},
		{"namespaces", `<rss version="2.0"` + manyNamespaces() + `><channel>` + strings.Repeat("<item/>", 10_000) + `</channel></rss>`, "too many namespaces"},
		{"authors", `{"version":"https://jsonfeed.org/version/1","items":[{"id":"1","title":"t","authors":[` + manyAuthors() + `]}]}`, ""},
		{"many in JSON", `{"version":"https://jsonfeed.org/version/1","items":[` + strings.Repeat("{},", 300_000) + `{}]}`, "too many elements"},
		{"nested JSON", `{"version":"https://jsonfeed.org/version/1","items":` + strings.Repeat("[", 200_000), "parse JSON Feed"},
		{"entity bomb", `<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><rss version="2.0"><channel><item><title>&b;</title></item></channel></rss>`, ""},
		{"null items", `{"version":"https://jsonfeed.org/version/1","items":[null,{"id":"1","title":"t","authors":[null]}],"authors":[null]}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := feed.Drafts([]byte(c.body), "")
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestReadHTML(t *testing.T) {
	for _, c := range []struct{ markup, text, image string }{
		{"plain", "plain", ""},
		{"a &amp; b &lt; c", "a & b < c", ""},
		{"1 < 2", "1 < 2", ""},
		{"<p>One</p><p>Two<br>Three</p>", "One Two Three", ""},
		{"<b>bo</b>ld <i>it</i>alic", "bold italic", ""},
		{"<script>alert('x')</script>after<style>p{}</style>", "after", ""},
		{"<svg><svg><title>no</title></svg>no</svg>yes", "yes", ""},
		{"<script>never closed", "", ""},
		{`<img src="/pixel.gif" width="1" height="1"><img src="data:x"><img alt=1 src=/a.png><img src="/b.png">`, "", "/a.png"},
		{"soft\u00adhyphen zero\u200bwidth\u00a0space", "softhyphen zerowidth space", ""},
		{"AT&amp;T", "AT&T", ""},
		{"AT&amp;amp;T", "AT&amp;T", ""},
		{"<", "<", ""},
		{"<a href='x>y'>link</a>", "link", ""},
	} {
		text, image := feed.ReadHTML(c.markup)
		if got := strings.Join(strings.Fields(strings.NewReplacer("\u00ad", "", "\u200b", "").Replace(text)), " "); got != c.text || image != c.image {
			t.Errorf("%q: %q, %q; want %q, %q", c.markup, got, image, c.text, c.image)
		}
	}
}

func TestDates(t *testing.T) {
	want := time.Date(2026, 8, 3, 14, 5, 0, 0, time.UTC)
	for _, s := range []string{
		"Mon, 03 Aug 2026 14:05:00 GMT", "Mon, 3 Aug 2026 10:05:00 EDT", "2026-08-03T14:05:00Z", "2026-08-03T16:05:00+02:00",
		"2026-08-03T14:05Z", "2026-08-03 14:05:00", "20260803T140500Z", "1785765900", "1785765900000",
		"lun., 3 août 2026 16:05:00 +0200", "Mo, 03. August 2026 14:05", "3 de agosto de 2026, 14:05", "пн, 3 авг 2026 17:05:00 +0300",
		"03.08.2026 14:05", "3 augustus 2026 14:05:00",
	} {
		body := rssOf("<item><guid>1</guid><title>t</title><pubDate>" + s + "</pubDate></item>")
		a := read(t, "", []byte(body))[0].GetArticle().GetArticle()
		if got := time.UnixMilli(a.GetPublishedMs()).UTC(); !got.Equal(want) {
			t.Errorf("%q is %v, want %v", s, got, want)
		}
	}
	for _, s := range []string{"", "yesterday", "32 août 2026", "0001-01-01T00:00:00Z", "9999-01-01T00:00:00Z", "12"} {
		body := rssOf("<item><guid>1</guid><title>t</title><pubDate>" + s + "</pubDate></item>")
		if got := read(t, "", []byte(body))[0].GetArticle().GetArticle().GetPublishedMs(); got != 0 {
			t.Errorf("%q is %d, want unknown", s, got)
		}
	}
}

func TestIdentities(t *testing.T) {
	for _, c := range []struct{ name, items, want string }{
		{"GUIDs", rssItem("a") + rssItem("b"), "guid|b guid|a"},
		{"links alone", `<item><title>1</title><link>https://s.example/1</link></item><item><title>2</title><link>https://s.example/2</link></item>`, " "},
		{"one GUID for all", `<item><guid>x</guid><title>1</title><link>https://s.example/1</link></item><item><guid>x</guid><title>2</title><link>https://s.example/2</link></item>`, "both|x|https://s.example/2 both|x|https://s.example/1"},
		{"one page for all", `<item><title>1</title><link>https://s.example/</link></item><item><title>2</title><link>https://s.example/</link></item>`, "title|https://s.example/|2 title|https://s.example/|1"},
		{"neither", `<item><title>1</title></item>`, "title||1"},
	} {
		var got []string
		for _, d := range read(t, "", []byte(rssOf(c.items))) {
			got = append(got, d.GetArticle().GetArticle().GetIdentity())
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// Feeds list the newest first; the log must have the oldest first.
func TestOrder(t *testing.T) {
	dated := func(name, date string) string {
		return `<item><guid>` + name + `</guid><title>` + name + `</title><pubDate>` + date + `</pubDate></item>`
	}
	for _, c := range []struct{ items, want string }{
		{rssItem("c") + rssItem("b") + rssItem("a"), "a b c"},
		{dated("b", "Tue, 03 Mar 2026 10:00:00 GMT") + dated("c", "Wed, 04 Mar 2026 10:00:00 GMT") + dated("a", "Mon, 02 Mar 2026 10:00:00 GMT"), "a b c"},
	} {
		if got := titles(read(t, "", []byte(rssOf(c.items)))); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestIsPublic(t *testing.T) {
	for address, want := range map[string]bool{
		"93.184.216.34": true, "2606:2800:220:1::1": true, "64:ff9b::5db8:d822": true,
		"127.0.0.1": false, "10.0.0.1": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false,
		"100.100.0.1": false, "0.0.0.0": false, "224.0.0.1": false, "255.255.255.255": false, "198.18.0.1": false,
		"::1": false, "::": false, "fe80::1": false, "fc00::1": false, "::ffff:10.0.0.1": false, "64:ff9b::a00:1": false, "2002:a00:1::": false, "ff02::1": false, "2001:db8::1": false,
	} {
		if got := feed.IsPublic(mustAddr(t, address)); got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
}

func mustAddr(t *testing.T, s string) netip.Addr {
	t.Helper()
	a, err := netip.ParseAddr(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func FuzzParse(f *testing.F) {
	paths, _ := filepath.Glob("testdata/documents/*.*")
	for _, path := range paths {
		if body, err := os.ReadFile(path); err == nil && filepath.Ext(path) != ".want" {
			f.Add(body, "")
		}
	}
	f.Add([]byte(rssOf(rssItem("a"))), "text/xml; charset=utf-16")
	f.Add([]byte(rssOf(`<item><title>a &lt;b&gt;<link>\\ü%</link><media:group><media:content url=x/></media:group><item>`)), "")
	f.Add([]byte(`<feed xml:base="//x"><entry xml:base="y"><content type="xhtml"><a:div><![CDATA[<]]></a:div></content>`), "")
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		began := time.Now()
		drafts, err := feed.Drafts(body, contentType)
		if errors.Is(err, feed.ErrPanic) {
			t.Errorf("the parser panicked: %v", err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%d bytes took %v", len(body), took)
		}
		for _, d := range drafts {
			if n := proto.Size(d); n > 200<<10 {
				t.Errorf("a draft of %d bytes does not fit into a frame", n)
			}
			if _, err := proto.Marshal(d); err != nil {
				t.Error(err)
			}
			a := d.GetArticle().GetArticle()
			for _, u := range []string{a.GetUrl(), a.GetImageUrl(), a.GetVideoUrl()} {
				if kept, err := weburl.Link(u); u != "" && (err != nil || kept != u) {
					t.Errorf("%q is no address to open: %q, %v", u, kept, err)
				}
			}
			if d.GetArticle().GetAction() != messages.ArticleAction_ARTICLE_DELETED && a.GetTitle() == "" {
				t.Errorf("an article without a title: %v", a)
			}
		}
	})
}

func manyNamespaces() string {
	var b strings.Builder
	for n := range 5000 {
		fmt.Fprintf(&b, ` xmlns:n%d="u:%d"`, n, n)
	}
	return b.String()
}

func manyAuthors() string {
	var b strings.Builder
	for n := range 20_000 {
		fmt.Fprintf(&b, `{"name":"a%d"},`, n)
	}
	return b.String() + `{"name":"z"}`
}
