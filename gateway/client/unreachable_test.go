package client

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"
)

// listen serves every connection by what it says.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() { // ends with the listener
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			go serve(conn)
		}
	}()
	return l.Addr().String()
}

// TestWhoDoesNotAnswer: whatever is at an address, every kind of call says which
// address it is and what is wrong with it, in words, and never the key.
func TestWhoDoesNotAnswer(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := gone.Addr().String()
	_ = gone.Close()
	silent := listen(t, func(net.Conn) {})
	other := listen(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.6\r\n")
	})
	closing := listen(t, func(c net.Conn) { _ = c.Close() })
	page := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>It works</html>") }
	plain, secure := httptest.NewServer(http.HandlerFunc(page)), httptest.NewTLSServer(http.HandlerFunc(page))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer plain.Close()
	defer secure.Close()

	for server, want := range map[string]string{
		"http://" + dead:     "nothing listens there",
		"http://" + silent:   "it took the connection and has said nothing for ",
		"http://" + other:    "what answers there speaks no HTTP",
		"http://" + closing:  "it closed the connection without an answer",
		"https://" + dead:    "nothing listens there",
		"https://" + silent:  "it took the connection and has said nothing for ",
		"https://" + other:   "what answers there speaks no TLS",
		"https://" + closing: "it closed the connection without an answer",
		plain.URL:            "what answers is no birdwire server (status 200): It works",
		secure.URL:           "its certificate is not trusted: ",
		strings.Replace(plain.URL, "http:", "https:", 1):  "it speaks plain HTTP: write http:// instead of https://",
		strings.Replace(secure.URL, "https:", "http:", 1): "it speaks TLS: write https:// instead of http://",
	} {
		within := time.Minute
		if strings.HasSuffix(server, silent) {
			within = 200 * time.Millisecond
		}
		c, err := New(Config{URL: server, Key: testKey, Timeout: within})
		if err != nil {
			t.Fatal(err)
		}
		c.first = time.Millisecond
		a, err := NewAdmin(Config{URL: server, Key: testKey, Timeout: within})
		if err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		for what, call := range map[string]func() error{
			"rule":     func() error { _, err := c.Rule(ctx, "r"); return err },
			"delete":   func() error { return c.DeleteRule(ctx, "r") },
			"backtest": func() error { _, err := c.BacktestQuery(ctx, PastQuery{Query: "q"}, nil); return err },
			"keys":     func() error { _, err := a.Keys(ctx); return err },
			"twitter":  func() error { _, err := c.Twitter(ctx, Options{}); return err },
			"newsrank": func() error { _, err := c.Newsrank(ctx, Options{Resume: "new"}); return err },
			"kite":     func() error { _, err := c.Kite(ctx, Options{}); return err },
			"publish": func() error {
				if strings.HasSuffix(server, silent) { // it gives a body three minutes
					return errors.New(want)
				}
				_, err := c.Publish(ctx, Posts, strings.NewReader("{}"), PublishOptions{})
				return err
			},
		} {
			want, err := want, call()
			if what == "backtest" && strings.HasSuffix(server, silent) {
				want = "the server has sent nothing for 200ms"
			}
			// Go's server hangs up on plain HTTP once it has said why, and a hang-up may
			// overtake what was said.
			cut := strings.Contains(want, "it speaks TLS") && strings.Contains(err.Error(), "closed the connection")
			if err == nil || !strings.Contains(err.Error(), want) && !cut || strings.Contains(err.Error(), testKey) {
				t.Errorf("%s at %s: %v; want %q", what, server, err, want)
			}
			var lost *Unreachable
			if errors.As(err, &lost) && lost.Server != server {
				t.Errorf("%s at %s: of %s", what, server, lost.Server)
			}
		}
	}
}

// TestPublishSaysThatItTriesAgain: each time, at once, and why.
func TestPublishSaysThatItTriesAgain(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := "http://" + gone.Addr().String()
	_ = gone.Close()
	var told []string
	o := PublishOptions{Retrying: func(why error, wait time.Duration) {
		if wait <= 0 {
			t.Errorf("again in %v", wait)
		}
		told = append(told, why.Error())
	}}
	_, err = newTestClient(t, server).Publish(t.Context(), Posts, strings.NewReader(someLines(0, 1)), o)
	if !errors.Is(err, syscall.ECONNREFUSED) || len(told) != 4 || !strings.Contains(told[0], server+": nothing listens there") {
		t.Errorf("%v, told %q", err, told)
	}

	// What lasts is not tried again.
	told = nil
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	defer page.Close()
	for _, server := range []string{page.URL, strings.Replace(page.URL, "http:", "https:", 1)} {
		if _, err := newTestClient(t, server).Publish(t.Context(), Posts, strings.NewReader(someLines(0, 1)), o); err == nil || len(told) > 0 {
			t.Errorf("%s: %v, told %q", server, err, told)
		}
	}
}
