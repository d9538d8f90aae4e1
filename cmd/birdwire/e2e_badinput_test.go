package main_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/gateway/client"
)

// TestBadLines are named by their numbers, and the rest is taken.
func TestBadLines(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	pusher := s.pusher(t)
	k := s.key(t, "pro")
	makeRule(t, s.owner(t, k), "all", "good")
	c := s.dial(t, twitterPath+k.Key)
	c.read("connected", nil)

	body := strings.Join([]string{
		post("1", "ada", "good"), `{"id":"2","text":`, "", post("3", "ada", "good"), `{"id":"4","author":{"id":"7","username":"ada"}}`, `nonsense`, post("1", "ada", "good"), post("8", "ada", "good"),
		`{"id":"9","text":"good","created_at":"2026-03-04T12:00:00Z","author":{"id":"7","username":"ada"},"urls":[{"url":"https://a.example"},{"url":"nowhere"}]}`,
	}, "\n")
	r := s.call(t, http.MethodPost, "/v1/ingest/posts", pusher, body).want(t, http.StatusAccepted)
	var done client.Pushed
	if err := json.Unmarshal([]byte(r.body), &done); err != nil || done.Accepted != 3 || done.Duplicates != 1 || len(done.Rejected) != 4 {
		t.Fatalf("answer %s (%v); want 3 accepted, 1 duplicate, 4 rejected", r.body, err)
	}
	if want := `urls[1].url: want an http or https URL, got "nowhere"`; done.Rejected[3].Error != want {
		t.Errorf("a bad entry: %q, want %q", done.Rejected[3].Error, want)
	}
	for i, line := range []int{2, 5, 6, 9} {
		if done.Rejected[i].Line != line || done.Rejected[i].Error == "" {
			t.Errorf("rejected %d: %+v, want line %d and why", i, done.Rejected[i], line)
		}
	}
	for _, want := range []string{"1", "3", "8"} {
		if e := c.event(); e.TweetID != want {
			t.Fatalf("then came %s, want %s", e.TweetID, want)
		}
	}

	s.call(t, http.MethodPost, "/v1/ingest/posts", "", body).want(t, http.StatusUnauthorized)
	s.call(t, http.MethodPost, "/v1/ingest/nothing", pusher, body).want(t, http.StatusNotFound)
	s.call(t, http.MethodPut, "/v1/ingest/posts", pusher, body).want(t, http.StatusMethodNotAllowed)
	s.call(t, http.MethodPost, "/v1/ingest/posts", pusher, strings.Repeat(" ", 16<<20+1)).want(t, http.StatusRequestEntityTooLarge)
}

// TestHostileBytes: what is no HTTP, and what is no WebSocket, ends for the one
// that sent it.
func TestHostileBytes(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	pusher, k := s.pusher(t), s.key(t, "pro").Key
	good := s.dial(t, kitePath+k)
	good.expect(kiteConnected)

	for _, garbage := range []string{
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x00", 500), // a TLS hello
		strings.Repeat("\xff", 100_000),
		"GET /api/ws HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X: y\r\n", 20_000) + "\r\n",
		"GET /api/ws HTTP/9.9\r\n\r\n",
		"\r\n\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", s.public)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(conn, garbage) // the server may have hung up already
		if half, ok := conn.(*net.TCPConn); ok {
			_ = half.CloseWrite()
		}
		answer, err := io.ReadAll(conn)
		if text := string(answer); text != "" && !strings.HasPrefix(text, "HTTP/1.1 4") && !strings.HasPrefix(text, "HTTP/1.1 505") {
			t.Errorf("%.20q is answered %.80q (%v)", garbage, text, err)
		}
		_ = conn.Close()
	}

	// Fourteen bytes: the header of a masked text frame whose length has all 64
	// bits set. The library under the sockets would panic on it.
	bad := s.wire(t, kitePath+k)
	bad.expect(kiteConnected)
	bad.send(append(binary.BigEndian.AppendUint64([]byte{textFrame, 0xFF}, 1<<64-1), 1, 2, 3, 4))
	bad.ended()
	for _, frame := range []string{
		"\x81\x03abc",              // not masked
		"\x83\x80\x01\x02\x03\x04", // an opcode that is none
		"\x89\xfe\x00\x80\x00\x00\x00\x00" + strings.Repeat("x", 128), // a control frame of more than 125 bytes
		"\x81\x82\x00\x00\x00\x00\xff\xfe",                            // not UTF-8
	} {
		bad := s.wire(t, kitePath+k)
		bad.expect(kiteConnected)
		bad.send([]byte(frame))
		bad.ended()
	}
	eventually(t, func() string {
		if n := s.metric(t, `birdwire_ws_connections{api="kite"}`); n != 1 {
			return fmt.Sprintf("%v connections are counted, want the good one", n)
		}
		return ""
	})
	if n := s.metric(t, `birdwire_ws_panics_total{api="kite"}`); n > 0 {
		t.Errorf("%v connections panicked", n)
	}
	s.push(t, client.Articles, pusher, article("still here", "a"))
	if e := good.event(); e.what() != "create still here" {
		t.Fatalf("the others got %s", e.what())
	}
}

// metric is one series' value.
func (s *server) metric(t testing.TB, series string) float64 {
	t.Helper()
	token, err := client.AdminToken(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(within(t), http.MethodGet, "http://"+s.admin+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (\S+)$`).FindStringSubmatch(read(t, res).want(t, http.StatusOK).body)
	if m == nil {
		t.Fatalf("/metrics has no %s", series)
	}
	value, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// TestSlowClient: who does not read is closed, and delays nobody.
func TestSlowClient(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	pusher, k := s.pusher(t), s.key(t, "business")
	makeRule(t, s.owner(t, k), "all", "long")
	fast := s.dial(t, twitterPath+k.Key)
	fast.read("connected", nil)

	dialer := net.Dialer{Control: smallBuffer}
	conn, err := dialer.DialContext(within(t), "tcp", s.public)
	if err != nil {
		t.Fatal(err)
	}
	slow := upgrade(t, conn, twitterPath+k.Key)

	long := strings.Repeat("long ", 4_999)
	pushed := 0
	for s.metric(t, `birdwire_ws_slow_closes_total{api="twitter"}`) == 0 {
		if pushed == 4000 {
			t.Fatalf("%d posts of 25 kB are pushed, and the client that reads none is there still", pushed)
		}
		var bodies []string
		for range 12 { // less than a connection's queue holds: nobody who reads is slow
			bodies = append(bodies, post(fmt.Sprint(pushed), "ada", long))
			pushed++
		}
		s.push(t, client.Posts, pusher, bodies...)
		for n := pushed - len(bodies); n < pushed; n++ {
			if e := fast.event(); e.TweetID != fmt.Sprint(n) {
				t.Fatalf("the fast client got %s, want %d", e.what(), n)
			}
		}
	}
	// What the system had taken for the slow one comes, then the reason.
	frames := 0
	for {
		first, payload, err := slow.frame()
		if err != nil {
			t.Fatalf("the slow client, after %d frames: %v; want to hear why", frames, err)
		}
		if first == closeFrame {
			if code := binary.BigEndian.Uint16(payload); code != 4008 || frames > pushed {
				t.Fatalf("the slow client is closed with %d %q after %d frames of %d, want 4008", code, payload[2:], frames, pushed)
			}
			break
		}
		frames++
	}
	_ = slow.Close() // at last
	if n := strings.Count(s.notes.String(), `level=INFO msg="slow consumer closed"`); n != 1 {
		t.Errorf("the log tells %d times of the slow client", n)
	}
	eventually(t, func() string {
		connections, err := s.operator.Connections(within(t), k.ID, "")
		if err != nil || len(connections.Connections) != 1 {
			return fmt.Sprintf("open are %+v, %v; want the fast one", connections, err)
		}
		return ""
	})
}

// TestFailedKeysAreThrottled by address, whatever the API, and good keys of the
// same address never are, nor is the operators' token.
func TestFailedKeysAreThrottled(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	k := s.key(t, "pro")
	guess := k.Key[:len(k.Key)-1] + "!"
	for n := 0; ; n++ {
		if n == 20 {
			t.Fatal("twenty wrong keys, and nobody minds")
		}
		_, r := s.handshake(t, kitePath+url.QueryEscape(guess))
		if r == nil {
			t.Fatal("a guessed key is let in")
		}
		if r.status == http.StatusTooManyRequests {
			if r.want(t, r.status).header.Get("Retry-After") == "" {
				t.Fatalf("throttled without Retry-After: %+v", r)
			}
			break
		}
		r.want(t, http.StatusUnauthorized)
	}
	pusher := s.pusher(t)
	operator := func(token string) *reply {
		t.Helper()
		req, err := http.NewRequestWithContext(within(t), http.MethodGet, "http://"+s.admin+"/admin/v1/keys", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return read(t, res)
	}
	token, err := client.AdminToken(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	unknown := k.Key[:3] + "aaaaaaaaaa" + k.Key[13:] // well formed
	// One more is let through every six seconds, so that how many are depends on
	// the machine; never more than that.
	began, let := time.Now(), 0
	throttled := func(r *reply) {
		t.Helper()
		if r == nil {
			t.Fatal("a guessed key is let in")
		}
		if r.status == http.StatusUnauthorized {
			if let++; let > 1+int(time.Since(began)/(6*time.Second)) {
				t.Fatalf("%d guesses were answered in %v, after the first twenty", let, time.Since(began))
			}
			return
		}
		r.want(t, http.StatusTooManyRequests)
	}
	other := "a" // than the key has there
	if strings.HasSuffix(k.Key[:len(k.Key)-2], other) {
		other = "b"
	}
	for n := range 30 {
		for _, wrong := range []string{guess, unknown, k.Key[:len(k.Key)-3] + other + fmt.Sprint(10+n)} {
			for _, path := range []string{twitterPath, newsrankPath, kitePath} {
				_, r := s.handshake(t, path+url.QueryEscape(wrong))
				throttled(r)
			}
			throttled(s.call(t, http.MethodGet, resourcesPath+"monitors", wrong, ""))
			throttled(s.call(t, http.MethodPost, "/v1/ingest/posts", wrong, "{}"))
			if r := operator(wrong); r.status != http.StatusUnauthorized && r.status != http.StatusTooManyRequests {
				t.Fatalf("a wrong token is answered %d", r.status)
			}
		}
		for _, path := range []string{twitterPath, newsrankPath, kitePath} {
			s.dial(t, path+k.Key).leave()
		}
		s.call(t, http.MethodGet, resourcesPath+"monitors", k.Key, "").want(t, http.StatusOK)
		s.push(t, client.Posts, pusher, post(fmt.Sprint("after-wrong-keys-", n), "ada", "good"))
		operator(token).want(t, http.StatusOK)
	}
	r := operator("guess")
	for range 20 { // as before: whether one is let through depends on the machine
		if r.status != http.StatusUnauthorized {
			break
		}
		r = operator("guess")
	}
	if r.status != http.StatusTooManyRequests || r.header.Get("Retry-After") == "" {
		t.Errorf("guessed tokens are not throttled: %d", r.status)
	}
	log := s.notes.String()
	if strings.Contains(log, guess) || strings.Contains(log, unknown) {
		t.Fatal("the log holds what was guessed")
	}
	for _, kind := range []string{"kite connection refused: too many wrong keys", "request refused: too many wrong API keys", "operator refused: wrong token"} {
		if n := strings.Count(log, kind); n == 0 || n > 20 {
			t.Errorf("the log says %d times %q: want a few lines, however many there are", n, kind)
		}
	}
}
