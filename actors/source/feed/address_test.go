package feed_test

import (
	"strings"
	"testing"

	"github.com/birdwire/birdwire/actors/source/feed"
)

// An address is what the publisher meant, whatever a program on the way wrote
// around it: in every place of an item that has one.
func TestAddressesAreCleaned(t *testing.T) {
	for written, want := range map[string]string{
		`<!-- x -->https://a.example/1`:                              "https://a.example/1",
		`https://a.example<!-- x -->/1<!-- y -->`:                    "https://a.example/1",
		`<a href="https://a.example/1?x=1&amp;y=2">here</a>`:         "https://a.example/1?x=1&y=2",
		`<a href='/x'>https://a.example/1</a>`:                       "https://a.example/1",
		`<b>https://a.example/1</b>`:                                 "https://a.example/1",
		`"https://a.example/1"`:                                      "https://a.example/1",
		`' https://a.example/1 '`:                                    "https://a.example/1",
		`<https://a.example/1>`:                                      "https://a.example/1",
		`https://a.example/?a=1&amp;b=2`:                             "https://a.example/?a=1&b=2",
		`https://a.example/?a=1&amp;amp;b=2`:                         "https://a.example/?a=1&b=2",
		"https://a.example/1 https://b.example/2":                    "https://a.example/1",
		"https://a.example/1\n\thttp://b.example/2 http://c.example": "https://a.example/1",
		`www.a.example/1`:                                            "https://www.a.example/1",
		`WWW.a.example`:                                              "https://WWW.a.example",
		// What is written so on purpose stays.
		`https://a.example/?q=<b>`:        "https://a.example/?q=%3Cb%3E",
		`https://a.example/a b/"c"`:       "https://a.example/a%20b/%22c%22",
		`https://a.example/?u=&copy=1`:    "https://a.example/?u=&copy=1",
		`/?to=https://b.example/ x`:       "https://site.example/?to=https://b.example/%20x",
		`https://a.example/?u=http://b/x`: "https://a.example/?u=http://b/x",
	} {
		inXML := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(written)
		inJSON := strings.NewReplacer(`"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(written)
		for _, body := range []string{
			rssOf(`<item><title>t</title><link><![CDATA[` + written + `]]></link></item>`),
			rssOf(`<item><title>t</title><link>` + inXML + `</link></item>`),
			rssOf(`<item><title>t</title><atom:link href="` + inXML + `"/></item>`),
			atomOf(`<entry><id>1</id><title>t</title><link href="` + strings.ReplaceAll(inXML, "\n", "&#10;") + `"/></entry>`),
			jsonOf(`{"id":"1","title":"t","url":"` + inJSON + `"}`),
		} {
			body = strings.Replace(body, "https://feed.example", "https://site.example", 1)
			got := only(t, body).GetUrl()
			if strings.HasPrefix(written, "/") {
				got = strings.Replace(got, "https://feed.example/", "https://site.example/", 1)
			}
			if got != want {
				t.Errorf("%s: %q, want %q", body, got, want)
			}
		}
		if got := only(t, rssOf(`<item><title>t</title><enclosure type="image/png" url="`+inXML+`"/></item>`)).GetImageUrl(); got != want {
			t.Errorf("%s as an image: %q, want %q", written, got, want)
		}
	}
	for _, link := range []string{`<link url="https://a.example/1"/>`, `<link rdf:resource="https://a.example/1"/>`, `<link src="https://a.example/1"></link>`, `<link url="https://b.example/">https://a.example/1</link>`} {
		if got := only(t, rssOf(`<item><title>t</title>`+link+`</item>`)).GetUrl(); got != "https://a.example/1" {
			t.Errorf("%s: %q", link, got)
		}
	}
	for _, bad := range []string{strings.Repeat("<!--", 1000), strings.Repeat("<", 4000), `<a href="`, `<!-- https://a.example/`, `""`, `<>`, `"https://a.example/`} {
		only(t, jsonOf(`{"id":"1","title":"t","url":"`+strings.ReplaceAll(bad, `"`, `\"`)+`"}`)) // is read, whatever becomes of the address
	}
}

// An item whose markup shows one file and no word is that file.
func TestFilesInMarkup(t *testing.T) {
	for inside, want := range map[string]string{
		`<picture><source srcset="/p.webp 1x"><img srcset="https://a.example/p.jpg 1x, https://a.example/q.jpg 2x"></picture>`: "https://a.example/p.jpg",
		`<img src="data:image/gif;base64,R0" data-src="https://a.example/p.jpg">`:                                              "https://a.example/p.jpg",
		`<img data-original="https://a.example/p.jpg" alt="">`:                                                                 "https://a.example/p.jpg",
		`<p><video src="https://a.example/v.mp4"></video></p>`:                                                                 "https://a.example/v.mp4",
		`<video controls><source src="https://a.example/v.mp4" type="video/mp4"></video>`:                                      "https://a.example/v.mp4",
		`<audio src="/a.mp3"></audio>`:                                                                                         "https://site.example/a.mp3",
		`<iframe src="https://a.example/embed/1" width="560">no frames</iframe>`:                                               "https://a.example/embed/1",
		`<iframe src="about:blank" data-src="https://a.example/embed/1"></iframe>`:                                             "https://a.example/embed/1",
	} {
		for _, body := range []string{
			rssOf(`<item><description><![CDATA[` + inside + `]]></description></item>`), rssOf(`<item><guid>1</guid><content:encoded><![CDATA[` + inside + `]]></content:encoded></item>`),
		} {
			if a := only(t, body); a.GetUrl() != want || a.GetTitle() != want {
				t.Errorf("%s: %v", body, a)
			}
		}
	}
	a := only(t, rssOf(`<item><title>t</title><link>https://a.example/1</link><description><![CDATA[<iframe src="https://b.example/ad">x</iframe>words]]></description></item>`))
	if a.GetUrl() != "https://a.example/1" || a.GetDescription() != "words" {
		t.Errorf("an item with a frame: %v", a)
	}
}

// An encoding is the one that was meant: by a name that is nearly right, in the
// second of two declarations, in a header that no parser takes.
func TestEncodingsNearlyNamed(t *testing.T) {
	rest := `<rss version="2.0"><channel><title>T</title><item><title>%</title></item></channel></rss>`
	for _, c := range []struct{ kind, declaration, bytes, want string }{
		{"", `<?xml version="1.0"?><?xml version="1.0" encoding="windows-1251"?>`, "\xcc\xe8\xf0", "Мир"},
		{"", "<?xml version='1.0'?>\n<!-- <?xml encoding='koi8-r'?> -->\n<?xml version='1.0' encoding='windows-1251'?>", "\xcc\xe8\xf0", "Мир"},
		{"", `<?XML VERSION="1.0" ENCODING="Windows-1251"?>`, "\xcc\xe8\xf0", "Мир"},
		{"", "<?xml\n  version='1.0'\n  encoding=' windows-1251 '?>", "\xcc\xe8\xf0", "Мир"},
		{"text/xml;charset=windows-1251;;", "", "\xcc\xe8\xf0", "Мир"},
		{"text/xml; charset=windows-1251, text/xml", "", "\xcc\xe8\xf0", "Мир"},
		{"text/xml; charset=utf-8; Charset=koi8-r", `<?xml version="1.0" encoding="windows-1251"?>`, "\xcc\xe8\xf0", "Мир"},
		{"", `<?xml version="1.0" encoding="win-1251"?>`, "\xcc\xe8\xf0", "Мир"},
		{"", `<?xml version="1.0" encoding="Windows1251"?>`, "\xcc\xe8\xf0", "Мир"},
		{"", `<?xml version="1.0" encoding="ISO8859_5"?>`, "\xbc\xd8\xe0", "Мир"},
		{"", `<?xml version="1.0" encoding="KOI8R"?>`, "\xed\xc9\xd2", "Мир"},
		{"", `<?xml version="1.0" encoding="latin-2"?>`, "\xb3\xf3d\xbc", "łódź"},
		{"", `<?xml version="1.0" encoding="CP932"?>`, "\x93\xfa\x96\x7b", "日本"},
		{"", `<?xml version="1.0" encoding="shiftjis"?>`, "\x93\xfa\x96\x7b", "日本"},
		{"", `<?xml version="1.0" encoding="cp936"?>`, "\xc4\xe3\xba\xc3", "你好"},
		{"", `<?xml version="1.0" encoding="MS949"?>`, "\xc7\xd1", "한"},
		{"", `<?xml version="1.0" encoding="hz-gb-2312"?>`, "caf\xe9", "café"},
	} {
		title := ""
		drafts, warning, err := feed.DraftsWarned([]byte(c.declaration+strings.Replace(rest, "%", c.bytes, 1)), c.kind)
		if len(drafts) == 1 {
			title = drafts[0].GetArticle().GetArticle().GetTitle()
		}
		if title != c.want || warning != "" || err != nil {
			t.Errorf("%q %s: %q, %q, %v; want %q", c.kind, c.declaration, title, warning, err, c.want)
		}
	}
}
