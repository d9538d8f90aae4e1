package rule

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/birdwire/birdwire/actors/engine/text"
)

// nameMax bounds user names. X's have 15 characters; other networks' are longer.
const nameMax = 64

// readName reads a user name, with or without an @ before it, or a numeric id.
func readName(v value, prefix string) (string, *problem) {
	const expected = "a username (letters, digits and _) or a numeric id"
	s := strings.TrimPrefix(strings.TrimPrefix(v.text, "@"), "＠")
	skipped := len(v.text) - len(s)
	for i, r := range s {
		inner := i > 0 && i < len(s)-1 && (r == '.' || r == '-') // names of other networks
		if r == '_' || inner || r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			continue
		}
		suggestion := ""
		if i > 0 {
			suggestion = prefix + s[:i]
			if rest := strings.TrimPrefix(s[i+utf8.RuneLen(r):], "@"); r == ',' && rest != "" {
				suggestion = "(" + suggestion + " OR " + prefix + rest + ")"
			}
		}
		return "", &problem{skipped + i, quote(string(r)), expected, suggestion}
	}
	switch {
	case s == "":
		return "", &problem{0, quote(v.text), expected, ""}
	case len(s) > nameMax:
		return "", &problem{0, fmt.Sprintf("%d characters", len(s)), fmt.Sprintf("a username of at most %d", nameMax), ""}
	}
	return text.FoldName(s), nil
}

func readUser(v value) (*Expr, *problem) {
	if v.bracket {
		return nil, &problem{0, `"["`, "a username or a numeric id", ""}
	}
	name, e := readName(v, v.name+":")
	if e != nil {
		return nil, e
	}
	return valueAtom(v.kind, name), nil
}

func readWords(v value) (*Expr, *problem) {
	words := v.text
	if v.kind == KindURL { // browsers take these out of an address
		words = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(words)
	}
	x := wordsAtom(v.kind, words)
	if v.bracket || x == nil {
		return nil, &problem{0, quote(v.text), "a word, or several in quotation marks", ""}
	}
	return x, nil
}

// readExact reads a value that is compared whole.
func readExact(v value) (*Expr, *problem) {
	s := strings.TrimSpace(text.Fold(v.text))
	if v.bracket || s == "" {
		return nil, &problem{0, quote(v.text), "a name, in quotation marks where it has spaces", ""}
	}
	return valueAtom(v.kind, s), nil
}

func readSubstring(v value) (*Expr, *problem) {
	s := text.Fold(v.text)
	if v.bracket || strings.TrimSpace(s) == "" {
		return nil, &problem{0, quote(v.text), "a part of an address", ""}
	}
	return valueAtom(v.kind, s), nil
}

func readID(v value) (*Expr, *problem) {
	const expected = "the id of a post"
	for i, r := range v.text {
		if r >= utf8.RuneSelf || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-.:/", r) {
			return nil, &problem{i, quote(string(r)), expected, ""}
		}
	}
	if v.bracket || v.text == "" {
		return nil, &problem{0, quote(v.text), expected, ""}
	}
	return valueAtom(v.kind, text.Fold(v.text)), nil
}

func readContext(v value) (*Expr, *problem) {
	domain, entity, ok := strings.Cut(v.text, ".")
	part := func(s string) bool {
		return s == "*" || s != "" && strings.Trim(s, "0123456789") == ""
	}
	if !ok || v.bracket || !part(domain) || !part(entity) || domain == "*" && entity == "*" {
		return nil, &problem{0, quote(v.text), "a domain and an entity, such as 10.799022225751871488 or 47.*", ""}
	}
	return valueAtom(v.kind, v.text), nil
}

// readFlag reads the value of is: or has:.
func readFlag(v value) (*Expr, *problem) {
	values := flagValues[v.kind]
	s := text.FoldName(v.text)
	if to, ok := values[s]; ok && !v.bracket {
		return valueAtom(v.kind, to), nil
	}
	expected := "one of retweet, reply, quote, verified and (negated) nullcast"
	if v.kind == KindHas {
		expected = "one of hashtags, cashtags, links, mentions, media, images, video_link and geo"
	}
	suggestion := ""
	if to := slips[v.name+":"+s]; to != "" {
		suggestion = to
	} else if near := nearest(s, values); near != "" {
		suggestion = v.name + ":" + near
	}
	return nil, &problem{0, quote(v.text), expected, suggestion}
}

// slips are values that people write and that are not near what they mean.
var slips = map[string]string{
	"is:repost": "is:retweet", "is:rt": "is:retweet", "is:original": "-is:retweet -is:reply", "is:tweet": "-is:retweet",
	"is:blue": "is:verified", "has:url": "has:links", "has:urls": "has:links", "has:video": "has:video_link",
	"has:photo": "has:images", "has:photos": "has:images", "has:picture": "has:images", "has:location": "has:geo",
	"has:symbols": "has:cashtags", "has:tags": "has:hashtags", "is:repl": "is:reply", "has:retweet": "is:retweet",
}

func readCount(v value) (*Expr, *problem) {
	const expected = "a whole number, or two as in 1000..10000"
	lo, hi, ranged := strings.Cut(v.text, "..")
	a := Atom{Kind: v.kind, Hi: math.MaxInt64}
	var ok bool
	if a.Lo, ok = count(lo); !ok {
		suggestion := ""
		if digits := strings.Map(digitsOnly, lo); !ranged && digits != lo && digits != "" {
			suggestion = v.name + ":" + digits
		} else if _, good := count(hi); lo == "" && good {
			suggestion = v.name + ":0.." + hi
		}
		return nil, &problem{0, quote(v.text), expected, suggestion}
	}
	if ranged {
		if a.Hi, ok = count(hi); !ok {
			suggestion := ""
			if hi == "" {
				suggestion = v.name + ":" + lo
			}
			return nil, &problem{len(lo) + 2, quote(hi), expected, suggestion}
		}
		if a.Hi < a.Lo {
			return nil, &problem{0, quote(v.text), "the lower number first", fmt.Sprintf("%s:%d..%d", v.name, a.Hi, a.Lo)}
		}
	}
	a.Value = strconv.FormatInt(a.Lo, 10)
	if a.Hi != math.MaxInt64 {
		a.Value += ".." + strconv.FormatInt(a.Hi, 10)
	}
	return &Expr{Atom: a}, nil
}

// readLeast reads a count that is a lower bound alone.
func readLeast(v value) (*Expr, *problem) {
	if _, ok := count(v.text); !ok {
		return nil, &problem{0, quote(v.text), "a whole number", ""}
	}
	return readCount(v)
}

// count reads digits alone: no sign, no separators.
func count(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

func digitsOnly(r rune) rune {
	if r >= '0' && r <= '9' {
		return r
	}
	return -1
}

// sampleOf takes sample:N as the rule's.
func (p *parser) sampleOf(start int, v value, negated bool) error {
	n, ok := count(v.text)
	switch {
	case !ok || v.bracket || n < 1 || n > 100:
		return p.fail(v.pos, quote(v.text), "a percentage of 1 to 100", "")
	case negated || p.negated > 0:
		return p.fail(start, quote("-sample:"+v.text), "sample: without a minus: it cannot be negated", "sample:"+strconv.FormatInt(100-n, 10))
	case p.sampled:
		return p.fail(start, "a second sample:", "one for the whole rule", "")
	}
	p.sample, p.sampled = int(n), true
	if p.depth > 0 {
		p.warnOnce("sample: applies to the whole rule, not to the group it is in")
	}
	return nil
}

func (p *parser) warnOnce(text string) {
	for _, w := range p.warnings {
		if strings.HasPrefix(w.Text, "sample:") {
			return
		}
	}
	p.warn(max(0, strings.Index(strings.ToLower(p.in), "sample:")), "%s", text)
}
