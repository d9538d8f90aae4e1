package text

import "unicode/utf8"

// emoji appends the emoji at c[i:] as one token and returns where it ends: a
// base with its skin tone and tags, joined to others, or a flag of two letters.
// Variation selectors are dropped.
func (b *Buffer) emoji(c string, i, base, whole int) int {
	start, off := i, len(b.folded)
	r, n := runeAt(c, i)
	b.folded = append(b.folded, c[i:i+n]...)
	i += n
	if classOf(r)&classMask == classRegional {
		if next, n := peek(c, i); classOf(next)&classMask == classRegional {
			b.folded = append(b.folded, c[i:i+n]...)
			i += n
		}
		b.token(off, start, i, base, whole)
		return i
	}
	for i < len(c) {
		r, n := runeAt(c, i)
		class := classOf(r) & classMask
		switch {
		case class == classModifier, r >= tagFirst && r <= tagLast:
			b.folded = append(b.folded, c[i:i+n]...)
		case r == zwj:
			at := i + n
			for at < len(c) && isSelector(c, at) {
				at += 3
			}
			next, m := peek(c, at)
			if k := classOf(next) & classMask; k != classEmoji && k != classModifier {
				b.token(off, start, i, base, whole)
				return i
			}
			b.folded = append(append(b.folded, c[i:i+n]...), c[at:at+m]...)
			i = at + m
			continue
		case isSelector(c, i):
		default:
			b.token(off, start, i, base, whole)
			return i
		}
		i += n
	}
	b.token(off, start, i, base, whole)
	return i
}

// keycap says where the keycap at c[i:] ends: a digit, '#' or '*', what is
// dropped (a variation selector, as a rule), and the combining key. 0: there
// is none.
func keycap(c string, i int) int {
	if k := c[i]; k != '#' && k != '*' && (k < '0' || k > '9') {
		return 0
	}
	i++
	for i < len(c) && c[i] >= utf8.RuneSelf {
		r, n := runeAt(c, i)
		if r == keycapMark {
			return i + n
		}
		if classOf(r)&classMask != classDrop {
			break
		}
		i += n
	}
	return 0
}

func (b *Buffer) keycap(c string, i, end, base, whole int) int {
	off := len(b.folded)
	b.folded = append(b.folded, c[i])
	b.folded = append(b.folded, c[end-3:end]...)
	b.token(off, i, end, base, whole)
	return end
}

// isSelector says whether one of the sixteen variation selectors is at
// c[i:]; they take three bytes.
func isSelector(c string, i int) bool {
	return i+2 < len(c) && c[i] == 0xef && c[i+1] == 0xb8 && c[i+2] >= 0x80 && c[i+2] <= 0x8f
}

// peek is the rune at c[i:]; 0, 0 at the end.
func peek(c string, i int) (rune, int) {
	if i >= len(c) {
		return 0, 0
	}
	return runeAt(c, i)
}
