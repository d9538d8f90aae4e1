package novelty

import "slices"

// Text says how an article's text differs from the story before it. Cosines
// and shares are 0 to 1.
type Text struct {
	Nearest      float64 // cosine of all terms with the nearest article
	NearestTitle float64 // the same of titles
	Whole        float64 // cosine of all terms with the story
	NewTerms     float64 // share of its terms, by weight, that the story has not had
	NewTitle     float64 // the same of its title's
	NewNames     float64 // the same of its names
	Body         bool    // it has a body
}

// row is the text as the weights take it.
func (t *Text) row() [textFeatures]float64 {
	return [textFeatures]float64{
		1, t.Nearest, t.NearestTitle, t.Whole, t.NewTerms, t.NewTitle, t.NewNames,
		t.NewTerms * t.NewNames, t.Nearest * t.Nearest,
	}
}

const textFeatures = 9

// Row is the text as weights are learnt from it.
func (t *Text) Row() []float64 {
	r := t.row()
	return r[:]
}

// Score is how new the text is, as a logit: above 0 it is a development. It
// was set so that of texts that tell the same again about one in thirty
// scores above 0.
func (t *Text) Score() float64 {
	w := &titleWeights
	if t.Body {
		w = &bodyWeights
	}
	sum := 0.0
	for i, x := range t.row() {
		sum += float64(w[i] * x)
	}
	return sum
}

// Where the verdict changes, as scores.
const (
	unsure = -1.0 // from here to 0 a model may be asked
	major  = 1.5
)

// Verdict is what an article is to its story.
type Verdict uint8

// From nothing new to a turn of the story.
const (
	Nothing Verdict = iota
	Ask             // perhaps: for a model to judge
	Minor
	Major
)

// String is the significance as newsrank names it; "" of what is none.
func (v Verdict) String() string {
	switch v {
	case Minor:
		return "minor"
	case Major:
		return "major"
	}
	return ""
}

// Named is the verdict that String names; Nothing for any other word.
func Named(significance string) Verdict {
	for _, v := range []Verdict{Minor, Major} {
		if v.String() == significance {
			return v
		}
	}
	return Nothing
}

// cooldown is the pause after a development, in milliseconds of event time:
// all outlets report a turn within minutes, and it is one.
const cooldown = 30 * 60 * 1000

// Article is what a State sees of an article that joined.
type Article struct {
	At        int64 // Unix milliseconds, event time
	Publisher string
	Trusted   bool // by the operator: its word alone is enough
	Copy      bool // a near-duplicate, or syndicated
	Text      Text
}

// State is what a story remembers to judge its next article by. Its zero value
// is a story without articles; its fields are the snapshot.
type State struct {
	Articles   int64
	Publishers []string // the first enough, sorted
	Last       int64    // event time of the last development; 0: none
}

// enough publishers make a story that is not one outlet's.
const enough = 2

// Judge takes the article in and says what it is. Minor and Major begin the
// cooldown.
func (s *State) Judge(a Article) Verdict {
	s.Articles++
	if at, found := slices.BinarySearch(s.Publishers, a.Publisher); !found && len(s.Publishers) < enough {
		s.Publishers = slices.Insert(s.Publishers, at, a.Publisher)
	}
	if s.Articles == 1 || a.Copy || len(s.Publishers) < enough && !a.Trusted || s.Last != 0 && a.At-s.Last < cooldown {
		return Nothing
	}
	switch score := a.Text.Score(); {
	case score > major:
		return s.Confirm(a.At, Major)
	case score > 0:
		return s.Confirm(a.At, Minor)
	case score > unsure:
		return Ask
	}
	return Nothing
}

// Confirm makes the article of that time a development, as Judge does by
// itself unless it asks. Within the cooldown it is Nothing: another was
// quicker than the model.
func (s *State) Confirm(at int64, v Verdict) Verdict {
	if v != Minor && v != Major || s.Last != 0 && at-s.Last < cooldown {
		return Nothing
	}
	s.Last = max(s.Last, at)
	return v
}
