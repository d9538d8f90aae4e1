package ws_test

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lxzan/gws"

	"github.com/birdwire/birdwire/gateway/ws"
	"github.com/birdwire/birdwire/messages"
)

func TestFramesOfEachAPI(t *testing.T) {
	h := newHouse(t)
	c, s := h.open(t, paths[tw])
	s.Socket.Connected()
	c.expect(fmt.Sprintf(`{"type":"connected","connection_id":%q,"api_key_id":%q}`, s.ConnectionID, s.Admitted.GetKeyId()))
	s.Socket.Error("cursor too old")
	c.expect(`{"type":"error","code":4000,"message":"cursor too old"}`)
	s.Socket.Deliver(tweets(1, 1, 2), true, false)
	c.expect(`{"type":"new_tweet","source":"filter_rule","rule_id":"rule-1","rule_tag":"tag","tweet_id":"00000001","author_username":"a",` +
		`"tweet_text":"xx","tweet_type":"original","latency_ms":0,"detected_at":"1970-01-01T00:00:00Z","cursor":"abcdefgh-4096.1"}`)
	s.Socket.Cursor(messages.EndOf(1))
	c.expect(`{"type":"cursor","cursor":"abcdefgh-8191.0"}`)
	c.text(`{"type":"pong"}`) // ignored
	c.text(`not even JSON`)

	c, s = h.open(t, paths[news])
	s.Socket.Connected() // says nothing
	c.text(`{"type":"subscribe"}`)
	s.Socket.Subscribed(s.next(t).(*messages.ClientSubscribed))
	c.expect(`{"type":"subscribed"}`)
	c.text(`{"type":"sub`)
	s.Socket.Error(s.next(t).(*messages.ClientInvalid).GetError())
	c.expect(`{"type":"error","error":"invalid JSON"}`)

	c, s = h.open(t, paths[kite])
	s.Socket.Connected()
	c.expect(`{"type":"connected","message":"Connected to KITE 2.0 WebSocket. Send a 'subscribe' message to set filters."}`)
	c.text(`{"type":"subscribe","filters":{"sources":["BBC News"]}}`)
	s.Socket.Subscribed(s.next(t).(*messages.ClientSubscribed))
	c.expect(`{"type":"subscribed","filters":{"sources":["BBC News"]}}`)
	c.text(`{"type":"unsubscribe"}`)
	if m, ok := s.next(t).(*messages.ClientUnsubscribed); !ok {
		t.Fatalf("told %T", m)
	}
	s.Socket.Subscribed(nil)
	c.expect(`{"type":"subscribed","filters":{}}`)
	c.text(`{"type":"ping"}`)
	if m, ok := s.next(t).(*messages.ClientPinged); !ok {
		t.Fatalf("told %T", m)
	}
	s.Socket.Pong()
	c.expect(`{"type":"pong"}`)
}

func TestFragmentsPingsAndEarlyFrames(t *testing.T) {
	h := newHouse(t)
	// The handshake and the first frames in one packet.
	conn, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	c := handshake(t, &hasty{Conn: conn, more: append(maskedFrame(0x89, []byte("hi")), maskedFrame(0x81, []byte(`{"type":"ping"}`))...)}, paths[kite])
	s := h.next(t)
	if first, payload, err := c.read(); err != nil || first != 0x8A || string(payload) != "hi" {
		t.Fatalf("answer to a ping: %#x %q %v", first, payload, err)
	}
	if m, ok := s.next(t).(*messages.ClientPinged); !ok {
		t.Fatalf("told %T", m)
	}
	// A message in three fragments with a control frame between them.
	c.write(0x01, []byte(`{"type":`))
	c.write(0x00, []byte(`"pi`))
	c.write(0x89, nil)
	c.write(0x80, []byte(`ng"}`))
	if m, ok := s.next(t).(*messages.ClientPinged); !ok {
		t.Fatalf("told %T", m)
	}
	if first, _, err := c.read(); err != nil || first != 0x8A {
		t.Fatalf("answer to a ping: %#x %v", first, err)
	}
	// Our pings, and what they show.
	before := time.Now()
	s.Socket.Ping()
	if first, payload, err := c.read(); err != nil || first != 0x89 || len(payload) != 0 {
		t.Fatalf("ping: %#x %q %v", first, payload, err)
	}
	c.write(0x8A, nil)
	c.text(`{"type":"ping"}`)
	s.next(t)
	if silence := s.Socket.Silence(); silence >= time.Since(before) {
		t.Errorf("the pong was not heard: silence of %v", silence)
	}
}

// hasty sends more after the first write.
type hasty struct {
	net.Conn
	more []byte
}

func (h *hasty) Write(p []byte) (int, error) {
	_, err := h.Conn.Write(append(append([]byte(nil), p...), h.more...))
	h.more = nil
	return len(p), err
}

// A client whose message cannot be served ends alone.
func TestBrokenClients(t *testing.T) {
	h := newHouse(t)
	good, goodSession := h.open(t, paths[kite])
	for name, send := range map[string][]byte{
		"garbage":  []byte("\xf7\xaa garbage garbage garbage"),
		"too deep": maskedFrame(0x81, []byte(`{"type":`+strings.Repeat("[", 33)+strings.Repeat("]", 33)+"}")),
	} {
		t.Run(name, func(t *testing.T) {
			c, s := h.open(t, paths[kite])
			if _, err := c.Conn.Write(send); err != nil {
				t.Fatal(err)
			}
			c.expectClose(map[string]uint16{"garbage": 1002, "too deep": 1009}[name])
			s.end(t)
		})
	}
	// All the while, everybody else is served.
	goodSession.Socket.Pong()
	good.expect(`{"type":"pong"}`)
}

func TestReadLimitOfNewsrank(t *testing.T) {
	h := newHouse(t)
	c, s := h.open(t, paths[news])
	long := `{"type":"subscribe","x":"` + strings.Repeat("y", 200<<10) + `"}`
	c.text(long)
	if m, ok := s.next(t).(*messages.ClientSubscribed); !ok {
		t.Fatalf("200 KiB: told %T", m)
	}
	c.text(long + long)
	if reason := c.expectClose(1009); !strings.Contains(reason, "262144") {
		t.Errorf("reason %q, want the limit in it", reason)
	}
}

func TestEndCodes(t *testing.T) {
	h := newHouse(t)
	for _, c := range []struct {
		api    messages.Api
		reason messages.EndReason
		frame  string
		code   uint16
	}{
		{tw, messages.EndReason_END_REVOKED, `{"type":"error","code":4001,"message":"why"}`, 4001},
		{news, messages.EndReason_END_REVOKED, `{"type":"error","error":"why"}`, 4403},
		{kite, messages.EndReason_END_REVOKED, `{"type":"error","message":"why"}`, 4403},
		{tw, messages.EndReason_END_SLOW, `{"type":"error","code":4008,"message":"why"}`, 4008},
		{news, messages.EndReason_END_SLOW, "", 1013},
		{news, messages.EndReason_END_CREDITS, `{"type":"error","error":"why"}`, 4402},
		{news, messages.EndReason_END_ABUSE, `{"type":"error","error":"why"}`, 1008},
		{kite, messages.EndReason_END_DRAIN, "", 1012},
		{kite, messages.EndReason_END_INTERNAL, "", 1011},
	} {
		client, s := h.open(t, paths[c.api])
		s.Socket.Ping() // queued before the end, sent before it, unless the client is slow
		s.Socket.End(c.reason, "why")
		s.Socket.End(messages.EndReason_END_DRAIN, "a second end counts for nothing")
		s.Socket.Error("nor does anything after it")
		if c.frame != "" {
			first, payload, err := client.read()
			if first == 0x89 {
				first, payload, err = client.read()
			}
			if err != nil || first != 0x81 || string(payload) != c.frame {
				t.Errorf("%v %v: frame %s, %v; want %s", c.api, c.reason, payload, err, c.frame)
			}
		}
		if reason := client.expectClose(c.code); reason != "why" {
			t.Errorf("%v %v: reason %q", c.api, c.reason, reason)
		}
		if why := s.end(t); why != "why" {
			t.Errorf("%v %v: the session was told %q", c.api, c.reason, why)
		}
	}
}

func TestClientCloses(t *testing.T) {
	h := newHouse(t)
	c, s := h.open(t, paths[kite])
	c.write(0x88, []byte{0x03, 0xe8})
	if first, payload, err := c.read(); err != nil || first != 0x88 || !bytes.Equal(payload, []byte{0x03, 0xe8}) {
		t.Fatalf("answer %#x %x %v, want close 1000", first, payload, err)
	}
	c.expectEOF()
	if why := s.end(t); !strings.Contains(why, "1000") {
		t.Errorf("told %q", why)
	}
	s.Socket.Deliver(tweets(1, 1, 1), false, false) // and everything else: of no effect
	s.Socket.End(messages.EndReason_END_DRAIN, "")
	s.Socket.NotifyDrained()
	select {
	case why := <-s.closed:
		t.Errorf("told a second time: %q", why)
	case m := <-s.told:
		t.Errorf("told %v after the end", m)
	default:
	}

	c, s = h.open(t, paths[kite])
	_ = c.Conn.Close() // gone without a word
	if why := s.end(t); !strings.HasPrefix(why, "connection lost") || strings.Contains(why, "127.0.0.1") {
		t.Errorf("told %q", why)
	}
}

// A client that never answers a close is cut off.
func TestUnansweredClose(t *testing.T) {
	h := newHouse(t, func(c *ws.Config) { c.CloseTimeout = 100 * time.Millisecond })
	c, s := h.open(t, paths[kite])
	s.Socket.End(messages.EndReason_END_DRAIN, "")
	s.end(t)
	if first, _, err := c.read(); err != nil || first != 0x88 {
		t.Fatalf("%#x %v, want a close", first, err)
	}
	if _, _, err := c.read(); err == nil {
		t.Fatal("the connection is still open")
	}
}

// Many writers of one connection: whole frames, each writer's in order.
func TestOrder(t *testing.T) {
	h := newHouse(t)
	c, s := h.open(t, paths[tw])
	const n = 5000
	var talking sync.WaitGroup
	talking.Go(func() {
		for i := 0; i < n; i += 5 {
			for !s.Socket.Deliver(tweets(i, 5, 300), false, false) {
				t.Error("a reading client is called slow")
				return
			}
			for s.Socket.Pending() > 512<<10 {
				s.Socket.NotifyDrained()
				s.next(t)
			}
		}
	})
	talking.Go(func() {
		for range 50 {
			s.Socket.Ping()
		}
	})
	defer talking.Wait()
	pings := 0
	for want := 0; want < n || pings < 50; {
		first, payload, err := c.read()
		if err != nil {
			t.Fatal(err)
		}
		if first == 0x89 {
			pings++
			continue
		}
		if !strings.Contains(string(payload), fmt.Sprintf(`"tweet_id":"%08d"`, want)) {
			t.Fatalf("tweet %d is %s", want, payload)
		}
		want++
	}
}

// A client that does not read is closed once its bound is passed; others of
// the same flushers flow on.
func TestSlowConsumer(t *testing.T) {
	h := newHouse(t, func(c *ws.Config) { c.Flushers = 1; c.QueueBytes = 256 << 10 })
	_, slow := h.open(t, paths[tw])
	quick, quickSession := h.open(t, paths[tw])
	sent := 0
	for slow.Socket.Deliver(tweets(sent, 10, 10_000), false, false) {
		if sent += 10; sent > 10_000 {
			t.Fatal("100 MB for a client that reads nothing")
		}
		if p := slow.Socket.Pending(); p > 8*256<<10 {
			t.Fatalf("%d bytes are pending, past the bound", p)
		}
		quickSession.Socket.Deliver(tweets(sent, 1, 10), false, false)
		if _, payload, err := quick.read(); err != nil || !strings.Contains(string(payload), fmt.Sprintf("%08d", sent)) {
			t.Fatalf("the quick client got %s, %v", payload, err)
		}
	}
	slow.Socket.End(messages.EndReason_END_SLOW, "")
	if why := slow.end(t); why != "Slow consumer" {
		t.Errorf("told %q", why)
	}
	quickSession.Socket.Pong()
	quickSession.Socket.Deliver(tweets(9, 1, 10), false, false)
	if _, payload, err := quick.read(); err != nil || !strings.Contains(string(payload), "00000009") {
		t.Fatalf("the quick client got %s, %v", payload, err)
	}
}

// A slow client that reads in the end gets whole frames, then the close.
func TestSlowConsumerIsTold(t *testing.T) {
	h := newHouse(t, func(c *ws.Config) { c.QueueBytes = 64 << 10 })
	c, s := h.open(t, paths[tw])
	for i := 0; s.Socket.Deliver(tweets(i, 1, 20_000), false, false); i++ {
	}
	s.Socket.End(messages.EndReason_END_SLOW, "")
	c.expectClose(4008)
	s.end(t)
}

func TestStalledSocketTimesOut(t *testing.T) {
	h := newHouse(t, func(c *ws.Config) { c.WriteTimeout = 50 * time.Millisecond; c.QueueBytes = 64 << 20 })
	_, s := h.open(t, paths[tw])
	s.Socket.Deliver(tweets(1, 2000, 10_000), false, false)
	if why := s.end(t); !strings.Contains(why, "slow consumer") {
		t.Errorf("told %q", why)
	}
}

func TestDrainedIsTold(t *testing.T) {
	h := newHouse(t, func(c *ws.Config) { c.QueueBytes = 1 << 20 })
	c, s := h.open(t, paths[tw])
	s.Socket.NotifyDrained() // nothing is queued: at once
	if m, ok := s.next(t).(*messages.SocketDrained); !ok {
		t.Fatalf("told %T", m)
	}
	n := 0
	for s.Socket.Pending() < 512<<10 { // until the kernel takes no more
		if !s.Socket.Deliver(tweets(n, 1, 20_000), false, false) {
			t.Fatal("slow")
		}
		n++
	}
	s.Socket.NotifyDrained()
	for range n {
		if _, _, err := c.read(); err != nil {
			t.Fatal(err)
		}
	}
	if m, ok := s.next(t).(*messages.SocketDrained); !ok {
		t.Fatalf("told %T", m)
	}
	if p := s.Socket.Pending(); p > 256<<10 {
		t.Errorf("told with %d bytes pending", p)
	}
	select {
	case m := <-s.told:
		t.Errorf("told %T again", m)
	default:
	}
}

// A session may use its socket before Start returns.
func TestSessionSpeaksFromItsStart(t *testing.T) {
	h := newHouse(t)
	h.sessions.onStart = func(s *session) {
		s.Socket.Connected()
		s.Socket.NotifyDrained()
	}
	c, s := h.open(t, paths[kite])
	if first, payload, err := c.read(); err != nil || first != 0x81 || !strings.Contains(string(payload), "connected") {
		t.Fatalf("%s %v", payload, err)
	}
	if m, ok := s.next(t).(*messages.SocketDrained); !ok {
		t.Fatalf("told %T", m)
	}
}

func TestDeflate(t *testing.T) {
	h := newHouse(t, func(c *ws.Config) { c.Deflate = true })
	c, s := h.open(t, paths[tw], "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
	if got := c.answer.Header.Get("Sec-WebSocket-Extensions"); !strings.HasPrefix(got, "permessage-deflate") || !strings.Contains(got, "server_no_context_takeover") {
		t.Fatalf("negotiated %q", got)
	}
	plain, plainSession := h.open(t, paths[tw])
	stubborn, stubbornSession := h.open(t, paths[tw], "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10")
	if got := stubborn.answer.Header.Get("Sec-WebSocket-Extensions"); got != "" {
		t.Errorf("a window we do not keep was agreed to: %q", got)
	}
	for i := range 3 {
		ds := tweets(i, 1, 3000)
		var sizes []int
		for _, s := range []*session{s, plainSession, stubbornSession} {
			s.Socket.Deliver(ds, false, false)
		}
		var texts [3]string
		for j, c := range []*client{c, plain, stubborn} {
			first, payload, err := c.read()
			if err != nil {
				t.Fatal(err)
			}
			sizes = append(sizes, len(payload))
			if (first == 0xC1) != (j == 0) {
				t.Fatalf("client %d: first byte %#x", j, first)
			}
			if first == 0xC1 {
				payload, err = io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(payload), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))))
				if err != nil {
					t.Fatal(err)
				}
			}
			texts[j] = string(payload)
		}
		if texts[0] != texts[1] || texts[1] != texts[2] || sizes[0] >= sizes[1]/4 {
			t.Fatalf("sizes %v, same text %v", sizes, texts[0] == texts[1])
		}
	}
	s.Socket.Error("short") // below the threshold: not compressed
	c.expect(`{"type":"error","code":4000,"message":"short"}`)
	// A client's compressed message, and one that inflates past the limit.
	ck, sk := h.open(t, paths[kite], "Sec-WebSocket-Extensions: permessage-deflate")
	ck.write(0xC1, squeeze(t, `{"type":"ping"}`))
	if m, ok := sk.next(t).(*messages.ClientPinged); !ok {
		t.Fatalf("told %T", m)
	}
	ck.write(0xC1, squeeze(t, strings.Repeat(" ", 10<<20)))
	ck.expectClose(1009)
	ck, _ = h.open(t, paths[kite], "Sec-WebSocket-Extensions: permessage-deflate")
	ck.write(0xC1, []byte("\xff\xff\xff not deflate"))
	ck.expectClose(1007)
}

func squeeze(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(w, text)
	_ = w.Flush()
	return bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff})
}

func TestTLS(t *testing.T) {
	h := newHouse(t)
	secure := httptest.NewUnstartedServer(h.Server)
	secure.StartTLS()
	defer secure.Close()
	conn, err := tls.Dial("tcp", secure.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	c := handshake(t, conn, paths[tw])
	s := h.next(t)
	for i := range 50 {
		s.Socket.Deliver(tweets(i*10, 10, 2000), false, false)
		for j := range 10 {
			if _, payload, err := c.read(); err != nil || !strings.Contains(string(payload), fmt.Sprintf(`"%08d"`, i*10+j)) {
				t.Fatalf("tweet %d: %s %v", i*10+j, payload, err)
			}
		}
	}
	s.Socket.End(messages.EndReason_END_DRAIN, "")
	c.expectClose(1012)
	s.end(t)
}

// An independent client library, end to end.
func TestWithAnotherClient(t *testing.T) {
	h := newHouse(t, func(c *ws.Config) { c.Deflate = true })
	got := make(chan string, 16)
	client, _, err := gws.NewClient(&listener{got: got}, &gws.ClientOption{
		Addr:              "ws://" + h.addr + paths[kite],
		PermessageDeflate: gws.PermessageDeflate{Enabled: true, ServerContextTakeover: true, ClientContextTakeover: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { // ends with the connection
		defer close(done)
		client.ReadLoop()
	}()
	s := h.next(t)
	s.Socket.Connected()
	if m := <-got; !strings.Contains(m, "KITE 2.0") {
		t.Errorf("first message %s", m)
	}
	long := `{"type":"subscribe","filters":{"keywords":["` + strings.Repeat("fed ", 20) + `"]},"x":"` + strings.Repeat("y", 2000) + `"}`
	if err := client.WriteString(long); err != nil {
		t.Fatal(err)
	}
	s.Socket.Subscribed(s.next(t).(*messages.ClientSubscribed))
	if m := <-got; !strings.Contains(m, `"keywords":["fed fed`) {
		t.Errorf("answer %s", m)
	}
	s.Socket.End(messages.EndReason_END_DRAIN, "")
	if m := <-got; m != "closed 1012" {
		t.Errorf("end %s", m)
	}
	<-done
	s.end(t)
}

type listener struct {
	gws.BuiltinEventHandler
	got chan string
}

func (l *listener) OnMessage(_ *gws.Conn, m *gws.Message) { l.got <- m.Data.String() }

func (l *listener) OnClose(_ *gws.Conn, err error) {
	if c, ok := err.(*gws.CloseError); ok {
		l.got <- fmt.Sprintf("closed %d", c.Code)
		return
	}
	l.got <- err.Error()
}

func TestDrain(t *testing.T) {
	h := newHouse(t)
	const n = 20
	var clients []*client
	var all []*session
	for range n {
		c, s := h.open(t, paths[kite])
		clients, all = append(clients, c), append(all, s)
	}
	done := make(chan error, 1)
	began := time.Now()
	go func() { done <- h.Drain(context.Background(), 200*time.Millisecond) }() // ends when the clients have answered
	var answering sync.WaitGroup
	for _, c := range clients {
		answering.Go(func() { c.expectClose(1012) })
	}
	answering.Wait()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 150*time.Millisecond {
		t.Errorf("all were closed within %v, not spread", took)
	}
	for _, s := range all {
		s.end(t)
	}
	refused(t, h.dial(t, paths[tw]), 503)
	if n := h.Connections(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

// What a session hands on before it hears of the drain comes to its client: it ends
// the connection itself, between two deliveries.
func TestDrainEndsBetweenTwoDeliveries(t *testing.T) {
	h := newHouse(t)
	c, s := h.open(t, paths[tw])
	s.deaf.Store(true)
	done := make(chan error, 1)
	go func() { done <- h.Drain(context.Background(), 10*time.Millisecond) }() // ends when the client has answered
	end, ok := s.next(t).(*messages.End)
	if !ok || end.GetReason() != messages.EndReason_END_DRAIN {
		t.Fatalf("the session was told %v, want that the node drains", end)
	}
	s.Socket.Deliver(tweets(1, 1, 2), false, false)
	s.Socket.End(end.GetReason(), end.GetDetail())
	if _, payload, err := c.read(); err != nil || !strings.HasPrefix(string(payload), `{"type":"new_tweet"`) {
		t.Fatalf("%s, %v; want what was handed on", payload, err)
	}
	c.expectClose(1012)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	s.end(t)
}

// A session that does not hear is no reason to wait.
func TestDrainEndsForASessionThatDoesNot(t *testing.T) {
	h := newHouse(t)
	c, s := h.open(t, paths[kite])
	s.deaf.Store(true)
	done := make(chan error, 1)
	go func() { done <- h.Drain(context.Background(), 0) }() // ends when the client has answered
	c.expectClose(1012)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	s.end(t)
}

func TestDrainCutsOffThoseThatDoNotAnswer(t *testing.T) {
	h := newHouse(t, func(c *ws.Config) { c.CloseTimeout = time.Hour })
	_, s := h.open(t, paths[kite])
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := h.Drain(ctx, 10*time.Millisecond); err == nil {
		t.Error("no word about a connection that had to be cut off")
	}
	s.end(t)
}

// The vendor's Node library is served in its own dialect as well as in the published
// one: the same deliveries, in other frames, and pings of its own.
func TestSDKDialect(t *testing.T) {
	h := newHouse(t)
	sdk, sdkSession := h.open(t, "/sdk"+paths[tw])
	published, session := h.open(t, paths[tw])
	if sdkSession.API != tw || sdkSession.Admitted.GetKeyId() != session.Admitted.GetKeyId() {
		t.Errorf("started %+v", sdkSession.Start)
	}
	ds := tweets(1, 1, 2)
	for _, s := range []*ws.Conn{sdkSession.Socket.(*ws.Conn), session.Socket.(*ws.Conn)} {
		s.Connected()
		s.Deliver(ds, false, false)
		s.Ping()
	}
	sdk.expect(fmt.Sprintf(`{"type":"connected","connection_id":%q,"api_key_id":%q}`, sdkSession.ConnectionID, session.Admitted.GetKeyId()))
	sdk.expect(`{"type":"tweet","monitor_id":"rule-1","tweet_id":"00000001","author_username":"a","tweet_published_at":"1970-01-01T00:00:00.001Z",` +
		`"detected_at":"1970-01-01T00:00:00.001Z","latency_ms":0,"tweet":{"id":"00000001","text":"xx","created_at":"","user_id":"","username":"a","user_name":"",` +
		`"favorite_count":0,"retweet_count":0,"reply_count":0,"media":[],"urls":[],"hashtags":[]}}`)
	if first, _, err := sdk.read(); err != nil || first != 0x89 {
		t.Fatalf("%#x, %v; want a WebSocket ping", first, err)
	}
	if _, payload, err := sdk.read(); err != nil || !strings.HasPrefix(string(payload), `{"type":"ping","timestamp":"20`) {
		t.Fatalf("%s, %v; want a ping", payload, err)
	}
	sdk.text(`{"type":"pong"}`)
	sdk.alive("after a pong")

	published.expect(fmt.Sprintf(`{"type":"connected","connection_id":%q,"api_key_id":%q}`, session.ConnectionID, session.Admitted.GetKeyId()))
	if _, payload, err := published.read(); err != nil || !strings.HasPrefix(string(payload), `{"type":"new_tweet","source":"filter_rule",`) {
		t.Fatalf("%s, %v; want the published frame", payload, err)
	}
	if first, _, err := published.read(); err != nil || first != 0x89 {
		t.Fatalf("%#x, %v; want a WebSocket ping", first, err)
	}
	published.alive("and nothing more")
	bad := h.dial(t, "/sdk/v1/twitter/stream?api_key=bad")
	bad.expect(`{"type":"error","code":4001,"message":"Invalid or missing API key"}`)
	bad.expectClose(4001)
}

// Connections that are sent one list are written the same bytes as one that is
// sent it alone, in each form, and so are those that get only a part of it.
func TestConnectionsShareBatches(t *testing.T) {
	h := newHouse(t, func(c *ws.Config) { c.Deflate = true })
	offer := "Sec-WebSocket-Extensions: permessage-deflate"
	for name, headers := range map[string][]string{"plain": nil, "compressed": {offer}} {
		var all [5]*session
		var clients [5]*client
		for i := range all {
			clients[i], all[i] = h.open(t, paths[tw], headers...)
		}
		want := map[bool][]string{}
		for _, cursors := range []bool{false, true} {
			for range 2 { // lists of its own
				ds := tweets(1, 7, 900)
				want[cursors] = nil
				all[0].Socket.Deliver(ds, cursors, false)
				for range ds {
					_, payload, err := clients[0].read()
					if err != nil {
						t.Fatal(err)
					}
					want[cursors] = append(want[cursors], string(payload))
				}
			}
		}
		shared := tweets(1, 7, 900)
		for round := range 3 {
			for _, cursors := range []bool{false, true} {
				for i, s := range all {
					part := shared
					if round == 1 {
						part = shared[:len(shared)-i%2]
					}
					if !s.Socket.Deliver(part, cursors, false) {
						t.Fatal("slow")
					}
					for j := range part {
						_, payload, err := clients[i].read()
						if err != nil || string(payload) != want[cursors][j] {
							t.Fatalf("%s, round %d, connection %d, cursors %v: frame %d is %q, %v", name, round, i, cursors, j, payload, err)
						}
					}
				}
			}
		}
		for _, open := range h.List() {
			if open.ID == all[4].Socket.(*ws.Conn).ID() && open.Delivered != 3*2*7 {
				t.Errorf("%d deliveries are counted, want %d", open.Delivered, 3*2*7)
			}
		}
	}
}
