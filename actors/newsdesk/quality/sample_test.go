package quality

import (
	"os"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors/newsdesk/similarity"
)

// What the bundled weights reach on the samples is held: a change that loses
// more than a little shows here, without the large files. The bounds are a
// hundredth below what was measured.
func TestQualityOfTheSamples(t *testing.T) {
	for _, c := range []struct {
		file  string
		least float64
	}{{"testdata/uci.jsonl", 0.828}, {"testdata/own.jsonl", 0.98}} {
		file, err := os.Open(c.file)
		if err != nil {
			t.Fatal(err)
		}
		items, err := Read(file)
		if err != nil || file.Close() != nil {
			t.Fatal(err)
		}
		f, err := Measure(similarity.Config{}, items, func() time.Time { return time.Time{} })
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %+v", c.file, f)
		if f.BCubed.F1 < c.least {
			t.Errorf("%s: F1 %.4f, want %.3f: %+v", c.file, f.BCubed.F1, c.least, f)
		}
	}
}
