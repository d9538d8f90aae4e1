// Package gazetteer finds in an article the companies, organizations, places
// and people that it names, and the tickers of securities.
//
// It knows what is bundled (companies of the SEC's list, public domain, and a
// list of our own) and what an operator adds. What no list knows is found by
// its capital letters. A Gazetteer never changes: another file makes another
// one. It reads no file itself, and holds no opinion on who matters.
//
// # When a name counts
//
// A list of names meets every word of a language: Target, Visa, US, Who.
//
//	a name that somebody has chosen   written with a capital letter
//	an acronym (US, WHO, AMD)         written in capitals, where not everything is
//	a company's own words, several    written with capital letters
//	a company's one word              with a capital inside a sentence, and nowhere without
//	the same, a frequent word         only beside its ticker or its whole name
//
// Where all words of a headline have capitals, a capital says nothing.
package gazetteer

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/birdwire/birdwire/actors/engine/text"
	"github.com/birdwire/birdwire/actors/enricher/hashvector"
)

// Entry is something that an article may name.
type Entry struct {
	ID      int64 // 1 to 2^52-1
	Name    string
	Kind    string // company | organization | person | place | asset | ..., "" unknown
	Ticker  string // upper case, without '$'; "" none
	Aliases []string
}

// class is how much an alias proves by itself.
type class uint8

const (
	anywhere class = iota // chosen without capitals: in any case
	named                 // with a capital
	acronym               // all of it in capitals
	single                // a capital inside a sentence, and nowhere without
	common                // never alone
)

// alias is one way to name an entry, by the hashes of its words.
type alias struct {
	words []uint64
	entry int32
	class class
}

// Gazetteer is a set of entries with all their names.
type Gazetteer struct {
	entries []Entry
	at      map[int64]int32    // by id
	aliases map[uint64][]alias // by the first word, longest first
	tickers map[string]int32
}

// Most that one file may hold.
const (
	entriesMost = 500_000
	aliasesMost = 64
	nameMost    = 200 // bytes
	wordsMost   = 12  // of a name
)

//go:embed data/companies.tsv
var companies string

//go:embed data/aliases.tsv
var companyNames string

//go:embed data/notable.jsonl
var notable string

// Bundled is the gazetteer that every node has.
var Bundled = sync.OnceValue(func() *Gazetteer {
	g := &Gazetteer{at: map[int64]int32{}, aliases: map[uint64][]alias{}, tickers: map[string]int32{}}
	entries, err := Parse(strings.NewReader(notable))
	if err != nil {
		panic("gazetteer: " + err.Error()) // a test reads it
	}
	for _, e := range entries {
		g.add(e)
	}
	g.addCompanies()
	g.sort()
	return g
})

// companyIDs is where the ids of the SEC's list begin: the number that it gives
// a company is added.
const companyIDs = 1_000_000_000

func (g *Gazetteer) addCompanies() {
	names := map[string][]string{}
	for line := range strings.Lines(companyNames) {
		ticker, rest, _ := strings.Cut(strings.TrimSpace(line), "\t")
		names[ticker] = append(names[ticker], strings.Split(rest, "\t")...)
	}
	rank := 0
	for line := range strings.Lines(companies) {
		rank++
		fields := strings.Split(strings.TrimSpace(line), "\t")
		number, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil || len(fields) != 3 {
			panic(fmt.Sprintf("gazetteer: %q is no company", line))
		}
		tickers := strings.Split(fields[1], ",")
		known := names[tickers[0]]
		name := tidy(fields[2])
		if len(known) > 0 {
			name = known[0]
		}
		at := g.entry(Entry{ID: companyIDs + number, Name: name, Kind: "company", Ticker: tickers[0]})
		for _, t := range tickers {
			g.ticker(t, at)
		}
		for _, n := range known {
			g.name(n, at, named)
		}
		whole := words(fields[2])
		core := coreOf(fields[2])
		g.put(whole, at, named)
		if len(core) > 1 {
			g.put(core, at, named)
		} else if len(core) == 1 {
			g.put(core, at, alone(core[0], rank))
		}
	}
}

// knownMost is how many of the largest companies are known by one word. Of the
// others Brady, Eve and Commerce are mostly somebody and something else.
const knownMost = 600

// alone is the class of a company's one word; rank is by the company's size.
func alone(word uint64, rank int) class {
	if rank > knownMost || ordinary(word) {
		return common
	}
	return single
}

// capitals is what English writes with a capital that is nobody's name: days,
// months, titles, what pages say.
var capitals = func() map[uint64]bool {
	all := map[uint64]bool{}
	for _, w := range strings.Fields(`monday tuesday wednesday thursday friday saturday sunday january february march april may june july
		august september october november december mr mrs ms dr sir dame lord lady king queen prince princess pope president vice prime minister
		secretary senator sen representative rep governor gov general gen colonel captain chief justice judge attorney professor prof
		chairman chairwoman chancellor mayor ambassador advertisement photo image reporting editing dow`) {
		all[text.Hash(w)] = true
	}
	return all
}()

// ordinary is a word that a language has more use for than a name.
func ordinary(word uint64) bool { return hashvector.Frequent(word) || capitals[word] }

// With returns the gazetteer with an operator's entries: theirs have priority
// over what is bundled under the same id or the same name.
func (g *Gazetteer) With(entries []Entry) *Gazetteer {
	own := map[int64]bool{}
	n := &Gazetteer{at: map[int64]int32{}, aliases: map[uint64][]alias{}, tickers: map[string]int32{}}
	for _, e := range entries {
		own[e.ID] = true
		n.add(e)
	}
	for first, list := range g.aliases {
		for _, a := range list {
			if e := g.entries[a.entry]; !own[e.ID] {
				n.aliases[first] = append(n.aliases[first], alias{a.words, n.entry(e), a.class})
			}
		}
	}
	for t, at := range g.tickers {
		if e := g.entries[at]; !own[e.ID] {
			n.ticker(t, n.entry(e))
		}
	}
	n.sort()
	return n
}

// Len is how many entries it has.
func (g *Gazetteer) Len() int { return len(g.entries) }

func (g *Gazetteer) entry(e Entry) int32 {
	if at, ok := g.at[e.ID]; ok {
		return at
	}
	e.Aliases = nil // they are where they are looked for
	at := int32(len(g.entries))
	g.entries = append(g.entries, e)
	g.at[e.ID] = at
	return at
}

// add takes an entry that somebody has chosen.
func (g *Gazetteer) add(e Entry) {
	at := g.entry(e)
	if e.Ticker != "" {
		g.ticker(e.Ticker, at)
	}
	for _, n := range append([]string{e.Name}, e.Aliases...) {
		g.name(n, at, classOf(n))
	}
}

// classOf is the class of a name by how it is written.
func classOf(name string) class {
	letters, upper, first := 0, 0, rune(0)
	for _, r := range name {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			if first == 0 {
				first = r
			}
			letters++
			if !unicode.IsLower(r) {
				upper++
			}
		}
	}
	switch {
	case letters == upper && letters <= 5:
		return acronym
	case unicode.IsLower(first):
		return anywhere
	}
	return named
}

func (g *Gazetteer) name(name string, at int32, c class) {
	if c == named {
		c = classOf(name)
	}
	g.put(words(name), at, c)
}

// put keeps the first that has a name: what was added before has priority.
func (g *Gazetteer) put(words []uint64, at int32, c class) {
	if len(words) == 0 || len(words) > wordsMost {
		return
	}
	list := g.aliases[words[0]]
	for _, a := range list {
		if slices.Equal(a.words, words) {
			return
		}
	}
	g.aliases[words[0]] = append(list, alias{words, at, c})
}

func (g *Gazetteer) ticker(t string, at int32) {
	if _, ok := g.tickers[t]; !ok {
		g.tickers[t] = at
	}
}

func words(name string) []uint64 {
	var b text.Buffer
	text.Tokenize(name, &b)
	hashes := make([]uint64, len(b.Tokens))
	for i, t := range b.Tokens {
		hashes[i] = t.Hash
	}
	return hashes
}
