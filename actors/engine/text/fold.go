package text

import (
	"strings"
	"unicode/utf8"
	"unsafe"

	"golang.org/x/text/unicode/norm"
)

// Fold is s as values are compared: composed (NFC), without case (Unicode
// simple case folding) and without invisible characters. Diacritics stay.
// Fold(Fold(s)) is Fold(s). It returns s itself where nothing changes.
func Fold(s string) string {
	upper := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf {
			return string(AppendFold(nil, s))
		}
		upper = upper || 'A' <= c && c <= 'Z'
	}
	if !upper {
		return s
	}
	return string(AppendFold(nil, s))
}

// AppendFold appends Fold(s) to dst.
func AppendFold(dst []byte, s string) []byte {
	var c composer
	return c.appendFold(dst, s)
}

func (b *Buffer) appendFold(dst []byte, s string) []byte { return b.composer.appendFold(dst, s) }

func (p *composer) appendFold(dst []byte, s string) []byte {
	from, settled := len(dst), true
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if 'A' <= c && c <= 'Z' {
				c |= 0x20
			}
			dst = append(dst, c)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		class := classOf(r)
		settled = settled && class&unsettled == 0
		if class&classMask != classDrop {
			dst = appendRune(dst, s[i:i+n], r, class)
		}
		i += n
	}
	if settled {
		return dst
	}
	return p.compose(dst[:from], s, true)
}

// appendRune appends r folded; a byte that is no UTF-8 becomes U+FFFD, so that
// two of them never join to something else.
func appendRune(dst []byte, as string, r rune, class uint8) []byte {
	if class&cased != 0 || r == utf8.RuneError {
		return utf8.AppendRune(dst, foldOf(r))
	}
	return append(dst, as...)
}

// composer holds what composing a stretch needs in passing, to be reused.
type composer struct{ kept, settled, folded []byte }

// compose appends s in the form that tokens are cut from: without what is
// dropped, composed, folded, and composed once more, since a capital may have
// no composed form where its small letter has (J̌, ǰ). Only text with marks
// that are not composed comes here.
//
// A joiner or a tag after an emoji stays unless all is true.
func (p *composer) compose(dst []byte, s string, all bool) []byte {
	p.kept, p.folded = p.kept[:0], p.folded[:0]
	var before uint8
	for i := 0; i < len(s); {
		r, n := runeAt(s, i)
		class := classOf(r) & classMask
		tag := r >= tagFirst && r <= tagLast
		joins := !all && (r == zwj || tag) && (before == classEmoji || before == classModifier)
		if class != classDrop || joins {
			p.kept = utf8.AppendRune(p.kept, r)
		}
		if class != classDrop || r == zwj {
			before = class
		}
		i += n
	}
	p.settled = norm.NFC.Append(p.settled[:0], p.kept...)
	for c := view(p.settled); len(c) > 0; {
		r, n := runeAt(c, 0)
		p.folded = appendRune(p.folded, c[:n], r, classOf(r))
		c = c[n:]
	}
	// Not onto dst at once: a mark that s begins with would join what dst ends with.
	p.settled = norm.NFC.Append(p.settled[:0], p.folded...)
	return append(dst, p.settled...)
}

// view is b as a string, for as long as b does not change.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// HashFold is Hash(Fold(s)) without the string, in the buffer's own room. What
// Tokenize found stays.
func (b *Buffer) HashFold(s string) uint64 {
	b.value = b.appendFold(b.value[:0], s)
	return Hash(view(b.value))
}

// FoldName is a username as it is compared: without the case of ASCII, the only
// letters that names on X are made of. What looks like one of them elsewhere,
// such as İ, ſ or the Kelvin sign, is another letter and another user.
func FoldName(s string) string {
	for i := range len(s) {
		if c := s[i]; 'A' <= c && c <= 'Z' {
			return string(appendName(nil, s))
		}
	}
	return s
}

// Upper is s with the small letters of ASCII as capitals, as codes and tickers
// are written. Others stay: the capital of a dotless i is an I, and another
// code.
func Upper(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, s)
}

func appendName(dst []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}

// HashName is Hash(FoldName(s)) without the string, in the buffer's own room.
// What Tokenize found stays.
func (b *Buffer) HashName(s string) uint64 {
	b.value = appendName(b.value[:0], s)
	return Hash(view(b.value))
}
