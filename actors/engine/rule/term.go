package rule

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/birdwire/birdwire/actors/engine/text"
)

func (p *parser) hashtag(sign int) (*Expr, error) {
	start := p.pos
	p.pos += sign
	tag := p.here()
	p.pos += len(tag)
	if end := tagEnd(tag); end < len(tag) {
		r, _ := utf8.DecodeRuneInString(tag[end:])
		suggestion := ""
		if end > 0 {
			suggestion = "#" + tag[:end]
		}
		return nil, p.fail(start+sign+end, quote(string(r)), "letters, digits and _ in a hashtag", suggestion)
	}
	value := text.Fold(tag)
	if value == "" {
		return nil, p.fail(start, quote(p.in[start:p.pos]), "a hashtag right after the #", p.joined("#"))
	}
	if _, letter := text.TagEnd(value); !letter {
		p.warn(start, "a hashtag has a letter in it: #%s is none to X", value)
	}
	return valueAtom(KindHashtag, value), p.boundary()
}

// tagEnd is where the hashtag ends. Marks that cannot be seen come along when a
// tag is copied from a page, and mean nothing.
func tagEnd(tag string) int {
	for end := 0; ; {
		n, _ := text.TagEnd(tag[end:])
		end += n
		r, size := utf8.DecodeRuneInString(tag[end:])
		if size == 0 || text.Fold(string(r)) != "" {
			return end
		}
		end += size
	}
}

func (p *parser) mention(sign int) (*Expr, error) {
	start := p.pos
	p.pos += sign
	v := value{text: p.here(), pos: p.pos}
	p.pos += len(v.text)
	name, e := readName(v, "@")
	if e != nil {
		if v.text == "" {
			return nil, p.fail(start, quote(p.in[start:p.pos]), "a username right after the @", p.joined("@"))
		}
		return nil, p.fail(max(start, v.pos+e.at), e.found, e.expected, e.suggestion)
	}
	return valueAtom(KindMention, name), p.boundary()
}

func (p *parser) cashtag(sign int) (*Expr, error) {
	start := p.pos
	p.pos += sign
	s := p.here()
	p.pos += len(s)
	const expected = "a ticker of one to six letters, such as $AAPL or $BRK.B"
	switch {
	case s == "":
		return nil, p.fail(start, quote("$"), expected, p.joined("$"))
	case s[0] >= '0' && s[0] <= '9':
		return nil, p.fail(start, quote("$"+s), expected, "the amount as a word, "+quote(s))
	case !isTicker(s):
		return nil, p.fail(start, quote("$"+s), expected, "")
	}
	return valueAtom(KindCashtag, text.Fold(s)), p.boundary()
}

// isTicker: the form in which tickers are recognised in a text.
func isTicker(s string) bool {
	if strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 {
		return false
	}
	var b text.Buffer
	text.Tokenize("$"+s, &b)
	return len(b.Entities) == 1 && b.Entities[0].Kind == text.Cashtag && int(b.Entities[0].End) == len(s)+1
}

// joined is a sign and the word after the space that follows it: what was
// probably meant by "# tag".
func (p *parser) joined(sign string) string {
	if w := p.in[p.pos:]; firstWord(w) != "" && unicode.IsSpace(p.peek()) {
		return sign + firstWord(w)
	}
	return ""
}

// word reads an operator with its value, or a keyword.
func (p *parser) word(negated bool) (*Expr, error) {
	start, s := p.pos, p.here()
	if name, ok := operatorName(s); ok {
		return p.operator(name, negated)
	}
	p.pos += len(s)
	if err := p.lookalike(start, s); err != nil {
		return nil, err
	}
	if p.peek() == '"' {
		return nil, p.fail(p.pos, "`\"`", "a space before the quotation mark", "")
	}
	x := wordsAtom(KindKeyword, s)
	if x == nil {
		return nil, p.fail(start, quote(s), "a word, a number or an emoji", instead[s])
	}
	p.remark(start, s)
	return x, nil
}

// instead is what was probably meant by signs that other languages have.
var instead = map[string]string{
	"||": "OR", "|": "OR", "&&": "a space, which means and", "&": "a space, which means and",
	"+": "a space, which means and", "!": "-, which negates", "–": "-, which negates", "—": "-, which negates", "~": `"some words"~3`,
}

// lookalike refuses what looks like the language and is not.
func (p *parser) lookalike(start int, s string) error {
	switch r, n := utf8.DecodeRuneInString(s); r {
	case '“', '”', '„', '‟', '«':
		inner, _, _ := strings.Cut(strings.TrimLeft(p.in[start:], "“”„‟«"), "”")
		suggestion := ""
		if inner = strings.TrimRight(inner, "“”„‟«» "); inner != "" {
			suggestion = quote(inner)
		}
		return p.fail(start, quote(string(r)), "straight quotation marks", suggestion)
	case '–', '—', '−', '－':
		if len(s) > n {
			return p.fail(start, quote(string(r)), "a hyphen, -, to negate", "-"+s[n:])
		}
	}
	name := strings.ToLower(s)
	if op, ok := operators[name]; ok && op.user {
		switch rest := strings.TrimLeftFunc(p.in[p.pos:], unicode.IsSpace); {
		case strings.HasPrefix(rest, "@"), strings.HasPrefix(rest, "＠"), strings.HasPrefix(rest, ":"):
			_, n := utf8.DecodeRuneInString(rest)
			who := firstWord(rest[n:])
			return p.fail(start, quote(s+" "+firstWord(rest)), name+": and a username, without a space", name+":"+strings.Trim(who, "@()"))
		}
	}
	return nil
}

// remark warns of keywords that are probably not meant as such.
func (p *parser) remark(start int, s string) {
	switch s {
	case "AND":
		p.warn(start, `"AND" is a keyword here: a space already means and`)
		return
	case "or", "Or":
		p.warn(start, "%q is a keyword here: the operator is OR, in capitals", s)
		return
	case "NOT":
		p.warn(start, `"NOT" is a keyword here: a minus negates, as in -term`)
		return
	}
	if strings.HasSuffix(s, "*") || strings.HasPrefix(s, "*") {
		p.warn(start, "%q: there are no wildcards, the * has no effect", s)
	}
	name := strings.ToLower(s)
	op, ok := operators[name]
	if !ok {
		return
	}
	next := strings.ToLower(firstWord(p.in[p.pos:]))
	takes := strings.Contains(name, "_")
	switch op.kind {
	case KindIs, KindHas:
		_, takes = flagValues[op.kind][next]
	case KindLang:
		takes = knownLanguage(language(next)) && len(next) > 1
	}
	if takes {
		p.warn(start, "%q is a keyword here: the operator is written %s:, with its value right after it", s, name)
	}
}
