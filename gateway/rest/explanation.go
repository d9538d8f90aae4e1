package rest

// Explanation is the answer of one clause of a query about one post, and of
// the clauses in it.
type Explanation struct {
	Clause  string         `json:"clause"` // as in the query, canonically
	Op      string         `json:"op"`     // all | any | not | term
	Matched bool           `json:"matched"`
	Reason  string         `json:"reason,omitempty"` // of a term: what was found, or what is missing
	Clauses []*Explanation `json:"clauses,omitempty"`
}

// Explained is a post and what each clause of a query said of it.
type Explained struct {
	Sample
	Clause *Explanation `json:"clause"`
}
