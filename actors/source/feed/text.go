package feed

import (
	"strings"
	"unicode"
	"unicode/utf8"

	nethtml "golang.org/x/net/html"

	"github.com/birdwire/birdwire/actors/engine/weburl"
	"github.com/birdwire/birdwire/actors/source/feed/markup"
)

// Limits of what a feed may say, in characters. What is longer is cut, since a
// feed's author is nobody to send an error to.
const (
	maxTitle       = 500
	maxDescription = 5_000
	maxContent     = 40_000 // bytes stay far below what a frame of the log takes
	maxLabel       = 300
	maxURL         = 2048
)

// hidden are elements whose content is not text.
var hidden = map[string]bool{
	"script": true, "style": true, "template": true, "noscript": true, "iframe": true, "object": true,
	"svg": true, "math": true, "head": true, "select": true, "textarea": true,
}

// inline are elements that do not part words. All others do.
var inline = map[string]bool{
	"a": true, "abbr": true, "acronym": true, "b": true, "bdi": true, "bdo": true, "big": true, "cite": true,
	"code": true, "del": true, "dfn": true, "em": true, "font": true, "i": true, "ins": true, "kbd": true,
	"mark": true, "q": true, "s": true, "samp": true, "small": true, "span": true, "strike": true,
	"strong": true, "sub": true, "sup": true, "time": true, "tt": true, "u": true, "var": true, "wbr": true,
}

// text is what a feed says, and what that is.
type text struct {
	s    string
	as   mode
	base *weburl.URL // of addresses in it; nil where the document sets none
}

type mode uint8

const (
	asText  mode = iota // characters
	asLoose             // characters, or markup where it looks like it
	asHTML
)

// maxMarkup of a text is read, in bytes: far more than is kept of it.
const maxMarkup = 512 << 10

// page is what a text says, and the first picture and the first file in it.
type page struct {
	text  string
	image ref
	alt   string // what is said instead of the picture
	file  ref    // a video, a sound or a page in a frame
}

func (t text) page() page {
	s := clip(t.s, maxMarkup)
	var p page
	switch t.as {
	case asText:
		p.text = s
	case asLoose:
		p.text = loose(s)
	case asHTML:
		p = readHTML(s)
	}
	p.text, p.alt = markup.Clean(p.text), markup.Clean(p.alt)
	p.image.base, p.file.base = t.base, t.base
	return p
}

// line is the text on one line.
func (t text) line(most int) string { return line(t.page().text, most) }

// readHTML strips markup. It walks tokens and builds no tree, so that nothing
// it is given makes it recurse or take more than linear time; bluemonday, which
// does the same, runs words of neighbouring blocks together.
func readHTML(s string) page {
	var p page
	if !strings.ContainsAny(s, "<&") {
		p.text = s
		return p
	}
	var b strings.Builder
	z := nethtml.NewTokenizer(strings.NewReader(s))
	skipping, nested := "", 0 // the hidden element we are in, and how many of its name
	for {
		kind := z.Next()
		if kind == nethtml.ErrorToken {
			break
		}
		if kind == nethtml.TextToken {
			if skipping == "" {
				b.Write(z.Text())
			}
			continue
		}
		raw, attrs := z.TagName()
		name := string(raw)
		name = name[strings.LastIndexByte(name, ':')+1:] // XHTML with a prefix
		switch {
		case skipping != "":
			switch {
			case name != skipping:
			case kind == nethtml.StartTagToken:
				nested++
			case kind == nethtml.EndTagToken:
				if nested--; nested == 0 {
					skipping = ""
				}
			}
		case kind == nethtml.EndTagToken:
		case name == "img" && p.image.text == "" && attrs:
			p.image.text, p.alt = picture(z)
		case isFile[name] && p.file.text == "" && attrs:
			p.file.text, _ = picture(z)
		}
		if kind == nethtml.StartTagToken && skipping == "" && hidden[name] {
			skipping, nested = name, 1
		}
		if name != "" && !inline[name] {
			b.WriteByte('\n')
		}
	}
	p.text = b.String()
	return p
}

// isFile are elements that show a file, other than img.
var isFile = map[string]bool{"video": true, "audio": true, "source": true, "iframe": true, "embed": true}

// picture is the address of an img and its words, unless it is one that counts
// readers. Many pages fetch their pictures late, and say where from in an
// attribute of their own; of a list of sizes the first is as good as any.
func picture(z *nethtml.Tokenizer) (src, alt string) {
	tiny, late, sizes := false, "", ""
	for {
		key, value, more := z.TagAttr()
		switch string(key) {
		case "src":
			src = string(value)
		case "data-src", "data-original", "data-lazy-src":
			late = either(late, string(value))
		case "srcset", "data-srcset":
			first, _, _ := strings.Cut(strings.TrimLeft(string(value), " \t\r\n,"), " ")
			sizes = either(sizes, strings.TrimRight(first, ","))
		case "alt":
			alt = string(value)
		case "width", "height":
			v := strings.TrimSuffix(string(value), "px")
			tiny = tiny || v == "0" || v == "1"
		}
		if !more {
			break
		}
	}
	if tiny {
		return "", ""
	}
	for _, address := range []string{src, late, sizes} {
		if address != "" && !strings.HasPrefix(address, "data:") && address != "about:blank" {
			return address, alt
		}
	}
	return "", ""
}

// line is text on one line, cut to most characters.
func line(s string, most int) string {
	return cut(joined(fields(clip(s, maxMarkup)), " "), most)
}

// joined is never a part of what the words are parts of: a title would keep its
// document in memory.
func joined(words []string, between string) string {
	if len(words) == 1 {
		return strings.Clone(words[0])
	}
	return strings.Join(words, between)
}

// lines keeps the breaks between blocks, one each.
func lines(s string, most int) string {
	var kept []string
	for l := range strings.SplitSeq(s, "\n") {
		if l = strings.Join(fields(l), " "); l != "" {
			kept = append(kept, l)
		}
	}
	return cut(joined(kept, "\n"), most)
}

// invisible are characters that take no room: soft hyphens and the like, which
// would keep words from being found.
var invisible = strings.NewReplacer("\u00ad", "", "\u200b", "", "\u2060", "", "\ufeff", "")

func fields(s string) []string {
	return strings.FieldsFunc(invisible.Replace(s), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	})
}

// clip is s without what exceeds most bytes.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}

func cut(s string, most int) string {
	if len(s) <= most || utf8.RuneCountInString(s) <= most {
		return s
	}
	n := 0
	for i := range s {
		if n == most-1 {
			return strings.TrimRight(s[:i], " \n") + "…"
		}
		n++
	}
	return s
}
