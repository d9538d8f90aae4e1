package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The rules for what is a tag, a user or a ticker inside a text are those that
// the clients of X use to make links of them.
const (
	mentionMax = 50 // longer runs are not user names on any network we know
	cashtagMax = 6
)

// sign looks at the sign at c[i:], appends the entity that begins (or, for
// "://", began before) there, and returns where a URL ends, before which no
// other entity begins: urlEnd where there is none.
func (b *Buffer) sign(c string, i, urlEnd, base, whole int) int {
	r, n := runeAt(c, i)
	switch r {
	case ':':
		if from := schemeBefore(c, i); from >= 0 && strings.HasPrefix(c[i:], "://") {
			return b.url(c, from, i+3, base, whole)
		}
	case '#', '＃':
		b.hashtag(c, i, n, base, whole)
	case '@', '＠':
		b.mention(c, i, n, base, whole)
	case '$', '＄':
		b.cashtag(c, i, n, base, whole)
	}
	return urlEnd
}

func (b *Buffer) entity(kind EntityKind, off, start, end, base, whole int) {
	e := Entity{
		Kind: kind, Hash: Hash(view(b.folded[off:])), off: int32(off), end: int32(len(b.folded)),
		Start: int32(base + start), End: int32(base + end),
	}
	if whole != exactly {
		e.Start, e.End = int32(base), int32(whole)
	}
	b.Entities = append(b.Entities, e)
}

func (b *Buffer) hashtag(c string, i, n, base, whole int) {
	if r := runeBefore(c, i); r == '&' || isTagRune(r) {
		return
	}
	off, start, letter := len(b.folded), i, false
	for i += n; i < len(c); {
		r, n := runeAt(c, i)
		class := classOf(r)
		if !isTagRune(r) && class&classMask != classDrop || keycap(c, i) > 0 {
			break
		}
		if class&classMask != classDrop {
			letter = letter || !unicode.IsDigit(r) && r != '_'
			b.folded = appendRune(b.folded, c[i:i+n], r, class)
		}
		i += n
	}
	if !letter {
		b.folded = b.folded[:off]
		return
	}
	b.entity(Hashtag, off, start, i, base, whole)
}

// tagSigns may stand inside a hashtag beside letters, marks and digits.
const tagSigns = "_·・゠־׳״～〜゛゜〃་༌ꙿ"

func isTagRune(r rune) bool {
	if r < utf8.RuneSelf {
		return r > 0 && bytesOf[r] == byteWord || r == '_'
	}
	switch classOf(r) & classMask {
	case classWord, classMark, classSingle:
		return true
	}
	return strings.ContainsRune(tagSigns, r)
}

// IsTagRune says whether r may stand in a hashtag.
func IsTagRune(r rune) bool { return isTagRune(r) }

func (b *Buffer) mention(c string, i, n, base, whole int) {
	switch r := runeBefore(c, i); {
	case r >= utf8.RuneSelf && isTagRune(r), r > 0 && r < utf8.RuneSelf && bytesOf[r] == byteWord,
		r > 0 && strings.ContainsRune("_!#$%&*@＠", r):
		return
	}
	start := i
	i += n
	off := len(b.folded)
	for i < len(c) && (bytesOf[c[i]] == byteWord || c[i] == '_') {
		b.folded = append(b.folded, lowerByte(c[i]))
		i++
	}
	size := len(b.folded) - off
	if next, _ := peek(c, i); size == 0 || size > mentionMax || next == '@' || next == '＠' ||
		next >= utf8.RuneSelf && unicode.Is(unicode.Latin, next) || strings.HasPrefix(c[i:], "://") {
		b.folded = b.folded[:off]
		return
	}
	b.entity(Mention, off, start, i, base, whole)
}

func (b *Buffer) cashtag(c string, i, n, base, whole int) {
	if r := runeBefore(c, i); r == '$' || isTagRune(r) {
		return
	}
	start := i
	i += n
	end := letters(c, i, cashtagMax)
	if end == i {
		return
	}
	if end < len(c) && (c[end] == '.' || c[end] == '_') {
		if sub := letters(c, end+1, 2); sub > end+1 && !wordAt(c, sub) {
			end = sub
		}
	}
	if wordAt(c, end) {
		return
	}
	off := len(b.folded)
	for _, k := range []byte(c[i:end]) {
		b.folded = append(b.folded, lowerByte(k))
	}
	b.entity(Cashtag, off, start, end, base, whole)
}

// letters is where the run of at most n ASCII letters at c[i:] ends.
func letters(c string, i, n int) int {
	end := i
	for end < len(c) && end-i < n && ('a' <= c[end]|0x20 && c[end]|0x20 <= 'z') {
		end++
	}
	return end
}

func wordAt(c string, i int) bool {
	r, _ := peek(c, i)
	return r == '$' || isTagRune(r)
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

func runeBefore(c string, i int) rune {
	if i == 0 {
		return 0
	}
	if c[i-1] < utf8.RuneSelf {
		return rune(c[i-1])
	}
	r, _ := utf8.DecodeLastRuneInString(c[:i])
	return r
}
