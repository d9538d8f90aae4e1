package text

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// isDomainRune: a host is made of everything but punctuation of ASCII, spaces,
// controls and marks of direction. That is wide on purpose: "http://✪df.ws".
func isDomainRune(r rune) bool {
	switch {
	case r < utf8.RuneSelf:
		return domainBytes[r]
	case r == 0xfeff, r >= 0xfffd && r <= 0xffff:
		return false // U+FFFD is what no UTF-8 becomes
	}
	return !isSpace(r) && !isDirection(r)
}

var domainBytes = bytesIn("")

// domain reads the host at s[i:]: labels, the last of which begins with a
// top-level name, as many as there are. end is -1 where there is none. The label
// before the top-level name has no '_' in it. rest is where the labels end: no
// other host that begins with a whole label is in between. scheme: it is after
// one.
func domain(s string, i int, scheme bool) (end, rest int) {
	end = -1
	for {
		first, last, plain := true, false, true
		j := i
		for j < len(s) {
			if domainBytes[s[j]] { // most of them
				first, last = false, true
				j++
				continue
			}
			r, n := runeAt(s, j)
			inner := r == '-' || r == '_'
			if !inner && !isDomainRune(r) || inner && first {
				break
			}
			plain = plain && r != '_'
			first, last = false, !inner
			j += n
		}
		if !last || j == len(s) || s[j] != '.' {
			return end, j
		}
		if plain {
			if e := tld(s, j+1, scheme); e >= 0 {
				end = e
			}
		}
		i = j + 1
	}
}

// labelBefore is where the labels of a host may begin whose first dot is at
// s[dot]: the first place from which no letter of ASCII, and no sign of a tag,
// a name or a ticker, comes before. dot where there is none.
func (b *Buffer) labelBefore(s string, dot int) int {
	from := dot
	for from > b.seen.urls {
		r, n := rune(s[from-1]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeLastRuneInString(s[:from])
		}
		if r != '-' && r != '_' && !isDomainRune(r) {
			break
		}
		from -= n
	}
	return b.opening(s, from, dot)
}

// opening is the first place in s[from:to] where a host may begin; to: none.
func (b *Buffer) opening(s string, from, to int) int {
	for from < to {
		r, n := runeAt(s, from)
		if r != '-' && r != '_' && b.opensURL(s, from) {
			return from
		}
		from += n
	}
	return to
}

// opensURL: an address may begin at s[at].
func (b *Buffer) opensURL(s string, at int) bool {
	if at == 0 {
		return true
	}
	if at == b.seen.urls {
		return false
	}
	if c := s[at-1]; c < utf8.RuneSelf {
		return !closedToURL[c]
	}
	switch r := runeBefore(s, at); r {
	case '＠', '＃', 0xfeff, 0xfffe, 0xffff:
		return false
	}
	return true
}

var closedToURL = bytesIn("@$#")

// bare looks for an address without a scheme whose first dot is at s[dot]. Only
// the parts of it in ASCII count: in running text of scripts without spaces
// the words around it look like labels too.
func (b *Buffer) bare(s string, dot int) {
	if dot < b.seen.urls {
		return
	}
	from := b.labelBefore(s, dot)
	if from == dot {
		return
	}
	end := -1
	if dot >= b.seen.hosts {
		end, b.seen.hosts = domain(s, from, false)
	}
	if end < 0 {
		// A later beginning of the label has no '_', and with it there may be a
		// host, though the '_' before it then says that it does not count.
		u := strings.LastIndexByte(s[from:dot], '_')
		if u < 0 {
			return
		}
		if from = b.opening(s, from+u+1, dot); from == dot {
			return
		}
		if end = tld(s, dot+1, false); end < 0 {
			return
		}
	}
	whole, path := urlTail(s, end)
	b.seen.urls = whole
	if from > 0 && strings.IndexByte("-_./", s[from-1]) >= 0 {
		return
	}
	for at := from; at < end; {
		start, stop := asciiDomain(s, at, end)
		if stop < 0 {
			return
		}
		for i := at; i < start; i++ { // a wide sign may be in a label, and what it begins comes first
			if s[i] == wideLead {
				b.wide(s, i)
			}
		}
		at = stop
		if !validHost(s[start:stop]) {
			continue
		}
		if stop == end && path {
			stop = whole
		}
		b.entity(URL, s, start, start, stop)
	}
}

// asciiDomain finds the first host in s[i:end] whose labels are in Latin
// letters; stop is -1 where there is none.
func asciiDomain(s string, i, end int) (start, stop int) {
	for i < end {
		start, stop = i, -1
		for {
			j := i
			for j < end {
				r, n := runeAt(s, j)
				if r != '-' && r != '_' && (r >= utf8.RuneSelf || !domainBytes[r]) && !isLatinAccent(r) {
					break
				}
				j += n
			}
			if j == i {
				_, n := runeAt(s, j)
				i += n
				break
			}
			i = j
			if j == end || s[j] != '.' {
				break
			}
			i++
			if e := tld(s[:end], i, false); e >= 0 {
				stop = e
			}
		}
		if stop >= 0 {
			return start, stop
		}
	}
	return end, -1
}

// validHost holds a host against the limits of names in the DNS, in the form
// that they have there.
func validHost(host string) bool {
	if len(host) <= maxLabel && isASCII(host) {
		return true
	}
	if len(host) > 4*maxHost {
		return false
	}
	total := 0
	for label := range strings.SplitSeq(host, ".") {
		n := len(label)
		if !isASCII(label) {
			if len(label) >= 4 && strings.EqualFold(label[:4], "xn--") {
				return false // in one form and in the other
			}
			ascii, err := idna.Punycode.ToASCII(label)
			if err != nil {
				return false
			}
			n = len(ascii)
		}
		if n > maxLabel {
			return false
		}
		total += n + 1
	}
	return total <= maxHost+1
}

const (
	maxLabel = 63
	maxHost  = 253
)

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
