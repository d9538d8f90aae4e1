package source_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors/source/feed"
	"github.com/birdwire/birdwire/testkit"
)

// upstream is a real server whose document the test changes.
type upstream struct {
	*httptest.Server
	mu       sync.Mutex
	body     string
	status   int
	full     int // answered with the whole document
	unchange int // answered with 304
}

func newUpstream(t *testing.T) *upstream {
	u := &upstream{status: http.StatusOK}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.mu.Lock()
		defer u.mu.Unlock()
		etag := fmt.Sprintf(`"%d"`, len(u.body))
		switch {
		case u.status != http.StatusOK:
			w.WriteHeader(u.status)
		case r.Header.Get("If-None-Match") == etag:
			u.unchange++
			w.WriteHeader(http.StatusNotModified)
		default:
			u.full++
			w.Header().Set("ETag", etag)
			_, _ = w.Write([]byte(u.body))
		}
	}))
	t.Cleanup(u.Close)
	return u
}

func (u *upstream) set(status int, entries ...string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.status = status
	if len(entries) > 0 {
		u.body = `<feed xmlns="http://www.w3.org/2005/Atom" xmlns:at="http://purl.org/atompub/tombstones/1.0"><title>T</title>` +
			strings.Join(entries, "") + `</feed>`
	}
}

func entry(name, title string) string {
	return fmt.Sprintf(`<entry><id>urn:%s</id><title>%s</title><link href="https://s.example/%s"/><updated>2026-03-04T10:00:00Z</updated></entry>`, name, title, name)
}

// A feed over HTTP, through the actor, as a reader of the log sees it.
func TestFeedFlow(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		u := newUpstream(t)
		w := newWorld(t, k)
		reader := feed.NewReader(feed.ReaderConfig{AllowPrivate: true, HostGap: -1, Now: k.Clock.Now})
		t.Cleanup(reader.Close)
		w.cfg.Adapter = reader.Feed(feed.Config{URL: u.URL, SourceID: "bbc", Name: "BBC", Category: "business"})
		book := &logbook{seen: map[string]bool{}, events: newHeld(), shown: map[string][]string{}}
		w.cfg.Journal = k.Spawn("journal", func() actor.Actor { return book })
		shown := func(name string, want ...string) {
			t.Helper()
			wantLines(t, book.shown["bbc|guid|urn:"+name], want...)
		}

		u.set(200, entry("a", "A"), entry("b", "B"))
		pid := w.start()
		shown("a", "created 1 A")
		shown("b", "created 1 B")

		u.set(200, entry("c", "C"), entry("a", "A, corrected"))
		k.Advance(5 * time.Minute)
		shown("a", "created 1 A", "updated 2 A, corrected")
		shown("b", "created 1 B") // it fell off, which says nothing
		shown("c", "created 1 C")

		u.set(500)
		k.Advance(3 * time.Minute)
		if d := w.describe(pid); d.GetStatus() != "failing" || !strings.Contains(d.GetLastError(), "500 Internal Server Error") {
			t.Errorf("described %v", d)
		}

		u.set(200, `<at:deleted-entry ref="urn:a" when="2026-03-04T11:00:00Z"/>`, entry("c", "C"))
		k.Advance(10 * time.Minute)
		shown("a", "created 1 A", "updated 2 A, corrected", "deleted 3 A, corrected")
		for id, e := range book.events.events {
			if a := e.GetArticle().GetArticle(); a.GetUrl() == "" || a.GetCategory() != "business" {
				t.Errorf("%s does not carry the article whole: %v", id, a)
			}
		}

		k.Stop(pid) // and another node takes it, from the mark
		u.set(200, `<at:deleted-entry ref="urn:a" when="2026-03-04T11:00:00Z"/>`, entry("c", "C"), entry("d", "Dee"))
		w.start()
		k.Advance(2 * time.Minute)
		shown("d", "created 1 Dee")
		shown("a", "created 1 A", "updated 2 A, corrected", "deleted 3 A, corrected")
		if u.full != 4 || u.unchange < 5 {
			t.Errorf("%d full downloads and %d answers of 304", u.full, u.unchange)
		}
	})
}
