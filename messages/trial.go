package messages

import (
	"fmt"
	"time"
)

// SyntaxError says where a query is refused and what would be accepted.
type SyntaxError struct {
	Position   int    // characters from 0
	Found      string // what is there
	Expected   string // what could be
	Suggestion string // what was probably meant, "" where nothing is likely
}

func (e *SyntaxError) Error() string {
	s := fmt.Sprintf("position %d: found %s, expected %s", e.Position, e.Found, e.Expected)
	if e.Suggestion != "" {
		s += "; did you mean " + e.Suggestion + "?"
	}
	return s
}

// Explanation is the answer of one clause of a query about one post, and of
// the clauses in it.
type Explanation struct {
	Clause  string         `json:"clause"` // as in the query, canonically
	Op      string         `json:"op"`     // all | any | not | term
	Matched bool           `json:"matched"`
	Reason  string         `json:"reason,omitempty"` // of a term: what was found, or what is missing
	Clauses []*Explanation `json:"clauses,omitempty"`
}

// Validation is what is known of a query that is no rule yet.
type Validation struct {
	Invalid  error // why it would not be taken as a rule, a *SyntaxError where it says where; nil: it would
	Warnings []string
	Posts    int64    // how many recent posts were looked at
	Matched  int64    // how many of them match
	Samples  []*Event // posts among them, newest first; at most 10
	// Explained is the newest post that matches, else the newest there is, and
	// Explanation what each clause said of it; nil where there are no posts.
	Explained   *Event
	Explanation *Explanation
}

// Backtested is how far a backtest is, and in the end what it found.
type Backtested struct {
	Done    float64 // the share of what is looked at, 0 to 1
	Posts   int64   // looked at
	Matched int64
	Begins  time.Time // later than was asked for where the posts before are held no longer
	Ends    time.Time

	// Of the end alone.
	Warnings []string
	Samples  []*Event // newest first; at most 10
	// CreditsPerDelivery is what one delivery to one connection costs.
	CreditsPerDelivery int64
}
