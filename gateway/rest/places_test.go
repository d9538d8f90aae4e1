package rest

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
)

// another key that may push.
func (f *fixture) another() string {
	f.t.Helper()
	text, id, hash, err := gateway.MintKey(rand.Reader, "")
	if err != nil {
		f.t.Fatal(err)
	}
	f.keys.mu.Lock()
	defer f.keys.mu.Unlock()
	f.keys.keys[id] = &messages.Key{Id: id, SecretHash: hash, Scopes: []string{gateway.ScopeIngest}}
	return text
}

// slowly begins an upload and sends one byte of its body.
func (f *fixture) slowly(key string) net.Conn {
	f.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = conn.Close() })
	if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\nContent-Length: 100000\r\n\r\n{", posts, key); err != nil {
		f.t.Fatal(err)
	}
	return conn
}

// under is how many uploads there are, once there are as many as wanted.
func (f *fixture) under(want int) {
	f.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range 10_000 {
		f.server.places.mu.Lock()
		n := len(f.server.places.uploads)
		waiting := 0
		for u := range f.server.places.uploads {
			if !u.waiting.IsZero() {
				waiting++
			}
		}
		f.server.places.mu.Unlock()
		if n == want && waiting == want {
			return
		}
		<-tick.C
	}
	f.t.Fatalf("there are not %d uploads that wait", want)
}

// TestSlowUploadsRefuseNobodyElse: many keys hold all the places that they get
// with bodies that do not come. Another key's pushes are taken, each of them.
func TestSlowUploadsRefuseNobodyElse(t *testing.T) {
	for name, c := range map[string]struct {
		keys, each int
		change     func(*Config)
	}{
		"as many as are read at once":     {8, 8, nil},
		"as many as one address may have": {4, 8, func(c *Config) { c.Pushes, c.AddressUploads, c.Uploads = 4, 32, 64 }},
		"as many as there may be":         {4, 8, func(c *Config) { c.Pushes, c.AddressUploads, c.Uploads = 4, 64, 32 }},
		"one each":                        {16, 1, func(c *Config) { c.Pushes, c.AddressUploads, c.Uploads = 2, 16, 16 }},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, c.change)
			f.server.places.stalled = 0 // at once, and not after a second
			f.ingest.result = Result{Accepted: 1}
			for range c.keys {
				key := f.another()
				for range c.each {
					f.slowly(key)
				}
			}
			f.under(c.keys * c.each)
			other := f.another()
			for n := range 23 {
				if a := f.do("POST", posts, "{}", "X-API-Key", other); a.status != 202 {
					t.Fatalf("push %d: %d %s", n+1, a.status, a.body)
				}
			}
		})
	}
}

// TestOneKeysShare: a key that has all of its share is refused, and nobody
// makes room for it.
func TestOneKeysShare(t *testing.T) {
	f := start(t, nil)
	f.server.places.stalled = 0
	for range 8 {
		f.slowly(f.key)
	}
	f.under(8)
	a := f.do("POST", posts, "{}")
	if a.status != 429 || a.header.Get("Retry-After") != "1" || !strings.Contains(f.problem(a).Detail, "this key") {
		t.Errorf("%d %s", a.status, a.body)
	}
	f.under(8)
}

// TestADisplacedUploadIsTold: with what was done of it.
func TestADisplacedUploadIsTold(t *testing.T) {
	for accepted, status := range map[int]string{0: "429", 5: "503"} {
		f := start(t, func(c *Config) { c.Uploads = 2 })
		f.server.places.stalled = 0
		f.ingest.result = Result{Accepted: accepted, Next: accepted + 1}
		key := f.another()
		slow := []net.Conn{f.slowly(key), f.slowly(key)}
		f.under(2)
		if a := f.do("POST", posts, "{}"); a.status == 429 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		answers := make(chan string, 2)
		for _, conn := range slow {
			go func() {
				r, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					return // the one that was left
				}
				body, _ := io.ReadAll(r.Body)
				answers <- fmt.Sprint(r.StatusCode, r.Header.Get("Retry-After"), string(body))
			}()
		}
		if got := <-answers; !strings.HasPrefix(got, status+"1{") || !strings.Contains(got, fmt.Sprintf(`"accepted":%d`, accepted)) ||
			!strings.Contains(got, fmt.Sprintf(`"next_line":%d`, accepted+1)) {
			t.Errorf("%s", got)
		}
	}
}

// TestStop: bodies on their way are answered with what was done, and no others
// begin.
func TestStop(t *testing.T) {
	f := start(t, nil)
	f.ingest.result = Result{Next: 1}
	conn := f.slowly(f.key)
	f.under(1)
	f.server.Stop()
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(r.Body)
	if r.StatusCode != 503 || !strings.Contains(string(body), `"next_line":1`) || !strings.Contains(string(body), "stops") {
		t.Errorf("%d %s", r.StatusCode, body)
	}
	if a := f.do("POST", posts, "{}"); a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// pass lets time pass in a bubble.
func pass(d time.Duration) { <-time.After(d) }

// trickle is a connection that brings so many bytes each time, so long after
// it was asked.
type trickle struct {
	every    time.Duration
	n, left  int
	deadline time.Time
}

func (c *trickle) Read(b []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	if wait := time.Until(c.deadline); wait < c.every {
		pass(wait)
		return 0, os.ErrDeadlineExceeded
	}
	pass(c.every)
	n := min(c.n, c.left, len(b))
	c.left -= n
	return n, nil
}

// TestLeastRate: what counts is progress, not the time in all.
func TestLeastRate(t *testing.T) {
	const idle, rate = 10 * time.Second, 1000
	for name, c := range map[string]struct {
		conn  trickle
		away  time.Duration // that the server takes with each piece
		want  error
		least time.Duration // after which it ends
		most  time.Duration
	}{
		"a byte a second":              {conn: trickle{every: time.Second, n: 1, left: 1000}, want: errSlow, least: 10 * time.Second, most: 11 * time.Second},
		"half the rate":                {conn: trickle{every: time.Second, n: 500, left: 1 << 20}, want: errSlow, least: 10 * time.Second, most: 21 * time.Second},
		"the rate, for hours":          {conn: trickle{every: time.Second, n: 1000, left: 4 * 3600 * 1000}, least: 4 * time.Hour, most: 4 * time.Hour},
		"in bursts":                    {conn: trickle{every: 9 * time.Second, n: 20_000, left: 1 << 20}, least: 400 * time.Second, most: 500 * time.Second},
		"in bursts too far apart":      {conn: trickle{every: 11 * time.Second, n: 1 << 20, left: 1 << 20}, want: errSlow, least: 10 * time.Second, most: 10 * time.Second},
		"nothing":                      {conn: trickle{every: time.Hour, n: 1, left: 1}, want: errSlow, least: 10 * time.Second, most: 10 * time.Second},
		"the server's time is its own": {conn: trickle{every: time.Second, n: 1000, left: 100_000}, away: time.Minute, least: 100 * time.Minute, most: 102 * time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newPlaces(Config{}.withDefaults())
			u, _ := p.begin("key", "addr", func(until time.Time) error { c.conn.deadline = until; return nil })
			body := &paced{body: &c.conn, ctx: context.Background(), places: p, upload: u, idle: idle, rate: rate, left: idle}
			began, buf := time.Now(), make([]byte, 64<<10)
			var err error
			for err == nil {
				if _, err = body.Read(buf); err == nil {
					pass(c.away)
				}
			}
			if want := c.want; want == nil && err != io.EOF || want != nil && !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
			if took := time.Since(began); took < c.least || took > c.most {
				t.Errorf("%s: %v, want %v to %v", name, took, c.least, c.most)
			}
			_ = body.Close()
			if len(p.work) != 0 || len(p.uploads) != 0 || len(p.ofKey) != 0 || len(p.ofAddr) != 0 {
				t.Errorf("%s: something is left: %+v", name, p)
			}
		})
	}
}

// TestShares: who makes room for whom.
func TestShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlaces(Config{Uploads: 4, AddressUploads: 3, KeyPushes: 3}.withDefaults())
		var ends []*upload
		begin := func(key, addr string) *upload {
			u, _ := p.begin(key, addr, func(time.Time) error { return nil })
			return u
		}
		wait := func(u *upload) {
			if err := p.wait(u, time.Now().Add(time.Minute)); err != nil {
				t.Error(err)
			}
		}
		for range 3 {
			ends = append(ends, begin("a", "1"))
		}
		if begin("a", "2") != nil {
			t.Error("a key has more than its share")
		}
		if begin("b", "1") != nil {
			t.Error("a body that does not wait made room")
		}
		wait(ends[0])
		pass(100 * time.Millisecond)
		wait(ends[1])
		pass(950 * time.Millisecond)
		b := begin("b", "1")
		if b == nil || !ends[0].displaced || ends[1].displaced {
			t.Fatal("the one that waits longest did not make room, or another did")
		}
		if err := p.wait(ends[0], time.Now()); !errors.Is(err, errDisplaced) {
			t.Error("a displaced body goes on")
		}
		p.end(ends[0]) // and ends once
		if len(p.uploads) != 3 || p.ofKey["a"] != 2 || p.ofAddr["1"] != 3 {
			t.Errorf("%v %v", p.ofKey, p.ofAddr)
		}
		c := begin("c", "2")
		if c == nil || len(p.uploads) != 4 {
			t.Fatal("there was room")
		}
		pass(time.Second)
		if begin("c", "2") != nil { // a has two and would have one, c one and would have two
			t.Error("made room where that is no fairer")
		}
		if begin("d", "2") == nil || !ends[1].displaced {
			t.Error("full, and nobody made room for a key that has none")
		}
		wait(b)
		pass(time.Millisecond)
		wait(c)
		pass(2 * time.Second)
		if begin("e", "3") == nil || !b.displaced || c.displaced { // each has one
			t.Error("the one that waits longest did not make room, or another did")
		}
	})
}

// TestWorkIsGivenBackWhileABodyWaits: one body at a time is worked at, and a
// hundred that wait do not count.
func TestWorkIsGivenBackWhileABodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlaces(Config{Pushes: 1, KeyPushes: 200}.withDefaults())
		read := func(c *trickle) *paced {
			u, why := p.begin("key", "addr", func(until time.Time) error { c.deadline = until; return nil })
			if u == nil {
				t.Fatal(why)
			}
			return &paced{body: c, ctx: context.Background(), places: p, upload: u, idle: time.Hour, rate: 1, left: time.Hour}
		}
		for range 100 {
			go func() { _, _ = io.Copy(io.Discard, read(&trickle{every: 30 * time.Minute, n: 1, left: 1})) }()
		}
		synctest.Wait()
		began := time.Now()
		if n, err := io.Copy(io.Discard, read(&trickle{n: 100, left: 10_000})); n != 10_000 || err != nil || time.Since(began) != 0 {
			t.Errorf("%d bytes, %v, after %v", n, err, time.Since(began))
		}
		// One that works and does not end keeps the work; another is told so in time.
		busy := read(&trickle{n: 1, left: 2})
		if _, err := busy.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		began = time.Now()
		if _, err := io.Copy(io.Discard, read(&trickle{n: 1, left: 1})); !errors.Is(err, errNoWork) || time.Since(began) != workWait {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		_ = busy.Close()
		pass(time.Hour)
	})
}
