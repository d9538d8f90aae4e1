package rule

// Parse reads a filter rule. An error is a *SyntaxError.
func Parse(query string, limits Limits) (*Rule, error) {
	return nil, &SyntaxError{Found: "a rule", Expected: "the parser"}
}
