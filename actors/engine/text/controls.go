package text

import "strings"

// Windows1252 takes the controls from U+0080 to U+009F for what they are in
// texts: bytes of windows-1252 that somebody took for characters. The five that
// the encoding leaves empty are left out. It returns s itself where there are
// none.
func Windows1252(s string) string {
	if !hasC1(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r >= 0x80 && r <= 0x9f {
			return windows1252[r-0x80]
		}
		return r
	}, s)
}

// hasC1 looks for them in UTF-8: 0xc2 and then 0x80 to 0x9f.
func hasC1(s string) bool {
	for {
		at := strings.IndexByte(s, 0xc2)
		if at < 0 || at+1 == len(s) {
			return false
		}
		if next := s[at+1]; next >= 0x80 && next <= 0x9f {
			return true
		}
		s = s[at+1:]
	}
}

// windows1252 is the encoding's second row; -1 where it has nothing.
var windows1252 = [32]rune{
	'€', -1, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', -1, 'Ž', -1,
	-1, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', -1, 'ž', 'Ÿ',
}
