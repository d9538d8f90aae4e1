// Package markup cuts an XML document as feeds have it into tags and text. It
// takes what XML parsers refuse and feed readers have to read: junk before the
// root, a bare '<' or '&', attributes without quotes, end tags that are missing
// or too many, HTML's entities, a document that is cut off.
//
// It copies nothing: tokens are parts of the document. It expands no entities
// that a document declares, so a document never grows by being read.
//
// The package knows no vocabulary and builds no tree.
package markup

import "strings"

// Kind of a token.
type Kind uint8

// The kinds. Comments, instructions and document types are passed over.
const (
	End      Kind = iota // the document is over
	Text                 // characters with references: see Unescape
	Literal              // a CDATA section's characters, which mean themselves
	OpenTag              // <name attributes>
	EmptyTag             // <name attributes/>
	CloseTag             // </name>
)

// Token is a part of the document.
type Token struct {
	Kind  Kind
	Name  string // of a tag, with its prefix, as written
	Text  string // of Text and Literal; the attributes of a tag, as written
	Start int    // the place of its first byte
	Stop  int    // and of the first byte after it
}

// Scanner reads one document. The zero value is none: use Scan.
type Scanner struct {
	s  string
	at int
	// Ends that were looked for up to the document's end and are not there: a
	// second search would make reading a hostile document quadratic.
	noDeclarationEnd, noInstructionEnd bool
}

// Scan reads s, which is valid UTF-8.
func Scan(s string) *Scanner { return &Scanner{s: s} }

// Next is the next token; End for ever at the end.
func (z *Scanner) Next() Token {
	for z.at < len(z.s) {
		if t, ok := z.one(); ok {
			return t
		}
	}
	return Token{Kind: End, Start: len(z.s), Stop: len(z.s)}
}

// one reads a token, or passes over what is none.
func (z *Scanner) one() (Token, bool) {
	rest := z.s[z.at:]
	if rest[0] != '<' || !opens(rest) {
		return z.text(), true
	}
	switch {
	case len(rest) == 1:
		z.over()
	case strings.HasPrefix(rest, "<!--"):
		z.pass(rest, 4, "-->")
	case strings.HasPrefix(rest, "<![CDATA["):
		return z.literal(rest)
	case rest[1] == '?':
		z.instruction(rest)
	case rest[1] == '!':
		z.declaration(rest)
	default:
		return z.tag(rest)
	}
	return Token{}, false
}

// opens says whether s, which begins with '<', is more than that character. A
// lone '<' at the very end is the beginning of something that was cut off.
func opens(s string) bool {
	if len(s) == 1 {
		return true
	}
	c := s[1]
	return c == '!' || c == '?' || isNameStart(c) || c == '/' && (len(s) == 2 || isNameStart(s[2]))
}

func isNameStart(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' || c == ':' || c >= 0x80
}

// text ends where something else begins.
func (z *Scanner) text() Token {
	from := z.at
	end := from + 1
	for end < len(z.s) {
		next := strings.IndexByte(z.s[end:], '<')
		if next < 0 {
			end = len(z.s)
			break
		}
		end += next
		if opens(z.s[end:]) {
			break
		}
		end++
	}
	z.at = end
	return Token{Kind: Text, Text: z.s[from:end], Start: from, Stop: end}
}

// pass goes past the next end mark, or to the end of a document that was cut.
func (z *Scanner) pass(rest string, from int, mark string) {
	if n := strings.Index(rest[from:], mark); n >= 0 {
		z.at += from + n + len(mark)
		return
	}
	z.over()
}

// over ends a document that was cut inside something, which is not handed out.
func (z *Scanner) over() { z.at = len(z.s) }

func (z *Scanner) literal(rest string) (Token, bool) {
	const open, shut = len("<![CDATA["), "]]>"
	n := strings.Index(rest[open:], shut)
	if n < 0 {
		z.over()
		return Token{}, false
	}
	t := Token{Kind: Literal, Text: rest[open : open+n], Start: z.at, Stop: z.at + open + n + len(shut)}
	z.at = t.Stop
	return t, true
}

// instruction ends with "?>"; PHP's are at times left open, and end with '>'.
func (z *Scanner) instruction(rest string) {
	if !z.noInstructionEnd {
		if n := strings.Index(rest, "?>"); n >= 0 {
			z.at += n + 2
			return
		}
		z.noInstructionEnd = true
	}
	z.pass(rest, 2, ">")
}

// declaration passes over a document type with what it declares in brackets. A
// quote or a comment in it may hold brackets of its own.
func (z *Scanner) declaration(rest string) {
	depth := 0
	for i := 2; i < len(rest) && !z.noDeclarationEnd; i++ {
		switch c := rest[i]; c {
		case '[':
			depth++
		case ']':
			depth--
		case '"', '\'':
			n := strings.IndexByte(rest[i+1:], c)
			if n < 0 {
				continue // an apostrophe
			}
			i += n + 1
		case '<':
			if strings.HasPrefix(rest[i:], "<!--") {
				n := strings.Index(rest[i:], "-->")
				if n < 0 {
					z.over()
					return
				}
				i += n + 2
			}
		case '>':
			if depth <= 0 {
				z.at += i + 1
				return
			}
		}
	}
	z.noDeclarationEnd = true
	// It ends like a tag, if at all.
	z.pass(rest, 2, ">")
}

// tag reads a tag. A '<' outside quotes ends it: its own end is missing.
func (z *Scanner) tag(rest string) (Token, bool) {
	from, kind := 1, OpenTag
	if rest[1] == '/' {
		from, kind = 2, CloseTag
	}
	name := from
	for name < len(rest) && !endsName(rest[name]) {
		name++
	}
	end, next := endOfTag(rest, name)
	if end < 0 {
		z.over()
		return Token{}, false
	}
	attrs := rest[name:end]
	if kind == OpenTag && strings.HasSuffix(attrs, "/") {
		kind, attrs = EmptyTag, attrs[:len(attrs)-1]
	}
	t := Token{Kind: kind, Name: rest[from:name], Text: attrs, Start: z.at, Stop: z.at + next}
	z.at = t.Stop
	return t, true
}

func endsName(c byte) bool {
	return c <= ' ' || c == '>' || c == '/' || c == '<' || c == '=' || c == '"' || c == '\''
}

// endOfTag is where the attributes end and where what follows begins; -1 where
// the document ends first.
func endOfTag(s string, from int) (end, next int) {
	for i := from; i < len(s); i++ {
		switch c := s[i]; c {
		case '>':
			return i, i + 1
		case '<':
			return i, i
		case '"', '\'':
			if !afterEquals(s[from:i]) {
				continue // a stray quote, and no value
			}
			n := strings.IndexByte(s[i+1:], c)
			if n < 0 {
				// The closing quote is missing: the value ends with the tag.
				if n = strings.IndexByte(s[i+1:], '>'); n < 0 {
					return -1, -1
				}
				return i + 1 + n, i + 2 + n
			}
			i += n + 1
		}
	}
	return -1, -1
}

func afterEquals(s string) bool {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] > ' ' {
			return s[i] == '='
		}
	}
	return false
}
