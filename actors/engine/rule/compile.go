package rule

import (
	"errors"
	"fmt"
	"strings"

	"github.com/birdwire/birdwire/actors/engine/text"
	"github.com/birdwire/birdwire/messages"
)

// ErrQuery: the query asks for something that does not exist, so that no
// document can answer it. Its text is for the client.
var ErrQuery = errors.New("invalid query")

// Compile makes a standing query of any kind ready for an index. A rule's
// error is a *SyntaxError, any other's wraps ErrQuery. Rules may have the most
// characters that any configuration allows: what was accepted once stays valid.
func Compile(q *messages.Query) (*Compiled, error) {
	switch want := q.GetWant().(type) {
	case *messages.Query_Rule:
		r, err := Parse(want.Rule, Limits{MaxCharacters: maxCharacters})
		if err != nil {
			return nil, err
		}
		return &Compiled{Class: ClassPost, Expr: r.Expr, Sample: r.Sample}, nil
	case *messages.Query_Monitor:
		return compileMonitor(want.Monitor)
	case *messages.Query_Newsrank:
		return compileNewsrank(want.Newsrank)
	case *messages.Query_Kite:
		return compileKite(want.Kite)
	case *messages.Query_Newsdesk:
		return compileNewsdesk(), nil
	}
	return nil, fmt.Errorf("%w: it asks for nothing", ErrQuery)
}

// compileMonitor: whatever its accounts write. An account that is renamed is
// known by its id, one whose id is not known yet by its name.
func compileMonitor(m *messages.MonitorQuery) (*Compiled, error) {
	var who []*Expr
	for _, list := range [][]string{m.GetUsernames(), m.GetAuthorIds()} {
		for _, s := range unique(list, func(s string) string { return username(text.FoldName(s)) }) {
			who = append(who, valueAtom(KindFrom, s))
		}
	}
	if len(who) == 0 {
		return nil, fmt.Errorf("%w: a monitor without accounts", ErrQuery)
	}
	return &Compiled{Class: ClassPost, Expr: Or(who...), Sample: 100}, nil
}

// compileKite: AND between the groups, OR inside one; an empty group restrains
// nothing.
func compileKite(f *messages.KiteFilters) (*Compiled, error) {
	keywords, err := anyWords(KindItemText, "keywords", f.GetKeywords())
	if err != nil {
		return nil, err
	}
	companies, err := anyWords(KindItemLead, "companies", f.GetCompanies())
	if err != nil {
		return nil, err
	}
	return &Compiled{Class: ClassKite, Sample: 100, Expr: And(
		anyValue(KindSourceName, f.GetSources(), strings.TrimSpace),
		anyValue(KindCategory, f.GetCategories(), strings.TrimSpace),
		anyValue(KindTicker, f.GetTickers(), ticker),
		keywords,
		companies,
	)}, nil
}

// unique is the list as it is compared, without blanks and repeats, in its order.
func unique(list []string, compared func(string) string) []string {
	out := make([]string, 0, len(list))
	seen := make(map[string]bool, len(list))
	for _, s := range list {
		if s = compared(s); s != "" && !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// anyValue holds where one of the values does; everywhere where there is none.
func anyValue(k Kind, list []string, clean func(string) string) *Expr {
	var any []*Expr
	for _, s := range unique(list, func(s string) string { return clean(text.Fold(s)) }) {
		any = append(any, valueAtom(k, s))
	}
	return oneOf(any)
}

// anyWords holds where one of the phrases is; everywhere where there is
// none. A phrase of signs alone is refused: it could never be anywhere, and
// whoever wrote it would wait for ever.
func anyWords(k Kind, field string, list []string) (*Expr, error) {
	var any []*Expr
	seen := make(map[string]bool, len(list))
	for _, s := range list {
		if strings.TrimSpace(s) == "" {
			continue
		}
		x := wordsAtom(k, s)
		if x == nil {
			return nil, fmt.Errorf("%w: %s: %q has no word, number or emoji in it", ErrQuery, field, s)
		}
		if !seen[x.Atom.Value] {
			seen[x.Atom.Value] = true
			any = append(any, x)
		}
	}
	return oneOf(any), nil
}

func oneOf(any []*Expr) *Expr {
	if len(any) == 0 {
		return True
	}
	return Or(any...)
}
