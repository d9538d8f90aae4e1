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
	// maxBindings is the sum, over all elements, of the namespaces in scope: the
	// parser copies them for each.
	maxBindings = 10_000_000
)

var (
	errDepth    = errors.New("elements nest too deep")
	errElements = errors.New("too many elements")
	errBindings = errors.New("too many namespaces")
)

var (
	declaration = regexp.MustCompile(`^\s*<\?xml[^>]*\?>`)
	charRef     = regexp.MustCompile(`^&#(?:x[0-9A-Fa-f]{1,8}|[0-9]{1,10});`)
)

// cleanXML makes UTF-8 text into what an XML parser takes: without the
// declaration, which may name the encoding it no longer has, and without
// characters that XML 1.0 forbids, be they there or only referred to.
func cleanXML(text []byte) ([]byte, error) {
	text = text[len(declaration.Find(text[:min(len(text), 1024)])):]
	if err := affordable(text); err != nil {
		return nil, err
	}
	if bytes.IndexFunc(text, forbidden) >= 0 {
		text = bytes.Map(func(r rune) rune {
			if forbidden(r) {
				return -1
			}
			return r
		}, text)
	}
	return cleanRefs(text), nil
}

// cleanRefs drops references to characters that may not be there. It looks for
// them by hand: a regular expression over 15 MiB takes a second.
func cleanRefs(text []byte) []byte {
	var out []byte
	for {
		at := bytes.Index(text, []byte("&#"))
		if at < 0 {
			break
		}
		end := at + 2
		if ref := charRef.Find(text[at:min(at+16, len(text))]); ref != nil {
			end = at + len(ref)
			if !permitted(string(ref[2 : len(ref)-1])) {
				out = append(out, text[:at]...)
				text = text[end:]
				continue
			}
		}
		out = append(out, text[:end]...)
		text = text[end:]
	}
	if out == nil {
		return text
	}
	return append(out, text...)
}

// permitted says whether a reference, as in &#65; or &#x41;, is of a character
// that XML has.
func permitted(digits string) bool {
	base := 10
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	return err == nil && n <= utf8.MaxRune && utf8.ValidRune(rune(n)) && !forbidden(rune(n))
}

func forbidden(r rune) bool {
	return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff
}

// affordable counts by the brackets alone, as names may not match: how many
// elements there are, how many are open at once, and what their namespaces cost.
func affordable(text []byte) error {
	elements, bindings, inScope := 0, 0, 0
	var open []int // the namespaces that each open element declares
	for i := 0; i < len(text); {
		next := bytes.IndexByte(text[i:], '<')
		if next < 0 || i+next+1 >= len(text) {
			break
		}
		i += next + 1
		switch text[i] {
		case '/':
			if n := len(open); n > 0 {
				inScope -= open[n-1]
				open = open[:n-1]
			}
		case '!':
			i += markup(text[i:])
		case '?':
		default:
			end := max(0, bytes.IndexByte(text[i:], '>'))
			tag := text[i : i+end]
			declared := bytes.Count(tag, []byte("xmlns"))
			elements++
			bindings += inScope + declared
			if !bytes.HasSuffix(tag, []byte("/")) {
				open = append(open, declared)
				inScope += declared
			}
		}
		switch {
		case len(open) > maxDepth:
			return fmt.Errorf("%w: more than %d", errDepth, maxDepth)
		case elements > maxElements:
			return fmt.Errorf("%w: more than %d", errElements, maxElements)
		case bindings > maxBindings:
			return fmt.Errorf("%w: declared %d times over", errBindings, bindings)
		}
	}
	return nil
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
