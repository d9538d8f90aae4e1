package feed_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
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

// An item whose only address is too long to be kept is shown without, and that
// is told.
func TestAnAddressTooLongIsTold(t *testing.T) {
	item := func(title, link string) string {
		return "<item><title>" + title + "</title><link>" + link + "</link></item>"
	}
	long := "https://example.com/" + strings.Repeat("x", 5000)
	drafts, warning, err := feed.DraftsWarned([]byte(rssOf(item("a", "https://example.com/a")+item("b", long))), "")
	if err != nil || len(drafts) != 2 || !strings.Contains(warning, "of its items 1 have an address of more than 2048 bytes") {
		t.Errorf("%d drafts, warning %q, %v", len(drafts), warning, err)
	}
}

// A transfer that breaks off gives what came whole, with a warning, however it is
// sent; one that breaks off before the first item's end is an error.
func TestABrokenTransferGivesWhatCameWhole(t *testing.T) {
	body := rssOf(rssItem("a") + rssItem("b"))
	half := strings.Index(body, "b</title>")
	var zip bytes.Buffer
	z := gzip.NewWriter(&zip)
	_, _ = z.Write([]byte(body))
	_ = z.Close()
	spoilt := bytes.Clone(zip.Bytes())
	spoilt[len(spoilt)-6] ^= 1 // of the checksum
	send := func(header, sent string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nETag: \"1\"\r\n"+header+"\r\n\r\n"+sent)
		}
	}
	chunk := func(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }
	long := fmt.Sprintf("Content-Length: %d", len(body)+100)
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    string // titles; "" is an error
	}{
		"short":            {send(long, body), "b a"},
		"short, half":      {send(long, body[:half]), "a"},
		"chunked":          {send("Transfer-Encoding: chunked", chunk(body)), "b a"},
		"chunked, half":    {send("Transfer-Encoding: chunked", chunk(body[:half])+"ff\r\nx"), "a"},
		"gzip":             {send("Content-Encoding: gzip\r\nConnection: close", zip.String()[:zip.Len()-4]), "b a"},
		"gzip, checksum":   {send("Content-Encoding: gzip\r\nConnection: close", string(spoilt)), "b a"},
		"gzip as a file":   {send("Content-Type: application/gzip\r\nConnection: close", zip.String()[:zip.Len()-9]), "b a"},
		"before the first": {send(long, body[:60]), ""},
		"nothing":          {send(long, ""), ""},
	} {
		s := newSite(t, feed.ReaderConfig{}, c.handler)
		for n, want := range []string{c.want, ""} { // the same once more is no news, and has the warning still
			drafts, _, err := s.poll()
			var w *feed.Warning
			if got := titles(drafts); got != want {
				t.Errorf("%s, poll %d: %q, want %q", name, n, got, want)
			}
			if warned := errors.As(err, &w) && strings.Contains(w.Text, "broke off"); err == nil || warned != (c.want != "") {
				t.Errorf("%s, poll %d: %v", name, n, err)
			}
		}
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
