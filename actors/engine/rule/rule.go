// Package rule is the language of standing queries: what a filter rule says,
// what a monitor watches and what an article subscription asks for, all as one
// kind of expression over atoms, and what one document answers to it.
//
// It owns the lexer, the parser, validation, the expression (Expr), the
// document (Doc), the plain evaluation (Eval), which is the oracle for every
// faster engine, and the explanation of an answer (Explain). It never reads a
// clock, never draws a random number, and keeps no standing queries: that is
// the index's.
package rule

import (
	"github.com/birdwire/birdwire/messages"
)

// Limits bound what Parse accepts. The zero value means the defaults.
type Limits struct {
	MaxCharacters int // characters, not bytes; default 1,024, at most 2,048
}

const (
	defaultCharacters = 1024
	maxCharacters     = 2048
	// maxDepth bounds how deep groups nest: every walk of an expression
	// recurses, and a thousand brackets must not cost a thousand frames.
	maxDepth = 64
)

func (l Limits) withDefaults() Limits {
	if l.MaxCharacters <= 0 {
		l.MaxCharacters = defaultCharacters
	}
	l.MaxCharacters = min(l.MaxCharacters, maxCharacters)
	return l
}

// Rule is a parsed filter rule.
type Rule struct {
	Expr     *Expr
	Sample   int       // 1..100: the share of posts, by id, it looks at
	Warnings []Warning // what is accepted and probably not meant
	Source   string    // as given
}

// Warning is something accepted that probably surprises its author.
type Warning struct {
	Position int // characters from 0
	Text     string
}

// Class parts documents and queries into those that can meet.
type Class uint8

// A document has one or more classes (an article event has two), a query one.
const (
	ClassPost Class = 1 << iota
	ClassNewsrank
	ClassKite
)

// Compiled is a query ready for an index. Never changed once made.
type Compiled struct {
	Class      Class // a query is matched against documents of its class only
	Expr       *Expr
	Sample     int                         // 1..100; 100 except for rules that say otherwise
	Embeddings []*messages.EmbeddingFilter // those of the expression's embedding atom; the best one's cosine is shown
}

// Match says whether the query wants the document.
func (c *Compiled) Match(d *Doc) bool {
	return d.Classes&c.Class != 0 && d.Sampled(c.Sample) && Eval(c.Expr, d)
}
