// Package syndication says whose report an outlet has printed, where the
// article says so: in its byline, at its beginning, in a line of credit, or by
// the address that its page gives as the original. It never guesses from what
// two articles have in common; near-copies are another package's.
package syndication

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/birdwire/birdwire/actors/engine/text"
)

// Article is what is looked at.
type Article struct {
	SourceID, SourceName string
	Author               string
	Body                 string
	Host                 string // of its page
	Original             string // the host that the page names as the original's; "" none
}

// agencies are those that others print, by how they are named. Initials count
// only where nothing else can be meant.
var agencies = []struct {
	name     string
	words    []string // in bylines and credits
	initials []string // "(AP)"
}{
	{"Reuters", []string{"reuters", "thomson reuters"}, nil},
	{"Associated Press", []string{"associated press", "the associated press"}, []string{"AP"}},
	{"Agence France-Presse", []string{"agence france-presse", "afp"}, []string{"AFP"}},
	{"Bloomberg", []string{"bloomberg", "bloomberg news"}, nil},
	{"PA Media", []string{"pa media", "press association"}, []string{"PA"}},
	{"dpa", []string{"dpa", "deutsche presse-agentur"}, []string{"DPA"}},
	{"Xinhua", []string{"xinhua", "xinhua news agency"}, nil},
	{"TASS", []string{"tass"}, []string{"TASS"}},
	{"Interfax", []string{"interfax"}, nil},
	{"Kyodo News", []string{"kyodo", "kyodo news"}, nil},
	{"EFE", []string{"efe", "agencia efe"}, []string{"EFE"}},
	{"ANSA", []string{"ansa"}, []string{"ANSA"}},
	{"PTI", []string{"pti", "press trust of india"}, []string{"PTI"}},
	{"ANI", []string{"asian news international"}, []string{"ANI"}},
	{"IANS", []string{"ians", "indo-asian news service"}, []string{"IANS"}},
	{"UPI", []string{"upi", "united press international"}, []string{"UPI"}},
	{"Canadian Press", []string{"the canadian press", "canadian press"}, []string{"CP"}},
	{"Australian Associated Press", []string{"australian associated press"}, []string{"AAP"}},
	{"Yonhap", []string{"yonhap", "yonhap news agency"}, nil},
	{"Anadolu", []string{"anadolu agency", "anadolu ajansı"}, nil},
	{"Tribune News Service", []string{"tribune news service"}, []string{"TNS"}},
	{"PR Newswire", []string{"pr newswire", "prnewswire"}, []string{"PRNEWSWIRE"}},
	{"Business Wire", []string{"business wire"}, []string{"BUSINESS WIRE"}},
	{"GlobeNewswire", []string{"globenewswire", "globe newswire"}, []string{"GLOBE NEWSWIRE"}},
	{"The Conversation", []string{"the conversation"}, nil},
	{"ProPublica", []string{"propublica"}, nil},
	{"Kaiser Health News", []string{"kaiser health news", "kff health news"}, nil},
}

const (
	headBytes = 240 // where a dateline is
	tailBytes = 600 // where a credit is
)

// From is the agency or publisher whose copy the article is; "" where it does
// not say, and where it is that agency's own.
func From(a Article) string {
	for _, name := range []string{byline(a.Author), dateline(a.Body), credited(a.Body), original(a)} {
		if name != "" && !own(a, name) {
			return name
		}
	}
	return ""
}

func named(s string) string {
	s = strings.ToLower(strings.Trim(strings.TrimSpace(s), ".,;:()[]–— "))
	for _, g := range agencies {
		if slices.Contains(g.words, s) {
			return g.name
		}
		for _, w := range g.words { // "Staff and Reuters" is cut before; "Reuters Staff" is not
			if rest, ok := strings.CutPrefix(s, w+" "); ok && slices.Contains(staff, rest) {
				return g.name
			}
		}
	}
	return ""
}

var staff = []string{"staff", "staff writer", "staff writers", "reporters", "news agency", "editors"}

var parted = regexp.MustCompile(`(?i)\s*(?:,|;|/|\||&| and | by |^by | for | via | with |@)\s*`)

func byline(author string) string {
	for _, s := range parted.Split(text.Clip(author, 300), -1) {
		if name := named(s); name != "" {
			return name
		}
	}
	return ""
}

var bracketed = regexp.MustCompile(`^[^()]{0,80}\(([\p{L} -]{2,24})\)\s*(?:-|–|—|--|:|\.)`)

// dateline is "LONDON, March 3 (Reuters) -".
func dateline(body string) string {
	m := bracketed.FindStringSubmatch(text.Clip(strings.TrimSpace(body), headBytes))
	if m == nil {
		return ""
	}
	for _, g := range agencies {
		if slices.Contains(g.initials, strings.ToUpper(m[1])) {
			return g.name
		}
	}
	return named(m[1])
}

// credits are the lines by which an article says that it was printed elsewhere.
var credits = regexp.MustCompile(`(?i)(?:this (?:article|story|report|piece) (?:was )?(?:originally|first) (?:published|appeared|ran) (?:on|in|by|at)|republished (?:here )?(?:with permission )?(?:from|by)|` +
	`source ?:|(?:©|\(c\)|copyright)(?: ?©)? ?(?:19|20)\d\d|distributed by|provided by|this (?:article|story) (?:is|was) (?:published|produced) (?:in partnership with|by)) ((?:the )?[\p{Lu}][\p{L}&'’-]*(?: (?:of |the )?[\p{Lu}][\p{L}&'’-]*){0,4})`)

// hints are in every credit, and quickly looked for.
var hints = regexp.MustCompile(`©|[Cc]opyright|\(c\)|\(C\)|COPYRIGHT|[Ss]ource|SOURCE|[Rr]epublished|[Dd]istributed|[Pp]rovided|[Tt]his (?:article|story|report|piece)`)

func credited(body string) string {
	tail := body
	if len(tail) > tailBytes {
		at := len(tail) - tailBytes
		for at < len(tail) && !utf8.RuneStart(tail[at]) {
			at++
		}
		tail = tail[at:]
	}
	said := text.Clip(body, headBytes) + "\n" + tail
	if !hints.MatchString(said) {
		return ""
	}
	for _, m := range credits.FindAllStringSubmatch(said, 4) {
		claim := strings.ToLower(m[0])
		if name := named(m[1]); name != "" {
			return name
		}
		// A copyright or a source may be the outlet's own; that it was printed
		// elsewhere before may not.
		if strings.HasPrefix(claim, "this ") || strings.HasPrefix(claim, "republished") {
			return strings.Trim(m[1], ".’' ")
		}
	}
	return ""
}

// original is the host that the page names, where it is not its own.
func original(a Article) string {
	if a.Original == "" || a.Host == "" || site(a.Original) == site(a.Host) {
		return ""
	}
	return site(a.Original)
}

// site is a host without what outlets put before it.
func site(host string) string {
	host = strings.ToLower(host)
	for _, before := range []string{"www.", "amp.", "m.", "mobile.", "edition.", "news."} {
		host = strings.TrimPrefix(host, before)
	}
	return host
}

// own says whether the source is the agency itself.
func own(a Article, name string) bool {
	name = squeezed(name)
	for _, s := range []string{a.SourceID, a.SourceName, a.Host} {
		if s = squeezed(s); s == "" {
			continue
		}
		if strings.Contains(s, name) || len(s) > 3 && strings.Contains(name, s) {
			return true
		}
	}
	for _, g := range agencies {
		if squeezed(g.name) != name {
			continue
		}
		for _, i := range g.initials {
			if strings.EqualFold(a.SourceID, i) || strings.EqualFold(a.SourceName, i) || strings.HasPrefix(site(a.Host), strings.ToLower(i)+"news.") {
				return true
			}
		}
	}
	return false
}

// squeezed leaves letters and digits, so that "The Associated-Press" is
// "associatedpress".
func squeezed(s string) string {
	s = strings.TrimPrefix(strings.ToLower(s), "the ")
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r > 0x7f {
			return r
		}
		return -1
	}, s)
}
