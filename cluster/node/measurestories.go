package node

import (
	"fmt"
	"io"
	"time"

	"github.com/birdwire/birdwire/actors/newsdesk/quality"
	"github.com/birdwire/birdwire/actors/newsdesk/similarity"
	"github.com/birdwire/birdwire/actors/storycluster/novelty"
)

// StoryFigures are one measurement of how articles are given their stories.
type StoryFigures struct {
	quality.Stories
	Development quality.Development
}

// MeasureStories gives the articles of a data file (JSON lines: title, body,
// published_at, cluster) their stories in one pass, with a node's default bounds,
// and compares them with those that people gave. Only articles published from
// (inclusive) until (exclusive) are read; zero: no bound. Times are of CPU where
// the system tells that of a thread, so that what else runs on the machine does
// not count; the calling goroutine keeps its thread for good.
func MeasureStories(r io.Reader, from, until time.Time) (StoryFigures, error) {
	items, err := quality.Read(r)
	if err != nil {
		return StoryFigures{}, err
	}
	millis := func(t time.Time) int64 {
		if t.IsZero() {
			return 0
		}
		return t.UnixMilli()
	}
	if items = quality.Between(items, millis(from), millis(until)); len(items) == 0 {
		return StoryFigures{}, fmt.Errorf("no articles in that time")
	}
	f := StoryFigures{}
	if f.Stories, err = quality.Measure(similarity.Config{}, items, cpuTime()); err != nil {
		return StoryFigures{}, err
	}
	f.Development, err = quality.MeasureDevelopment(similarity.Config{}, items, func(t similarity.Fresh) (float64, bool) {
		score := (*novelty.Text)(&t).Score()
		return score, score > 0
	})
	return f, err
}
