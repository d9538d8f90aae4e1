package rule

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/birdwire/birdwire/messages"
)

// Parse reads a filter rule. An error is a *SyntaxError. It takes time and room
// in proportion to the rule's length, which limits bounds.
func Parse(query string, limits Limits) (*Rule, error) {
	limits = limits.withDefaults()
	p := &parser{in: query, sample: 100, at: map[*Expr]span{}}
	if err := p.check(limits.MaxCharacters); err != nil {
		return nil, err
	}
	x, err := p.disjunction()
	if err != nil {
		return nil, err
	}
	if p.pos < len(p.in) { // only a bracket stops the disjunction early
		return nil, p.fail(p.pos, `")"`, "a term or the end: no group is open here", "")
	}
	if err := p.standsAlone(x); err != nil {
		return nil, err
	}
	return &Rule{Expr: x, Sample: p.sample, Warnings: p.warnings, Source: query}, nil
}

// parser reads by recursive descent. Each group costs one frame, of which
// there are at most maxDepth.
//
//	disjunction = conjunction { "OR" conjunction }
//	conjunction = term { term }
//	term        = [ "-" ] ( "(" disjunction ")" | quoted | entity | operator | word )
type parser struct {
	in       string
	pos      int // bytes
	depth    int
	negated  int // groups around that are negated
	sample   int
	sampled  bool
	at       map[*Expr]span // where each expression is, for what validation says
	warnings []Warning
}

// span is a stretch of the rule in bytes.
type span struct{ from, to int }

// check refuses what is not text, and what is too much of it.
func (p *parser) check(limit int) error {
	over := len(p.in) > limit*utf8.UTFMax // so long that it need not be read
	if n := 0; !over {
		for i, r := range p.in {
			if _, w := utf8.DecodeRuneInString(p.in[i:]); r == utf8.RuneError && w == 1 {
				return &messages.SyntaxError{Position: n, Found: "a byte that is not UTF-8", Expected: "text in UTF-8"}
			}
			if r == utf8.RuneError { // what decoders of JSON make of such a byte: without it the rule would say something else
				return &messages.SyntaxError{Position: n, Found: "U+FFFD, the sign for text that was lost on the way", Expected: "text in UTF-8"}
			}
			if unicode.IsControl(r) && !unicode.IsSpace(r) {
				return &messages.SyntaxError{Position: n, Found: fmt.Sprintf("the control character %U", r), Expected: "text"}
			}
			n++
		}
		over = n > limit
	}
	if over {
		found := "more"
		if len(p.in) <= limit*utf8.UTFMax {
			found = fmt.Sprintf("%d characters", utf8.RuneCountInString(p.in))
		}
		return &messages.SyntaxError{Position: limit, Found: found, Expected: fmt.Sprintf("at most %d characters", limit)}
	}
	return nil
}

// fail makes the error for the byte at pos.
func (p *parser) fail(pos int, found, expected, suggestion string) error {
	return &messages.SyntaxError{
		Position: utf8.RuneCountInString(p.in[:pos]), Found: found, Expected: expected, Suggestion: suggestion,
	}
}

// maxWarnings is how many a rule is told of; what is past it is not said.
const maxWarnings = 16

func (p *parser) warn(pos int, format string, args ...any) {
	if len(p.warnings) == maxWarnings {
		return
	}
	p.warnings = append(p.warnings, Warning{
		Position: utf8.RuneCountInString(p.in[:pos]), Text: fmt.Sprintf(format, args...),
	})
}

func (p *parser) disjunction() (*Expr, error) {
	p.space()
	from := p.pos
	var branches []*Expr
	for {
		x, err := p.conjunction()
		if err != nil {
			return nil, err
		}
		branches = append(branches, x)
		if p.run() != "OR" {
			break
		}
		p.pos += len("OR")
	}
	if len(branches) > 1 && p.sampled {
		p.warnOnce("sample: applies to the whole rule, not to a branch of an OR")
	}
	return p.join(OpOr, branches, from), nil
}

func (p *parser) conjunction() (*Expr, error) {
	p.space()
	from := p.pos
	var terms []*Expr
	only := -1 // where a sample: is
	for {
		p.space()
		if p.pos == len(p.in) || p.in[p.pos] == ')' || p.run() == "OR" {
			break
		}
		start := p.pos
		x, err := p.term()
		if err != nil {
			return nil, err
		}
		if x == nil {
			only = start
			continue
		}
		p.at[x] = span{start, p.pos}
		terms = append(terms, x)
	}
	switch {
	case len(terms) > 0:
		return p.join(OpAnd, terms, from), nil
	case only >= 0:
		return nil, p.fail(only, quote(p.in[only:p.pos]), "a term next to it: a sample of everything is not a rule", "")
	}
	return nil, p.noTerm()
}

// noTerm is the error where a term is expected and there is none.
func (p *parser) noTerm() error {
	const expected = "a term (a word, a \"phrase\", #tag, @user, from:, …)"
	switch {
	case p.pos == len(p.in):
		return p.fail(p.pos, "the end", expected, "")
	case p.in[p.pos] == ')':
		if p.depth == 0 {
			return p.fail(p.pos, `")"`, "a term: no group is open here", "")
		}
		return p.fail(p.pos, `")"`, expected, "")
	}
	return p.fail(p.pos, `"OR"`, expected+" on both sides of OR", "")
}

func (p *parser) join(op Op, args []*Expr, from int) *Expr {
	x := join(op, args)
	if _, ok := p.at[x]; !ok {
		p.at[x] = span{from, len(strings.TrimRightFunc(p.in[:p.pos], unicode.IsSpace))}
	}
	return x
}

// term reads one term; nil for a sample:, which is the rule's.
func (p *parser) term() (*Expr, error) {
	if p.in[p.pos] != '-' {
		return p.primary(false)
	}
	start := p.pos
	p.pos++
	if r := p.peek(); r < 0 || unicode.IsSpace(r) || r == ')' || r == '-' {
		found, suggestion := quote("-"), ""
		if rest := strings.TrimLeft(p.in[p.pos:], "- \t\n"); rest != "" && rest[0] != ')' {
			suggestion = "-" + firstWord(rest)
		}
		return nil, p.fail(start, found, "a term right after the minus", suggestion)
	}
	if p.peek() == '(' {
		p.warn(start, "a negated group excludes what matches the group as a whole; X advises to negate each term")
		p.negated++
		defer func() { p.negated-- }()
	}
	x, err := p.primary(true)
	if err != nil {
		return nil, err
	}
	return Not(x), nil
}

func (p *parser) primary(negated bool) (*Expr, error) {
	switch r := p.peek(); r {
	case '(':
		return p.group()
	case '"':
		return p.phrase()
	case '#', '＃':
		return p.hashtag(utf8.RuneLen(r))
	case '@', '＠':
		return p.mention(utf8.RuneLen(r))
	case '$', '＄':
		return p.cashtag(utf8.RuneLen(r))
	}
	return p.word(negated)
}

func (p *parser) group() (*Expr, error) {
	open := p.pos
	if p.depth == maxDepth {
		return nil, p.fail(open, `"("`, fmt.Sprintf("at most %d groups inside each other", maxDepth), "")
	}
	p.depth++
	p.pos++
	x, err := p.disjunction()
	if err != nil {
		return nil, err
	}
	if p.pos == len(p.in) {
		return nil, p.fail(p.pos, "the end", fmt.Sprintf("%q for the group that begins at position %d",
			")", utf8.RuneCountInString(p.in[:open])), "")
	}
	p.pos++
	p.depth--
	return x, nil
}

// phrase reads a quoted phrase, or words near each other.
func (p *parser) phrase() (*Expr, error) {
	start := p.pos
	s, err := p.quoted()
	if err != nil {
		return nil, err
	}
	x := wordsAtom(KindKeyword, s)
	if x == nil {
		return nil, p.fail(start, quote(p.in[start:p.pos]), "a word, a number or an emoji between the quotation marks", "")
	}
	if p.peek() != '~' {
		return x, p.boundary()
	}
	at := p.pos
	p.pos++
	digits := p.here()
	p.pos += len(digits)
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || n > maxDistance || digits[0] == '+' {
		return nil, p.fail(at, quote("~"+digits), fmt.Sprintf("a distance of 0 to %d words after the ~", maxDistance), "")
	}
	switch words := len(x.Atom.Tokens); {
	case words > maxProximity:
		return nil, p.fail(start, fmt.Sprintf("%d words", words), fmt.Sprintf("at most %d words near each other", maxProximity), "")
	case words == 1:
		p.warn(start, "a single word is not near anything: ~%d has no effect", n)
		return x, p.boundary()
	}
	x.Atom.Kind, x.Atom.N = KindProximity, int64(n)
	return x, p.boundary()
}

const (
	maxDistance  = 6
	maxProximity = 32 // words in one; Doc.Match keeps a bit for each
)
