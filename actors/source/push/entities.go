package push

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/birdwire/birdwire/messages"
)

// derive fills in what the pusher left out and the text says. What was given,
// and be it an empty list, stays.
func derive(p *messages.Post) {
	if p.GetConversationId() == "" && p.GetInReplyToId() == "" {
		p.ConversationId = p.GetId() // it begins one
	}
	needTags, needNames := p.GetHashtags() == nil, p.GetMentions() == nil
	needCash, needURLs := p.GetCashtags() == nil, p.GetUrls() == nil
	if !needTags && !needNames && !needCash && !needURLs {
		return
	}
	e := entitiesOf(p.GetText())
	if needTags {
		p.Hashtags = e.hashtags
	}
	if needNames {
		p.Mentions = e.mentions
	}
	if needCash {
		p.Cashtags = e.cashtags
	}
	if needURLs {
		for _, u := range e.urls {
			p.Urls = append(p.Urls, &messages.Link{Url: u})
		}
	}
}

type entities struct{ hashtags, mentions, cashtags, urls []string }

// signs begin an entity: '#', '@', '$', the h of a URL, and 0xef, the first
// byte of the full-width ＃ and ＠.
var signs = [256]bool{'#': true, '@': true, '$': true, 'h': true, 'H': true, 0xef: true}

// entitiesOf finds hashtags, mentions, cashtags and URLs as X does: a sign
// counts where no letter or digit stands before it, and not inside a URL; a
// hashtag needs a letter, a cashtag is one to six of them.
func entitiesOf(text string) entities {
	var e entities
	for i := 0; i < len(text) && e.size() < maxEntities; {
		if !signs[text[i]] {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		i += e.at(text, i, r, size)
	}
	return e
}

// at takes the entity that begins at i with the sign r, and returns how far to
// go on: past it, or past the sign.
func (e *entities) at(text string, i int, r rune, size int) int {
	end, n := i+size, 0
	if r == 'h' || r == 'H' {
		if n = urlLength(text[i:]); n > 0 && opens(text[:i]) {
			e.urls = append(e.urls, text[i:i+n])
			return n
		}
		return size
	}
	if !opens(text[:i]) || strings.HasSuffix(text[:i], "&") || strings.HasSuffix(text[:i], "/") {
		return size
	}
	switch {
	case r == '#' || r == '＃':
		if n = hashtagLength(text[end:]); n > 0 {
			e.hashtags = append(e.hashtags, text[end:end+n])
		}
	case r == '@' || r == '＠':
		if n = mentionLength(text[end:]); n > 0 {
			e.mentions = append(e.mentions, text[end:end+n])
		}
	case r == '$' && !strings.HasSuffix(text[:i], "$"):
		if n = cashtagLength(text[end:]); n > 0 {
			e.cashtags = append(e.cashtags, text[end:end+n])
		}
	}
	return size + n
}

// opens says whether an entity may begin after before.
func opens(before string) bool {
	r, _ := utf8.DecodeLastRuneInString(before)
	return before == "" || !isWord(r)
}

func (e *entities) size() int {
	return max(len(e.hashtags), len(e.mentions), len(e.cashtags), len(e.urls))
}

func isWord(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

func hashtagLength(s string) int {
	letter := false
	for i, r := range s {
		if !isWord(r) {
			return lengthIf(letter, i)
		}
		letter = letter || unicode.IsLetter(r)
	}
	return lengthIf(letter, len(s))
}

func lengthIf(ok bool, n int) int {
	if ok {
		return n
	}
	return 0
}

// mentionLength is 0 for what goes on as an e-mail address or a Fediverse name
// would, and for names longer than any.
func mentionLength(s string) int {
	n := 0
	for n < len(s) && (isASCIIAlnum(s[n]) || s[n] == '_') {
		n++
	}
	if n > 50 || n < len(s) && s[n] == '@' {
		return 0
	}
	return n
}

// cashtagLength takes $BRK.A and $BTC, and not $5 or $ABCDEFGH.
func cashtagLength(s string) int {
	letters := func(from, most int) int {
		n := from
		for n < len(s) && n-from <= most && isASCIILetter(s[n]) {
			n++
		}
		return n - from
	}
	n := letters(0, 6)
	if n == 0 || n > 6 {
		return 0
	}
	if n < len(s) && (s[n] == '.' || s[n] == '_') {
		if more := letters(n+1, 2); more >= 1 && more <= 2 {
			n += 1 + more
		}
	}
	if r, _ := utf8.DecodeRuneInString(s[n:]); n < len(s) && isWord(r) {
		return 0
	}
	return n
}

// urlLength takes http and https URLs up to a space, a quote or an angle, less
// the punctuation that ends the sentence rather than the URL.
func urlLength(s string) int {
	scheme := 0
	switch {
	case len(s) < 8 || s[1]|0x20 != 't':
		return 0
	case strings.EqualFold(s[:8], "https://"):
		scheme = 8
	case strings.EqualFold(s[:7], "http://"):
		scheme = 7
	default:
		return 0
	}
	n := scheme
	for n < len(s) && s[n] > ' ' && s[n] != '"' && s[n] != '<' && s[n] != '>' && s[n] != 0x7f {
		if s[n] >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[n:])
			if unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune("“”「」", r) {
				break
			}
			n += size
			continue
		}
		n++
	}
	for n > scheme {
		r, size := utf8.DecodeLastRuneInString(s[:n])
		closes := r == ')' && strings.Contains(s[scheme:n], "(")
		if closes || !strings.ContainsRune(".,;:!?'…)]}»’", r) {
			break
		}
		n -= size
	}
	if n <= scheme || n > maxURL {
		return 0
	}
	return n
}

func isASCIILetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isASCIIAlnum(c byte) bool { return isASCIILetter(c) || '0' <= c && c <= '9' }
