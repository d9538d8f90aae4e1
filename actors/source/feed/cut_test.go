package feed_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/actors/source/feed"
)

// The warning of a document stays while it is the same, also where the server
// says so; then it is asked for again without conditions, as it may be whole.
func TestWarningOutlivesTheSameDocument(t *testing.T) {
	body := rssOf(rssItem("a") + rssItem("b"))
	whole := false
	s := newSite(t, feed.ReaderConfig{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		if whole {
			_, _ = w.Write([]byte(body))
			return
		}
		if r.Header.Get("If-None-Match") != "" {
			t.Error("asked with a condition")
		}
		_, _ = w.Write([]byte(body[:len(body)-30]))
	})
	for n := range 3 {
		drafts, _, err := s.poll()
		var w *feed.Warning
		if !errors.As(err, &w) || !strings.Contains(w.Text, "cut off") {
			t.Errorf("poll %d: %v", n, err)
		}
		if want := map[int]string{0: "a"}[n]; titles(drafts) != want {
			t.Errorf("poll %d: %q, want %q", n, titles(drafts), want)
		}
	}
	whole = true
	if got := titles(s.mustPoll()); got != "b a" {
		t.Errorf("whole: %q", got)
	}
}
