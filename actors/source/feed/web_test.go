package feed_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"

	"github.com/birdwire/birdwire/actors/source/feed"
)

// plainSite is a server that takes every request target, as old ones do; Go's
// refuses some. answer is what it writes for the target.
type plainSite struct {
	*site
	host    string
	mu      sync.Mutex // protects targets
	targets []string   // as they were sent
}

func newPlainSite(t *testing.T, answer func(host, target string) string) *plainSite {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	s := &plainSite{host: listener.Addr().String()}
	s.site = newSite(t, feed.ReaderConfig{}, func(http.ResponseWriter, *http.Request) {})
	go func() { // ends with the listener
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			r := bufio.NewReader(conn)
			first, _ := r.ReadString('\n')
			for line := first; line != "\r\n" && err == nil; {
				line, err = r.ReadString('\n')
			}
			target := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(first), "GET "), " HTTP/1.1")
			s.mu.Lock()
			s.targets = append(s.targets, target)
			s.mu.Unlock()
			_, _ = conn.Write([]byte(answer(s.host, target)))
			_ = conn.Close()
		}
	}()
	return s
}

// answered is a whole response.
func answered(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body)
}

// asked are the targets so far.
func (s *plainSite) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.targets...)
}

// A feed's address is sent as a browser sends it.
func TestAddressesAreSentAsBrowsersDo(t *testing.T) {
	for _, c := range []struct{ path, want string }{
		{"/my feed.xml", "/my%20feed.xml"},
		{"/feed?q=a b&r=ü", "/feed?q=a%20b&r=%C3%BC"},
		{"/новости/rss?тема=мир", "/%D0%BD%D0%BE%D0%B2%D0%BE%D1%81%D1%82%D0%B8/rss?%D1%82%D0%B5%D0%BC%D0%B0=%D0%BC%D0%B8%D1%80"},
		{"/100%", "/100%"},
		{"/100%zz?x=%", "/100%zz?x=%"},
		{"/a\tb\nc", "/abc"},
		{"/feed#a b%", "/feed"},
		{`/a\b`, "/a/b"},
		{"/a/../feed", "/feed"},
		{" /feed ", "/feed"},
		{"/feed?a=[1]&b={2}|3", "/feed?a=[1]&b={2}|3"},
		{"/%41%2f", "/%41%2f"},
		{"/日本", "/%E6%97%A5%E6%9C%AC"},
		{"", "/"},
		{"?x", "/?x"},
	} {
		s := newPlainSite(t, func(string, string) string { return answered(rssOf(rssItem("a"))) })
		lead := c.path[:len(c.path)-len(strings.TrimLeft(c.path, " "))]
		s.feed = s.feed.Other(feed.Config{URL: lead + "http://" + s.host + strings.TrimLeft(c.path, " "), SourceID: "src"})
		if got := titles(s.mustPoll()); got != "a" || s.asked()[0] != c.want {
			t.Errorf("%q: %q was sent, %q read; want %q", c.path, s.asked()[0], got, c.want)
		}
		// And again, by the mark that was kept.
		if s.mustPoll(); s.asked()[1] != c.want {
			t.Errorf("%q: %q was sent at the second poll", c.path, s.asked()[1])
		}
	}
}

// So is the address in Location, in whatever encoding it is.
func TestLocations(t *testing.T) {
	for _, c := range []struct{ location, want string }{
		{"/my feed.xml", "/my%20feed.xml"},
		{"/ü?ä=ö b", "/%C3%BC?%C3%A4=%C3%B6%20b"},
		{"/\xfc?\xe4", "/%FC?%E4"},
		{"/100%", "/100%"},
		{"/100%zz#x y", "/100%zz"},
		{"/a\tb", "/ab"},
		{`\feed2`, "/feed2"},
		{"feed2", "/sub/feed2"},
		{"?x=1", "/sub/feed?x=1"},
		{"../feed2", "/feed2"},
		{"//HOST/feed2", "/feed2"},
		{"http://HOST/новости", "/%D0%BD%D0%BE%D0%B2%D0%BE%D1%81%D1%82%D0%B8"},
		{"http:feed2", "/sub/feed2"},
		{"  /feed2  ", "/feed2"},
	} {
		s := newPlainSite(t, func(host, target string) string {
			if target != "/sub/feed" {
				return answered(rssOf(rssItem("a")))
			}
			return fmt.Sprintf("HTTP/1.1 301 Moved Permanently\r\nLocation: %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", strings.ReplaceAll(c.location, "HOST", host))
		})
		s.feed = s.feed.Other(feed.Config{URL: "http://" + s.host + "/sub/feed", SourceID: "src"})
		if got := titles(s.mustPoll()); got != "a" || s.asked()[1] != c.want {
			t.Errorf("%q: %q was sent, %q read; want %q", c.location, s.asked()[1], got, c.want)
		}
		// It moved for good: the next poll goes there at once.
		if s.mustPoll(); len(s.asked()) != 3 || s.asked()[2] != c.want {
			t.Errorf("%q: then %q was sent", c.location, s.asked()[2:])
		}
	}
	for location, want := range map[string]string{"http://": "no URL", "http://a b/": "no URL", "ftp://a.example/": "ftp URL", "javascript:x": "javascript URL"} {
		s := newSite(t, feed.ReaderConfig{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Location"] = []string{location}
			w.WriteHeader(302)
		})
		if _, _, err := s.poll(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", location, err, want)
		}
	}
	s := newSite(t, feed.ReaderConfig{}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(302) })
	if _, _, err := s.poll(); err == nil || !strings.Contains(err.Error(), "302 Found") {
		t.Errorf("a redirect to nowhere: %v", err)
	}
}

// Cookies live as long as one request with its redirects, and no longer.
func TestCookiesWithinARequest(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(w http.ResponseWriter, r *http.Request) (done bool)
	}{
		{"to itself", func(w http.ResponseWriter, r *http.Request) bool {
			if cookie, err := r.Cookie("seen"); err == nil && cookie.Value == "1" {
				return true
			}
			w.Header().Set("Set-Cookie", "seen=1; Path=/; HttpOnly")
			http.Redirect(w, r, r.RequestURI, http.StatusFound)
			return false
		}},
		{"to itself, twice", func(w http.ResponseWriter, r *http.Request) bool {
			a, _ := r.Cookie("a")
			b, _ := r.Cookie("b")
			if a != nil && b != nil {
				return true
			}
			name := "a"
			if a != nil {
				name = "b"
			}
			http.SetCookie(w, &http.Cookie{Name: name, Value: "x y"})
			http.Redirect(w, r, "feed", http.StatusTemporaryRedirect)
			return false
		}},
		{"by way of another page", func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/consent" {
				http.SetCookie(w, &http.Cookie{Name: "consent", Value: "yes", Path: "/", MaxAge: 3600})
				http.Redirect(w, r, "/feed", http.StatusSeeOther)
				return false
			}
			if _, err := r.Cookie("consent"); err == nil {
				return true
			}
			http.Redirect(w, r, "/consent?back=/feed%", http.StatusFound)
			return false
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var mu sync.Mutex
			bare := 0
			s := newSite(t, feed.ReaderConfig{}, func(w http.ResponseWriter, r *http.Request) {
				if len(r.Cookies()) == 0 && r.URL.Path == "/feed" {
					mu.Lock()
					bare++
					mu.Unlock()
				}
				if c.set(w, r) {
					_, _ = w.Write([]byte(rssOf(rssItem("a"))))
				}
			})
			for range 2 {
				s.mustPoll()
			}
			if bare != 2 {
				t.Errorf("%d of 2 polls began without cookies", bare)
			}
		})
	}
}

// A document is decoded as it says itself, wherever in it that is.
func TestDeclarations(t *testing.T) {
	const russian = "Новости дня"
	cp1251, err := charmap.Windows1251.NewEncoder().String(russian)
	if err != nil {
		t.Fatal(err)
	}
	koi8, _ := charmap.KOI8R.NewEncoder().String(russian)
	sjis, _ := japanese.ShiftJIS.NewEncoder().String("日本語のニュース")
	latin, _ := charmap.ISO8859_15.NewEncoder().String("Größe €")
	rest := func(title string) string {
		return `<rss version="2.0"><channel><title>T</title><item><guid>1</guid><title>` + title + `</title></item></channel></rss>`
	}
	declared := func(name string) string { return `<?xml version="1.0" encoding="` + name + `"?>` }
	utf16, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(declared("utf-8") + rest(russian))
	if err != nil {
		t.Fatal(err)
	}
	const bom = "\xef\xbb\xbf"
	for _, c := range []struct{ name, body, want string }{
		{"blank lines before it", "\n\n  " + declared("windows-1251") + rest(cp1251), russian},
		{"a warning before it", "Warning: x() in /y.php on line 3<br />\n" + declared("windows-1251") + rest(cp1251), russian},
		{"markup before it", "<br />\n<b>Notice</b>: Undefined index: x in <b>/y.php</b> on line <b>3</b><br />\n" + declared("koi8-r") + rest(koi8), russian},
		{"a comment before it", "<!-- generated -->" + declared("Shift_JIS") + rest(sjis), "日本語のニュース"},
		{"a comment with another before it", `<!-- <?xml version="1.0" encoding="koi8-r"?> -->` + declared("windows-1251") + rest(cp1251), russian},
		{"in single quotes, with spaces", `<?xml version='1.0' encoding = 'ISO-8859-15' ?>` + rest(latin), "Größe €"},
		{"without quotes", `<?xml version=1.0 encoding=windows-1251?>` + rest(cp1251), russian},
		{"in capitals", declared("WINDOWS-1251") + rest(cp1251), russian},
		{"UTF-8's mark before another encoding", bom + declared("windows-1251") + rest(cp1251), russian},
		{"UTF-8's mark, and UTF-8 that is declared otherwise", bom + declared("windows-1251") + rest(russian), russian},
		{"UTF-8's mark twice", bom + bom + declared("utf-8") + rest(russian), russian},
		{"UTF-8's mark after blank lines", "\r\n" + bom + declared("utf-8") + rest(russian), russian},
		{"UTF-16's mark before UTF-8", "\xff\xfe" + declared("utf-8") + rest(russian), russian},
		{"UTF-16's mark before windows-1251", "\xfe\xff" + declared("windows-1251") + rest(cp1251), russian},
		{"UTF-16, declared UTF-8", utf16, russian},
		{"a comment that names a root", "<!-- <rss><channel><item><title>wrong</title></item></channel></rss> -->" + rest(russian), russian},
		{"a document type that names a root", `<!DOCTYPE rss [<!ENTITY x "<rss>">]>` + rest(russian), russian},
		{"an instruction that names a root", `<?php echo "<rss>"; ?>` + rest(russian), russian},
		{"CDATA that names a root", `<![CDATA[<rss>]]>` + rest(russian), russian},
		{"a comment that names a feed", "<!-- <feed>: see <rss -->" + rest(russian), russian},
		{"words that name a root", "this is an < rss > feed " + rest(russian), russian},
	} {
		for _, contentType := range []string{"", "text/xml", "application/rss+xml; charset=ISO-8859-1"} {
			if got := titles(read(t, contentType, []byte(c.body))); got != c.want {
				t.Errorf("%s, %q: %q, want %q", c.name, contentType, got, c.want)
			}
		}
	}
}
