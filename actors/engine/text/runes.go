package text

import (
	"unicode"
	"unicode/utf8"
)

// What twitter-text calls letters, spaces and so on.

const (
	textSelector  = '\ufe0e'
	emojiSelector = '\ufe0f'
)

// tagSigns may be in a hashtag besides letters, marks and digits: '_', the two
// joiners, and what scripts have in the middle of words.
const tagSigns = "_\u200c\u200d\ua67e\u05be\u05f3\u05f4\uff5e\u301c\u309b\u309c\u30a0\u30fb\u3003\u0f0b\u0f0c\u00b7"

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isNameByte(c byte) bool { return bytesOf[c] == byteWord || c == '_' }

func isPunct(c byte) bool {
	return '!' <= c && c <= '/' || ':' <= c && c <= '@' || '[' <= c && c <= '`' || '{' <= c && c <= '~'
}

func isSpace(r rune) bool {
	return r == ' ' || '\t' <= r && r <= '\r' || r >= 0x85 && (r == 0x180e || unicode.Is(unicode.White_Space, r))
}

func isDirection(r rune) bool {
	switch r {
	case 0x061c, 0x200e, 0x200f:
		return true
	}
	return 0x202a <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069
}

// isLatinAccent: letters of Latin alphabets beyond ASCII, and accents.
func isLatinAccent(r rune) bool {
	switch {
	case r < 0xc0, r > 0x1eff:
		return false
	case r <= 0x24f:
		return r != 0xd7 && r != 0xf7
	case r <= 0x2bb:
		switch r {
		case 0x253, 0x254, 0x256, 0x257, 0x259, 0x25b, 0x263, 0x268, 0x26f, 0x272, 0x289, 0x28b, 0x2bb:
			return true
		}
		return false
	}
	return 0x300 <= r && r <= 0x36f || r >= 0x1e00
}

// closedToMention and closedToRT are what may not come before an '@', and
// before the "RT" that may.
var (
	closedToMention = bytesIn("_!#$%&*@")
	closedToRT      = bytesIn("_+~.-")
)

// bytesIn is the set of ASCII letters, digits and the signs.
func bytesIn(signs string) (t [256]bool) {
	for c := range utf8.RuneSelf {
		t[c] = bytesOf[c] == byteWord
	}
	for _, c := range []byte(signs) {
		t[c] = true
	}
	return t
}

func runeBefore(s string, i int) rune {
	if i == 0 {
		return 0
	}
	if s[i-1] < utf8.RuneSelf {
		return rune(s[i-1])
	}
	r, _ := utf8.DecodeLastRuneInString(s[:i])
	return r
}
