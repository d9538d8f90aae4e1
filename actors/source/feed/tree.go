package feed

import (
	"html"
	"strings"

	"github.com/birdwire/birdwire/actors/engine/weburl"
	"github.com/birdwire/birdwire/actors/source/feed/markup"
)

// element is a part of an item. Texts are not taken apart further: their inside
// stays as it is written.
type element struct {
	family   family
	name     string // without its prefix, in small letters
	attrs    []attribute
	children []*element
	inner    string      // what is written between its tags
	marked   bool        // there are tags in it
	base     *weburl.URL // the xml:base that counts; nil where there is none
	opaque   bool        // a text: its children are not kept
}

type attribute struct{ name, value string }

func (e *element) attr(name string) string {
	for _, a := range e.attrs {
		if a.name == name {
			return strings.TrimSpace(a.value)
		}
	}
	return ""
}

// child is the first of the name in the element's own vocabulary; nil is none.
func (e *element) child(name string) *element {
	if e == nil {
		return nil
	}
	for _, c := range e.children {
		if c.name == name && (c.family == e.family || c.family == familyCore || c.family == familyAtom) {
			return c
		}
	}
	return nil
}

// childText is the text of that child, "" where there is none.
func (e *element) childText(name string) string {
	if c := e.child(name); c != nil {
		return c.text()
	}
	return ""
}

// text is all text in the element, without tags and comments.
func (e *element) text() string { return strings.TrimSpace(words(e.inner, false)) }

// ownText leaves out what is in its children.
func (e *element) ownText() string { return strings.TrimSpace(words(e.inner, true)) }

// words are the characters of a piece of a document.
func words(inner string, own bool) string {
	if !strings.Contains(inner, "<") {
		return markup.Unescape(inner)
	}
	var b strings.Builder
	depth := 0
	z := markup.Scan(inner)
	for t := z.Next(); t.Kind != markup.End; t = z.Next() {
		switch t.Kind {
		case markup.OpenTag:
			depth++
		case markup.CloseTag:
			depth--
		case markup.Text:
			if !own || depth <= 0 {
				b.WriteString(markup.Unescape(t.Text))
			}
		case markup.Literal:
			if !own || depth <= 0 {
				b.WriteString(markup.Clean(t.Text))
			}
		}
	}
	return b.String()
}

// html is the inside as HTML: unescaped where it is escaped, and as it is where
// its tags are tags of the document. literal says that a CDATA section is text
// and no markup, as XHTML has it.
func (e *element) html(literal bool) string {
	if !e.marked {
		return e.text()
	}
	var b strings.Builder
	z := markup.Scan(e.inner)
	for t := z.Next(); t.Kind != markup.End; t = z.Next() {
		switch {
		case t.Kind == markup.Literal && literal:
			b.WriteString(html.EscapeString(t.Text))
		case t.Kind == markup.Literal:
			b.WriteString(t.Text)
		case t.Kind == markup.Text && !literal && hasEscapedTag(t.Text):
			b.WriteString(markup.Unescape(t.Text))
		default:
			b.WriteString(e.inner[t.Start:t.Stop])
		}
	}
	return b.String()
}

// hasEscapedTag tells markup that was escaped from a sign of comparison.
func hasEscapedTag(s string) bool {
	for {
		at := strings.Index(s, "&lt;")
		if at < 0 {
			return false
		}
		s = s[at+4:]
		rest := strings.TrimPrefix(s, "/")
		if rest != "" && ('a' <= rest[0]|0x20 && rest[0]|0x20 <= 'z') {
			return true
		}
	}
}
