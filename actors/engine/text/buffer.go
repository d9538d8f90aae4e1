package text

import "strings"

// Token is one token of a tokenised string.
type Token struct {
	Hash       uint64 // Hash of the folded token; never 0
	Start, End int32  // bytes of the input it came from; see Buffer
	off, end   int32  // of the folded bytes in Buffer.folded; 0, 0: the input's, lower-cased
}

// EntityKind says what an Entity is.
type EntityKind uint8

// What is found in a text besides words.
const (
	Hashtag EntityKind = iota // without '#'
	Mention                   // without '@'
	Cashtag                   // without '$'
	URL                       // as written; not folded
)

// Entity is a tag, a user, a ticker or an address written in a text. Its words
// are among the tokens as well.
type Entity struct {
	Hash       uint64 // Hash of the folded entity without its sign; of a URL as written
	Start, End int32  // bytes of the input, the sign included; in order, none overlaps another
	from       int32  // where it begins without its sign
	off, end   int32  // of its text in Buffer.folded
	Kind       EntityKind
}

// Value is the entity as it is written in s, the text it was found in, without
// its sign.
func (e Entity) Value(s string) string { return s[e.from:e.End] }

// Buffer receives what Tokenize finds. It is reused: everything in it is valid
// until the next Tokenize. The zero value is ready. Not for concurrent use.
//
// Spans point into the input. Where a stretch between two spaces is not in
// composed form it is composed first, and the span of every token in it is the
// whole stretch. Entities always have their own.
type Buffer struct {
	Tokens   []Token
	Entities []Entity
	seen     scan
	input    string
	folded   []byte
	composed []byte // a stretch in composed form
	composer composer
	value    []byte // for HashFold
}

// Text is the folded token. It allocates where the input is not folded.
func (b *Buffer) Text(t Token) string {
	if t.end == 0 {
		return strings.ToLower(b.input[t.Start:t.End])
	}
	return string(b.folded[t.off:t.end])
}

// EntityText is the folded entity without its sign; a URL as written. It allocates.
func (b *Buffer) EntityText(e Entity) string { return string(b.folded[e.off:e.end]) }

func (b *Buffer) reset(s string) {
	b.Tokens, b.Entities, b.folded, b.input, b.seen = b.Tokens[:0], b.Entities[:0], b.folded[:0], s, scan{}
}
