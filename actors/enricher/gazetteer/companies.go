package gazetteer

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/birdwire/birdwire/actors/engine/text"
)

// forms are what the law puts behind a company's name.
var forms = map[string]bool{
	"inc": true, "corp": true, "corporation": true, "co": true, "company": true, "companies": true, "ltd": true, "limited": true, "plc": true, "llc": true,
	"lp": true, "sa": true, "nv": true, "ag": true, "se": true, "ab": true, "asa": true, "spa": true, "holdings": true, "holding": true, "group": true,
	"adr": true, "new": true, "de": true, "n": true, "v": true, "s": true, "a": true, "p": true, "l": true, "c": true, "com": true, "trust": true, "bancorp": true,
}

// coreOf is the words of a company's name without its form: none where they
// would be one letter or a number.
func coreOf(name string) []uint64 {
	name, _, _ = strings.Cut(name, "/") // of incorporation
	var b text.Buffer
	text.Tokenize(name, &b)
	n := len(b.Tokens)
	for n > 0 && forms[b.Text(b.Tokens[n-1])] {
		n--
	}
	if n == 1 {
		first, size := utf8.DecodeRuneInString(name[b.Tokens[0].Start:])
		if int(b.Tokens[0].End-b.Tokens[0].Start) == size || unicode.IsDigit(first) {
			return nil
		}
	}
	hashes := make([]uint64, n)
	for i, t := range b.Tokens[:n] {
		hashes[i] = t.Hash
	}
	return hashes
}

// tidy writes a name that is all in capitals as people do.
func tidy(name string) string {
	name, _, _ = strings.Cut(name, "/")
	name = strings.TrimSpace(name)
	if strings.ContainsFunc(name, unicode.IsLower) {
		return name
	}
	fields := strings.Fields(name)
	for i, w := range fields {
		if len(w) > 3 || forms[strings.ToLower(strings.Trim(w, ".,"))] {
			first, n := utf8.DecodeRuneInString(w)
			fields[i] = string(first) + strings.ToLower(w[n:])
		}
	}
	return strings.Join(fields, " ")
}

// sort puts longer names first: the bank of a country is not the country.
func (g *Gazetteer) sort() {
	for _, list := range g.aliases {
		slices.SortStableFunc(list, func(a, b alias) int { return cmp.Compare(len(b.words), len(a.words)) })
	}
}
