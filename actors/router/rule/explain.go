package rule

// Explanation is the answer to one clause, and to those in it.
type Explanation struct {
	Clause  string // as in the rule, canonically
	Op      Op
	Matched bool
	Reason  string // what was found, or what is missing; for atoms
	Args    []*Explanation
}

// Explain says clause by clause what matched and what did not.
func Explain(x *Expr, d *Doc) *Explanation { return nil }
