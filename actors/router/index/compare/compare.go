// Package compare compares the index with expr-lang, a well-known engine for
// boolean expressions in Go, on the same rules and posts in the same run. It
// is a module of its own, so that what it compares with never becomes one of
// the product's dependencies.
package compare

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/messages"
)

// env is a post as the expressions see it: sets, so that asking for a word is
// one look into a map. Kinder than searching the text for each.
type env struct {
	Words, Tags, Is, Has map[string]bool
	From, Lang           string
	Text                 string // tokens, a space around each
}

// source is a rule of the generator's as an expression.
func source(e *rule.Expr) (string, error) {
	switch e.Op {
	case rule.OpAtom:
		return atom(&e.Atom)
	case rule.OpNot:
		s, err := source(e.Args[0])
		return "!(" + s + ")", err
	case rule.OpAnd, rule.OpOr:
		var args []string
		for _, a := range e.Args {
			s, err := source(a)
			if err != nil {
				return "", err
			}
			args = append(args, s)
		}
		return "(" + strings.Join(args, map[rule.Op]string{rule.OpAnd: " && ", rule.OpOr: " || "}[e.Op]) + ")", nil
	}
	return strconv.FormatBool(e.Op == rule.OpTrue), nil
}

func atom(a *rule.Atom) (string, error) {
	v := strconv.Quote(a.Value)
	switch a.Kind {
	case rule.KindKeyword:
		return v + " in Words", nil
	case rule.KindHashtag:
		return v + " in Tags", nil
	case rule.KindPhrase:
		return "Text contains " + strconv.Quote(" "+strings.Join(a.Tokens, " ")+" "), nil
	case rule.KindFrom:
		return "From == " + v, nil
	case rule.KindLang:
		return "Lang == " + v, nil
	case rule.KindIs:
		return v + " in Is", nil
	case rule.KindHas:
		return v + " in Has", nil
	}
	return "", fmt.Errorf("compare: no expression for atoms like %q", a.Value)
}

// environment is a post of the generator's for the expressions.
func environment(p *messages.Post) *env {
	e := &env{
		Words: map[string]bool{}, Tags: map[string]bool{}, Is: map[string]bool{}, Has: map[string]bool{},
		From: p.GetAuthor().GetUsername(), Lang: p.GetLang(),
	}
	var text strings.Builder
	say := func(s string) {
		for _, w := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" #@:/._", r) }) {
			e.Words[w] = true
			text.WriteString(" " + w)
		}
		text.WriteString(" | ") // no phrase reaches over it
	}
	say(p.GetText())
	for _, w := range strings.Fields(p.GetText()) {
		switch w[0] {
		case '#':
			e.Tags[w[1:]], e.Has["hashtags"] = true, true
		case '@':
			e.Has["mentions"] = true
		}
	}
	for _, l := range p.GetUrls() {
		e.Has["links"] = true
		say(l.GetUrl())
		say(l.GetExpandedUrl())
	}
	if p.GetRetweetOf() != nil {
		e.Is["retweet"] = true
	}
	if p.GetAuthor().GetVerified() {
		e.Is["verified"] = true
	}
	e.Text = text.String()
	return e
}
