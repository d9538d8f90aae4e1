package summary

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// sentences cuts a plain text, without the place and the agency that a report
// begins with; at most so many of them.
func sentences(s string, most int) (all []string) {
	for _, paragraph := range strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029' }) {
		for paragraph != "" && len(all) < most {
			end := sentenceEnd(paragraph)
			if one := strings.Join(strings.Fields(paragraph[:end]), " "); one != "" {
				all = append(all, one)
			}
			paragraph = paragraph[end:]
		}
	}
	if len(all) > 0 {
		all[0] = withoutDateline(all[0])
	}
	return all
}

// sentenceEnd is the byte after the first sentence.
func sentenceEnd(s string) int {
	for i, r := range s {
		after := i + utf8.RuneLen(r)
		switch r {
		case utf8.RuneError:
			continue
		case '。', '！', '？':
			return after + len(s[after:]) - len(strings.TrimLeft(s[after:], "」』）”"))
		case '.', '!', '?', '…':
			rest := strings.TrimLeft(s[after:], `.!?"'”’)]»`)
			next := strings.TrimLeft(rest, " \t\u00a0")
			if len(next) == len(rest) || next == "" { // no space: 3.5, example.com
				continue
			}
			first, _ := utf8.DecodeRuneInString(strings.TrimLeft(next, `"'“‘([«`))
			if r == '.' && abbreviated(s[:i]) || unicode.IsLower(first) {
				continue
			}
			return len(s) - len(next)
		}
	}
	return len(s)
}

// abbreviations end with a full stop in the middle of a sentence.
var abbreviations = map[string]bool{
	"mr": true, "mrs": true, "ms": true, "dr": true, "prof": true, "gen": true, "col": true, "lt": true, "sgt": true, "capt": true, "sen": true,
	"rep": true, "gov": true, "rev": true, "st": true, "mt": true, "ft": true, "no": true, "vs": true, "inc": true, "corp": true, "co": true, "ltd": true,
	"jr": true, "sr": true, "jan": true, "feb": true, "mar": true, "apr": true, "jun": true, "jul": true, "aug": true, "sept": true, "sep": true,
	"oct": true, "nov": true, "dec": true, "approx": true, "est": true, "pres": true, "lic": true, "etc": true, "u.s": true, "u.k": true, "u.n": true,
	"e.u": true, "a.m": true, "p.m": true, "d.c": true, "e.g": true, "i.e": true,
}

// abbreviated says whether the full stop after s ends no sentence: s ends with
// an abbreviation or with an initial.
func abbreviated(s string) bool {
	at := strings.LastIndexFunc(s, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`"'“‘(`, r) })
	word := s
	if at >= 0 {
		_, n := utf8.DecodeRuneInString(s[at:])
		word = s[at+n:]
	}
	if first, n := utf8.DecodeRuneInString(word); n == len(word) && unicode.IsUpper(first) {
		return true
	}
	return len(word) < 8 && abbreviations[strings.ToLower(word)]
}

// withoutDateline takes "LONDON, March 3 (Reuters) - " off the beginning.
func withoutDateline(s string) string {
	for _, dash := range []string{" - ", " — ", " – ", " -- "} {
		place, rest, ok := strings.Cut(s, dash)
		if !ok || len(place) > 60 || rest == "" {
			continue
		}
		if first, _ := utf8.DecodeRuneInString(place); !unicode.IsUpper(first) && first != '(' {
			continue
		}
		word, _, _ := strings.Cut(place, " ")
		if strings.HasSuffix(place, ")") || len(word) > 2 && word == strings.ToUpper(word) {
			return strings.TrimSpace(rest)
		}
	}
	return s
}
