package ws_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/gateway/ws"
	"github.com/birdwire/birdwire/messages"
)

const (
	tw   = messages.Api_API_TWITTER
	news = messages.Api_API_NEWSRANK
	kite = messages.Api_API_KITE
)

// refused checks an HTTP refusal and returns its body.
func refused(t *testing.T, c *client, status int) (problem gateway.Problem) {
	t.Helper()
	body, _ := io.ReadAll(c.answer.Body)
	if c.answer.StatusCode != status {
		t.Errorf("%s %s, want %d", c.answer.Status, body, status)
	}
	c.expectEOF() // a refused client does not keep its connection
	if err := json.Unmarshal(body, &problem); err != nil || problem.Status != status || problem.Error == "" || problem.Detail == "" {
		t.Errorf("body %s (%v), want error, detail and status %d", body, err, status)
	}
	return problem
}

func TestRefusals(t *testing.T) {
	h := newHouse(t)
	for _, c := range []struct {
		why    string
		api    messages.Api
		answer func(proto.Message) (proto.Message, error)
		status int    // HTTP
		code   uint16 // or upgrade and close
	}{
		{"bad key", tw, refuse(messages.Refusal_REFUSAL_UNKNOWN_KEY), 0, 4001},
		{"bad key", news, refuse(messages.Refusal_REFUSAL_UNKNOWN_KEY), 401, 0},
		{"bad key", kite, refuse(messages.Refusal_REFUSAL_UNKNOWN_KEY), 401, 0},
		{"revoked", tw, refuse(messages.Refusal_REFUSAL_REVOKED), 0, 4001},
		{"revoked", news, refuse(messages.Refusal_REFUSAL_REVOKED), 403, 0},
		{"revoked", kite, refuse(messages.Refusal_REFUSAL_REVOKED), 401, 0},
		{"too many", tw, refuse(messages.Refusal_REFUSAL_CONNECTIONS), 0, 4003},
		{"too many", news, refuse(messages.Refusal_REFUSAL_CONNECTIONS), 429, 0},
		{"too many", kite, refuse(messages.Refusal_REFUSAL_CONNECTIONS), 429, 0},
		{"scope", news, refuse(messages.Refusal_REFUSAL_SCOPE), 403, 0},
		{"free plan", news, refuse(messages.Refusal_REFUSAL_PLAN), 403, 0},
		{"no credits", news, refuse(messages.Refusal_REFUSAL_CREDITS), 403, 0},
		{"overload", tw, refuse(messages.Refusal_REFUSAL_OVERLOAD), 503, 0},
		{"overload", news, refuse(messages.Refusal_REFUSAL_OVERLOAD), 503, 0},
		{"overload", kite, refuse(messages.Refusal_REFUSAL_OVERLOAD), 503, 0},
		{"no answer", tw, func(proto.Message) (proto.Message, error) { return nil, errors.New("owner is moving") }, 503, 0},
		{"no answer", kite, func(proto.Message) (proto.Message, error) { return nil, errors.New("owner is moving") }, 503, 0},
	} {
		t.Run(c.api.String()+" "+c.why, func(t *testing.T) {
			h.keys.answers(c.answer)
			client := h.dial(t, paths[c.api])
			if c.code == 0 {
				refused(t, client, c.status)
				if after := client.answer.Header.Get("Retry-After"); (c.status == 429 || c.status == 503) && after != "3" {
					t.Errorf("Retry-After %q, want 3 (2.5 s rounded up, or the default)", after)
				}
				return
			}
			first, payload, err := client.read()
			if err != nil || first != 0x81 || !strings.HasPrefix(string(payload), `{"type":"error","code":4`) {
				t.Fatalf("first frame %#x %s, %v; want an error", first, payload, err)
			}
			client.expectClose(c.code)
		})
	}
}

func TestMissingAndMalformedKeysAskNobody(t *testing.T) {
	h := newHouse(t)
	for _, bad := range []string{"", "nope", key + "x"} {
		c := h.dial(t, "/v1/twitter/stream?api_key="+bad)
		c.expect(`{"type":"error","code":4001,"message":"Invalid or missing API key"}`)
		c.expectClose(4001)
		refused(t, h.dial(t, "/ws?token="+bad), 401)
		refused(t, h.dial(t, "/api/ws?key="+bad), 401)
	}
	if p := refused(t, h.dial(t, "/api/ws"), 401); p.Error != "Missing API key. Include an X-API-Key header." {
		t.Errorf("missing key: %q", p.Error)
	}
	if n := h.keys.admits(); n != 0 {
		t.Errorf("%d admissions were asked for", n)
	}
}

func TestWhereKeysAreRead(t *testing.T) {
	h := newHouse(t)
	for path, header := range map[string]string{
		"/v1/twitter/stream?api_key=" + key: "",
		"/v1/twitter/stream":                "x-api-key: " + key,
		"/v1/twitter/stream?api_key=bad":    "x-api-key: " + key,
		"/ws?token=" + key:                  "",
		"/v1/news/stream?token=" + key:      "",
		"/api/ws?key=" + key:                "",
	} {
		headers := []string{header}
		if header == "" {
			headers = nil
		}
		h.open(t, path, headers...)
	}
	// The header wins, with no fallback to a good query.
	c := h.dial(t, "/v1/twitter/stream?api_key="+key, "x-api-key: bad")
	c.expectClose(4001)
}

func TestRequestsThatAreNoHandshake(t *testing.T) {
	h := newHouse(t)
	get := func(method, path string, headers ...string) *http.Response {
		t.Helper()
		r, _ := http.NewRequest(method, h.http.URL+path, nil)
		for _, line := range headers {
			name, value, _ := strings.Cut(line, ": ")
			r.Header.Set(name, value)
		}
		answer, err := h.http.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = answer.Body.Close() })
		return answer
	}
	upgrade := []string{"Connection: Upgrade", "Upgrade: websocket"}
	for _, c := range []struct {
		method, path string
		headers      []string
		status       int
	}{
		{"GET", "/api/ws?key=" + key, nil, 426},
		{"GET", "/v1/twitter/stream?api_key=" + key, nil, 426},
		{"GET", "/v1/twitter/stream?api_key=bad", nil, 401},
		{"GET", "/api/ws?key=bad", nil, 401},
		{"GET", "/api/ws", nil, 401},
		{"POST", "/api/ws?key=" + key, nil, 405},
		{"GET", "/api/ws/", nil, 404},
		{"GET", "/api/ws?key=" + key, upgrade, 426},
		{"GET", "/api/ws?key=" + key, append(upgrade, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: short"), 400},
	} {
		if got := get(c.method, c.path, c.headers...); got.StatusCode != c.status || got.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %s (%s), want %d as JSON", c.method, c.path, got.Status, got.Header.Get("Content-Type"), c.status)
		}
	}
	if n := h.keys.admits(); n != 0 {
		t.Errorf("%d slots were taken", n)
	}
}

func TestThrottle(t *testing.T) {
	now := time.Unix(0, 0)
	h := newHouse(t, func(c *ws.Config) {
		c.Throttle = gateway.NewThrottle(gateway.ThrottleConfig{Burst: 3, Every: time.Minute, Now: func() time.Time { return now }})
	})
	refused(t, h.dial(t, "/api/ws"), 401) // no key is no guess
	refused(t, h.dial(t, "/api/ws?key=bad"), 401)
	h.keys.answers(refuse(messages.Refusal_REFUSAL_UNKNOWN_KEY))
	refused(t, h.dial(t, paths[news]), 401)
	h.dial(t, paths[tw]).expectClose(4001)
	for _, path := range []string{paths[tw], paths[news], paths[kite], "/v1/twitter/stream?api_key=bad", "/ws?token=worse", "/api/ws?key=worst"} {
		c := h.dial(t, path)
		refused(t, c, 429)
		if c.answer.Header.Get("Retry-After") == "" {
			t.Error("429 without Retry-After")
		}
	}
	// Whoever shares the address and has a key is let in, as often as it likes.
	h.keys.answers(admit)
	for range 20 {
		refused(t, h.dial(t, "/api/ws?key=bad"), 429)
		for _, api := range []messages.Api{tw, news, kite} {
			h.open(t, paths[api])
		}
	}
}

// Clients that are upgraded only to be refused, and hold on to their sockets,
// take no place of those that are let in, and few in all.
func TestRefusedClientsTakeNoPlaces(t *testing.T) {
	// They hold on for as long as it takes: only who lets go gives a place back.
	h := newHouse(t, func(c *ws.Config) {
		c.MaxConnections, c.MaxRefusing, c.CloseTimeout, c.PartingTime = 1, 16, time.Hour, time.Hour
	})
	for _, refusal := range []struct {
		path   string
		answer func(proto.Message) (proto.Message, error)
		status int // over HTTP
	}{
		{"/v1/twitter/stream", admit, 401}, // no key
		{"/v1/twitter/stream?api_key=bad", admit, 401},
		{paths[tw], refuse(messages.Refusal_REFUSAL_UNKNOWN_KEY), 401},
		{paths[tw], refuse(messages.Refusal_REFUSAL_CONNECTIONS), 429},
		{paths[tw], refuse(messages.Refusal_REFUSAL_CREDITS), 403},
	} {
		h.keys.answers(refusal.answer)
		var holding []*client
		for range 2 { // an address has an eighth
			c := h.dial(t, refusal.path)
			if c.answer.StatusCode != 101 {
				t.Fatalf("%s: %s", refusal.path, c.answer.Status)
			}
			holding = append(holding, c)
		}
		for range 10 {
			refused(t, h.dial(t, refusal.path), refusal.status)
		}
		if n := h.Connections(); n != 0 || len(h.List()) != 0 {
			t.Errorf("%s: %d connections are open", refusal.path, n)
		}
		h.keys.answers(admit)
		c, s := h.open(t, paths[tw])
		_ = c.Close()
		s.end(t)
		h.gone(t)
		for _, c := range holding {
			_ = c.Close()
		}
		h.parted(t)
	}
}

// A client that is refused and never answers is cut off.
func TestRefusedClientsAreCutOff(t *testing.T) {
	h := newHouse(t, func(c *ws.Config) { c.CloseTimeout = 100 * time.Millisecond })
	c := h.dial(t, "/v1/twitter/stream?api_key=bad")
	if c.answer.StatusCode != 101 {
		t.Fatal(c.answer.Status)
	}
	for {
		if _, _, err := c.read(); err != nil {
			break // its deadline is the test's patience
		}
	}
	h.parted(t)
}

// parted waits until no refused client is open.
func (h *house) parted(t *testing.T) {
	t.Helper()
	for late := time.Now().Add(patience); scrape(t, h)["refusing[]"] > 0; runtime.Gosched() {
		if time.Now().After(late) {
			t.Fatal("refused clients stay open")
		}
	}
}

// Keys are let in while strangers connect without end.
func TestAFullHouseIsFullOfItsOwn(t *testing.T) {
	h := newHouse(t, func(c *ws.Config) { c.MaxConnections = 3 })
	stop := make(chan struct{})
	var strangers sync.WaitGroup
	for range 4 {
		strangers.Go(func() { // ends with stop
			for {
				select {
				case <-stop:
					return
				default:
				}
				conn, err := net.Dial("tcp", h.addr)
				if err != nil {
					continue
				}
				fmt.Fprintf(conn, "GET /v1/twitter/stream HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n%s\r\n\r\n", nonce)
				_, _ = conn.Read(make([]byte, 64))
				_ = conn.Close()
			}
		})
	}
	for range 30 {
		var clients []*client
		for range 3 {
			c, _ := h.open(t, paths[kite])
			clients = append(clients, c)
		}
		for _, c := range clients {
			_ = c.Close()
		}
		h.gone(t)
	}
	close(stop)
	strangers.Wait()
	h.parted(t)
}

func TestQueryOfResume(t *testing.T) {
	h := newHouse(t)
	_, s := h.open(t, paths[kite])
	if s.Resume || s.Cursor != nil || s.Filters != nil {
		t.Errorf("without parameters: %+v", s.Start)
	}
	_, s = h.open(t, paths[kite]+"&resume=new")
	if !s.Resume || s.Cursor != nil {
		t.Errorf("resume=new: %+v", s.Start)
	}
	_, s = h.open(t, paths[kite]+"&resume=abcdefgh-4096.3"+query("filters", `{"tickers":["$aapl"]}`))
	if want := (messages.Cursor{Epoch: "abcdefgh", Position: 4096, K: 3}); !s.Resume || s.Cursor == nil || *s.Cursor != want {
		t.Errorf("resume with a cursor: %+v", s.Cursor)
	}
	if got := s.Filters.GetKite().GetTickers(); len(got) != 1 || got[0] != "AAPL" {
		t.Errorf("filters: %v", s.Filters)
	}
	admitted := h.keys.admits()
	for _, bad := range []string{
		"&resume=", "&resume=4096", "&resume=NEW", "&filters=", query("filters", "{"), query("filters", "[]"),
		query("filters", `{"tickers":"AAPL"}`),
	} {
		refused(t, h.dial(t, paths[kite]+bad), 400)
	}
	refused(t, h.dial(t, paths[tw]+query("filters", "{}")), 400)
	if h.keys.admits() != admitted {
		t.Error("a malformed query took a slot")
	}
}

func TestFiltersBeyondThePlanGiveTheSlotBack(t *testing.T) {
	h := newHouse(t)
	h.keys.answers(func(m proto.Message) (proto.Message, error) {
		if _, ok := m.(*messages.Admit); ok {
			return &messages.Admitted{KeyId: "k"}, nil
		}
		return nil, nil
	})
	refused(t, h.dial(t, paths[news]+query("filters", `{"tickers":["AAPL"]}`)), 403)
	if got := h.keys.release(t); !strings.HasPrefix(got.GetConnectionId(), "conn-") || got.GetApi() != news || got.GetKeyId() == "" {
		t.Errorf("given back: %v", got)
	}
}

func TestAnAdmissionWithoutAnswerGivesTheSlotBack(t *testing.T) {
	h := newHouse(t)
	h.keys.answers(func(m proto.Message) (proto.Message, error) {
		if _, ok := m.(*messages.Admit); ok {
			return nil, errors.New("timed out")
		}
		return nil, nil
	})
	refused(t, h.dial(t, paths[kite]), 503)
	h.keys.release(t) // it may have been taken all the same
}

func TestASessionThatDoesNotStart(t *testing.T) {
	h := newHouse(t)
	h.sessions.fail = errors.New("no log")
	c := h.dial(t, paths[kite])
	c.expectClose(1013)
	h.keys.release(t)
}

func TestOverloadByNumber(t *testing.T) {
	h := newHouse(t, func(c *ws.Config) { c.MaxConnections = 1 })
	first, s := h.open(t, paths[kite])
	for _, api := range []messages.Api{tw, news, kite} {
		refused(t, h.dial(t, paths[api]), 503)
	}
	first.write(0x88, nil)
	first.read()
	_ = first.Close()
	s.end(t)
	h.gone(t)
	h.open(t, paths[kite])
}

func TestAdmitNamesTheConnection(t *testing.T) {
	h := newHouse(t)
	_, s := h.open(t, paths[tw])
	h.keys.mu.Lock()
	defer h.keys.mu.Unlock()
	a, ok := h.keys.asked[0].(*messages.Admit)
	if !ok || a.GetNode() != "n1" || a.GetIncarnation() != 7 || a.GetApi() != tw || a.GetConnectionId() != s.ConnectionID {
		t.Errorf("asked %v for %s", h.keys.asked[0], s.ConnectionID)
	}
	if len(a.GetCredential().GetSecretHash()) != 32 {
		t.Error("no hash of the key")
	}
}
