package feed_test

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/source/feed"
	"github.com/birdwire/birdwire/messages"
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

// TestEveryCut cuts documents at every byte: nothing is read that is not in the
// whole one, what is read only grows, and there is a warning or an error until
// all of it is there.
func TestEveryCut(t *testing.T) {
	for _, name := range []string{"rss20.xml", "rss10.xml", "atom10.xml", "cb_speech.xml", "jsonfeed11.json", "rss091.xml"} {
		body, err := os.ReadFile("testdata/documents/" + name)
		if err != nil {
			t.Fatal(err)
		}
		body = bytes.TrimSpace(body)
		whole, warning, err := feed.DraftsWarned(body, "")
		if err != nil || warning != "" || len(whole) < 1 {
			t.Fatalf("%s: %d drafts, %q, %v", name, len(whole), warning, err)
		}
		known := map[string]*messages.Event{}
		for _, d := range whole {
			known[d.GetArticle().GetArticle().GetTitle()] = d
		}
		last := 0
		for n := range body {
			drafts, warning, err := feed.DraftsWarned(body[:n], "")
			if err == nil && warning == "" || len(drafts) > 0 && err != nil {
				t.Fatalf("%s, cut at %d: %d drafts, %q, %v", name, n, len(drafts), warning, err)
			}
			if len(drafts) < last {
				t.Fatalf("%s, cut at %d: %d drafts, and %d of less", name, n, len(drafts), last)
			}
			last = len(drafts)
			for _, d := range drafts {
				if want := known[d.GetArticle().GetArticle().GetTitle()]; !proto.Equal(d, want) {
					t.Fatalf("%s, cut at %d:\n%v, and whole\n%v", name, n, d, want)
				}
			}
		}
		if last != len(whole) {
			t.Errorf("%s: %d of %d drafts with its last byte missing", name, last, len(whole))
		}
	}
}
