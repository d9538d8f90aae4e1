package feed

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// maxDecoded bounds a document in UTF-8: two bytes for one are usual, three are
// possible.
const maxDecoded = 32 << 20

// toUTF8 decodes a document. What the bytes themselves prove comes first: a
// byte order mark that what follows agrees with, then UTF-8 that holds more
// than ASCII, which no other encoding looks like. Then what is declared: the
// header, unless it only names the default that servers add to everything, then
// the XML declaration, wherever it is. What is left is Windows-1252, of
// which every byte means something.
func toUTF8(body, contentType string) (string, error) {
	if enc, bom := byBOM(body); enc != nil {
		return decode(enc, body[bom:])
	}
	if enc := byZeros(body); enc != nil {
		return decode(enc, body)
	}
	body, marked := withoutBOM(body)
	plain := utf8.ValidString(body)
	if plain && !isASCII(body) {
		return body, nil
	}
	whole, broken := countUTF8(body)
	if !plain && (marked && whole > broken || whole > 20*broken) {
		return strings.ToValidUTF8(body, "\uFFFD"), nil // a broken byte in a document of many characters
	}
	for _, name := range declared(body, contentType) {
		enc, canonical := charset.Lookup(label(name))
		if enc == nil || canonical == "utf-8" || canonical == "replacement" { // the last is of names that browsers read nothing of
			continue
		}
		if strings.HasPrefix(canonical, "utf-16") {
			continue // it has no zero bytes: the declaration survived a conversion
		}
		return decode(enc, body)
	}
	switch {
	case plain:
		return body, nil
	case whole > broken:
		return strings.ToValidUTF8(body, "\uFFFD"), nil
	}
	return decode(charmap.Windows1252, body)
}

// byBOM knows UTF-16 and UTF-32 by their marks. A mark that what follows does
// not agree with was put there by an editor: markup has a zero byte in each of
// its characters then.
func byBOM(b string) (encoding.Encoding, int) {
	zeros := strings.IndexByte(b[:min(len(b), 64)], 0) >= 0
	switch {
	case !zeros:
		return nil, 0
	case strings.HasPrefix(b, "\xff\xfe\x00\x00"):
		return utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM), 4
	case strings.HasPrefix(b, "\x00\x00\xfe\xff"):
		return utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM), 4
	case strings.HasPrefix(b, "\xff\xfe"):
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), 2
	case strings.HasPrefix(b, "\xfe\xff"):
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), 2
	}
	return nil, 0
}

// withoutBOM drops marks of any kind, and the spaces that servers put before
// them. marked says that one was UTF-8's.
func withoutBOM(b string) (rest string, marked bool) {
	for {
		trimmed := strings.TrimLeft(b, " \t\r\n")
		found := false
		for _, mark := range []string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"} {
			if strings.HasPrefix(trimmed, mark) {
				b, found, marked = trimmed[len(mark):], true, marked || len(mark) == 3
			}
		}
		if !found {
			return b, marked
		}
	}
}

// byZeros knows UTF-16 without a mark by the zero halves of its first two
// characters, which are ASCII in every feed.
func byZeros(b string) encoding.Encoding {
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

// labels are names that programs write and that the list which browsers know
// does not have.
var labels = map[string]string{
	"cp932": "shift_jis", "windows932": "shift_jis", "cp936": "gbk", "windows936": "gbk", "euccn": "gb2312", "cp949": "euc-kr", "windows949": "euc-kr",
	"cp950": "big5", "big5hkscs": "big5", "eucjpms": "euc-jp", "cp51932": "euc-jp", "latin9": "iso-8859-15", "macroman": "macintosh", "cp65001": "utf-8",
	"ms932": "shift_jis", "shiftjis": "shift_jis", "ms936": "gbk", "ms949": "euc-kr", "euckr": "euc-kr", "ms950": "big5", "eucjp": "euc-jp", "tis620": "windows-874", "koi8r": "koi8-r", "koi8u": "koi8-u",
}

var (
	labelMarks = strings.NewReplacer("-", "", "_", "", " ", "", ".", "")
	labelParts = regexp.MustCompile(`^(?:x|ms|win|windows|cp|ibm)?(125\d|866|874)$|^iso8859(\d{1,2})$|^latin([1-6])$`)
)

// label is the name that browsers know for one that is nearly it: CP1251,
// win-1251, ISO8859_5, latin-1.
func label(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	if enc, _ := charset.Lookup(name); enc != nil {
		return name
	}
	bare := labelMarks.Replace(name)
	if known, ok := labels[bare]; ok {
		return known
	}
	if m := labelParts.FindStringSubmatch(bare); m != nil {
		switch {
		case m[1] == "866":
			return "ibm866"
		case m[1] != "":
			return "windows-" + m[1]
		case m[2] != "":
			return "iso-8859-" + m[2]
		}
		return "latin" + m[3]
	}
	return bare
}

var (
	xmlEncoding    = regexp.MustCompile(`(?i)^<\?xml[^>]*?\sencoding\s*=\s*["']?\s*([A-Za-z0-9._:-]+)`)
	xmlDeclaration = regexp.MustCompile(`(?i)<\?xml\s`)
	headerCharset  = regexp.MustCompile(`(?i);\s*charset\s*=\s*["']?\s*([A-Za-z0-9._:-]+)`)
)

// declared are the names that header and document give, likelier first.
func declared(body, contentType string) []string {
	var header, document string
	if m := headerCharset.FindStringSubmatch(contentType); m != nil { // many are written as no parser takes them
		header = strings.ToLower(m[1])
	}
	for rest := declaration(body[:min(len(body), 8<<10)]); rest != "" && document == ""; rest = declaration(rest[1:]) {
		if m := xmlEncoding.FindStringSubmatch(rest); m != nil { // a server may have put one without before the feed's own
			document = m[1]
		}
	}
	switch header {
	case "iso-8859-1", "us-ascii", "windows-1252", "latin1":
		return []string{document, header}
	}
	return []string{header, document}
}

// declaration begins with the first "<?xml " that is in no comment: a server's
// warnings and blank lines may come before it.
func declaration(b string) string {
	for {
		found := xmlDeclaration.FindStringIndex(b)
		if found == nil {
			return ""
		}
		at := found[0]
		comment := strings.Index(b[:at], "<!--")
		if comment < 0 {
			return b[at:]
		}
		end := strings.Index(b[comment:], "-->")
		if end < 0 {
			return ""
		}
		b = b[comment+end:]
	}
}

// decode never fails for what is in b: what an encoding has no character for
// becomes U+FFFD.
func decode(enc encoding.Encoding, b string) (string, error) {
	var out strings.Builder
	out.Grow(min(len(b)*5/4, maxDecoded))
	n, err := io.Copy(&out, io.LimitReader(enc.NewDecoder().Reader(strings.NewReader(b)), maxDecoded+1))
	if n > maxDecoded {
		return "", fmt.Errorf("%w: more than %d bytes in UTF-8", errTooLarge, maxDecoded)
	}
	if err != nil {
		out.WriteString("\uFFFD")
	}
	return strings.ToValidUTF8(out.String(), "\uFFFD"), nil
}

func isASCII(b string) bool {
	for i := range len(b) {
		if b[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// countUTF8 counts the characters beyond ASCII, and the bytes that are part of
// none. It tells a UTF-8 document with a broken byte, cut in the middle of a
// character say, from one in another encoding.
func countUTF8(b string) (whole, broken int) {
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(b[i:])
		if r == utf8.RuneError && size == 1 {
			broken++
		} else {
			whole++
		}
		i += size
	}
	return whole, broken
}
