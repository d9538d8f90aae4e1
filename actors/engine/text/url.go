package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// schemeBefore is where the "http" or "https" that ends at c[i] begins; -1.
func schemeBefore(c string, i int) int {
	from := i
	for from > 0 && i-from < 6 && bytesOf[c[from-1]] == byteWord {
		from--
	}
	if r := runeBefore(c, from); r >= utf8.RuneSelf && classOf(r)&classMask == classWord {
		return -1
	}
	if s := c[from:i]; strings.EqualFold(s, "http") || strings.EqualFold(s, "https") {
		return from
	}
	return -1
}

func isWWW(s string) bool { return s[0]|0x20 == 'w' && s[1]|0x20 == 'w' && s[2]|0x20 == 'w' }

// endsURL are the bytes that no address goes over.
var endsURL = func() (t [256]bool) {
	for c := 0; c <= ' '; c++ {
		t[c] = true
	}
	for _, c := range []byte("<>\"`{}|\\") {
		t[c] = true
	}
	return t
}()

// url appends the address that begins at c[from:], whose host begins at
// c[host:], and returns its end; 0 where there is none. An address ends at a
// space, a quotation mark, an angle bracket, or a character of a script that
// follows addresses in running text without a space; what ends a sentence is
// not part of it.
func (b *Buffer) url(c string, from, host, base, whole int) int {
	if host == len(c) || bytesOf[c[host]] < byteBeyond {
		return 0
	}
	end := host
	for end < len(c) && !endsURL[c[end]] {
		if c[end] < utf8.RuneSelf {
			end++
			continue
		}
		r, n := utf8.DecodeRuneInString(c[end:])
		if !unicode.In(r, unicode.Latin, unicode.Cyrillic) {
			break
		}
		end += n
	}
	end = trimURL(c, host, end)
	if end == host {
		return 0
	}
	off := len(b.folded)
	b.folded = append(b.folded, c[from:end]...)
	b.entity(URL, off, from, end, base, whole)
	return end
}

// trimURL takes off what ends a sentence, and brackets that the address does
// not open. Opening brackets are counted at most once, so that a run of
// closing ones costs no more than its length.
func trimURL(c string, from, end int) int {
	unclosed := [2]int{-1, -1} // of closing brackets more than opening ones
	for end > from {
		k := c[end-1]
		switch k {
		case '.', ',', ';', ':', '!', '?', '\'', '*', '$', '@', '#':
		case ')', ']':
			at, open := 0, "("
			if k == ']' {
				at, open = 1, "["
			}
			if unclosed[at] < 0 {
				s := c[from:end]
				unclosed[at] = max(0, strings.Count(s, c[end-1:end])-strings.Count(s, open))
			}
			if unclosed[at] == 0 {
				return end
			}
			unclosed[at]--
		default:
			return end
		}
		end--
	}
	return end
}
