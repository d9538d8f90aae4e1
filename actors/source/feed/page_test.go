package feed_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors/source/feed"
)

// pages is a host that is asked for pages.
type pages struct {
	*site
	reader *feed.Reader
}

func newPages(t *testing.T, cfg feed.ReaderConfig, robots string, handler http.HandlerFunc) *pages {
	t.Helper()
	s := newSite(t, feed.ReaderConfig{}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/robots.txt" {
			if robots == "" {
				http.NotFound(w, r)
				return
			}
			fmt.Fprint(w, robots)
			return
		}
		handler(w, r)
	})
	cfg.AllowPrivate, cfg.Now = true, s.clock.Now
	if cfg.HostGap == 0 {
		cfg.HostGap = -1
	}
	reader := feed.NewReader(cfg)
	t.Cleanup(reader.Close)
	return &pages{s, reader}
}

// asked are the paths so far.
func (p *pages) asked() (paths []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.requests {
		paths = append(paths, r.URL.RequestURI())
	}
	return paths
}

func reasonOf(err error) string {
	var e *feed.PageError
	if !errors.As(err, &e) {
		return fmt.Sprint(err)
	}
	return e.Reason()
}

func hello(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	fmt.Fprint(w, "<p>hello</p>")
}

func TestPagesAreFetchedAsRobotsAllow(t *testing.T) {
	p := newPages(t, feed.ReaderConfig{}, "User-agent: *\nDisallow: /private\nDisallow: /*?print=", hello)
	for range 2 {
		page, err := p.reader.Page(t.Context(), p.server.URL+"/news/1?x=1", time.Time{})
		if err != nil || string(page.Body) != "<p>hello</p>" || page.ContentType != "text/html" || page.URL != p.server.URL+"/news/1?x=1" {
			t.Fatalf("%+v %v", page, err)
		}
	}
	for _, path := range []string{"/private/1", "/news/1?print=1"} {
		if _, err := p.reader.Page(t.Context(), p.server.URL+path, time.Time{}); reasonOf(err) != "robots" {
			t.Errorf("%s: %v", path, err)
		}
	}
	if got := strings.Join(p.asked(), " "); got != "/robots.txt /news/1?x=1 /news/1?x=1" {
		t.Errorf("asked for %s", got)
	}
	p.clock.advance(25 * time.Hour)
	if _, err := p.reader.Page(t.Context(), p.server.URL+"/private/2", time.Time{}); reasonOf(err) != "robots" || len(p.asked()) != 4 {
		t.Errorf("after a day: %v, asked for %v", err, p.asked())
	}
}

// A host is asked at its pace, its own word on it included.
func TestPagesKeepTheHostsPace(t *testing.T) {
	p := newPages(t, feed.ReaderConfig{HostGap: time.Second}, "User-agent: *\nCrawl-delay: 7", hello)
	var turn time.Time
	var at []time.Duration
	began := p.clock.Now()
	for n := 0; len(at) < 3; n++ {
		page, err := p.reader.Page(t.Context(), p.server.URL+"/", turn)
		if err != nil || n > 20 {
			t.Fatalf("after %d calls: %+v %v", n, page, err)
		}
		turn = page.Turn
		if page.Again == 0 {
			at = append(at, p.clock.Now().Sub(began))
		}
		p.clock.advance(page.Again)
	}
	if at[0] < 7*time.Second || at[1]-at[0] < 7*time.Second || at[2]-at[1] < 7*time.Second {
		t.Errorf("fetched after %v", at)
	}
}

func TestAHostWhoseServerFailsIsLeftAlone(t *testing.T) {
	failing := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if failing {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		hello(w, r)
	}))
	defer server.Close()
	clock := newClock()
	reader := feed.NewReader(feed.ReaderConfig{AllowPrivate: true, HostGap: -1, Now: clock.Now})
	defer reader.Close()
	if _, err := reader.Page(t.Context(), server.URL, time.Time{}); reasonOf(err) != "robots" {
		t.Errorf("%v", err)
	}
	failing = false
	clock.advance(11 * time.Minute)
	if page, err := reader.Page(t.Context(), server.URL, time.Time{}); err != nil || len(page.Body) == 0 {
		t.Errorf("%+v %v", page, err)
	}
}

func TestPagesThatCannotBeHad(t *testing.T) {
	p := newPages(t, feed.ReaderConfig{}, "", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/gone":
			w.WriteHeader(http.StatusGone)
		case "/busy":
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(http.StatusTooManyRequests)
		case "/large":
			for range 4 << 10 {
				fmt.Fprint(w, strings.Repeat("x", 1<<10))
			}
		case "/slow":
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		}
	})
	for path, want := range map[string]string{"/gone": "status", "/large": "large", "/round": "failed"} {
		if _, err := p.reader.Page(t.Context(), p.server.URL+path, time.Time{}); reasonOf(err) != want {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for len(p.asked()) == 0 || p.asked()[len(p.asked())-1] != "/slow" {
			select {
			case <-time.After(time.Millisecond):
			case <-t.Context().Done():
				return
			}
		}
		cancel()
	}()
	if _, err := p.reader.Page(ctx, p.server.URL+"/slow", time.Time{}); reasonOf(err) != "timeout" {
		t.Errorf("slow: %v", err)
	}
	if page, err := p.reader.Page(t.Context(), p.server.URL+"/busy", time.Time{}); err != nil || page.Again != 30*time.Second {
		t.Errorf("busy: %+v %v", page, err)
	}
	if page, _ := p.reader.Page(t.Context(), p.server.URL+"/other", time.Time{}); page.Again != 30*time.Second {
		t.Errorf("a busy host was asked again: %+v", page)
	}
	for _, address := range []string{"", "ftp://x.example/", "javascript:alert(1)", "http://"} {
		if _, err := p.reader.Page(t.Context(), address, time.Time{}); reasonOf(err) != "address" {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// Private networks are refused when it is connected: also behind a redirect, and
// for robots.txt.
func TestPagesOfPrivateNetworksAreRefused(t *testing.T) {
	hidden := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { t.Errorf("%s was asked for", r.URL) }))
	defer hidden.Close()
	public := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/robots.txt" {
			http.NotFound(w, r)
			return
		}
		http.Redirect(w, r, hidden.URL+"/secret", http.StatusFound)
	}))
	defer public.Close()
	reader := feed.NewReaderWithException(feed.ReaderConfig{HostGap: -1, Now: newClock().Now}, strings.TrimPrefix(public.URL, "http://"))
	defer reader.Close()
	for _, address := range []string{public.URL + "/a", hidden.URL, "http://localhost:1/", "http://169.254.169.254/latest/meta-data", "http://[::1]/", "http://0x7f.1/"} {
		if page, err := reader.Page(t.Context(), address, time.Time{}); reasonOf(err) != "private" || len(page.Body) > 0 {
			t.Errorf("%s: %+v %v", address, page, err)
		}
	}
}

// Another host has a pace and a robots.txt of its own.
func TestRedirectsToAnotherHost(t *testing.T) {
	there := newPages(t, feed.ReaderConfig{}, "User-agent: *\nDisallow: /no", hello)
	here := newPages(t, feed.ReaderConfig{}, "", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, there.server.URL+r.URL.Path, http.StatusMovedPermanently)
	})
	if page, err := here.reader.Page(t.Context(), here.server.URL+"/yes", time.Time{}); err != nil || page.URL != there.server.URL+"/yes" || len(page.Body) == 0 {
		t.Errorf("%+v %v", page, err)
	}
	if _, err := here.reader.Page(t.Context(), here.server.URL+"/no", time.Time{}); reasonOf(err) != "robots" {
		t.Errorf("%v", err)
	}
}
