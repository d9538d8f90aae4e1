package feed

import (
	"bytes"
	"mime"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// toUTF8 decodes a document. What the bytes themselves prove comes first: a
// byte order mark, then UTF-8 that holds more than ASCII, which no other
// encoding looks like. Then what is declared: the header, unless it only names
// the default that servers add to everything, then the XML declaration. What
// is left is Windows-1252, of which every byte means something.
func toUTF8(body []byte, contentType string) []byte {
	if enc, bom := byBOM(body); enc != nil {
		return decode(enc, body[bom:])
	}
	if enc := byZeros(body); enc != nil {
		return decode(enc, body)
	}
	plain := utf8.Valid(body)
	ascii := plain && isASCII(body)
	if plain && !ascii {
		return body
	}
	for _, name := range declared(body, contentType) {
		enc, canonical := charset.Lookup(name)
		if enc == nil || canonical == "utf-8" {
			continue
		}
		if strings.HasPrefix(canonical, "utf-16") {
			continue // it has no zero bytes: the declaration survived a conversion
		}
		return decode(enc, body)
	}
	if plain {
		return body
	}
	if mostlyUTF8(body) {
		return bytes.ToValidUTF8(body, []byte("\uFFFD"))
	}
	return decode(charmap.Windows1252, body)
}

func byBOM(b []byte) (encoding.Encoding, int) {
	switch {
	case bytes.HasPrefix(b, []byte{0xef, 0xbb, 0xbf}):
		return unicode.UTF8, 3
	case bytes.HasPrefix(b, []byte{0xff, 0xfe, 0, 0}):
		return utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM), 4
	case bytes.HasPrefix(b, []byte{0, 0, 0xfe, 0xff}):
		return utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM), 4
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), 2
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), 2
	}
	return nil, 0
}

// byZeros knows UTF-16 without a mark by the zero halves of its first two
// characters, which are ASCII in every feed.
func byZeros(b []byte) encoding.Encoding {
	switch {
	case len(b) < 4:
		return nil
	case b[0] == 0 && b[1] != 0 && b[2] == 0 && b[3] != 0:
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	case b[0] != 0 && b[1] == 0 && b[2] != 0 && b[3] == 0:
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	}
	return nil
}

var xmlEncoding = regexp.MustCompile(`^\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._:-]+)["']`)

// declared are the names that header and document give, likelier first.
func declared(body []byte, contentType string) []string {
	var header, document string
	if _, params, err := mime.ParseMediaType(contentType); err == nil {
		header = strings.ToLower(params["charset"])
	}
	if m := xmlEncoding.FindSubmatch(body[:min(len(body), 1024)]); m != nil {
		document = string(m[1])
	}
	switch header {
	case "iso-8859-1", "us-ascii", "windows-1252", "latin1":
		return []string{document, header}
	}
	return []string{header, document}
}

// decode never fails: what an encoding has no character for becomes U+FFFD.
func decode(enc encoding.Encoding, b []byte) []byte {
	out, err := enc.NewDecoder().Bytes(b)
	if err != nil {
		out = append(out, "\uFFFD"...)
	}
	return bytes.ToValidUTF8(out, []byte("\uFFFD"))
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// mostlyUTF8 tells a UTF-8 document with a broken byte, cut in the middle of a
// character say, from one in another encoding.
func mostlyUTF8(b []byte) bool {
	whole, broken := 0, 0
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			broken++
		} else {
			whole++
		}
		i += size
	}
	return whole > broken
}
