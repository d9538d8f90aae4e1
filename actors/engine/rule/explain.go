package rule

import (
	"fmt"
	"strings"

	"github.com/birdwire/birdwire/messages"
)

// reasonMost is how much of one clause's reason is said, in characters: a post
// may have a hundred addresses.
const reasonMost = 300

var opNames = map[Op]string{OpAnd: "all", OpOr: "any", OpNot: "not"}

// Explain says clause by clause what matched and what did not. Every clause is
// looked at, also where the answer was clear before it.
func Explain(x *Expr, d *Doc) *messages.Explanation {
	e := &messages.Explanation{Clause: x.String(), Op: "term"}
	if name := opNames[x.Op]; name != "" {
		e.Op = name
	}
	for _, a := range x.Args {
		e.Clauses = append(e.Clauses, Explain(a, d))
	}
	e.Matched = Eval(x, d)
	switch x.Op {
	case OpAtom:
		e.Reason = cut(d.reason(&x.Atom, e.Matched))
	case OpTrue:
		e.Clause, e.Reason = "(everything)", "nothing is asked for"
	case OpFalse:
		e.Clause, e.Reason = "(nothing)", "it can match nothing"
	}
	return e
}

// Explain is that of the rule's expression, after its sample if it has one.
func (r *Rule) Explain(d *Doc) *messages.Explanation {
	e := Explain(r.Expr, d)
	if r.Sample >= 100 {
		return e
	}
	s := &messages.Explanation{Clause: fmt.Sprintf("sample:%d", r.Sample), Op: "term", Matched: d.Sampled(r.Sample)}
	s.Reason = fmt.Sprintf("by its id the post is number %d of 0 to 99; those below %d are looked at", d.sample%100, r.Sample)
	return &messages.Explanation{Clause: r.String(), Op: "all", Matched: s.Matched && e.Matched, Clauses: []*messages.Explanation{s, e}}
}

func cut(reason string) string {
	if r := []rune(reason); len(r) > reasonMost {
		return string(r[:reasonMost-1]) + "…"
	}
	return reason
}

// Draw shows an explanation, a line a clause, for a terminal.
func Draw(e *messages.Explanation) string {
	var b strings.Builder
	draw(&b, e, 0)
	return b.String()
}

func draw(b *strings.Builder, e *messages.Explanation, depth int) {
	mark := "✗"
	if e.Matched {
		mark = "✓"
	}
	fmt.Fprintf(b, "%s%s ", strings.Repeat("  ", depth), mark)
	switch {
	case e.Op == "all" && len(e.Clauses) > 0:
		b.WriteString("all of")
	case e.Op == "any" && len(e.Clauses) > 0:
		b.WriteString("any of")
	case e.Op == "not":
		b.WriteString("not")
	default:
		b.WriteString(e.Clause)
		if e.Reason != "" {
			b.WriteString(": " + e.Reason)
		}
	}
	b.WriteByte('\n')
	for _, c := range e.Clauses {
		draw(b, c, depth+1)
	}
}
