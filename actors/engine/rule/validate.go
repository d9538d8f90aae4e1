package rule

// needsCompany are the kinds that are valid only with one that is valid alone:
// they would match too much by themselves.
func (k Kind) needsCompany() bool {
	op := operators[operatorNames[k]]
	return op != nil && op.company
}

// alone says whether every document for which x holds (fails, where holds is
// false) was found by an operator that is valid alone.
func alone(x *Expr, holds bool) bool {
	switch x.Op {
	case OpAtom:
		return holds && !x.Atom.Kind.needsCompany()
	case OpNot:
		return alone(x.Args[0], !holds)
	case OpAnd, OpOr:
		one := (x.Op == OpAnd) == holds // of an AND that holds, one suffices; of an OR, all are needed
		for _, a := range x.Args {
			if alone(a, holds) == one {
				return one
			}
		}
		return !one
	}
	return false
}

// standsAlone refuses a rule that has nothing positive to be found by.
func (p *parser) standsAlone(x *Expr) error {
	if alone(x, true) {
		return nil
	}
	const company = "a keyword, phrase, #tag, @user, from: or another operator that is valid alone"
	if x.Op == OpOr {
		for _, branch := range x.Args {
			if !alone(branch, true) {
				return p.refuse(branch, "with it "+company+": every branch of an OR must be valid alone")
			}
		}
	}
	return p.refuse(x, "with it "+company)
}

// refuse names the operator that lacks company: the first that needs it, else
// the first negation.
func (p *parser) refuse(x *Expr, expected string) error {
	at := p.find(x, func(x *Expr) bool { return x.Op == OpAtom && x.Atom.Kind.needsCompany() })
	if at == nil || x.Op == OpNot {
		at = p.find(x, func(x *Expr) bool { return x.Op == OpNot })
	}
	if at == nil {
		at = x
	}
	s := p.at[at]
	found := quote(p.in[s.from:s.to])
	if at.Op == OpNot {
		found = "only " + quote(p.in[s.from:s.to]) + ", which negates"
	}
	return p.fail(s.from, found, expected, "")
}

// find is the first expression in x for which is holds and whose place is known.
func (p *parser) find(x *Expr, is func(*Expr) bool) *Expr {
	if _, placed := p.at[x]; placed && is(x) {
		return x
	}
	for _, a := range x.Args {
		if found := p.find(a, is); found != nil {
			return found
		}
	}
	return nil
}
