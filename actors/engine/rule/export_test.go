package rule

// OperatorNames are the names of all operators, aliases too.
func OperatorNames() []string {
	var names []string
	for name := range operators {
		names = append(names, name)
	}
	return names
}

// WithoutData says whether no source supplies what the operator asks for.
func WithoutData(name string) bool { return operators[name].noData }
