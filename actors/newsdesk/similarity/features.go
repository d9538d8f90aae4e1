package similarity

import "math"

// The features of an article (or a story) beside a story. None is a story's
// size, nor how many sources it has.
const (
	fOne          = iota
	fBody         // both have a body: 1
	fGap          // days to the nearest article, at most 4
	fGapLog       // logarithm of the same, finer where it is short
	fMeanTitle    // mean cosine of titles
	fMeanAll      // mean cosine of all terms
	fMeanEntities // mean cosine of names
	fMeanCross    // mean cosine of the one's title with the other's all
	fTitle        // cosine of titles with the story's sum
	fAll
	fEntities
	fCross
	fRootTitle // root of fMeanTitle: the first words shared say more than the next
	fRootAll
	fBodyTitle // fMeanTitle where both have a body
	fBodyAll
	featureCount
)

// FeatureNames are the names of the Features, in their order.
var FeatureNames = [featureCount]string{
	"one", "body", "gap", "gap_log", "mean_title", "mean_all", "mean_entities", "mean_cross",
	"title", "all", "entities", "cross", "root_title", "root_all", "body_title", "body_all",
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

// The dot products of a query with a live story.
const (
	dotTitle    = iota
	dotAll      // all · all
	dotEntities // names · names
	dotTitleAll // the query's title · the story's all
	dotAllTitle
	dots
)

// query is what is compared with the live stories: an article, or the mean of
// a story's articles.
type query struct {
	v     vectors
	norm2 [views]float64
	body  bool
}

func (m *member) query() query {
	q := query{v: m.v, body: m.body}
	for view := range q.v {
		q.norm2[view] = 1
	}
	return q
}

// queryTerms are how many terms of a story are looked up, the heaviest.
const queryTerms = 256

// query is the mean of s.
func (s *story) query() query {
	q := query{body: s.bodies > 0}
	for view := range q.v {
		mean := make(sparse, len(s.sum[view]))
		for i, c := range s.sum[view] {
			mean[i] = component{c.term, float32(float64(c.weight) / float64(s.count))}
		}
		q.v[view] = mean.heaviest(queryTerms)
		q.norm2[view] = float64(s.norm2[view] / float64(s.count) / float64(s.count))
	}
	return q
}

// features compares by dots that the index, or a plain walk, has added up.
func features(d *[dots]float64, q *query, s *story, gap int64) (f Features) {
	n := float64(s.count)
	days := float64(gap) / float64(day)
	f[fOne] = 1
	f[fGap] = min(days, 4)
	f[fGapLog] = logarithm(1 + 4*days)
	f[fMeanTitle], f[fMeanAll], f[fMeanEntities] = d[dotTitle]/n, d[dotAll]/n, d[dotEntities]/n
	f[fMeanCross] = (d[dotTitleAll] + d[dotAllTitle]) / 2 / n
	f[fTitle] = cosine(d[dotTitle], q.norm2[title], s.norm2[title])
	f[fAll] = cosine(d[dotAll], q.norm2[all], s.norm2[all])
	f[fEntities] = cosine(d[dotEntities], q.norm2[entities], s.norm2[entities])
	f[fCross] = (cosine(d[dotTitleAll], q.norm2[title], s.norm2[all]) + cosine(d[dotAllTitle], q.norm2[all], s.norm2[title])) / 2
	f[fRootTitle], f[fRootAll] = root(f[fMeanTitle]), root(f[fMeanAll])
	if q.body && s.bodies > 0 {
		f[fBody], f[fBodyTitle], f[fBodyAll] = 1, f[fMeanTitle], f[fMeanAll]
	}
	return f
}

func cosine(dot, a2, b2 float64) float64 {
	if a2 <= 1e-12 || b2 <= 1e-12 {
		return 0
	}
	return dot / math.Sqrt(float64(a2*b2))
}

func root(x float64) float64 { return math.Sqrt(max(x, 0)) }
