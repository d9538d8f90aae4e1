package text

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The oracle says what twitter-text says, as a grammar that is tried from every
// place and takes back what led nowhere. It is slow, and plain enough to be
// held against the published expressions line by line.

// pat matches s from i, and goes on with k from where it ended; false takes
// back the last choice.
type pat func(s []rune, i int, k func(int) bool) bool

func one(in func(rune) bool) pat {
	return func(s []rune, i int, k func(int) bool) bool { return i < len(s) && in(s[i]) && k(i+1) }
}

func lit(word string) pat { // without the case of ASCII
	w := []rune(word)
	same := func(a, b rune) bool { return a == b || a < 0x80 && unicode.ToLower(a) == b }
	return func(s []rune, i int, k func(int) bool) bool {
		return i+len(w) <= len(s) && slices.EqualFunc(s[i:i+len(w)], w, same) && k(i+len(w))
	}
}

func seq(ps ...pat) pat {
	if len(ps) == 1 {
		return ps[0]
	}
	rest := seq(ps[1:]...)
	return func(s []rune, i int, k func(int) bool) bool {
		return ps[0](s, i, func(j int) bool { return rest(s, j, k) })
	}
}

func alt(ps ...pat) pat {
	return func(s []rune, i int, k func(int) bool) bool {
		for _, p := range ps {
			if p(s, i, k) {
				return true
			}
		}
		return false
	}
}

// rep is p, least to most times, as often as it goes.
func rep(p pat, least, most int) pat {
	return func(s []rune, i int, k func(int) bool) bool {
		if most > 0 && p(s, i, func(j int) bool { return j > i && rep(p, max(0, least-1), most-1)(s, j, k) }) {
			return true
		}
		return least == 0 && k(i)
	}
}

const any = 1 << 30

func star(p pat) pat { return rep(p, 0, any) }
func plus(p pat) pat { return rep(p, 1, any) }
func opt(p pat) pat  { return rep(p, 0, 1) }

func begin(_ []rune, i int, k func(int) bool) bool { return i == 0 && k(i) }

func notBefore(p pat) pat {
	return func(s []rune, i int, k func(int) bool) bool {
		return !p(s, i, func(int) bool { return true }) && k(i)
	}
}

// mark keeps where a part of the match is.
type span struct{ from, to int }

func mark(at *span, p pat) pat {
	return func(s []rune, i int, k func(int) bool) bool {
		was := *at
		if p(s, i, func(j int) bool {
			here := *at
			*at = span{i, j}
			if k(j) {
				return true
			}
			*at = here
			return false
		}) {
			return true
		}
		*at = was
		return false
	}
}

// every calls found for each match of p, the first one first; none overlaps another.
func every(p pat, s []rune, clear func(), found func(end int)) {
	for i := 0; i <= len(s); {
		clear()
		end := -1
		if !p(s, i, func(j int) bool { end = j; return true }) {
			i++
			continue
		}
		found(end)
		i = max(end, i+1)
	}
}

func in(set string) func(rune) bool { return func(r rune) bool { return strings.ContainsRune(set, r) } }

func either(fs ...func(rune) bool) func(rune) bool {
	return func(r rune) bool { return slices.ContainsFunc(fs, func(f func(rune) bool) bool { return f(r) }) }
}

func not(f func(rune) bool) func(rune) bool { return func(r rune) bool { return !f(r) } }

func ranges(list ...rune) func(rune) bool {
	return func(r rune) bool {
		for i := 0; i < len(list); i += 2 {
			if list[i] <= r && r <= list[i+1] {
				return true
			}
		}
		return false
	}
}

var (
	oAlnum     = ranges('a', 'z', 'A', 'Z', '0', '9')
	oSpaces    = ranges(9, 13, ' ', ' ', 0x85, 0x85, 0xa0, 0xa0, 0x1680, 0x1680, 0x180e, 0x180e, 0x2000, 0x200a, 0x2028, 0x2029, 0x202f, 0x202f, 0x205f, 0x205f, 0x3000, 0x3000)
	oDirection = ranges(0x61c, 0x61c, 0x200e, 0x200f, 0x202a, 0x202e, 0x2066, 0x2069)
	oInvalid   = ranges(0xfffe, 0xffff, 0xfeff, 0xfeff)
	oPunct     = in("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
	oControl   = ranges(0, 0x20, 0x7f, 0x7f)
	oLatin     = ranges(0xc0, 0xd6, 0xd8, 0xf6, 0xf8, 0xff, 0x100, 0x24f, 0x253, 0x254, 0x256, 0x257, 0x259, 0x259, 0x25b, 0x25b,
		0x263, 0x263, 0x268, 0x268, 0x26f, 0x26f, 0x272, 0x272, 0x289, 0x289, 0x28b, 0x28b, 0x2bb, 0x2bb, 0x300, 0x36f, 0x1e00, 0x1eff)

	oTagLetter = func(r rune) bool { return unicode.In(r, unicode.L, unicode.M) }
	oTag       = either(oTagLetter, func(r rune) bool { return unicode.Is(unicode.Nd, r) }, in(tagSigns))

	oName = either(oAlnum, in("_"))

	oBad    = ranges(0xfffd, 0xfffd) // what is no UTF-8; ours
	oDomain = not(either(oDirection, oPunct, oControl, oInvalid, oSpaces, oBad))
	oCyr    = func(r rune) bool { return unicode.Is(unicode.Cyrillic, r) }
	oPath   = either(oAlnum, oLatin, oCyr, in("!*';:=+,.$/%#[]-–_~@|&"))
	oEnding = either(oAlnum, oLatin, oCyr, in("+-=_#/"))
)

type found struct {
	kind       EntityKind
	start, end int // characters
	list       bool
}

func oracle(text string) []found {
	s := []rune(text)
	all := slices.Concat(oracleURLs(s), oracleTags(s), oracleNames(s), oracleTickers(s))
	slices.SortStableFunc(all, func(a, b found) int { return a.start - b.start })
	var out []found
	end := 0
	for _, f := range all {
		if f.start < end {
			continue
		}
		if f.kind == Hashtag && Fold(string(s[f.start+1:f.end])) == "" {
			continue // nothing that can be seen; ours
		}
		end = f.end
		if !f.list {
			out = append(out, f)
		}
	}
	return out
}

func oracleTags(s []rune) (out []found) {
	var sign, tag span
	p := seq(alt(begin, one(in("\ufe0e\ufe0f")), one(func(r rune) bool { return r != '&' && !oTag(r) })),
		mark(&sign, one(in("#＃"))), notBefore(one(in("\ufe0f\u20e3"))),
		mark(&tag, seq(star(one(oTag)), one(oTagLetter), star(one(oTag)))))
	every(p, s, func() {}, func(end int) {
		if after := string(s[end:]); !strings.HasPrefix(after, "#") && !strings.HasPrefix(after, "＃") && !strings.HasPrefix(after, "://") {
			out = append(out, found{Hashtag, sign.from, tag.to, false})
		}
	})
	return out
}

func oracleNames(s []rune) (out []found) {
	var sign, list span
	rt := seq(alt(begin, one(not(either(oAlnum, in("_+~.-"))))), lit("rt"), opt(lit(":")))
	p := seq(alt(one(not(either(oAlnum, in("_!#$%&*@＠")))), begin, rt), mark(&sign, one(in("@＠"))), rep(one(oName), 1, 20),
		opt(mark(&list, seq(lit("/"), one(ranges('a', 'z', 'A', 'Z')), rep(one(either(oName, in("-"))), 0, 24)))))
	every(p, s, func() { list = span{} }, func(end int) {
		after := append(slices.Clone(s[end:]), 0)
		if after[0] == '@' || after[0] == '＠' || oLatin(after[0]) || strings.HasPrefix(string(after), "://") {
			return
		}
		out = append(out, found{Mention, sign.from, end, list.to > 0})
	})
	return out
}

func oracleTickers(s []rune) (out []found) {
	letter := one(ranges('a', 'z', 'A', 'Z'))
	var sign span
	ends := func(s []rune, i int, k func(int) bool) bool {
		return (i == len(s) || oSpaces(s[i]) || oPunct(s[i])) && k(i)
	}
	p := seq(alt(begin, one(either(oSpaces, oDirection))), mark(&sign, lit("$")),
		rep(letter, 1, 6), opt(seq(one(in("._")), rep(letter, 1, 2))), ends)
	every(p, s, func() {}, func(end int) { out = append(out, found{Cashtag, sign.from, end, false}) })
	return out
}

var oTLDs, oTLDLongest = func() (map[string]bool, int) {
	set, longest := map[string]bool{}, 0
	for _, name := range strings.Fields(topLevelASCII + " " + topLevelGone + " " + topLevelOther) {
		set[name], longest = true, max(longest, utf8.RuneCountInString(name))
	}
	return set, longest
}()

// oReserved is ours: names for tests, after a scheme.
func oReserved(s []rune, i int, k func(int) bool) bool {
	ends := notBefore(one(either(oAlnum, in("@+-"))))
	return seq(alt(lit("example"), lit("test")), ends)(s, i, k)
}

func oTLD(s []rune, i int, k func(int) bool) bool {
	ends := func(j int) bool { return j == len(s) || !oAlnum(s[j]) && !strings.ContainsRune("@+-", s[j]) }
	best := -1
	for n := 1; n <= oTLDLongest && i+n <= len(s); n++ {
		if oTLDs[strings.Map(foldRune, string(s[i:i+n]))] && ends(i+n) {
			best = i + n
		}
	}
	if best >= 0 && k(best) {
		return true
	}
	return seq(lit("xn--"), plus(one(either(oAlnum, in("-")))))(s, i, k)
}

func oracleURLs(s []rune) (out []found) {
	label := func(inner string) pat {
		return seq(opt(seq(one(oDomain), star(one(either(oDomain, in(inner)))))), one(oDomain), lit("."))
	}
	host := func(tld pat) pat { return seq(star(label("_-")), label("-"), tld) }
	path := one(oPath)
	deep := seq(lit("("), plus(path), lit(")"))
	brackets := seq(lit("("), alt(seq(plus(path), lit(")")), seq(star(path), deep, star(path), lit(")"))))
	pathPart := seq(star(path), star(seq(brackets, star(path))), alt(one(oEnding), brackets))
	query := seq(lit("?"), star(one(either(oAlnum, in("!?*'();:&=+$/%#[]-_.,~|@")))), one(either(oAlnum, in("_&=#/-"))))

	var before, scheme, domain, tail, url span
	p := seq(mark(&before, alt(begin, one(not(either(oAlnum, in("@＠$#＃"), oInvalid))))),
		mark(&url, seq(alt(seq(mark(&scheme, alt(lit("http://"), lit("https://"))), mark(&domain, host(alt(oTLD, oReserved)))), mark(&domain, host(oTLD))),
			opt(seq(lit(":"), plus(one(ranges('0', '9'))))), opt(mark(&tail, seq(lit("/"), star(pathPart)))), opt(query))))
	ascii := seq(plus(seq(plus(one(either(oAlnum, in("-_"), oLatin))), lit("."))), oTLD)
	every(p, s, func() { scheme, tail = span{}, span{} }, func(int) {
		if scheme.to > 0 {
			short := span{}
			slug := span{}
			tco := seq(alt(lit("http://"), lit("https://")), lit("t.co/"), mark(&slug, plus(one(oAlnum))), opt(query))
			if tco(s, url.from, func(j int) bool { short = span{url.from, j}; return true }) {
				if slug.to-slug.from > 40 {
					return
				}
				url = short
			}
			if validHost(string(s[domain.from:domain.to])) && url.to-url.from <= maxURL {
				out = append(out, found{URL, url.from, url.to, false})
			}
			return
		}
		if before.to > before.from && strings.ContainsRune("-_./", s[before.from]) {
			return
		}
		part := s[domain.from:domain.to]
		var starts []int
		var ends []int
		for i := 0; i < len(part); {
			end := -1
			if !ascii(part, i, func(j int) bool { end = j; return true }) {
				i++
				continue
			}
			starts, ends = append(starts, i), append(ends, end)
			i = end
		}
		for n := range starts {
			if !validHost(string(part[starts[n]:ends[n]])) {
				continue
			}
			f := found{URL, domain.from + starts[n], domain.from + ends[n], false}
			if f.end == domain.to && tail.to > 0 {
				f.end = url.to
			}
			out = append(out, f)
		}
	})
	return out
}

// disagreement holds the scanner against the oracle.
func disagreement(b *Buffer, s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	var want []string
	r := []rune(s)
	for _, f := range oracle(s) {
		want = append(want, fmt.Sprintf("%d %d:%d %q", f.kind, f.start, f.end, string(r[f.start:f.end])))
	}
	for _, scan := range []func(string, *Buffer){Tokenize, Scan} {
		scan(s, b)
		var got []string
		for _, e := range b.Entities {
			got = append(got, fmt.Sprintf("%d %d:%d %q", e.Kind, utf8.RuneCountInString(s[:e.Start]), utf8.RuneCountInString(s[:e.End]), s[e.Start:e.End]))
		}
		if !slices.Equal(got, want) {
			return fmt.Sprintf("%q: got %v, the oracle %v", s, got, want)
		}
	}
	return ""
}
