package rest

import "github.com/birdwire/birdwire/messages"

// Explained is a post and what each clause of a query said of it.
type Explained struct {
	Sample
	Clause *messages.Explanation `json:"clause"`
}
