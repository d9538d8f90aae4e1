package rule

import (
	"slices"
	"strings"

	"github.com/birdwire/birdwire/actors/engine/text"
)

// Match says whether the atom holds. What the document has no data for does
// not hold.
func (d *Doc) Match(a *Atom) bool {
	switch a.Kind {
	case KindProximity:
		return near(d.streams[FieldText], a.Hashes, int(a.N))
	case KindFollowers:
		return d.counted(a, d.post.GetAuthor().GetFollowersCount())
	case KindFollowing:
		return d.counted(a, d.post.GetAuthor().GetFollowingCount())
	case KindTweets:
		return d.counted(a, d.post.GetAuthor().GetTweetCount())
	case KindListed:
		return d.counted(a, d.post.GetAuthor().GetListedCount())
	case KindPointRadius, KindBoundingBox:
		return d.within(a)
	case KindURLContains:
		return slices.ContainsFunc(d.urls, func(u address) bool { return containsFold(u.url, a.Value) })
	case KindEmbedding:
		_, ok := Similarity(a.Embeddings, d.embedding, d.model)
		return ok
	}
	if len(a.Hashes) > 1 {
		f, ok := a.Kind.field()
		return ok && phrase(d.streams[f], a.Hashes)
	}
	return len(a.Hashes) == 1 && slices.Contains(d.keys, key(a.Kind, a.Hashes[0]))
}

func (d *Doc) counted(a *Atom, n int64) bool {
	return d.post.GetAuthor() != nil && a.Lo <= n && n <= a.Hi
}

// phrase says whether the words are in the stream, each right after the one before. No
// word's hash is 0, so that none is found over a gap.
func phrase(stream, words []uint64) bool {
	for i := 0; i+len(words) <= len(stream); i++ {
		if stream[i] == words[0] && slices.Equal(stream[i:i+len(words)], words) {
			return true
		}
	}
	return false
}

// near says whether all the words are in the stream, in any order, with at
// most n others between the outermost of them. A word that is asked for twice
// must be there twice. There are at most maxProximity words.
func near(stream, words []uint64, n int) bool {
	span := len(words) + n
	for i, h := range stream {
		if !slices.Contains(words, h) {
			continue
		}
		var found uint64
		for _, h := range stream[i:min(i+span, len(stream))] {
			if h == 0 {
				break
			}
			for w, want := range words {
				if h == want && found&(1<<w) == 0 {
					found |= 1 << w
					break
				}
			}
		}
		if found == 1<<len(words)-1 {
			return true
		}
	}
	return false
}

// containsFold says whether the folded needle is in s, without case.
func containsFold(s, needle string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return strings.Contains(text.Fold(s), needle)
		}
	}
	for i := 0; i+len(needle) <= len(s); i++ {
		if equalLower(s[i:i+len(needle)], needle) {
			return true
		}
	}
	return false
}

func equalLower(s, lower string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
