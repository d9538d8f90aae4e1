package node

import (
	"io"

	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/actors/router/trial"
	"github.com/birdwire/birdwire/actors/source/push"
	"github.com/birdwire/birdwire/messages"
)

// What the rule language says without a server: for who writes rules at a
// desk, with posts in a file.

// QueryError says where a query is refused and what would be accepted.
type QueryError = messages.SyntaxError

// Explanation is the answer of one clause of a query about one post.
type Explanation = messages.Explanation

// Query is a filter rule's query.
type Query struct{ trial *trial.Query }

// ParseQuery reads a query of at most so many characters (0: 1,024). An error
// is a *QueryError.
func ParseQuery(text string, characters int) (*Query, error) {
	parsed, err := trial.Parse(text, rule.Limits{MaxCharacters: characters})
	if err != nil {
		return nil, err
	}
	return &Query{parsed}, nil
}

// String is the query as it is understood: spelled out, in one way.
func (q *Query) String() string { return q.trial.String() }

// Warnings are what the query says and probably does not mean.
func (q *Query) Warnings() []string { return q.trial.Warnings() }

// TriedPost is one post that a query was tried on.
type TriedPost struct {
	Line        int // of the file; in an array, the element's number
	ID, Author  string
	Text        string
	Explanation *Explanation
	Wrong       error // why it is no post; nothing else is set then
}

// Try explains the query's answer about each post of r: NDJSON, an array or
// one object, as push ingest takes them. each can end it by an error.
func (q *Query) Try(r io.Reader, each func(TriedPost) error) error {
	var doc rule.Doc
	return push.EachPost(r, func(line int, post *messages.Post, wrong error) error {
		if wrong != nil {
			return each(TriedPost{Line: line, Wrong: wrong})
		}
		return each(TriedPost{
			Line: line, ID: post.GetId(), Author: post.GetAuthor().GetUsername(), Text: post.GetText(),
			Explanation: q.trial.Explain(&doc, &messages.Event{Body: &messages.Event_Post{Post: post}}),
		})
	})
}
