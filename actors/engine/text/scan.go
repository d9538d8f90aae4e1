package text

import "unicode/utf8"

// The rules for what is a tag, a name, a ticker or an address in a text are
// those by which X makes links, published as twitter-text with a conformance
// suite; oracle_test.go says them again, plainly. Differences are in
// DECISIONS.md.
//
// Everything is found in the text as it was written, by looking around each
// sign: before composition and folding, and apart from the tokens, so that places
// are exact.

// scan is how far one text has been looked through. What one kind of entity
// has used up is not looked at again for the same kind: "#a#b" has no second
// tag.
type scan struct {
	tags, names, urls int // where the last of its kind ended, also of one that does not count
	hosts             int // no host begins with a whole label before it, but those that were found
	taken             int // where the last entity ended: none begins before it
}

// Scan is Tokenize without the tokens.
func Scan(s string, b *Buffer) {
	b.reset(s)
	for i := range len(s) {
		if !signBytes[s[i]] {
			continue
		}
		switch bytesOf[s[i]] {
		case byteSign:
			b.sign(s, i)
		case byteDot:
			b.dot(s, i)
		default:
			b.wide(s, i)
		}
	}
}

// signBytes are those at which something is looked for.
var signBytes = func() (t [256]bool) {
	for c := range t {
		t[c] = bytesOf[c] == byteSign || bytesOf[c] == byteDot || c == wideLead
	}
	return t
}()

// wideLead is the first byte of the wide forms of '#' and '@'.
const wideLead = 0xef

// sign looks for an entity around the sign at s[i].
func (b *Buffer) sign(s string, i int) {
	switch s[i] {
	case ':':
		if from := schemeBefore(s, i); from >= 0 {
			b.address(s, from, i+3)
		}
	case '#':
		b.hashtag(s, i, 1)
	case '@':
		b.mention(s, i, 1)
	case '$':
		b.cashtag(s, i)
	}
}

// dot is sign for a '.'.
func (b *Buffer) dot(s string, i int) {
	if i+1 < len(s) && bytesOf[s[i+1]] >= byteBeyond {
		b.bare(s, i)
	}
}

// wide is sign for the wide forms, which begin with the byte at s[i].
func (b *Buffer) wide(s string, i int) {
	switch r, n := runeAt(s, i); r {
	case '＃':
		b.hashtag(s, i, n)
	case '＠':
		b.mention(s, i, n)
	}
}

// entity appends what begins with a sign at s[start:] unless it is inside
// another. Its value begins at s[from:].
func (b *Buffer) entity(kind EntityKind, s string, start, from, end int) {
	if start < b.seen.taken {
		return
	}
	off := len(b.folded)
	switch kind {
	case URL:
		b.folded = append(b.folded, s[from:end]...)
	case Hashtag:
		b.folded = b.appendFold(b.folded, s[from:end])
	default: // ASCII
		b.folded = appendName(b.folded, s[from:end])
	}
	if off == len(b.folded) {
		return // nothing that can be seen
	}
	b.seen.taken = end
	b.Entities = append(b.Entities, Entity{
		Kind: kind, Hash: Hash(view(b.folded[off:])),
		Start: int32(start), End: int32(end), from: int32(from), off: int32(off), end: int32(len(b.folded)),
	})
}

// hashtag: a run of letters, marks, digits and a few signs with at least one
// letter or mark in it, after a sign that no such run comes before.
func (b *Buffer) hashtag(s string, start, n int) {
	if start > 0 {
		r := runeBefore(s, start)
		selector := r == textSelector || r == emojiSelector
		if r == '&' || start == b.seen.tags || isTagRune(r) && !selector {
			return
		}
	}
	from := start + n
	if r, _ := peek(s, from); r == emojiSelector || r == keycapMark {
		return // an emoji
	}
	end, letter := tagRun(s, from)
	if !letter {
		return
	}
	b.seen.tags = end
	switch r, _ := peek(s, end); {
	case r == '#' || r == '＃', r == ':' && isScheme(s, end):
		return
	}
	b.entity(Hashtag, s, start, from, end)
}

// tagRun is where the run of what a hashtag is made of ends, and whether it
// has the letter that makes it one.
func tagRun(s string, i int) (end int, letter bool) {
	for i < len(s) {
		r, n := runeAt(s, i)
		class := classOf(r)
		if class&tagged == 0 {
			break
		}
		letter = letter || class&lettered != 0
		i += n
	}
	return i, letter
}

// TagEnd is where the tag at the beginning of s, which is without its '#',
// ends, and whether it has the letter or mark without which it is none.
func TagEnd(s string) (end int, letter bool) { return tagRun(s, 0) }

func isTagRune(r rune) bool { return classOf(r)&tagged != 0 }

const (
	mentionMax = 20 // longer ones end there, as X has it
	slugMax    = 25 // of a list, its first letter included
	cashtagMax = 6
)

// mention: a sign that is not glued to a word, and up to twenty letters,
// digits and '_' that do not go on as an e-mail address, a word with an accent
// or a scheme would. "@user/list" is a list, and mentions nobody.
func (b *Buffer) mention(s string, start, n int) {
	if !b.opensMention(s, start) {
		return
	}
	from := start + n
	end := from
	for end < len(s) && end-from < mentionMax && isNameByte(s[end]) {
		end++
	}
	if end == from {
		return
	}
	list := false
	if end+1 < len(s) && s[end] == '/' && isLetter(s[end+1]) {
		list = true
		slug := end + 1
		for end = slug + 1; end < len(s) && end-slug < slugMax && (isNameByte(s[end]) || s[end] == '-'); {
			end++
		}
	}
	b.seen.names = end
	switch r, _ := peek(s, end); {
	case r == '@' || r == '＠', isLatinAccent(r), r == ':' && isScheme(s, end):
		return
	}
	if list {
		b.seen.taken = max(b.seen.taken, end)
		return
	}
	b.entity(Mention, s, start, from, end)
}

// opensMention: what comes before is neither a word in ASCII nor one of a few
// signs; or it is the "RT" of a classic retweet.
func (b *Buffer) opensMention(s string, at int) bool {
	switch {
	case at == 0:
		return true
	case at == b.seen.names:
		return false
	}
	c := s[at-1]
	if c >= utf8.RuneSelf {
		return runeBefore(s, at) != '＠'
	}
	if !closedToMention[c] {
		return true
	}
	if c|0x20 != 't' || at-2 < b.seen.names || s[at-2]|0x20 != 'r' {
		return false
	}
	rt := at - 2
	return rt == 0 || rt > b.seen.names && !closedToRT[s[rt-1]]
}

// cashtag: one to six letters after a sign that begins the text or follows a
// space, with one or two more after a '.' or '_', before a space, a
// punctuation mark or the end.
func (b *Buffer) cashtag(s string, start int) {
	if start > 0 {
		if r := runeBefore(s, start); !isSpace(r) && !isDirection(r) {
			return
		}
	}
	from := start + 1
	end := letters(s, from, cashtagMax)
	if end == from {
		return
	}
	if end < len(s) && (s[end] == '.' || s[end] == '_') {
		for sub := letters(s, end+1, 2); sub > end+1; sub-- {
			if endsCashtag(s, sub) {
				b.entity(Cashtag, s, start, from, sub)
				return
			}
		}
	}
	if endsCashtag(s, end) {
		b.entity(Cashtag, s, start, from, end)
	}
}

func endsCashtag(s string, i int) bool {
	r, n := peek(s, i)
	return n == 0 || isSpace(r) || r < utf8.RuneSelf && isPunct(byte(r))
}

// letters is where the run of at most n ASCII letters at s[i:] ends.
func letters(s string, i, n int) int {
	end := i
	for end < len(s) && end-i < n && isLetter(s[end]) {
		end++
	}
	return end
}
