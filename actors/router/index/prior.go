package index

import (
	"sync/atomic"

	"github.com/birdwire/birdwire/actors/engine/rule"
)

// priors are what share of documents an atom is taken to be found in before
// any has been seen, by class: identities, names, words, parts, places in
// between, categories, properties.
var priors = [8]float64{1e-7, 1e-5, 1e-4, 1e-3, 1e-2, 0.05, 0.3, 1}

func priorOf(k rule.Kind) uint8 {
	switch k {
	case rule.KindFrom, rule.KindTo, rule.KindRetweetsOf, rule.KindConversation, rule.KindInReplyTo,
		rule.KindRetweetsOfID, rule.KindEmbedding, rule.KindFromAffiliateOf, rule.KindToAffiliateOf,
		rule.KindContext, rule.KindEntity:
		return 0
	case rule.KindHashtag, rule.KindMention, rule.KindCashtag, rule.KindTicker, rule.KindEntityID:
		return 1
	case rule.KindURL, rule.KindBio, rule.KindBioName, rule.KindBioLocation, rule.KindPlace,
		rule.KindURLTitle, rule.KindURLDescription, rule.KindItemText, rule.KindItemLead:
		return 3
	case rule.KindSource, rule.KindSourceID, rule.KindSourceName, rule.KindPointRadius, rule.KindBoundingBox:
		return 4
	case rule.KindCategory, rule.KindPlaceCountry:
		return 5
	case rule.KindIs, rule.KindHas, rule.KindLang, rule.KindEvent:
		return 6
	}
	return 2
}

const (
	// frequenciesFrom is how many queries an index has when it begins to count:
	// below, any anchor is good enough, and the counters would be most of it.
	frequenciesFrom = 1024
	cells           = 1 << 17
	// observeEach: of each matcher's documents one in so many is counted.
	observeEach = 16
	// halveAt: counters are halved at so many counted documents, so that what
	// was common last year does not weigh for ever.
	halveAt = 1 << 20
	// priorWeight is how many documents the prior counts as.
	priorWeight = 256
)

// frequencies estimate in what share of the documents a key is found: a
// count-min sketch of two rows. Matchers add to it from many goroutines; that
// an addition is lost now and then only blurs an estimate.
type frequencies struct {
	documents atomic.Uint64 // counted in the sketch, halved with it
	total     atomic.Uint64 // counted ever
	rows      [2][cells]atomic.Uint32
}

func places(key uint64) (a, b uint64) {
	h := mix(key, 0xa0761d6478bd642f)
	return h % cells, h >> 40 % cells
}

// observe counts one document. Only the lower of a key's two counters grows,
// so that rare keys are less blurred by the common ones next to them.
func (f *frequencies) observe(keys []uint64) {
	for _, k := range keys {
		i, j := places(k)
		a, b := &f.rows[0][i], &f.rows[1][j]
		x, y := a.Load(), b.Load()
		if x <= y {
			a.Store(x + 1)
		}
		if y <= x {
			b.Store(y + 1)
		}
	}
	f.documents.Add(1)
	f.total.Add(1)
}

// share is the estimate for a key of the given class of prior.
func (f *frequencies) share(key uint64, prior uint8) float64 {
	p := priors[prior]
	if f == nil {
		return p
	}
	i, j := places(key)
	n := min(f.rows[0][i].Load(), f.rows[1][j].Load())
	return (float64(n) + p*priorWeight) / (float64(f.documents.Load()) + priorWeight)
}

// seen is how many documents were counted ever.
func (f *frequencies) seen() uint64 {
	if f == nil {
		return 0
	}
	return f.total.Load()
}

// age halves everything when it is time.
func (f *frequencies) age() {
	if f == nil || f.documents.Load() < halveAt {
		return
	}
	for r := range f.rows {
		for i := range f.rows[r] {
			f.rows[r][i].Store(f.rows[r][i].Load() / 2)
		}
	}
	f.documents.Store(f.documents.Load() / 2)
}
