package item

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"math"
	"slices"
	"strings"

	"github.com/birdwire/birdwire/messages"
)

// ContentHash covers what a reader would see change, and nothing else.
//
// Left out on purpose: our own times; tracking parameters and image queries,
// which many publishers sign again with every request; the order of tags. The
// publication date counts only where dated is set: pushers mean the date they
// send, while feeds that stamp every item with the time of the request would
// make each poll an update of everything.
func ContentHash(a *messages.Article, dated bool) []byte {
	h := sha256.New()
	for _, field := range []string{
		a.GetTitle(), a.GetDescription(), a.GetContent(), CanonicalURL(a.GetUrl()),
		a.GetAuthor(), a.GetCategory(), a.GetLanguage(), a.GetSourceLanguage(), sourceName(a),
		withoutQuery(a.GetImageUrl()), withoutQuery(a.GetVideoUrl()), articleType(a), a.GetSlug(),
		a.GetContentStatus(), a.GetHeadlineSummary(),
		a.GetSpeaker(), a.GetSpeakerTitle(), a.GetInstitution(), a.GetEventLocation(),
		a.GetBaseCurrency(), a.GetTargetCurrency(), a.GetExchangeRate(), a.GetEmbeddingModel(),
	} {
		writeField(h, field)
	}
	writeList(h, a.GetTags())
	writeList(h, a.GetTickers())
	writeCount(h, len(a.GetEntityIds()))
	for _, id := range a.GetEntityIds() {
		writeCount(h, int(id))
	}
	writeCount(h, len(a.GetEmbedding()))
	for _, x := range a.GetEmbedding() {
		writeCount(h, int(math.Float32bits(x)))
	}
	if dated {
		writeCount(h, int(a.GetPublishedMs()))
	}
	return h.Sum(nil)
}

func writeCount(h hash.Hash, n int) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	h.Write(b[:]) // a hash's Write never fails
}

// writeField is preceded by its length, so that no two lists of fields run
// together into the same bytes.
func writeField(h hash.Hash, s string) {
	writeCount(h, len(s))
	h.Write([]byte(s))
}

func writeList(h hash.Hash, list []string) {
	sorted := slices.Clone(list)
	slices.Sort(sorted)
	writeCount(h, len(sorted))
	for _, s := range sorted {
		writeField(h, s)
	}
}

func withoutQuery(u string) string {
	u, _, _ = strings.Cut(u, "?")
	return u
}
