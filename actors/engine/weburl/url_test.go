package weburl_test

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	neturl "net/url"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/actors/engine/weburl"
)

// TestLink: what is shown is what every client opens.
func TestLink(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		// Plain ones stay as they are.
		{"https://example.com/a/b?c=d#e", "https://example.com/a/b?c=d#e"},
		{"https://example.com", "https://example.com"},
		{"http://Example.COM:80/A", "http://Example.COM:80/A"},
		{"https://example.com/%7Ea%2fb", "https://example.com/%7Ea%2fb"},
		{"https://example.com/?q=it's&r={x}|100%", "https://example.com/?q=it's&r={x}|100%"},
		{"http://192.0.2.7:8080/x", "http://192.0.2.7:8080/x"},
		{"https://example.com./", "https://example.com./"},
		// Go's parser refuses these.
		{"https://example.com/100%", "https://example.com/100%"},
		{"https://example.com/100% sure", "https://example.com/100%%20sure"},
		{"https://example.com/%zz?x", "https://example.com/%zz?x"},
		{"https://example.com/a\tb\nc\rd", "https://example.com/abcd"},
		{"https://exam\nple.com/", "https://example.com/"},
		{"ht\ttps://example.com/", "https://example.com/"},
		{"https://example.com/#100%", "https://example.com/#100%"},
		{"https://example.com/a#b#c", "https://example.com/a#b#c"},
		{"https://example.com/#a b\"<>`", "https://example.com/#a%20b%22%3C%3E%60"},
		{`https:\\example.com\a\b?c\d#e\f`, `https://example.com/a/b?c\d#e\f`},
		{`https://example.com\@evil.example/`, `https://example.com/@evil.example/`},
		{"https:example.com/a", "https://example.com/a"},
		{"https:///example.com/a", "https://example.com/a"},
		{"https://example.com:/a", "https://example.com/a"},
		{"https://example.com/\x01\x7f", "https://example.com/%01%7F"},
		{" \t\u00a0https://example.com/a\u3000\n", "https://example.com/a"},
		// Letters of other scripts.
		{"https://bücher.example/über?q=ä#ö", "https://xn--bcher-kva.example/%C3%BCber?q=%C3%A4#%C3%B6"},
		{"https://пример.испытание/путь", "https://xn--e1afmkfd.xn--80akhbyknj4f/%D0%BF%D1%83%D1%82%D1%8C"},
		{"https://例え.テスト/", "https://xn--r8jz45g.xn--zckzah/"},
		{"https://例え。テスト/", "https://xn--r8jz45g.xn--zckzah/"},
		{"https://EXAMPLE.com/É", "https://example.com/%C3%89"},
		{"https://faß.example/", "https://xn--fa-hia.example/"},
		{"https://ｅｘａｍｐｌｅ.com/", "https://example.com/"},
		{"https://ex%41mple.com/", "https://example.com/"},
		{"https://b%C3%BCcher.example/", "https://xn--bcher-kva.example/"},
		{"https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"},
		{"https://example.com/🐦", "https://example.com/%F0%9F%90%A6"},
		{"https://example.com/\xff", "https://example.com/%EF%BF%BD"},
		// Written in more than one way.
		{"HTTPS://Example.com:443/a/./b/../c", "https://example.com/a/c"},
		{"https://example.com/%2e%2E/a", "https://example.com/a"},
		{"https://example.com/a b?c d#e f", "https://example.com/a%20b?c%20d#e%20f"},
		{`https://example.com/"<>^{}`, "https://example.com/%22%3C%3E%5E%7B%7D"},
		{"http://0x7f.1/", "http://127.0.0.1/"},
		{"http://[2001:DB8:0:0::1]:80/", "http://[2001:db8::1]/"},
		{"https://us er:p@ss@example.com/", "https://us%20er:p%40ss@example.com/"},
	} {
		got, err := weburl.Link(c.in)
		if err != nil || got != c.want {
			t.Errorf("%q: %q, %v; want %q", c.in, got, err, c.want)
			continue
		}
		if again, err := weburl.Link(got); err != nil || again != got {
			t.Errorf("%q is %q, and that is %q, %v", c.in, got, again, err)
		}
	}
}

func TestNoLink(t *testing.T) {
	for in, want := range map[string]error{
		"": weburl.ErrURL, "example.com": weburl.ErrURL, "//example.com/": weburl.ErrURL, "/a": weburl.ErrURL,
		"https://": weburl.ErrURL, "https://:80/": weburl.ErrURL, "https://a b.example/": weburl.ErrURL,
		"https://example.com:65536/": weburl.ErrURL, "https://example.com:x/": weburl.ErrURL,
		"https://999.1.1.1/": weburl.ErrURL, "https://[::1": weburl.ErrURL, "https://a<b.example/": weburl.ErrURL,
		"https://xn--a.example/": weburl.ErrURL, "https://example.com%2f/": weburl.ErrURL,
		"https://[1:2:3:4:5:6:7:8:9]/": weburl.ErrURL, "https://[1:2:3:4:5:6:7::1.2.3.4]/": weburl.ErrURL,
		"https://" + strings.Repeat("a", weburl.MaxInput):        weburl.ErrURL,
		"https://" + strings.Repeat("a@", 1000) + "b.example/":   weburl.ErrURL,
		"https:/\t/" + strings.Repeat("a@", 1000) + "b.example/": weburl.ErrURL,
		"https://b.example/%" + strings.Repeat("a/", 1000):       weburl.ErrURL,
		"ftp://example.com/": weburl.ErrNotWeb, "javascript:alert(1)": weburl.ErrNotWeb, "mailto:a@b.example": weburl.ErrNotWeb,
		"file:///etc/passwd": weburl.ErrNotWeb, "data:text/html,x": weburl.ErrNotWeb, "urn:uuid:1": weburl.ErrNotWeb,
	} {
		if got, err := weburl.Link(in); !errors.Is(err, want) {
			t.Errorf("%.60q: %q, %v; want %v", in, got, err, want)
		}
	}
}

func TestResolve(t *testing.T) {
	base, err := weburl.Parse("https://user:word@example.com/a/b?q#f")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ ref, want string }{
		{"", "https://user:word@example.com/a/b?q"},
		{"c d", "https://user:word@example.com/a/c%20d"},
		{"/ü?ü", "https://user:word@example.com/%C3%BC?%C3%BC"},
		{"../x%", "https://user:word@example.com/x%"},
		{"?p", "https://user:word@example.com/a/b?p"},
		{"#g", "https://user:word@example.com/a/b?q#g"},
		{`\\cdn.example\x`, "https://cdn.example/x"},
		{"//cdn.example/x", "https://cdn.example/x"},
		{"http:other", "http://other/"},
		{"https:other", "https://user:word@example.com/a/other"},
	} {
		got, err := base.ResolveLink(c.ref)
		if err != nil || got != c.want {
			t.Errorf("%q: %q, %v; want %q", c.ref, got, err, c.want)
		}
	}
	if s := base.Redacted(); s != "https://user:xxxxx@example.com/a/b" {
		t.Errorf("redacted: %s", s)
	}
}

// TestRequest sends requests to a listener and reads the very bytes.
func TestRequest(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // the test is over
	lines := make(chan string, 1)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			r := bufio.NewReader(conn)
			first, _ := r.ReadString('\n')
			auth := ""
			for {
				line, err := r.ReadString('\n')
				if err != nil || line == "\r\n" {
					break
				}
				if strings.HasPrefix(line, "Authorization: ") {
					auth = " +" + strings.TrimSpace(line)
				}
			}
			lines <- strings.TrimSpace(first) + auth
			_, _ = conn.Write([]byte("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"))
			_ = conn.Close()
		}
	}()
	host := listener.Addr().String()
	client := &http.Client{Transport: &http.Transport{}}
	for _, c := range []struct{ rest, want string }{
		{"/feed?a=b", "GET /feed?a=b HTTP/1.1"},
		{"", "GET / HTTP/1.1"},
		{"/?", "GET /? HTTP/1.1"},
		{"/a b?c d", "GET /a%20b?c%20d HTTP/1.1"},
		{"/ü/ж?q=日本", "GET /%C3%BC/%D0%B6?q=%E6%97%A5%E6%9C%AC HTTP/1.1"},
		{"/100%?x=%", "GET /100%?x=% HTTP/1.1"},
		{"/a|b[c]?d|e'f", "GET /a|b[c]?d|e%27f HTTP/1.1"},
		{`/a\b`, "GET /a/b HTTP/1.1"},
		{"//x%", "GET //x%25 HTTP/1.1"},
		{"/a#b c", "GET /a HTTP/1.1"},
		{"/%41%2f", "GET /%41%2f HTTP/1.1"},
	} {
		u, err := weburl.Parse("http://" + host + c.rest)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(&http.Request{Method: http.MethodGet, URL: u.Request(), Header: http.Header{}})
		if err != nil {
			t.Errorf("%q: %v", c.rest, err)
			continue
		}
		_ = resp.Body.Close()
		if got := <-lines; got != c.want {
			t.Errorf("%q: sent %q, want %q", c.rest, got, c.want)
		}
	}
	u, _ := weburl.Parse("http://us%65r:p@ss@" + host + "/100%")
	resp, err := client.Do(&http.Request{Method: http.MethodGet, URL: u.Request(), Header: http.Header{}})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if got := <-lines; got != "GET /100% HTTP/1.1 +Authorization: Basic dXNlcjpwQHNz" {
		t.Errorf("sent %q", got)
	}
}

// FuzzLink holds the short way against the parser: a plain address is one that
// the parser takes too, as an address of the same host, path, query and
// fragment, and that Go writes the same way.
func FuzzLink(f *testing.F) {
	for _, s := range []string{
		"https://example.com/a?b#c", "http://1.2.3.4/", "https://exa_mple.com:8080/%41/..?'%#%zz", "https://a.0x1/", "https://xn--/",
		"https://[::1.2.3.4]/", "http://a.1./", "https:\\\\a\t@b", "https://☃.example:0", "http://a@b@c:1", "https://[1:2:3:4:5:6:7:8.1.1.1]", "https://-./.%2e/x",
		"http://e#",
	} {
		f.Add(s, s)
	}
	base, err := weburl.Parse("https://base.example/x/y?z")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s, ref string) {
		_, _ = base.Resolve(ref)
		link, err := weburl.Link(s)
		if err != nil {
			return
		}
		u, err := weburl.Parse(link)
		if err != nil || !u.IsWeb() {
			t.Fatalf("%q is %q, which is no address: %v", s, link, err)
		}
		if r := u.Request(); r.Host == "" {
			t.Fatalf("%q: a request to nobody: %#v", s, r)
		}
		if again, err := weburl.Link(link); err != nil || again != link {
			t.Fatalf("%q is %q, and that is %q, %v", s, link, again, err)
		}
		for i := range len(link) {
			if link[i] <= ' ' || link[i] > '~' {
				t.Fatalf("%q is %q", s, link)
			}
		}
		if u.String() == link {
			return
		}
		// A plain one that browsers write differently: then only in the case of
		// the host, its own port, the slash of the root, or an apostrophe. (Go
		// leaves out a fragment of nothing.)
		std, err := neturl.Parse(link)
		if err != nil || std.String() != link && std.String()+"#" != link {
			t.Fatalf("%q was kept, and Go writes %v, %v", link, std, err)
		}
		path := std.EscapedPath()
		if path == "" {
			path = "/"
		}
		if u.Path() != path || u.Query() != strings.ReplaceAll(std.RawQuery, "'", "%27") {
			t.Fatalf("%q was kept, and is %q to a browser", link, u)
		}
	})
}

// BenchmarkHostile is what the worst addresses cost: a feed may list thousands.
func BenchmarkHostile(b *testing.B) {
	for name, s := range map[string]string{
		"segments": "https://a.example/%" + strings.Repeat("a/", 500),
		"dots":     "https://a.example/" + strings.Repeat("a/../", 240),
		"letters":  "https://a.example/" + strings.Repeat("ж", weburl.MaxInput/2-20),
		"query":    "https://a.example/?" + strings.Repeat("'&=", weburl.MaxInput/3-20),
		"logins":   "https://" + strings.Repeat("@", 500) + "a.example/%",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, _ = weburl.Link(s)
			}
		})
	}
}

func BenchmarkLink(b *testing.B) {
	for name, s := range map[string]string{
		"plain": "https://www.example.com/world/2026/03/04/a-title-of-some-length?utm_source=rss&x=1",
		"other": "https://www.exämple.com/world/2026/03/04/a-title-of-some-length?utm_source=rss&x=1",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := weburl.Link(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
