package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxURL bounds an address, in characters.
const maxURL = 4096

// schemeBefore is where the "http" or "https" of the "://" at s[i] begins; -1.
func schemeBefore(s string, i int) int {
	if i < 4 || !isScheme(s, i) {
		return -1
	}
	if from := i - 4; strings.EqualFold(s[from:i], "http") {
		return from
	}
	if from := i - 5; from >= 0 && strings.EqualFold(s[from:i], "https") {
		return from
	}
	return -1
}

func isScheme(s string, i int) bool { return strings.HasPrefix(s[i:], "://") }

// address looks for an address whose scheme begins at s[from] and whose host
// begins at s[host].
func (b *Buffer) address(s string, from, host int) {
	if from < b.seen.urls || !b.opensURL(s, from) {
		return
	}
	stop, _ := domain(s, host, true)
	if stop < 0 {
		return
	}
	end, _ := urlTail(s, stop)
	b.seen.urls = end
	if stop-host == 4 && strings.EqualFold(s[host:stop], "t.co") {
		var ok bool
		if end, ok = shortLink(s, stop, end); !ok {
			return
		}
	}
	if validHost(s[host:stop]) && (end-from <= maxURL || utf8.RuneCountInString(s[from:end]) <= maxURL) {
		b.entity(URL, s, from, from, end)
	}
}

// shortLink is where an address of X's own shortener ends: what follows its
// letters and digits is text, other than a query. False: it has too many.
func shortLink(s string, slash, end int) (int, bool) {
	slug := slash + 1
	at := slug
	for at < end && bytesOf[s[at]] == byteWord {
		at++
	}
	switch {
	case at <= slug || s[slash] != '/':
		return end, true
	case at-slug > 40:
		return 0, false
	}
	return queryEnd(s, at), true
}

// urlTail is where the port, path and query at s[i:] end, and whether there is
// a path.
func urlTail(s string, i int) (end int, path bool) {
	if i+1 < len(s) && s[i] == ':' && isDigit(s[i+1]) {
		for i++; i < len(s) && isDigit(s[i]); {
			i++
		}
	}
	if i < len(s) && s[i] == '/' {
		i, path = pathEnd(s, i+1), true
	}
	return queryEnd(s, i), path
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// What a path or a query does with a byte.
const (
	urlNo   uint8 = iota
	urlGoes       // it goes on, but does not end with it
	urlEnds
)

var pathBytes, queryBytes = urlBytes("!*';:,.$%[]~|&@", "=_#/+-"), urlBytes("!?*'();:+$%[].,~|@", "_&=#/-")

func urlBytes(goes, ends string) (t [256]uint8) {
	for c := range t {
		if bytesOf[c] == byteWord {
			t[c] = urlEnds
		}
	}
	for _, c := range []byte(goes) {
		t[c] = urlGoes
	}
	for _, c := range []byte(ends) {
		t[c] = urlEnds
	}
	return t
}

// pathStep is how many bytes of a path the character at s[i] has, and whether a
// path may end with it. 0: it is in none. Letters are of ASCII, of other Latin
// alphabets, and Cyrillic: those of scripts that are written without spaces
// follow addresses in running text.
func pathStep(s string, i int) (n int, ends bool) {
	if c := s[i]; c < utf8.RuneSelf {
		k := pathBytes[c]
		return int(min(k, 1)), k == urlEnds
	}
	r, n := runeAt(s, i)
	switch {
	case r == '–':
		return n, false
	case isLatinAccent(r), unicode.Is(unicode.Cyrillic, r):
		return n, true
	}
	return 0, false
}

// pathEnd is where the path ends whose first character is at s[i]: brackets in
// it are in pairs, at most two deep, and what ends a sentence is not part of
// it.
func pathEnd(s string, i int) int {
	end := i
	for i < len(s) {
		if s[i] == '(' {
			n := brackets(s, i)
			if n == 0 {
				break
			}
			i += n
			end = i
			continue
		}
		n, ends := pathStep(s, i)
		if n == 0 {
			break
		}
		if i += n; ends {
			end = i
		}
	}
	return end
}

// brackets is how many bytes the brackets at s[i:] and what is in them have: a
// path, or one path with another in brackets inside. 0: they are not like that.
func brackets(s string, i int) int {
	start := i
	i++
	between := pathRun(s, i)
	i += between
	if i < len(s) && s[i] == '(' {
		inner := pathRun(s, i+1)
		if inner == 0 {
			return 0
		}
		if i += 1 + inner; i == len(s) || s[i] != ')' {
			return 0
		}
		i++
		i += pathRun(s, i)
	} else if between == 0 {
		return 0
	}
	if i == len(s) || s[i] != ')' {
		return 0
	}
	return i + 1 - start
}

func pathRun(s string, i int) int {
	start := i
	for i < len(s) {
		n, _ := pathStep(s, i)
		if n == 0 {
			break
		}
		i += n
	}
	return i - start
}

// queryEnd is where the query at s[i:] ends; i where there is none.
func queryEnd(s string, i int) int {
	if i == len(s) || s[i] != '?' {
		return i
	}
	end := i
	for j := i + 1; j < len(s) && queryBytes[s[j]] != urlNo; j++ {
		if queryBytes[s[j]] == urlEnds {
			end = j + 1
		}
	}
	return end
}
