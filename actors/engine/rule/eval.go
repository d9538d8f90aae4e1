package rule

// Eval walks the expression: the plain answer that every engine must agree with.
func Eval(x *Expr, d *Doc) bool {
	switch x.Op {
	case OpAtom:
		return d.Match(&x.Atom)
	case OpAnd:
		for _, a := range x.Args {
			if !Eval(a, d) {
				return false
			}
		}
		return true
	case OpOr:
		for _, a := range x.Args {
			if Eval(a, d) {
				return true
			}
		}
		return false
	case OpNot:
		return !Eval(x.Args[0], d)
	}
	return x.Op == OpTrue
}
