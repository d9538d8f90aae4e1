package feed

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"unicode/utf8"
)

// A document of 15 MiB can ask for gigabytes: millions of empty elements, or
// elements that nest until the parser's stack overflows, which takes the
// process and not only this feed with it. Both are counted before anything is
// parsed. Elements that are opened and never closed, as in raw HTML, count as
// nested, so the bounds are far above what feeds need.
const (
	maxDepth    = 10_000
	maxElements = 200_000
)

var (
	errDepth    = errors.New("elements nest too deep")
	errElements = errors.New("too many elements")
)

var (
	declaration = regexp.MustCompile(`^\s*<\?xml[^>]*\?>`)
	charRef     = regexp.MustCompile(`&#(?:x[0-9A-Fa-f]{1,8}|[0-9]{1,10});`)
)

// cleanXML makes UTF-8 text into what an XML parser takes: without the
// declaration, which may name the encoding it no longer has, and without
// characters that XML 1.0 forbids, be they there or only referred to.
func cleanXML(text []byte) ([]byte, error) {
	text = text[len(declaration.Find(text[:min(len(text), 1024)])):]
	switch most, elements := count(text); {
	case most > maxDepth:
		return nil, fmt.Errorf("%w: more than %d", errDepth, maxDepth)
	case elements > maxElements:
		return nil, fmt.Errorf("%w: more than %d", errElements, maxElements)
	}
	if bytes.IndexFunc(text, forbidden) >= 0 {
		text = bytes.Map(func(r rune) rune {
			if forbidden(r) {
				return -1
			}
			return r
		}, text)
	}
	return charRef.ReplaceAllFunc(text, func(ref []byte) []byte {
		digits, base := string(ref[2:len(ref)-1]), 10
		if digits[0] == 'x' {
			digits, base = digits[1:], 16
		}
		n, err := strconv.ParseUint(digits, base, 32)
		if err != nil || n > utf8.MaxRune || !utf8.ValidRune(rune(n)) || forbidden(rune(n)) {
			return nil
		}
		return ref
	}), nil
}

func forbidden(r rune) bool {
	return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff
}

// count is the most elements that are open at once, and how many there are, by
// their brackets alone.
func count(text []byte) (most, elements int) {
	open := 0
	for i := 0; i < len(text); {
		next := bytes.IndexByte(text[i:], '<')
		if next < 0 || i+next+1 >= len(text) {
			break
		}
		i += next + 1
		switch c := text[i]; {
		case c == '/':
			open--
		case c == '!':
			i += markup(text[i:])
		case c == '?':
		default:
			elements++
			end := bytes.IndexByte(text[i:], '>')
			if end <= 0 || text[i+end-1] != '/' {
				open++
				most = max(most, open)
			}
		}
	}
	return most, elements
}

// markup is the length of a comment or a CDATA section behind its '<': what
// looks like elements in them is none.
func markup(b []byte) int {
	for _, m := range []struct{ begin, end string }{{"!--", "-->"}, {"![CDATA[", "]]>"}} {
		if bytes.HasPrefix(b, []byte(m.begin)) {
			if n := bytes.Index(b, []byte(m.end)); n > 0 {
				return n
			}
			return len(b)
		}
	}
	return 1
}
