package markup_test

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/actors/source/feed/markup"
)

// tokens writes a document's tokens in short: <name k=v> <name/> </name> "text" [literal].
func tokens(s string) string {
	var b strings.Builder
	z := markup.Scan(s)
	for {
		t := z.Next()
		var attrs strings.Builder
		t.Attributes(func(name, value string) bool {
			fmt.Fprintf(&attrs, " %s=%s", name, value)
			return true
		})
		switch t.Kind {
		case markup.End:
			return b.String()
		case markup.Text:
			fmt.Fprintf(&b, "%q", markup.Unescape(t.Text))
		case markup.Literal:
			fmt.Fprintf(&b, "[%s]", t.Text)
		case markup.OpenTag:
			fmt.Fprintf(&b, "<%s%s>", t.Name, attrs.String())
		case markup.EmptyTag:
			fmt.Fprintf(&b, "<%s%s/>", t.Name, attrs.String())
		case markup.CloseTag:
			fmt.Fprintf(&b, "</%s>", t.Name)
		}
	}
}

func TestTokens(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"<a>b</a>", `<a>"b"</a>`},
		{`<?xml version="1.0"?><!DOCTYPE r [<!ENTITY e "]>"> <!-- ]> --> ]><r/>`, `<r/>`},
		{"<!-- <rss> --><rss>", "<rss>"},
		{"<![CDATA[a<b&amp;]]]]><![CDATA[>]]>", "[a<b&amp;]]][>]"},
		{`<a b="c" d='e"f' g=h i  j = "k" >`, `<a b=c d=e"f g=h i= j=k>`},
		{`<a b="c>d" e='/'/>`, `<a b=c>d e=//>`},
		{`<link href=https://a.example/b/><x>`, `<link href=https://a.example/b/><x>`},
		{"1 < 2 <3 <> </ <- a<b", `"1 < 2 <3 <> </ <- a"`},
		{"<a", ""},
		{"<a b='c", ""},
		{"x<", `"x"`},
		{"<!-- x", ""},
		{"<![CDATA[x]]", ""},
		{"<!DOCTYPE", ""},
		{"<?php", ""},
		{"</a", ""},
		{"</", ""},
		{"<a<b>", "<a><b>"},
		{`<a b="c><d>`, `<a b=c><d>`},
		{`<a "b" c='d'>`, `<a b= c=d>`},
		{"<?php echo 1 ><a>", "<a>"},
		{"<!ELEMENT it's><a>", "<a>"},
		{"<ns:a ns:b='&lt;&#39;'>", "<ns:a ns:b=<'>"},
		{"<ö ü='ä'/>", "<ö ü=ä/>"},
		{"<a\n\tb='c'\n/>", "<a b=c/>"},
	} {
		if got := tokens(c.in); got != c.want {
			t.Errorf("%q: %s, want %s", c.in, got, c.want)
		}
	}
}

func TestUnescape(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"a &lt;b&gt; &amp; &quot;c&quot; &apos;d&apos;", `a <b> & "c" 'd'`},
		{"&amp;lt;", "&lt;"},
		{"&eacute;&nbsp;&hellip;&CounterClockwiseContourIntegral;", "é\u00a0…∳"},
		{"&#233;&#xE9;&#XE9;&#x1F426;", "ééé🐦"},
		{"&#55357;&#56358;|&#xD83D;&#xDC26;|&#55357;|&#56358;x", "🐦|🐦||x"},
		{"&#146;&#x92;&#128;&#x81;", "’’€"},
		{"it\u0092s \u0080 5\u0085", "it’s € 5…"},
		{"&#0;&#8;&#xFFFF;&#1114112;a\x00b\x08c", "abc"},
		{"AT&T & co; &; &#; &#x; &nope; &lt", "AT&T & co; &; &#; &#x; &nope; &lt"},
		{"?a=1&copy=2&para=3;&reg", "?a=1&copy=2&para=3;&reg"},
		{"&#99999999999;", "&#99999999999;"},
		{"a\tb\nc\rd", "a\tb\nc\rd"},
	} {
		if got := markup.Unescape(c.in); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}

// reference is what encoding/xml reads, in the words of tokens; "" where it
// takes the document for none.
func reference(s string) string {
	var b strings.Builder
	d := xml.NewDecoder(strings.NewReader(s))
	text := ""
	flush := func() {
		if text != "" {
			fmt.Fprintf(&b, "%q", text)
			text = ""
		}
	}
	for {
		token, err := d.RawToken()
		if err != nil {
			flush()
			if err.Error() != "EOF" {
				return ""
			}
			return b.String()
		}
		name := func(n xml.Name) string {
			if n.Space != "" {
				return n.Space + ":" + n.Local
			}
			return n.Local
		}
		switch x := token.(type) {
		case xml.StartElement:
			flush()
			b.WriteString("<" + name(x.Name))
			for _, a := range x.Attr {
				fmt.Fprintf(&b, " %s=%s", name(a.Name), a.Value)
			}
			b.WriteString(">")
		case xml.EndElement:
			flush()
			fmt.Fprintf(&b, "</%s>", name(x.Name))
		case xml.CharData:
			text += string(x)
		}
	}
}

// FuzzTokens holds the scanner against encoding/xml, which is strict: whatever
// that takes for a document, this reads the same.
func FuzzTokens(f *testing.F) {
	for _, s := range []string{
		`<?xml version="1.0"?><!DOCTYPE a><a b="c">d<e/><!-- f --><![CDATA[g]]></a>`, `<a x:b='"&lt;'>&#233;</a >`, "<a>1 &gt; 0</a>", "<a", "<a b=c d>", `<!a ["]>']`, "<?a ?>",
		`<a b="<">`, "&#55357;&#56358;", strings.Repeat("<!a[", 5), "<a\x00>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 10_000 {
			return
		}
		z, last := markup.Scan(s), 0
		var b strings.Builder
		text := ""
		flush := func() {
			if text != "" {
				fmt.Fprintf(&b, "%q", text)
				text = ""
			}
		}
		for {
			token := z.Next()
			if token.Start < last || token.Stop < token.Start || token.Kind != markup.End && token.Stop == token.Start {
				t.Fatalf("%q: token at %d to %d after %d", s, token.Start, token.Stop, last)
			}
			last = token.Stop
			switch token.Kind {
			case markup.End:
				flush()
				if want := reference(s); want != "" && comparable(s) && b.String() != want {
					t.Fatalf("%q:\n%s, and encoding/xml\n%s", s, b.String(), want)
				}
				return
			case markup.Text:
				text += markup.Unescape(token.Text)
			case markup.Literal:
				text += token.Text
			case markup.OpenTag, markup.EmptyTag:
				flush()
				b.WriteString("<" + token.Name)
				token.Attributes(func(name, value string) bool {
					fmt.Fprintf(&b, " %s=%s", name, value)
					return true
				})
				b.WriteString(">")
				if token.Kind == markup.EmptyTag {
					fmt.Fprintf(&b, "</%s>", token.Name)
				}
			case markup.CloseTag:
				flush()
				fmt.Fprintf(&b, "</%s>", token.Name)
			}
		}
	})
}

// comparable leaves out where the two differ on purpose: line ends, which
// encoding/xml makes one, controls of windows-1252, and names that begin or end
// with a colon, which it takes apart.
func comparable(s string) bool {
	return !strings.ContainsAny(s, "\r\ufffe\uffff") && strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 && r <= 0x9f }) < 0 &&
		!strings.Contains(s, "&#") && !strings.Contains(s, ":") && !strings.ContainsAny(s, "!?")
}

// BenchmarkHostile is documents made to be slow; all are one megabyte.
func BenchmarkHostile(b *testing.B) {
	for _, unit := range []string{"<!a[", "<?a>", "<![", "<a b='", "<a ", "&#x", "<!--", "<", "</a>", `<a b="`, "<!\"'"} {
		b.Run(unit, func(b *testing.B) {
			s := strings.Repeat(unit, 1<<20/len(unit))
			b.SetBytes(int64(len(s)))
			for b.Loop() {
				z := markup.Scan(s)
				for t := z.Next(); t.Kind != markup.End; t = z.Next() {
					if t.Kind == markup.Text {
						_ = markup.Unescape(t.Text)
					}
				}
			}
		})
	}
}
