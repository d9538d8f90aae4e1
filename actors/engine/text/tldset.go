package text

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// topLevelGone are names that had their place and are used no more, and codes
// of countries that never had names. twitter-text goes on taking them, and old
// posts are full of them.
const topLevelGone = "" +
	"abarth active adac afamilycompany aigo alfaromeo an avianca bananarepublic bentley bl blanco bnl " +
	"boots bq budapest bugatti cancerresearch cartier caseih cbs ceb chloe chrysler cityeats comcast " +
	"cookingchannel csc dabur dodge doha doosan duck dunlop duns eh epost esurance etisalat everbank " +
	"fiat flsmidth foodnetwork frontdoor fujixerox glade goodhands guardian hgtv honeywell hoteles " +
	"htc iinet intel iselect iveco iwc jcp jlc kerrylogistics kinder ladbrokes lancaster lancia " +
	"lancome liaison linde lipsy lixil loft lupin macys maserati mcd mcdonalds meo metlife mf mobily " +
	"montblanc mopar movistar mtpc mutual mutuelle nadex nationwide natura newholland " +
	"northwesternmutual off oldnavy onyourside orientexpress pamperedchef panerai passagens piaget " +
	"pramerica qvc raid redstone rightathome rmit rocher sapo sca scjohnson scor ses shaw showtime " +
	"shriram spiegel spreadbetting srt starhub statoil swiftcover symantec telecity telefonica " +
	"tiffany tp travelchannel uconnect um vista vistaprint volkswagen vuelos warman xfinity xperia " +
	"zippo اتصالات موبايلي 大众汽车 工行 手表 珠宝 诺基亚"

// asciiTLDs is a table of the hashes of the top-level names in ASCII, with
// room: a quarter is used. Whoever makes a word collide with one gets an
// address that he could have had by writing the name.
var asciiTLDs = func() (t [tldSlots]uint64) {
	for _, name := range strings.Fields(topLevelASCII + " " + topLevelGone) {
		h := Hash(name)
		i := h % tldSlots
		for t[i] != 0 {
			i = (i + 1) % tldSlots
		}
		t[i] = h
	}
	return t
}()

const tldSlots = 8192

func isTLD(word string) bool {
	h := hash(word, lower)
	for i := h % tldSlots; asciiTLDs[i] != 0; i = (i + 1) % tldSlots {
		if asciiTLDs[i] == h {
			return true
		}
	}
	return false
}

// otherTLDs holds the others by their first rune, the longest first.
var otherTLDs = func() map[rune][]string {
	set := make(map[rune][]string)
	for _, name := range strings.Fields(topLevelOther + " " + topLevelGone) {
		if !isASCII(name) {
			r, _ := utf8.DecodeRuneInString(name)
			set[r] = append(set[r], name)
		}
	}
	for _, names := range set {
		slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) })
	}
	return set
}()

// isReserved: a name that RFC 2606 keeps for examples and tests. After a scheme
// it is meant as an address by whoever writes it, and products are tried with
// such; without one "main.test" is a file.
func isReserved(word string) bool {
	return len(word) == 7 && strings.EqualFold(word, "example") || len(word) == 4 && strings.EqualFold(word, "test")
}

// tld is where the top-level name at s[i:] ends; -1 where there is none. A name
// in ASCII is whole; one in other letters may have others after it, since such
// text has no spaces: "みんなです".
func tld(s string, i int, scheme bool) int {
	if len(s)-i > 4 && strings.EqualFold(s[i:i+4], "xn--") {
		end := i + 4
		for end < len(s) && (bytesOf[s[end]] == byteWord || s[end] == '-') {
			end++
		}
		if end > i+4 {
			return end
		}
	}
	end := i
	for end < len(s) && bytesOf[s[end]] == byteWord {
		end++
	}
	if end < len(s) && s[end] >= utf8.RuneSelf {
		if at := otherTLD(s, i); at >= 0 {
			return at
		}
	}
	if end == i || !endsTLD(s, end) {
		return -1
	}
	if isTLD(s[i:end]) || scheme && isReserved(s[i:end]) {
		return end
	}
	return -1
}

func otherTLD(s string, i int) int {
	r, _ := runeAt(s, i)
	for _, name := range otherTLDs[foldOf(r)] {
		if end := hasFoldedPrefix(s, i, name); end >= 0 && endsTLD(s, end) {
			return end
		}
	}
	return -1
}

// hasFoldedPrefix is where the folded name at s[i:] ends; -1 where it is not there.
func hasFoldedPrefix(s string, i int, name string) int {
	for _, want := range name {
		r, n := peek(s, i)
		if n == 0 || foldOf(r) != want {
			return -1
		}
		i += n
	}
	return i
}

// endsTLD: what follows does not go on as a word or as an e-mail address would.
func endsTLD(s string, i int) bool {
	return i == len(s) || bytesOf[s[i]] != byteWord && s[i] != '@' && s[i] != '+' && s[i] != '-'
}
