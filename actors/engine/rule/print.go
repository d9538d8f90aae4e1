package rule

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// String prints the rule canonically, its sample last.
func (r *Rule) String() string {
	if r.Sample >= 100 {
		return r.Expr.String()
	}
	s := r.Expr.String()
	if r.Expr.Op == OpOr {
		s = "(" + s + ")"
	}
	return s + " sample:" + strconv.Itoa(r.Sample)
}

// String prints the expression canonically: parsing it gives the same
// expression, for every expression that Parse can make. Atoms of articles,
// which have no place in the language, print in its manner. Expressions that
// print alike are the same.
func (x *Expr) String() string {
	var b strings.Builder
	x.print(&b)
	return b.String()
}

func (x *Expr) print(b *strings.Builder) {
	switch x.Op {
	case OpAtom:
		x.Atom.print(b)
	case OpNot:
		b.WriteByte('-')
		x.Args[0].group(b, x.Args[0].Op != OpAtom)
	case OpAnd, OpOr:
		for i, a := range x.Args {
			switch {
			case i > 0 && x.Op == OpOr:
				b.WriteString(" OR ")
			case i > 0:
				b.WriteByte(' ')
			}
			a.group(b, a.Op == OpOr || a.Op == OpAnd && x.Op == OpAnd)
		}
	case OpTrue:
		b.WriteString("TRUE:")
	case OpFalse:
		b.WriteString("FALSE:")
	}
}

func (x *Expr) group(b *strings.Builder, brackets bool) {
	if !brackets {
		x.print(b)
		return
	}
	b.WriteByte('(')
	x.print(b)
	b.WriteByte(')')
}

// String prints one atom.
func (a *Atom) String() string {
	var b strings.Builder
	a.print(&b)
	return b.String()
}

// articleNames name the kinds that have no operator.
var articleNames = map[Kind]string{
	KindEvent: "event", KindSourceID: "source_id", KindSourceName: "source_name", KindCategory: "category",
	KindTitle: "title", KindItemText: "item", KindItemLead: "lead", KindEntityID: "entity_id", KindTicker: "ticker",
}

func (a *Atom) print(b *strings.Builder) {
	switch a.Kind {
	case KindKeyword:
		// Where it could be taken for the beginning of something else.
		if op := operators[a.Value]; op != nil && op.user || a.Value[0] == '#' {
			b.WriteString(`"` + a.Value + `"`)
			return
		}
		b.WriteString(a.Value)
	case KindPhrase:
		b.WriteString(`"` + a.Value + `"`)
	case KindProximity:
		fmt.Fprintf(b, `"%s"~%d`, a.Value, a.N)
	case KindHashtag:
		b.WriteString("#" + a.Value)
	case KindMention:
		b.WriteString("@" + a.Value)
	case KindCashtag:
		b.WriteString("$" + a.Value)
	case KindPlaceCountry:
		b.WriteString("place_country:" + strings.ToUpper(a.Value))
	case KindFollowers, KindFollowing, KindTweets, KindListed:
		b.WriteString(operatorNames[a.Kind] + ":" + strconv.FormatInt(a.Lo, 10))
		if a.Hi != math.MaxInt64 {
			b.WriteString(".." + strconv.FormatInt(a.Hi, 10))
		}
	case KindPointRadius, KindBoundingBox, KindContext:
		b.WriteString(operatorNames[a.Kind] + ":" + a.Value)
	case KindEmbedding:
		fmt.Fprintf(b, "embedding:%x", a.digest())
	default:
		name := operatorNames[a.Kind]
		if name == "" {
			name = articleNames[a.Kind]
		}
		b.WriteString(name + ":" + quoteValue(a.Value))
	}
}

// quoteValue puts a value that is more than a plain word in quotation marks.
func quoteValue(s string) string {
	for _, c := range []byte(s) {
		switch {
		case c >= 0x80, c == '_', c == '-', c == '.', c == '/', c == ':', '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		default:
			return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
		}
	}
	if strings.TrimSpace(s) != s || strings.ContainsFunc(s, endsRun) {
		return `"` + s + `"`
	}
	return s
}

// digest tells sets of embeddings apart.
func (a *Atom) digest() []byte {
	h := sha256.New()
	var n [8]byte
	for _, f := range a.Embeddings {
		fmt.Fprintf(h, "%q", f.GetEmbeddingModel())
		binary.LittleEndian.PutUint64(n[:], math.Float64bits(f.GetThreshold()))
		h.Write(n[:])
		for _, x := range f.GetEmbedding() {
			binary.LittleEndian.PutUint32(n[:], math.Float32bits(x))
			h.Write(n[:4])
		}
	}
	return h.Sum(nil)[:8]
}
