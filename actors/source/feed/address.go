package feed

import (
	"strings"

	nethtml "golang.org/x/net/html"
)

// addressIn is the address that a publisher meant: without the markup, quotes
// and comments around it, once unescaped too often, and the first of several.
// What is one as it is, or is relative to the feed, stays as it is.
func addressIn(s string) string {
	s = withoutComments(strings.TrimSpace(s))
	if inner, ok := within(s, `""`, `''`, `<>`); ok && isAddress(inner) {
		s = inner
	}
	if strings.HasPrefix(s, "<") {
		s = addressInMarkup(s)
	}
	if len(s) > 4 && strings.EqualFold(s[:4], "www.") {
		s = "https://" + s
	}
	if !isAddress(s) {
		return s
	}
	for range 3 { // each program on the way may have escaped it
		s = strings.ReplaceAll(s, "&amp;", "&")
	}
	return firstAddress(s)
}

// withoutComments: a CDATA section has comments that are text to XML.
func withoutComments(s string) string {
	for {
		before, rest, found := strings.Cut(s, "<!--")
		if !found {
			return s
		}
		_, after, ended := strings.Cut(rest, "-->")
		if !ended {
			return s
		}
		s = strings.TrimSpace(before + after)
	}
}

// within takes off one pair of marks that s begins and ends with.
func within(s string, pairs ...string) (string, bool) {
	for _, pair := range pairs {
		if len(s) > 2 && s[0] == pair[0] && s[len(s)-1] == pair[1] {
			return strings.TrimSpace(s[1 : len(s)-1]), true
		}
	}
	return s, false
}

// addressInMarkup is the text of s where that is an address, else what s links
// to, else s.
func addressInMarkup(s string) string {
	var words strings.Builder
	linked := ""
	z := nethtml.NewTokenizer(strings.NewReader(s))
	for {
		switch z.Next() {
		case nethtml.ErrorToken:
			if text := strings.TrimSpace(words.String()); isAddress(text) {
				return text
			}
			return either(linked, s)
		case nethtml.TextToken:
			words.Write(z.Text())
		case nethtml.StartTagToken, nethtml.SelfClosingTagToken:
			for more := linked == ""; more; {
				var key, value []byte
				key, value, more = z.TagAttr()
				if string(key) == "href" {
					linked = strings.TrimSpace(string(value))
				}
			}
		case nethtml.EndTagToken, nethtml.CommentToken, nethtml.DoctypeToken:
		}
	}
}

// firstAddress cuts s before a space that another address follows.
func firstAddress(s string) string {
	for i := range len(s) {
		if s[i] <= ' ' && isAddress(strings.TrimSpace(s[i:])) {
			return s[:i]
		}
	}
	return s
}
