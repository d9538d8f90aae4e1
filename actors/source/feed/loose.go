package feed

import (
	"strings"

	"github.com/birdwire/birdwire/actors/source/feed/markup"
)

// loose reads a title of RSS, which may be text or markup; nothing says which.
// It is markup where it has an element of HTML that is closed again, and only
// those are taken off: "The <b> tag" and "Vec<T>" are text, "<b>Now</b>" is not.
// References are resolved in both, as readers do: half of all feeds escape twice.
func loose(s string) string {
	if !strings.Contains(s, "<") {
		return markup.Unescape(s)
	}
	s = clip(s, maxLoose)
	last := strings.LastIndexByte(s, '>')
	lower := strings.ToLower(s)
	if len(lower) != len(s) { // a letter whose small form is longer: places would differ
		lower = s
	}
	closed := map[string]bool{}
	var b strings.Builder
	found := false
	for i := 0; i < len(s); i++ {
		if s[i] != '<' {
			b.WriteByte(s[i])
			continue
		}
		if i > last || !isMarkup(lower, i, closed) {
			b.WriteString("&lt;")
			continue
		}
		found = true
		b.WriteByte('<')
	}
	if !found {
		return markup.Unescape(s)
	}
	return readHTML(b.String()).text
}

// maxLoose of a text that is no description is read, in bytes.
const maxLoose = 16 << 10

// isMarkup says whether the '<' at s[i] begins an element that is closed, or
// the end of one.
func isMarkup(s string, i int, closed map[string]bool) bool {
	rest := strings.TrimPrefix(s[i+1:], "/")
	end := strings.IndexFunc(rest, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	if end <= 0 || !strings.ContainsRune(" \t\n\r/>", rune(rest[end])) {
		return false
	}
	name := rest[:end]
	switch name {
	case "br", "hr", "img", "wbr":
		return true
	}
	if !htmlNames[name] {
		return false
	}
	is, seen := closed[name]
	if !seen {
		is = strings.Contains(s, "</"+name+">") && (strings.Contains(s, "<"+name+">") || strings.Contains(s, "<"+name+" "))
		closed[name] = is
	}
	return is
}

// htmlNames are elements that titles are written with.
var htmlNames = func() map[string]bool {
	all := map[string]bool{}
	for name := range strings.FieldsSeq(`a abbr acronym b bdi bdo big blockquote center cite code del dfn div em font h1 h2 h3 h4 h5 h6 i ins kbd
		li mark ol p pre q rp rt ruby s samp script small span strike strong style sub sup table tbody td th time tr tt u ul var`) {
		all[name] = true
	}
	return all
}()

// personOf is the name in what RSS has for an author: an address with a name in
// brackets, or the other way round. What is neither stays as it is.
func personOf(s string) string {
	s = strings.TrimSpace(s)
	outside, inside, ok := cutBrackets(s, '(', ')')
	if !ok {
		outside, inside, ok = cutBrackets(s, '<', '>')
	}
	switch {
	case !ok:
		return s
	case isMail(outside) && inside != "":
		return inside
	case isMail(inside) && outside != "":
		return outside
	}
	return s
}

// cutBrackets takes apart "outside (inside)".
func cutBrackets(s string, open, shut byte) (outside, inside string, ok bool) {
	at := strings.IndexByte(s, open)
	if at < 0 || s[len(s)-1] != shut {
		return "", "", false
	}
	return strings.TrimSpace(s[:at]), strings.TrimSpace(s[at+1 : len(s)-1]), true
}

func isMail(s string) bool {
	name, host, ok := strings.Cut(s, "@")
	return ok && name != "" && host != "" && !strings.ContainsAny(s, " \t\n")
}
