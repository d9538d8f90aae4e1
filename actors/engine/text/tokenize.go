package text

import (
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// What the fast path does with a byte. Bytes of words are their own class.
const (
	byteBreak  = 0
	byteSign   = 1 // '#', '@', '$' may begin an entity, ':' shows that one began
	byteDot    = 2 // so does '.', if what follows is no end of a sentence
	byteBeyond = 3 // not ASCII
	byteWord   = 4
)

var bytesOf = func() (t [256]uint8) {
	for i := range t {
		c := byte(i)
		switch {
		case c >= utf8.RuneSelf:
			t[i] = byteBeyond
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
			t[i] = byteWord
		case c == '#', c == '@', c == '$', c == ':':
			t[i] = byteSign
		case c == '.':
			t[i] = byteDot
		}
	}
	return t
}()

// Tokenize replaces the buffer's content with the tokens and entities of s. It
// allocates only while the buffer grows; composing what is not composed costs
// three small allocations a stretch, in golang.org/x/text.
//
// ASCII is walked by bytes. A stretch between two ASCII spaces that holds
// anything else is walked again by runes, from its beginning: a mark changes
// what comes before it. Composition never reaches over a space. Entities are
// found on the way, at their signs (see scan.go).
func Tokenize(s string, b *Buffer) {
	b.reset(s)
	for i := 0; i < len(s); {
		switch bytesOf[s[i]] {
		case byteWord:
			start := i
			for i++; i < len(s) && bytesOf[s[i]] == byteWord; i++ {
			}
			if i < len(s) && bytesOf[s[i]] == byteBeyond {
				i = b.stretch(s, i)
				continue
			}
			b.Tokens = append(b.Tokens, Token{Hash: hash(s[start:i], lower), Start: int32(start), End: int32(i)})
		case byteSign:
			b.sign(s, i)
			i++
		case byteDot:
			if i++; i < len(s) && bytesOf[s[i]] >= byteBeyond {
				b.bare(s, i-1)
			}
		case byteBeyond:
			i = b.stretch(s, i)
		default:
			i++
		}
	}
}

// stretch tokenises, by runes, what is between the ASCII spaces around s[at],
// and returns where it ends. Signs before s[at] were looked at already.
func (b *Buffer) stretch(s string, at int) int {
	from := at
	for from > 0 && s[from-1] > ' ' {
		from--
	}
	for n := len(b.Tokens); n > 0 && int(b.Tokens[n-1].Start) >= from; n-- {
		b.Tokens = b.Tokens[:n-1]
	}
	to, seen := at, uint8(0)
	for to < len(s) && s[to] > ' ' {
		if c := s[to]; c < utf8.RuneSelf {
			switch bytesOf[c] {
			case byteSign:
				b.sign(s, to)
			case byteDot:
				b.dot(s, to)
			}
			to++
			continue
		} else if c == wideLead {
			b.wide(s, to)
		}
		r, n := runeAt(s, to)
		class := classOf(r)
		if class&classMask == classDrop || r == utf8.RuneError {
			class |= cased // it may go from between a letter and its mark, or is a byte that a quick span steps over
		}
		seen |= class
		to += n
	}
	if seen&unsettled == 0 || seen&cased == 0 && norm.NFC.QuickSpanString(s[from:to]) == to-from {
		b.runes(s[from:to], from, exactly)
		return to
	}
	b.composed = b.composer.compose(b.composed[:0], s[from:to], false)
	b.runes(view(b.composed), from, to)
	return to
}

// exactly says that spans in a stretch are those of its runes. Any other value
// of whole is where the stretch ends: then every span is the stretch.
const exactly = -1

// runes tokenises a stretch that is in composed form. base is where it begins
// in the input.
func (b *Buffer) runes(c string, base, whole int) {
	for i := 0; i < len(c); {
		r, n := runeAt(c, i)
		switch classOf(r) & classMask {
		case classBreak:
			if end := keycap(c, i); end > 0 {
				i = b.keycap(c, i, end, base, whole)
				continue
			}
			i += n
		case classWord, classMark:
			if end := keycap(c, i); end > 0 {
				i = b.keycap(c, i, end, base, whole)
				continue
			}
			i = b.word(c, i, base, whole)
		case classSingle:
			i = b.single(c, i, base, whole)
		case classEmoji, classModifier, classRegional:
			i = b.emoji(c, i, base, whole)
		default:
			i += n
		}
	}
}

// word appends the word at c[i:] and returns where it ends. What stays as it
// is goes over in one piece.
func (b *Buffer) word(c string, i, base, whole int) int {
	start, off, from := i, len(b.folded), i
	for i < len(c) {
		r, n := runeAt(c, i)
		class := classOf(r)
		if k := class & classMask; k == classWord || k == classMark {
			if c[i] <= '9' && i > start && keycap(c, i) > 0 {
				break
			}
			if class&cased != 0 {
				b.folded = append(b.folded, c[from:i]...)
				b.folded = utf8.AppendRune(b.folded, foldOf(r))
				from = i + n
			}
		} else if k == classDrop {
			b.folded = append(b.folded, c[from:i]...)
			from = i + n
		} else {
			break
		}
		i += n
	}
	b.folded = append(b.folded, c[min(from, i):i]...)
	b.token(off, start, i, base, whole)
	return i
}

// single appends one Han or kana character with its marks.
func (b *Buffer) single(c string, i, base, whole int) int {
	start, off := i, len(b.folded)
	for i < len(c) {
		r, n := runeAt(c, i)
		class := classOf(r)
		if k := class & classMask; i > start && k != classMark && k != classDrop {
			break
		} else if k != classDrop {
			b.folded = appendRune(b.folded, c[i:i+n], r, class)
		}
		i += n
	}
	b.token(off, start, i, base, whole)
	return i
}

// token appends what was folded since off as a token.
func (b *Buffer) token(off, start, end, base, whole int) {
	if off == len(b.folded) {
		return
	}
	t := Token{
		Hash: Hash(view(b.folded[off:])), off: int32(off), end: int32(len(b.folded)),
		Start: int32(base + start), End: int32(base + end),
	}
	if whole != exactly {
		t.Start, t.End = int32(base), int32(whole)
	}
	b.Tokens = append(b.Tokens, t)
}

// runeAt decodes the rune at c[i:], the shorter ones in place.
func runeAt(c string, i int) (rune, int) {
	b := c[i]
	if b < utf8.RuneSelf {
		return rune(b), 1
	}
	if b >= 0xc2 && b < 0xe0 && i+1 < len(c) && c[i+1]&0xc0 == 0x80 {
		return rune(b&0x1f)<<6 | rune(c[i+1]&0x3f), 2
	}
	if b > 0xe0 && b < 0xed && i+2 < len(c) && c[i+1]&0xc0 == 0x80 && c[i+2]&0xc0 == 0x80 {
		return rune(b&0x0f)<<12 | rune(c[i+1]&0x3f)<<6 | rune(c[i+2]&0x3f), 3
	}
	return utf8.DecodeRuneInString(c[i:])
}
