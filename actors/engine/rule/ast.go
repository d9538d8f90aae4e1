package rule

import (
	"strconv"
	"strings"

	"github.com/birdwire/birdwire/actors/engine/text"
	"github.com/birdwire/birdwire/messages"
)

// Op says how an Expr combines its arguments.
type Op uint8

// The operators. And and Or have two or more arguments after Parse and
// Compile, Not has one; Eval takes any number (an empty And is true, an empty
// Or false).
const (
	OpAtom Op = iota
	OpAnd
	OpOr
	OpNot
	OpTrue
	OpFalse
)

// Expr is a boolean expression over atoms. Never changed once made: many
// readers share it.
type Expr struct {
	Op   Op
	Atom Atom // OpAtom
	Args []*Expr
}

// Atom is one question that a document answers with yes or no.
type Atom struct {
	Kind       Kind
	Value      string   // folded; for a kind with Tokens they are joined by a space
	Tokens     []string // folded; kinds of tokens and phrases, and proximity
	Hashes     []uint64 // of Tokens, or of Value or N where there are none
	N          int64    // KindProximity: distance; KindEntityID: the id
	Lo, Hi     int64    // counts, both inclusive; Hi is MaxInt64 where open
	Geo        [4]float64
	Embeddings []*messages.EmbeddingFilter // KindEmbedding: one of them suffices
}

// True, False are the constant expressions.
var (
	True  = &Expr{Op: OpTrue}
	False = &Expr{Op: OpFalse}
)

// And is the conjunction: flattened, without constants. And() is True.
func And(args ...*Expr) *Expr { return join(OpAnd, args) }

// Or is the disjunction: flattened, without constants. Or() is False.
func Or(args ...*Expr) *Expr { return join(OpOr, args) }

// Not is the negation; that of a negation or a constant is simplified.
func Not(x *Expr) *Expr {
	switch x.Op {
	case OpTrue:
		return False
	case OpFalse:
		return True
	case OpNot:
		return x.Args[0]
	}
	return &Expr{Op: OpNot, Args: []*Expr{x}}
}

func join(op Op, args []*Expr) *Expr {
	unit, zero := OpTrue, OpFalse
	if op == OpOr {
		unit, zero = OpFalse, OpTrue
	}
	out := make([]*Expr, 0, len(args))
	for _, a := range args {
		switch a.Op {
		case unit:
		case zero:
			return a
		case op:
			out = append(out, a.Args...)
		default:
			out = append(out, a)
		}
	}
	switch len(out) {
	case 0:
		return &Expr{Op: unit}
	case 1:
		return out[0]
	}
	return &Expr{Op: op, Args: out}
}

// Exact says that the atom holds exactly for the documents that have its one
// key. Where it does not, Keys are necessary and Doc.Match decides.
func (a *Atom) Exact() bool {
	switch a.Kind {
	case KindPhrase, KindProximity, KindPointRadius, KindBoundingBox,
		KindFollowers, KindFollowing, KindTweets, KindListed,
		KindURLContains, KindEmbedding:
		return false
	}
	return len(a.Hashes) == 1
}

// Keys appends the keys that every document has for which the atom holds: one
// for an exact atom, one a token for a phrase, none where a document has
// nothing to be found by (counts, places on the map, substrings, embeddings).
func (a *Atom) Keys(dst []uint64) []uint64 {
	switch a.Kind {
	case KindPointRadius, KindBoundingBox, KindURLContains, KindEmbedding,
		KindFollowers, KindFollowing, KindTweets, KindListed:
		return dst
	}
	for _, h := range a.Hashes {
		dst = append(dst, key(a.Kind, h))
	}
	return dst
}

// key places a hash in its kind's part of the key space. Phrase and proximity
// share the keyword's, whose keys are the bare hashes.
func key(k Kind, hash uint64) uint64 {
	switch k {
	case KindKeyword, KindPhrase, KindProximity:
		return hash
	}
	return hash ^ uint64(k)*0x9e3779b97f4a7c15
}

// valueAtom is an atom of one folded value.
func valueAtom(k Kind, folded string) *Expr {
	return &Expr{Atom: Atom{Kind: k, Value: folded, Hashes: []uint64{text.Hash(folded)}}}
}

// wordsAtom is an atom of the tokens of s: nil where it has none. A phrase of
// the text has a kind of its own.
func wordsAtom(k Kind, s string) *Expr {
	a := Atom{Kind: k}
	var b text.Buffer
	text.Tokenize(s, &b)
	for _, t := range b.Tokens {
		a.Tokens = append(a.Tokens, b.Text(t))
		a.Hashes = append(a.Hashes, t.Hash)
	}
	if len(a.Tokens) == 0 {
		return nil
	}
	if k == KindKeyword && len(a.Tokens) > 1 {
		a.Kind = KindPhrase
	}
	a.Value = strings.Join(a.Tokens, " ")
	return &Expr{Atom: a}
}

// entityAtom is an atom of a numbered entity.
func entityAtom(id int64) *Expr {
	return &Expr{Atom: Atom{Kind: KindEntityID, N: id, Value: strconv.FormatInt(id, 10), Hashes: []uint64{hashID(id)}}}
}

// hashID mixes a number (splitmix64), so that ids in a row are far apart.
func hashID(id int64) uint64 {
	x := uint64(id) + 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
