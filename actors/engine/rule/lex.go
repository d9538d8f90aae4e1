package rule

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// peek is the next character; -1 at the end.
func (p *parser) peek() rune {
	if p.pos == len(p.in) {
		return -1
	}
	r, _ := utf8.DecodeRuneInString(p.in[p.pos:])
	return r
}

func (p *parser) space() {
	p.pos += len(p.in[p.pos:]) - len(strings.TrimLeftFunc(p.in[p.pos:], unicode.IsSpace))
}

// run is what comes up to the next space, bracket or quotation mark, spaces
// before it skipped. The parser moves past those spaces, not past the run.
func (p *parser) run() string {
	p.space()
	return p.here()
}

// here is run without skipping.
func (p *parser) here() string {
	rest := p.in[p.pos:]
	if end := strings.IndexFunc(rest, endsRun); end >= 0 {
		return rest[:end]
	}
	return rest
}

func endsRun(r rune) bool { return unicode.IsSpace(r) || r == '(' || r == ')' || r == '"' }

// boundary is the error where something is glued to what was just read.
func (p *parser) boundary() error {
	if r := p.peek(); r >= 0 && !unicode.IsSpace(r) && r != '(' && r != ')' {
		return p.fail(p.pos, quote(string(r)), "a space", "")
	}
	return nil
}

// quoted reads a string in quotation marks. \" and \\ mean " and \.
func (p *parser) quoted() (string, error) {
	open := p.pos
	var b strings.Builder
	for i := p.pos + 1; i < len(p.in); i++ {
		switch c := p.in[i]; {
		case c == '"':
			p.pos = i + 1
			return b.String(), nil
		case c == '\\' && i+1 < len(p.in) && (p.in[i+1] == '"' || p.in[i+1] == '\\'):
			i++
			b.WriteByte(p.in[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", p.fail(open, "a quotation mark that is never closed", `a second " after the phrase`, "")
}

// bracketed reads what is in [ ].
func (p *parser) bracketed() (string, error) {
	end := strings.IndexByte(p.in[p.pos:], ']')
	if end < 0 {
		return "", p.fail(p.pos, `a "[" that is never closed`, `"]"`, "")
	}
	s := p.in[p.pos+1 : p.pos+end]
	p.pos += end + 1
	return s, nil
}

// quote shows a piece of a rule in an error: short.
func quote(s string) string {
	if s == "" {
		return "nothing"
	}
	const most = 40
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most]) + "…"
	}
	if strings.Contains(s, `"`) {
		return "`" + s + "`"
	}
	return `"` + s + `"`
}

// firstWord is s up to its first space.
func firstWord(s string) string {
	s = strings.TrimLeftFunc(s, unicode.IsSpace)
	if end := strings.IndexFunc(s, unicode.IsSpace); end >= 0 {
		return s[:end]
	}
	return s
}
