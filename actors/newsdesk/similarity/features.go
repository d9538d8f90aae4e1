package similarity

import "math"

// The features of an article (or a story) beside a story. None is a story's
// size, nor how many sources it has.
const (
	fOne       = iota
	fBody      // both have a body: 1
	fGap       // days to the nearest article, at most 4
	fGapLog    // logarithm of the same, finer where it is short
	fMeanTitle // likeness to the story's titles (query.alike): of two stories, the mean cosine
	fMeanAll   // the same of all terms
	fLogTitle  // logarithm of fMeanTitle: the first words shared say more than the next
	fLogAll
	fBondTitle // logarithm of how alike the story's titles were when they joined (story.usually)
	fBondAll
	fTitle // cosine with the sum of the story's titles
	fAll
	fUnlike // how much less alike two large stories are than each is in itself
	featureCount
)

// FeatureNames are the names of the Features, in their order.
var FeatureNames = [featureCount]string{
	"one", "body", "gap", "gap_log", "mean_title", "mean_all", "log_title", "log_all", "bond_title", "bond_all", "title", "all", "unlike",
}

// Features are what a decision is made from.
type Features [featureCount]float64

// Weights decide: the logit of a row of features.
type Weights [featureCount]float64

// Logit is the sum of weighted features.
func (w *Weights) Logit(f *Features) float64 {
	sum := 0.0
	for i := range f {
		sum += float64(w[i] * f[i])
	}
	return sum
}

// query is what is compared with the live stories: an article, or the mean of
// a story's articles.
type query struct {
	v     vectors
	norm2 [indexed]float64
	body  bool
	bond  float64 // as story.firm

	// Of an article only:
	article bool
	source  uint64           // as story.source
	own     *vectors         // as arrival.own
	scale   [indexed]float64 // what its likeness is multiplied by
}

func (m *member) query() query {
	q := query{v: m.v, body: m.body, bond: alone, article: true, source: m.source, own: m.own, scale: m.scale}
	for view := range q.norm2 {
		q.norm2[view] = 1
	}
	return q
}

// queryTerms are how many terms of a story are looked up, the heaviest.
const queryTerms = 256

// query is the mean of s.
func (s *story) query() query {
	q := query{body: s.bodies > 0, bond: s.firm()}
	for view := range q.norm2 {
		mean := make(sparse, len(s.sum[view]))
		for i, c := range s.sum[view] {
			mean[i] = component{c.term, float32(float64(c.weight) / float64(s.count))}
		}
		q.v[view] = mean.heaviest(queryTerms)
		q.norm2[view] = float64(s.norm2[view] / float64(s.count) / float64(s.count))
	}
	return q
}

// features compares by the dot products of q with s's sums, which the index, or
// a plain walk, has added up.
func features(dots *dots, q *query, s *story, gap int64) (f Features) {
	n := float64(s.count)
	days := float64(gap) / float64(day)
	f[fOne] = 1
	if q.body && s.bodies > 0 {
		f[fBody] = 1
	}
	f[fGap], f[fGapLog] = min(days, 4), logarithm(1+4*days)
	f[fMeanTitle], f[fMeanAll] = q.alike(title, dots, n), q.alike(all, dots, n)
	f[fLogTitle], f[fLogAll] = logarithm(f[fMeanTitle]+offset), logarithm(f[fMeanAll]+offset)
	f[fBondTitle], f[fBondAll] = logarithm(s.usually(title)+offset), logarithm(s.usually(all)+offset)
	f[fTitle] = cosine(dots.mean[title], q.norm2[title], s.norm2[title])
	f[fAll] = cosine(dots.mean[all], q.norm2[all], s.norm2[all])
	f[fUnlike] = max(0, likeEnough-dots.mean[all]/n/math.Sqrt(float64(q.bond*s.firm())))
	return f
}

// dots are the products of a query with a story's sums, by view: of the weights,
// and of their powers (steep and root).
type dots struct{ mean, root [indexed]float64 }

// spread says whether a view of a query counts words by the root of their share.
func (q *query) spread(view int) bool { return q.article && (view == title || !q.body) }

// alike is how alike the query is to a story of n articles: the mean cosine with
// them, and, of headlines, the more of the root instead the larger the story is.
//
// In the mean cosine a word counts by the share of the story's articles that have
// it. Where two hundred tell a story there are a hundred words for it, each in
// few of the headlines: a word in a twentieth of them is still the story's word,
// and by its root it counts for more than a fifth. Bodies say most of it all, and
// share rare words by chance. Of two articles the root is nothing, so that what is
// learnt from small stories holds.
func (q *query) alike(view int, d *dots, n float64) float64 {
	x := d.mean[view] / n
	if !q.article {
		return x
	}
	if n > spreadFrom && q.spread(view) {
		part := math.Sqrt(spreadFrom / n)
		x = float64(x*part) + float64(d.root[view]/math.Sqrt(n)*(1-part))
	}
	return float64(x * q.scale[view])
}

const spreadFrom = 2.0

// usually is how alike an article of the story was when it joined: what
// paraphrases share is little, and an article that shares as little belongs to
// them. A mean takes no side: a story of two and one of two hundred may have the
// same.
func (s *story) usually(view int) float64 {
	if s.meetings == 0 {
		return alone
	}
	return s.met[view] / float64(s.meetings)
}

const (
	offset = 0.03 // keeps the logarithm of no similarity finite
	alone  = 0.15 // the bond of a story of one article: that of a usual pair
	// likeEnough is how alike the parts of one large story are, of 1 where they
	// are as alike as the articles of each.
	likeEnough = 0.4
)

// bond is the mean cosine of s's articles with each other.
func (s *story) bond(view int) float64 {
	if s.count < 2 {
		return alone
	}
	n := float64(s.count)
	return max(0, (s.norm2[view]/n-1)/(n-1))
}

// firm is the bond of all terms, as if there were one usual pair more: that of
// two articles alone says little.
func (s *story) firm() float64 {
	pairs := float64(s.count*(s.count-1)) / 2
	return (float64(s.bond(all)*pairs) + alone) / (pairs + 1)
}

func cosine(dot, a2, b2 float64) float64 {
	if a2 <= 1e-12 || b2 <= 1e-12 {
		return 0
	}
	return dot / math.Sqrt(float64(a2*b2))
}
