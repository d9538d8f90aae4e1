package feed_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors/source/feed"
	"github.com/birdwire/birdwire/messages"
)

// clock is moved by the test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// site is an HTTP server and a feed of it, with the mark carried from poll to poll.
type site struct {
	t      *testing.T
	server *httptest.Server
	clock  *clock
	feed   *feed.Feed
	mark   []byte

	mu       sync.Mutex
	requests []*http.Request
}

func newSite(t *testing.T, cfg feed.ReaderConfig, handler http.HandlerFunc) *site {
	t.Helper()
	s := &site{t: t, clock: newClock()}
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r)
		s.mu.Unlock()
		handler(w, r)
	}))
	t.Cleanup(s.server.Close)
	cfg.AllowPrivate = true
	if cfg.HostGap == 0 {
		cfg.HostGap = -1
	}
	cfg.Now = s.clock.Now
	reader := feed.NewReader(cfg)
	t.Cleanup(reader.Close)
	s.feed = reader.Feed(feed.Config{
		URL: s.server.URL + "/feed", SourceID: "src", Name: "Source", Category: "business",
	})
	return s
}

// reader is another reader, which has asked nobody yet.
func (s *site) reader(t *testing.T) *feed.Reader {
	t.Helper()
	r := feed.NewReader(feed.ReaderConfig{AllowPrivate: true, Now: s.clock.Now})
	t.Cleanup(r.Close)
	return r
}

func (s *site) poll() ([]*messages.Event, time.Duration, error) {
	s.t.Helper()
	drafts, next, after, err := s.feed.Poll(s.t.Context(), s.mark)
	if next != nil {
		s.mark = next
	}
	return drafts, after, err
}

func (s *site) mustPoll() []*messages.Event {
	s.t.Helper()
	drafts, _, err := s.poll()
	if err != nil {
		s.t.Fatal(err)
	}
	return drafts
}

func (s *site) last() *http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[len(s.requests)-1]
}

func (s *site) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

func rssOf(items string) string {
	return `<?xml version="1.0"?><rss version="2.0"><channel><title>T</title><link>https://site.example/</link>` + items + `</channel></rss>`
}

func rssItem(name string) string {
	return fmt.Sprintf(`<item><guid>%s</guid><title>%s</title><link>https://site.example/%s</link></item>`, name, name, name)
}

func titles(drafts []*messages.Event) string {
	var all []string
	for _, d := range drafts {
		word := d.GetArticle().GetArticle().GetTitle()
		if d.GetArticle().GetAction() == messages.ArticleAction_ARTICLE_DELETED {
			word = "-" + d.GetArticle().GetArticle().GetIdentity()
		}
		all = append(all, word)
	}
	return strings.Join(all, " ")
}

func TestConditionalGet(t *testing.T) {
	type step struct {
		status         int
		etag, modified string // of the response
		wantMatch      string // If-None-Match of the request
		wantSince      string
		body           string
		want           string
	}
	const monday, tuesday = "Mon, 02 Mar 2026 10:00:00 GMT", "Tue, 03 Mar 2026 10:00:00 GMT"
	one, two, three := rssOf(rssItem("a")), rssOf(rssItem("b")), rssOf(rssItem("c"))
	for _, c := range []struct {
		name  string
		steps []step
	}{
		{"both", []step{
			{status: 200, etag: `"1"`, modified: monday, body: one, want: "a"},
			{status: 304, wantMatch: `"1"`, wantSince: monday},
			{status: 304, etag: `"1b"`, wantMatch: `"1"`, wantSince: monday},
			{status: 200, etag: `"2"`, modified: tuesday, wantMatch: `"1b"`, wantSince: monday, body: two, want: "b"},
			{status: 304, wantMatch: `"2"`, wantSince: tuesday},
		}},
		{"ETag left out while Last-Modified is the same", []step{
			{status: 200, etag: `"1"`, modified: monday, body: one, want: "a"},
			{status: 200, modified: monday, wantMatch: `"1"`, wantSince: monday, body: one},
			{status: 304, wantMatch: `"1"`, wantSince: monday},
		}},
		{"Last-Modified left out while ETag is the same", []step{
			{status: 200, etag: `"1"`, modified: monday, body: one, want: "a"},
			{status: 200, etag: `"1"`, wantMatch: `"1"`, wantSince: monday, body: one},
			{status: 304, wantMatch: `"1"`, wantSince: monday},
		}},
		{"one left out of a new document", []step{
			{status: 200, etag: `"1"`, modified: monday, body: one, want: "a"},
			{status: 200, modified: tuesday, wantMatch: `"1"`, wantSince: monday, body: two, want: "b"},
			{status: 200, wantSince: tuesday, body: three, want: "c"},
			{status: 200, body: three},
		}},
		{"no validators: the same document is known by its bytes", []step{
			{status: 200, body: one, want: "a"},
			{status: 200, body: one},
			{status: 200, body: two, want: "b"},
		}},
		{"a document that cannot be read is asked for again", []step{
			{status: 200, etag: `"1"`, body: one, want: "a"},
			{status: 200, etag: `"2"`, wantMatch: `"1"`, body: "<html>log in</html>", want: "error"},
			{status: 200, etag: `"3"`, body: two, want: "b"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := 0
			s := newSite(t, feed.ReaderConfig{}, func(w http.ResponseWriter, _ *http.Request) {
				st := c.steps[n]
				if st.etag != "" {
					w.Header().Set("ETag", st.etag)
				}
				if st.modified != "" {
					w.Header().Set("Last-Modified", st.modified)
				}
				w.WriteHeader(st.status)
				if st.status == 200 {
					_, _ = w.Write([]byte(st.body))
				}
			})
			for ; n < len(c.steps); n++ {
				drafts, _, err := s.poll()
				got := titles(drafts)
				if err != nil {
					got = "error"
				}
				r := s.last()
				if got != c.steps[n].want || r.Header.Get("If-None-Match") != c.steps[n].wantMatch || r.Header.Get("If-Modified-Since") != c.steps[n].wantSince {
					t.Errorf("step %d: got %q (%v), asked with %q, %q", n, got, err, r.Header.Get("If-None-Match"), r.Header.Get("If-Modified-Since"))
				}
			}
		})
	}
}

func TestHowLongToWait(t *testing.T) {
	// It is Wednesday noon.
	for _, c := range []struct {
		name    string
		header  string
		value   string
		status  int
		channel string
		want    time.Duration
	}{
		{"nothing said", "", "", 200, "", 0},
		{"max-age", "Cache-Control", "public, max-age=900", 200, "", 15 * time.Minute},
		{"max-age of a year", "Cache-Control", "max-age=31536000", 200, "", 6 * time.Hour},
		{"no-cache", "Cache-Control", "no-cache, max-age=900", 200, "", 0},
		{"max-age on 304", "Cache-Control", "max-age=60", 304, "", time.Minute},
		{"ttl", "", "", 200, "<ttl>30</ttl>", 30 * time.Minute},
		{"nonsense ttl", "", "", 200, "<ttl>soon</ttl>", 0},
		{"skipHours", "", "", 200, "<skipHours><hour>12</hour><hour>13</hour></skipHours>", 2 * time.Hour},
		{"skipDays", "", "", 200, "<skipDays><day>Wednesday</day><day>Thursday</day></skipDays>", 36 * time.Hour},
		{"ttl into skipHours", "", "", 200, "<ttl>90</ttl><skipHours><hour>13</hour></skipHours>", 2 * time.Hour},
		{"Retry-After in seconds", "Retry-After", "120", 429, "", 2 * time.Minute},
		{"Retry-After as a date", "Retry-After", "Wed, 04 Mar 2026 13:00:00 GMT", 503, "", time.Hour},
		{"Retry-After in the past", "Retry-After", "Wed, 04 Mar 2020 13:00:00 GMT", 503, "", 0},
		{"Retry-After of a month", "Retry-After", "2592000", 503, "", 24 * time.Hour},
		{"Retry-After that is none", "Retry-After", "soon", 503, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, feed.ReaderConfig{}, func(w http.ResponseWriter, _ *http.Request) {
				if c.header != "" {
					w.Header().Set(c.header, c.value)
				}
				w.WriteHeader(c.status)
				if c.status == 200 {
					_, _ = w.Write([]byte(rssOf(c.channel)))
				}
			})
			_, after, err := s.poll()
			if after != c.want || (err != nil) != (c.status > 399) {
				t.Errorf("wait %v, %v; want %v", after, err, c.want)
			}
		})
	}
}

// The document's schedule holds when a later poll brings none.
func TestScheduleOutlivesNotModified(t *testing.T) {
	n := 0
	s := newSite(t, feed.ReaderConfig{}, func(w http.ResponseWriter, _ *http.Request) {
		if n++; n > 1 {
			w.WriteHeader(304)
			return
		}
		_, _ = w.Write([]byte(rssOf("<ttl>60</ttl>" + rssItem("a"))))
	})
	s.mustPoll()
	if _, after, err := s.poll(); after != time.Hour || err != nil {
		t.Errorf("wait %v, %v", after, err)
	}
}

// Retry-After is kept in the mark: a restart does not ask sooner. It holds all
// feeds of the host.
func TestRetryAfterHoldsTheHost(t *testing.T) {
	status := 429
	s := newSite(t, feed.ReaderConfig{HostGap: time.Second}, func(w http.ResponseWriter, _ *http.Request) {
		if status == 429 {
			w.Header().Set("Retry-After", "600")
		}
		w.WriteHeader(status)
	})
	other := feedBeside(s, "/other")
	if _, _, err := s.poll(); err == nil || !strings.Contains(err.Error(), "429 Too Many Requests") {
		t.Errorf("error %v", err)
	}
	s.clock.advance(5 * time.Second)
	restarted := feedBeside(s, "/feed")
	for name, f := range map[string]*feed.Feed{"itself": s.feed, "restarted": restarted, "its neighbour": other} {
		mark := s.mark
		if name == "its neighbour" {
			mark = nil
		}
		drafts, next, after, err := f.Poll(t.Context(), mark)
		if drafts != nil || next != nil || err != nil || after < 590*time.Second || after > 600*time.Second {
			t.Errorf("%s: %v, %q, wait %v, %v", name, drafts, next, after, err)
		}
	}
	if s.count() != 1 {
		t.Errorf("%d requests", s.count())
	}
	status = 304
	s.clock.advance(10 * time.Minute)
	if _, _, err := s.poll(); err != nil || s.count() != 2 {
		t.Errorf("%v after %d requests", err, s.count())
	}
}

// A wall clock that was set back by a year while the node was down does not
// keep a feed from its server for as long.
func TestAClockThatWasSetBackHoldsNobody(t *testing.T) {
	s := newSite(t, feed.ReaderConfig{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "600")
		w.WriteHeader(429)
	})
	_, _, _ = s.poll() // told to come again later
	s.clock.advance(-366 * 24 * time.Hour)
	again := s.reader(t).Feed(feed.Config{URL: s.server.URL + "/feed", SourceID: "src", Name: "Source"})
	if _, next, _, _ := again.Poll(t.Context(), s.mark); next == nil {
		t.Error("the server was not asked")
	}
}

// feedBeside is another feed of the same reader, at another path of the site.
func feedBeside(s *site, path string) *feed.Feed {
	return s.feed.Other(feed.Config{URL: s.server.URL + path, SourceID: "src2", Name: "Other"})
}

func TestHostIsAskedAtAPace(t *testing.T) {
	s := newSite(t, feed.ReaderConfig{HostGap: 10 * time.Second}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(rssOf("")))
	})
	feeds := []*feed.Feed{s.feed, feedBeside(s, "/2"), feedBeside(s, "/3")}
	waits := make([]time.Duration, 3)
	for i, f := range feeds {
		_, next, after, err := f.Poll(t.Context(), nil)
		if err != nil || (next == nil) != (i > 0) {
			t.Fatalf("feed %d: next %q, %v", i, next, err)
		}
		waits[i] = after
	}
	if waits[1] != 10*time.Second || waits[2] != 20*time.Second {
		t.Errorf("waits %v", waits)
	}
	s.clock.advance(20 * time.Second)
	for i := 2; i >= 1; i-- { // both turns have come, whoever asks first
		if _, next, after, err := feeds[i].Poll(t.Context(), nil); next == nil || err != nil {
			t.Errorf("feed %d: wait %v, %v", i, after, err)
		}
	}
	if s.count() != 3 {
		t.Errorf("%d requests", s.count())
	}
}

func TestRequestsToAHostAtATime(t *testing.T) {
	arrived, leave := make(chan struct{}), make(chan struct{})
	s := newSite(t, feed.ReaderConfig{HostParallel: 1}, func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-leave
		_, _ = w.Write([]byte(rssOf("")))
	})
	done := make(chan error)
	go func() {
		_, _, _, err := s.feed.Poll(context.Background(), nil)
		done <- err
	}()
	<-arrived
	other := feedBeside(s, "/2")
	if _, next, after, err := other.Poll(t.Context(), nil); next != nil || after != time.Second || err != nil {
		t.Errorf("next %q, wait %v, %v", next, after, err)
	}
	close(leave)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	s.clock.advance(time.Second)
	go func() { <-arrived }()
	if _, next, _, err := other.Poll(t.Context(), nil); next == nil || err != nil {
		t.Errorf("next %q, %v", next, err)
	}
}

func TestRedirects(t *testing.T) {
	for _, c := range []struct {
		name    string
		hops    []int // status of each redirect; then 200
		now     string
		moved   bool
		brokens bool
	}{
		{"permanent", []int{301}, "", true, false},
		{"permanent twice", []int{308, 301}, "", true, false},
		{"temporary", []int{302}, "", false, false},
		{"temporary, then permanent", []int{307, 301}, "", false, false},
		{"permanent, to what is no feed", []int{301}, "<html>log in</html>", false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := rssOf(rssItem("a"))
			if c.now != "" {
				body = c.now
			}
			s := newSite(t, feed.ReaderConfig{}, func(w http.ResponseWriter, r *http.Request) {
				n := strings.Count(r.URL.Path, "x")
				if n < len(c.hops) {
					http.Redirect(w, r, "/x"+strings.Repeat("x", n), c.hops[n])
					return
				}
				_, _ = w.Write([]byte(body))
			})
			if _, _, err := s.poll(); (err != nil) != c.brokens {
				t.Fatal(err)
			}
			before := s.count()
			_, _, _ = s.poll()
			if direct := s.count()-before == 1; direct != c.moved {
				t.Errorf("%d requests at the second poll", s.count()-before)
			}
		})
	}
}

func TestMovedFeedComesBack(t *testing.T) {
	gone := false
	s := newSite(t, feed.ReaderConfig{}, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/feed" && !gone:
			http.Redirect(w, r, "/new", http.StatusMovedPermanently)
		case r.URL.Path == "/new" && gone:
			w.WriteHeader(http.StatusNotFound)
		default:
			_, _ = w.Write([]byte(rssOf(rssItem("a"))))
		}
	})
	s.mustPoll()
	gone = true
	if _, _, err := s.poll(); err == nil {
		t.Error("no error from where it is gone")
	}
	if s.mustPoll(); s.last().URL.Path != "/feed" {
		t.Errorf("asked at %s", s.last().URL.Path)
	}
}

func TestTooManyRedirects(t *testing.T) {
	s := newSite(t, feed.ReaderConfig{}, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/feed", http.StatusFound)
	})
	if _, _, err := s.poll(); err == nil || !strings.Contains(err.Error(), "more than 10 redirects") {
		t.Error(err)
	}
	s = newSite(t, feed.ReaderConfig{}, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
	})
	if _, _, err := s.poll(); err == nil || !strings.Contains(err.Error(), "redirect to a file URL") {
		t.Error(err)
	}
}

func TestPrivateNetworks(t *testing.T) {
	public := feed.NewReader(feed.ReaderConfig{HostGap: -1, Now: time.Now})
	t.Cleanup(public.Close)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		t.Error("a private address was asked")
		_, _ = w.Write([]byte(rssOf("")))
	}))
	t.Cleanup(server.Close)
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	for _, address := range []string{
		server.URL, "http://localhost:" + port, "http://[::1]:" + port, "http://[::ffff:127.0.0.1]:" + port, "http://0.0.0.0:" + port,
		"http://10.1.2.3/", "http://169.254.169.254/latest/meta-data", "http://[fd00::1]/", "http://[fe80::1]/", "http://100.64.0.1/",
		"http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, _, _, err := public.Feed(feed.Config{URL: address, SourceID: "s"}).Poll(ctx, nil)
		cancel()
		if !errors.Is(err, feed.ErrPrivateNetwork) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// A public host that redirects into the private network meets the same check:
// here the first hop is permitted as the only exception.
func TestRedirectToAPrivateNetwork(t *testing.T) {
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a private address was asked")
	}))
	t.Cleanup(inside.Close)
	outside := httptest.NewServer(http.RedirectHandler(inside.URL, http.StatusFound))
	t.Cleanup(outside.Close)
	reader := feed.NewReaderWithException(feed.ReaderConfig{HostGap: -1, Now: time.Now}, strings.TrimPrefix(outside.URL, "http://"))
	t.Cleanup(reader.Close)
	_, _, _, err := reader.Feed(feed.Config{URL: outside.URL, SourceID: "s"}).Poll(t.Context(), nil)
	if !errors.Is(err, feed.ErrPrivateNetwork) {
		t.Error(err)
	}
}

func TestErrorsDoNotShowTheQuery(t *testing.T) {
	s := newSite(t, feed.ReaderConfig{}, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/feed?token=sesame", http.StatusFound)
	})
	dead := s.feed.Other(feed.Config{URL: "http://user:sesame@127.0.0.1:1/feed?token=sesame", SourceID: "s"})
	for _, f := range []*feed.Feed{s.feed, dead} {
		if _, _, _, err := f.Poll(t.Context(), nil); err == nil || strings.Contains(err.Error(), "sesame") {
			t.Errorf("error %v", err)
		}
	}
}

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(b)
	_ = z.Close()
	return out.Bytes()
}

func TestGzip(t *testing.T) {
	body := []byte(rssOf(rssItem("a")))
	for _, c := range []struct {
		name     string
		encoding string
		body     []byte
		want     string
	}{
		{"as negotiated", "gzip", gzipped(body), "a"},
		{"a stored file", "", gzipped(body), "a"},
		{"a stored file, compressed again on the way", "gzip", gzipped(gzipped(body)), "a"},
		{"cut short", "gzip", gzipped(body)[:40], "error"},
		{"not gzip at all", "gzip", body, "error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, feed.ReaderConfig{}, func(w http.ResponseWriter, _ *http.Request) {
				if c.encoding != "" {
					w.Header().Set("Content-Encoding", c.encoding)
				}
				_, _ = w.Write(c.body)
			})
			drafts, _, err := s.poll()
			got := titles(drafts)
			if err != nil {
				got = "error"
			}
			if got != c.want {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestBodyCap(t *testing.T) {
	const limit = 15 << 20
	prefix, suffix := `<?xml version="1.0"?><rss version="2.0"><channel><!--`, `-->`+rssItem("a")+`</channel></rss>`
	sized := func(n int) []byte {
		return []byte(prefix + strings.Repeat(" ", n-len(prefix)-len(suffix)) + suffix)
	}
	for _, c := range []struct {
		name string
		body []byte
		zip  bool
		ok   bool
	}{
		{"15 MiB", sized(limit), false, true},
		{"a byte more", sized(limit + 1), false, false},
		{"a bomb", gzipped(sized(2 * limit)), true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, feed.ReaderConfig{}, func(w http.ResponseWriter, _ *http.Request) {
				if c.zip {
					w.Header().Set("Content-Encoding", "gzip")
				}
				_, _ = w.Write(c.body)
			})
			drafts, _, err := s.poll()
			if c.ok && (err != nil || titles(drafts) != "a") || !c.ok && (err == nil || !strings.Contains(err.Error(), "more than 15728640 bytes")) {
				t.Errorf("%q, %v", titles(drafts), err)
			}
		})
	}
}

func TestSlowBody(t *testing.T) {
	began, stop := make(chan struct{}), make(chan struct{})
	s := newSite(t, feed.ReaderConfig{}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(rssOf("")[:40]))
		w.(http.Flusher).Flush()
		close(began)
		<-stop
	})
	defer close(stop)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-began
		cancel() // as the worker's deadline does
	}()
	if _, next, _, err := s.feed.Poll(ctx, nil); err == nil || next == nil {
		t.Errorf("next %q, %v", next, err)
	}
}

func TestStatusesAndBrokenServers(t *testing.T) {
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"not found", http.NotFound, "404 Not Found"},
		{"gone", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(410) }, "410 Gone"},
		{"server error", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "500 Internal Server Error"},
		{"no content", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, "204 No Content"},
		{"hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		{"shorter than it said", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(rssOf("")))
		}, "unexpected EOF"},
		{"a page", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("<html><body>hello</body></html>"))
		}, "not a feed"},
		{"empty", func(http.ResponseWriter, *http.Request) {}, "not a feed"},
		{"JSON that is none", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"error":"no"}`)) }, "not a feed"},
		{"cut XML", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(rssOf(rssItem("a"))[:150])) }, "parse RSS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, feed.ReaderConfig{}, c.handler)
			if _, _, err := s.poll(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestBadURL(t *testing.T) {
	for _, raw := range []string{"", "ftp://a.example/", "file:///etc/passwd", "http://", "://", "a.example/feed"} {
		if err := feed.CheckURL(raw); !errors.Is(err, feed.ErrURL) {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func TestMarkOfAnotherURLOrBroken(t *testing.T) {
	s := newSite(t, feed.ReaderConfig{}, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") != "" {
			t.Error("asked with a validator of another document")
		}
		_, _ = w.Write([]byte(rssOf(rssItem("a"))))
	})
	for _, mark := range []string{`{"url":"https://elsewhere.example/","etag":"\"1\""}`, `{`, `[]`} {
		s.mark = []byte(mark)
		if got := titles(s.mustPoll()); got != "a" {
			t.Errorf("got %q", got)
		}
	}
}
