package feed

import (
	"encoding/base64"
	"strings"
)

// isAtom: the text follows Atom's rules.
func (r *xmlReader) isAtom(e *element) bool {
	return e.family == familyAtom || r.atom && e.family == familyCore
}

// construct reads an element that is a text. In Atom its type says what it is,
// and without one it is text, in which a '<' is a '<' (RFC 4287, 3.1.1). RSS
// never decided: titles are markup where they look like it, descriptions are.
func (r *xmlReader) construct(e *element) text {
	kind := strings.ToLower(e.attr("type"))
	if kind, _, ok := strings.Cut(kind, ";"); ok { // text/html; charset=utf-8
		return r.construct(&element{
			family: e.family, name: e.name, inner: e.inner, marked: e.marked, base: e.base,
			attrs: append([]attribute{{"type", kind}}, e.attrs...),
		})
	}
	if !r.isAtom(e) {
		return r.looseConstruct(e, kind)
	}
	switch {
	case strings.EqualFold(e.attr("mode"), "base64"), e.name == "content" && isBinary(kind):
		if plain, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(e.text()), "")); err == nil && !isBinary(kind) {
			return text{s: string(plain), as: modeOf(kind), base: e.base}
		}
		return text{}
	case strings.Contains(kind, "xhtml"):
		return text{e.html(e.marked), asHTML, e.base}
	case strings.Contains(kind, "html"):
		return text{unwrapped(e.html(false)), asHTML, e.base}
	}
	return text{s: e.text()}
}

func (r *xmlReader) looseConstruct(e *element, kind string) text {
	if strings.Contains(kind, "html") {
		return text{e.html(strings.Contains(kind, "xhtml") && e.marked), asHTML, e.base}
	}
	s := unwrapped(e.html(false))
	title := e.name == "title" || e.name == "headline"
	if title && !e.marked || kind == "plain" || kind == "text" {
		return text{s, asLoose, e.base}
	}
	return text{s, asHTML, e.base}
}

// unwrapped takes off a CDATA section that was escaped like the text in it: it
// was meant for the document, and shows up in the text.
func unwrapped(s string) string {
	inside, ok := strings.CutPrefix(strings.TrimSpace(s), "<![CDATA[")
	if !ok {
		return s
	}
	if text, ok := strings.CutSuffix(inside, "]]>"); ok {
		return text
	}
	return s
}

func modeOf(kind string) mode {
	if strings.Contains(kind, "html") {
		return asHTML
	}
	return asText
}

// isBinary are types of contents that are no text.
func isBinary(kind string) bool {
	for _, begin := range []string{"image/", "audio/", "video/", "font/"} {
		if strings.HasPrefix(kind, begin) {
			return true
		}
	}
	return strings.HasPrefix(kind, "application/") && !strings.Contains(kind, "xml") && !strings.Contains(kind, "json")
}
