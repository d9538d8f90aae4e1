package gazetteer

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/birdwire/birdwire/actors/engine/text"
)

// Found is an entry that an article names, or a name that no list has: then the
// ID is a hash of it, with 2^52 in it.
type Found struct {
	Entry
	Mentions int
}

// ownIDs is where the ids of names begin that no list has.
const ownIDs = 1 << 52

const (
	titleBytes = 2 << 10  // of a title that are read
	bodyBytes  = 32 << 10 // of everything else
	foundMost  = 32       // that are returned
	runsMost   = 8        // of them, that no list has
)

// Find returns whom the article names, most mentioned first, and the tickers of
// securities that it writes, which no list need have.
func (g *Gazetteer) Find(title, body string) (found []Found, tickers []string) {
	f := finder{
		g: g, strong: map[int32]int{}, weak: map[int32]map[class]int{}, inner: map[uint64]bool{}, small: map[uint64]bool{},
		runs: map[string]*run{}, first: map[int32]int{}, tickers: map[string]bool{},
	}
	parts := []string{text.Clip(title, titleBytes)}
	parts = append(parts, strings.Split(text.Clip(body, bodyBytes), "\n")...)
	for i, s := range parts {
		parts[i] = f.readTickers(s)
		f.look(parts[i])
	}
	for _, s := range parts {
		f.read(s)
	}
	return f.result()
}

type finder struct {
	g       *Gazetteer
	buffer  text.Buffer
	small   map[uint64]bool // words that are somewhere written without a capital
	inner   map[uint64]bool // words with a capital inside a sentence
	strong  map[int32]int   // mentions by entry
	weak    map[int32]map[class]int
	first   map[int32]int // where an entry is first, in the order of reading
	places  int
	runs    map[string]*run
	tickers map[string]bool
}

// run is a name that no list has.
type run struct {
	mentions, first int
}

// looks is how one token of a text is written.
type looks struct {
	text.Token
	capital, upper, inner bool
}

// words of a text, and whether its capitals say anything.
func (f *finder) words(s string) (all []looks, telling, shouted bool) {
	text.Tokenize(s, &f.buffer)
	all = make([]looks, len(f.buffer.Tokens))
	letters, long, capitals, uppers := 0, 0, 0, 0
	for i, t := range f.buffer.Tokens {
		w := s[t.Start:t.End]
		first, _ := utf8.DecodeRuneInString(w)
		l := looks{Token: t, capital: !unicode.IsLower(first) && (unicode.IsLetter(first) || unicode.IsDigit(first)), upper: w == strings.ToUpper(w)}
		l.inner = l.capital && i > 0 && !begins(between(s, f.buffer.Tokens[i-1], t))
		if unicode.IsLetter(first) {
			letters++
			if l.capital {
				capitals++
			}
			if l.upper && len(w) > 3 {
				uppers++
			}
			if len(w) > 3 {
				long++
			}
		}
		all[i] = l
	}
	return all, 2*capitals <= letters, long > 2 && 3*uppers >= 2*long
}

// begins says whether a sentence begins after what is between two words.
func begins(between string) bool { return strings.ContainsAny(between, ".!?:;“\"‘«•|") }

// look takes in how words are written, before any name is looked for.
func (f *finder) look(s string) {
	all, telling, _ := f.words(s)
	for _, w := range all {
		if first, _ := utf8.DecodeRuneInString(s[w.Start:]); unicode.IsLower(first) {
			f.small[w.Hash] = true
		}
		if w.inner && telling {
			f.inner[w.Hash] = true
		}
	}
}

func (f *finder) read(s string) {
	all, telling, shouted := f.words(s)
	for i := 0; i < len(all); {
		if n := f.match(all[i:], shouted); n > 0 {
			i += n
			continue
		}
		n := 1
		if telling {
			n = max(n, f.run(s, all[i:]))
		}
		i += n
	}
}

// match takes the longest name that begins here.
func (f *finder) match(all []looks, shouted bool) (n int) {
	for _, a := range f.g.aliases[all[0].Hash] {
		if len(a.words) <= len(all) && written(a, all, shouted) {
			f.places++
			if _, ok := f.first[a.entry]; !ok {
				f.first[a.entry] = f.places
			}
			switch a.class {
			case anywhere, named, acronym:
				f.strong[a.entry]++
			case single, common:
				if f.weak[a.entry] == nil {
					f.weak[a.entry] = map[class]int{}
				}
				if a.class == single && (f.small[a.words[0]] || !f.inner[a.words[0]]) {
					f.weak[a.entry][common]++
					return 1
				}
				f.weak[a.entry][a.class]++
			}
			return len(a.words)
		}
	}
	return 0
}

func written(a alias, all []looks, shouted bool) bool {
	for i, w := range a.words {
		switch l := all[i]; {
		case l.Hash != w:
			return false
		case a.class == anywhere:
		case a.class == acronym && (!l.upper || shouted):
			return false
		// "Bank of England": small words inside a name may be small.
		case !l.capital && (i == 0 || l.End-l.Start > 3):
			return false
		}
	}
	return true
}

// joining are small words inside names.
var joining = map[uint64]bool{
	text.Hash("of"): true, text.Hash("de"): true, text.Hash("van"): true, text.Hash("von"): true, text.Hash("al"): true, text.Hash("bin"): true,
	text.Hash("der"): true, text.Hash("da"): true, text.Hash("la"): true,
}

// run takes two to five words with capitals that stand side by side inside a
// sentence, and returns how many they are.
func (f *finder) run(s string, all []looks) (n int) {
	if ordinary(all[0].Hash) || !all[0].inner && f.small[all[0].Hash] {
		return 0 // a title, or the first word of a sentence
	}
	for n < len(all) && n < 6 {
		switch w := all[n]; {
		case n > 0 && !joined(s, all[n-1].Token, w.Token):
			return f.named(s, all, n)
		case w.capital && unicode.IsLetter(firstOf(s[w.Start:])):
		case n > 0 && joining[w.Hash]:
		default:
			return f.named(s, all, n)
		}
		n++
	}
	return f.named(s, all, n)
}

// joined says whether two words may be of one name: nothing is between them but
// a space, a hyphen, an apostrophe, or the full stop of an initial.
func joined(s string, a, b text.Token) bool {
	gap := between(s, a, b)
	if initial, ok := strings.CutPrefix(gap, "."); ok && a.End-a.Start == 1 {
		gap = initial
	}
	return strings.Trim(gap, " -’'\u00a0") == ""
}

// between is what is between two words: nothing where the tokeniser had to
// compose them together.
func between(s string, a, b text.Token) string {
	if b.Start < a.End {
		return ""
	}
	return s[a.End:b.Start]
}

func firstOf(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

// named counts the run of n words, without small ones at its end.
func (f *finder) named(s string, all []looks, n int) int {
	for n > 0 && !all[n-1].capital {
		n--
	}
	if n < 2 || all[n-1].End-all[0].Start > 60 || all[n-1].End <= all[0].Start || !all[n-1].inner {
		return n
	}
	name := strings.Join(strings.Fields(s[all[0].Start:all[n-1].End]), " ")
	f.places++
	if r := f.runs[name]; r != nil {
		r.mentions++
	} else if len(f.runs) < 256 {
		f.runs[name] = &run{1, f.places}
	}
	return n
}

// listed is how reports write a ticker: (NYSE: GM), (NASDAQ:AAPL), (AAPL.O).
var listed = regexp.MustCompile(`\((?:(?:NYSE|NASDAQ|Nasdaq|AMEX|NYSE American|NYSE Arca|OTC|OTCMKTS|LSE|TSX|ASX)\s?:\s?([A-Z]{1,5}(?:[.-][A-Z])?)|([A-Z]{1,5})\.(?:O|N|OQ|K|PK|A))\)`)

// readTickers returns the text without the exchanges beside them, of which it
// does not speak.
func (f *finder) readTickers(s string) string {
	if strings.Contains(s, "$") {
		text.Scan(s, &f.buffer)
		for _, e := range f.buffer.Entities {
			if e.Kind == text.Cashtag {
				f.ticker(text.Upper(e.Value(s)))
			}
		}
	}
	if !strings.Contains(s, "(") {
		return s
	}
	return listed.ReplaceAllStringFunc(s, func(whole string) string {
		m := listed.FindStringSubmatch(whole)
		f.ticker(m[1] + m[2])
		return " "
	})
}

func (f *finder) ticker(t string) {
	if !f.tickers[t] && len(f.tickers) == foundMost {
		return
	}
	f.tickers[t] = true
	at, ok := f.g.tickers[t]
	if !ok {
		at, ok = f.g.tickers[strings.ReplaceAll(t, ".", "-")]
	}
	if ok {
		f.places++
		f.strong[at]++
		if _, seen := f.first[at]; !seen {
			f.first[at] = f.places
		}
	}
}

func (f *finder) result() (found []Found, tickers []string) {
	type place struct {
		Found
		first int
	}
	var all []place
	for at, first := range f.first {
		n := f.strong[at] + f.weak[at][single]
		if n > 0 {
			n += f.weak[at][common]
			all = append(all, place{Found{f.g.entries[at], n}, first})
		}
	}
	order := func(a, b place) int {
		return cmp.Or(cmp.Compare(b.Mentions, a.Mentions), cmp.Compare(a.first, b.first))
	}
	var own []place
	for name, r := range f.runs {
		own = append(own, place{Found{Entry{ID: OwnID(name), Name: name}, r.mentions}, r.first})
	}
	slices.SortFunc(own, order)
	all = append(all, own[:min(len(own), runsMost)]...)
	slices.SortFunc(all, order)
	for _, p := range all[:min(len(all), foundMost)] {
		found = append(found, p.Found)
		if t := p.Ticker; t != "" {
			f.tickers[t] = true
		}
	}
	for t := range f.tickers {
		tickers = append(tickers, t)
	}
	slices.Sort(tickers)
	return found, tickers
}

// OwnID is the id of a name that no list has: the same on every node, always.
func OwnID(name string) int64 {
	return ownIDs | int64(text.Hash(text.Fold(name))>>12)
}
