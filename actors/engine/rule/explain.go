package rule

import (
	"fmt"
	"strings"
)

// Explanation is the answer to one clause, and to those in it.
type Explanation struct {
	Clause  string // as in the rule, canonically
	Op      Op
	Matched bool
	Reason  string // what was found, or what is missing; "" where Args say it
	Args    []*Explanation
}

// Explain says clause by clause what matched and what did not. Every clause is
// looked at, also where the answer was clear before it.
func Explain(x *Expr, d *Doc) *Explanation {
	e := &Explanation{Clause: x.String(), Op: x.Op}
	for _, a := range x.Args {
		e.Args = append(e.Args, Explain(a, d))
	}
	e.Matched = Eval(x, d)
	switch x.Op {
	case OpAtom:
		e.Reason = d.reason(&x.Atom, e.Matched)
	case OpTrue:
		e.Clause, e.Reason = "(everything)", "nothing is asked for"
	case OpFalse:
		e.Clause, e.Reason = "(nothing)", "it can match nothing"
	}
	return e
}

// Explain is that of the rule's expression, after its sample if it has one.
func (r *Rule) Explain(d *Doc) *Explanation {
	e := Explain(r.Expr, d)
	if r.Sample >= 100 {
		return e
	}
	s := &Explanation{Clause: fmt.Sprintf("sample:%d", r.Sample), Matched: d.Sampled(r.Sample)}
	s.Reason = fmt.Sprintf("by its id the post is number %d of 0 to 99; those below %d are looked at", d.sample%100, r.Sample)
	return &Explanation{Clause: r.String(), Op: OpAnd, Matched: s.Matched && e.Matched, Args: []*Explanation{s, e}}
}

// String draws the explanation, a line a clause, for a terminal.
func (e *Explanation) String() string {
	var b strings.Builder
	e.draw(&b, 0)
	return b.String()
}

func (e *Explanation) draw(b *strings.Builder, depth int) {
	mark := "✗"
	if e.Matched {
		mark = "✓"
	}
	fmt.Fprintf(b, "%s%s ", strings.Repeat("  ", depth), mark)
	switch {
	case e.Op == OpAnd && len(e.Args) > 0:
		b.WriteString("all of")
	case e.Op == OpOr && len(e.Args) > 0:
		b.WriteString("any of")
	case e.Op == OpNot:
		b.WriteString("not")
	default:
		b.WriteString(e.Clause)
		if e.Reason != "" {
			b.WriteString(": " + e.Reason)
		}
	}
	b.WriteByte('\n')
	for _, a := range e.Args {
		a.draw(b, depth+1)
	}
}
