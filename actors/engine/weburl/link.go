package weburl

import (
	"strings"
	"unicode"
)

// Link is the address of a web page as it is to be kept and shown: one that
// every client opens. An address that is plain already is kept letter for
// letter, so that what it identifies stays the same; every other is written
// as browsers write it. The error wraps ErrURL or ErrNotWeb.
func Link(s string) (string, error) {
	s = trim(s)
	if plain(s) {
		return s, nil
	}
	u, err := Parse(s)
	if err != nil {
		return "", err
	}
	if !u.IsWeb() {
		return "", ErrNotWeb
	}
	return u.String(), nil
}

// ResolveLink is Link of what ref means on a page at u.
func (u *URL) ResolveLink(ref string) (string, error) {
	ref = trim(ref)
	if plain(ref) {
		return ref, nil
	}
	to, err := u.Resolve(ref)
	if err != nil {
		return "", err
	}
	if !to.IsWeb() {
		return "", ErrNotWeb
	}
	return to.String(), nil
}

// trim takes off what the standard takes off, controls and spaces, and spaces
// of other scripts, which no address begins or ends with.
func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' || unicode.IsSpace(r) || r == '\uFEFF' || r == '\u200B' })
}

// plain says of an address of the web that any parser reads it the same way,
// and that nothing in it needs to be written differently. It is what nearly
// all addresses are, and costs one pass over the bytes.
func plain(s string) bool {
	if len(s) > MaxInput {
		return false
	}
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok {
		if rest, ok = strings.CutPrefix(s, "http://"); !ok {
			return false
		}
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	if !plainHost(rest[:end]) {
		return false
	}
	path, rest := rest[end:], ""
	if at := strings.IndexAny(path, "?#"); at >= 0 {
		path, rest = path[:at], path[at:]
	}
	if !plainPath(path) {
		return false
	}
	query, fragment, _ := strings.Cut(rest, "#")
	return only(query, inQuery) && only(fragment, inPath|inFragment) && !badEscape(fragment)
}

// plainHost takes names and addresses of four numbers, with or without a port.
// Names in punycode are left to the parser: not all of them are names.
func plainHost(s string) bool {
	name, port, has := strings.Cut(s, ":")
	if has && !plainPort(port) {
		return false
	}
	if name == "" || len(name) > 253 {
		return false
	}
	last := ""
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		if label == "" || len(label) > 3 && strings.EqualFold(label[:4], "xn--") {
			return false
		}
		for i := range len(label) {
			if c := label[i]; !isAlnum(c) && c != '-' && c != '_' {
				return false
			}
		}
		last = label
	}
	return isAlpha(last[0]) || plainIPv4(name) // else a number in some form, or near enough
}

func plainPort(s string) bool {
	if s == "" || len(s) > 5 || s[0] == '0' || !isDigits(s) {
		return false
	}
	n := 0
	for i := range len(s) {
		n = n*10 + int(s[i]-'0')
	}
	return n <= 65535
}

// plainIPv4 is what cannot be read as octal, hexadecimal or short forms.
func plainIPv4(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) != 4 {
		return false
	}
	for _, p := range parts {
		if p == "" || len(p) > 3 || !isDigits(p) || p[0] == '0' && len(p) > 1 || len(p) == 3 && p > "255" {
			return false
		}
	}
	return true
}

// plainPath has no segments that mean "here" or "one up".
func plainPath(s string) bool {
	if !only(s, inPath) || badEscape(s) {
		return false
	}
	for segment := range strings.SplitSeq(s, "/") {
		switch len(segment) {
		case 1, 2, 3, 4, 6:
			switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
			case ".", "..":
				return false
			}
		}
	}
	return true
}

const (
	inPath     = 1 << iota // what Go's parser and the standard both leave as it is in a path
	inQuery                // likewise in a query
	inFragment             // in a fragment, besides what is in inPath
)

var classes = func() (t [256]uint8) {
	for c := '!'; c <= '~'; c++ {
		if isAlnum(byte(c)) || strings.ContainsRune("-._~!$&'()*+,;=:@/%[]", c) {
			t[c] |= inPath
		}
		if !strings.ContainsRune(`"#<>`, c) {
			t[c] |= inQuery
		}
	}
	t['?'] |= inFragment
	return t
}()

func only(s string, class uint8) bool {
	for i := range len(s) {
		if classes[s[i]]&class == 0 {
			return false
		}
	}
	return true
}

// badEscape says whether a '%' is not followed by two hexadecimal digits.
func badEscape(s string) bool {
	for {
		at := strings.IndexByte(s, '%')
		if at < 0 {
			return false
		}
		if at+2 >= len(s) || !isHex(s[at+1]) || !isHex(s[at+2]) {
			return true
		}
		s = s[at+3:]
	}
}

func isAlpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isAlnum(c byte) bool { return isAlpha(c) || '0' <= c && c <= '9' }

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
