package text

// Token is one token of a tokenised string.
type Token struct {
	Hash       uint64 // Hash of the folded token; never 0
	Start, End int32  // bytes of the input it came from; see Buffer
	off, end   int32  // of the folded bytes in Buffer.folded
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
	Start, End int32  // bytes of the input, the sign included
	off, end   int32
	Kind       EntityKind
}

// Buffer receives what Tokenize finds. It is reused: everything in it, and
// every slice that its methods return, is valid until the next Tokenize.
// The zero value is ready. Not for concurrent use.
//
// Spans point into the input. Where a stretch between two spaces is not in
// composed form it is composed first, and the spans in it are the whole
// stretch.
type Buffer struct {
	Tokens   []Token
	Entities []Entity
	folded   []byte
	composed []byte // a stretch in composed form
}

// Text is the folded token.
func (b *Buffer) Text(t Token) []byte { return b.folded[t.off:t.end] }

// EntityText is the folded entity without its sign; a URL as written.
func (b *Buffer) EntityText(e Entity) []byte { return b.folded[e.off:e.end] }

func (b *Buffer) reset() {
	b.Tokens, b.Entities, b.folded = b.Tokens[:0], b.Entities[:0], b.folded[:0]
}
