package similarity

import (
	"net/url"
	"strings"
	"unicode"
)

// slug is what an article's address says in words, "" where it says nothing: the
// part of its path with the most words, if it has three or more. Outlets write the
// headline there, often another one than the feed's, and whole where the feed's is
// cut off. What has digits in it is an id or a date.
func slug(link string) string {
	_, path, found := strings.Cut(link, "://")
	if !found {
		path = link
	}
	_, path, _ = strings.Cut(path, "/")
	if end := strings.IndexAny(path, "?#;"); end >= 0 {
		path = path[:end]
	}
	var best []string
	for part := range strings.SplitSeq(path, "/") {
		if dot := strings.LastIndexByte(part, '.'); dot > 0 && len(part)-dot <= len(".shtml") {
			part = part[:dot]
		}
		if plain, err := url.PathUnescape(part); err == nil {
			part = plain
		}
		var words []string
		for word := range strings.FieldsFuncSeq(part, func(r rune) bool { return !unicode.In(r, unicode.L, unicode.M, unicode.N) }) {
			if len(word) > 1 && len(word) <= slugBytes && strings.IndexFunc(word, unicode.IsNumber) < 0 {
				words = append(words, word)
			}
		}
		if len(words) > len(best) {
			best = words
		}
	}
	if len(best) < slugLeast {
		return ""
	}
	return strings.Join(best[:min(len(best), slugMost)], " ")
}

const (
	slugLeast = 3  // words: fewer are a section, not a headline
	slugMost  = 24 // words
	slugBytes = 24 // of a word: a longer one is an id
)
