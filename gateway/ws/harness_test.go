package ws_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/gateway/ws"
	"github.com/birdwire/birdwire/messages"
)

const patience = 20 * time.Second

// keys answers for every key as the test says, and remembers what was asked.
type keys struct {
	mu       sync.Mutex
	answer   func(command proto.Message) (proto.Message, error)
	asked    []proto.Message
	released chan *messages.Release
}

func (k *keys) Ask(_ context.Context, _ string, command proto.Message) (proto.Message, error) {
	if m, ok := command.(*messages.Release); ok {
		k.released <- m
		return nil, nil
	}
	k.mu.Lock()
	k.asked = append(k.asked, command)
	answer := k.answer
	k.mu.Unlock()
	return answer(command)
}

// release waits for a slot to be given back.
func (k *keys) release(t *testing.T) *messages.Release {
	t.Helper()
	select {
	case m := <-k.released:
		return m
	case <-time.After(patience):
		t.Fatal("the slot was not given back")
		return nil
	}
}

// answers is how the next command is answered; a request may be under way.
func (k *keys) answers(answer func(proto.Message) (proto.Message, error)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.answer = answer
}

func (k *keys) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = nil
}

func (k *keys) admits() (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, m := range k.asked {
		if _, ok := m.(*messages.Admit); ok {
			n++
		}
	}
	return n
}

func admit(command proto.Message) (proto.Message, error) {
	switch m := command.(type) {
	case *messages.Admit:
		return &messages.Admitted{KeyId: m.GetCredential().GetKeyId(), Plan: "pro", Pro: true}, nil
	case *messages.Authorize:
		return &messages.Authorized{}, nil
	}
	return nil, nil
}

func refuse(r messages.Refusal) func(proto.Message) (proto.Message, error) {
	return func(proto.Message) (proto.Message, error) {
		return &messages.Refused{Refusal: r, RetryAfterMs: 2500}, nil
	}
}

// session is one connection's actor: it keeps what it was told.
type session struct {
	gateway.Start
	told   chan proto.Message
	closed chan string
	deaf   atomic.Bool // it does not hear End
}

func (s *session) Tell(m proto.Message) {
	if c, ok := m.(*messages.SocketClosed); ok {
		s.closed <- c.GetDetail() // its second place is for a second SocketClosed, which must not come
		return
	}
	if _, ok := m.(*messages.Heard); ok {
		return
	}
	if e, ok := m.(*messages.End); ok && !s.deaf.Load() {
		s.Socket.End(e.GetReason(), e.GetDetail())
		return
	}
	s.told <- m
}

func (s *session) next(t testing.TB) proto.Message {
	t.Helper()
	select {
	case m := <-s.told:
		return m
	case <-time.After(patience):
		t.Fatal("the session was told nothing")
		return nil
	}
}

func (s *session) end(t testing.TB) string {
	t.Helper()
	select {
	case why := <-s.closed:
		return why
	case <-time.After(patience):
		t.Fatal("the session was not told that its socket closed")
		return ""
	}
}

// sessions starts sessions and hands them to the test.
type sessions struct {
	started chan *session
	fail    error
	onStart func(s *session)
	instead func(gateway.Start) gateway.Session // of all this, for benchmarks
}

func (s *sessions) Start(start gateway.Start) (gateway.Session, error) {
	if s.fail != nil {
		return nil, s.fail
	}
	if s.instead != nil {
		return s.instead(start), nil
	}
	one := &session{Start: start, told: make(chan proto.Message, 64), closed: make(chan string, 2)}
	if s.onStart != nil {
		s.onStart(one)
	}
	s.started <- one
	return one, nil
}

// house is a server on a real port with its ports' fakes.
type house struct {
	*ws.Server
	keys     *keys
	sessions *sessions
	addr     string
	http     *httptest.Server
}

type option func(*ws.Config)

func newHouse(t testing.TB, options ...option) *house {
	t.Helper()
	h := &house{
		keys:     &keys{answer: admit, released: make(chan *messages.Release, 64)},
		sessions: &sessions{started: make(chan *session, 16384)},
	}
	cfg := ws.Config{
		Node: "n1", Incarnation: 7, Epoch: func() string { return "abcdefgh" }, CloseTimeout: 2 * time.Second,
		Throttle: gateway.NewThrottle(gateway.ThrottleConfig{Burst: 1000}), Log: slog.New(slog.DiscardHandler),
	}
	for _, o := range options {
		o(&cfg)
	}
	var err error
	if h.Server, err = ws.New(cfg, h.keys, h.sessions); err != nil {
		t.Fatal(err)
	}
	web, err := gateway.NewServer(gateway.Config{Log: slog.New(slog.DiscardHandler)}, h.Server)
	if err != nil {
		t.Fatal(err)
	}
	h.http = httptest.NewUnstartedServer(nil)
	h.http.Config = web
	h.http.Start()
	h.addr = h.http.Listener.Addr().String()
	t.Cleanup(func() {
		h.Close()
		h.http.Close()
	})
	return h
}

// next is the session of the connection that was opened last.
func (h *house) next(t testing.TB) *session {
	t.Helper()
	select {
	case s := <-h.sessions.started:
		return s
	case <-time.After(patience):
		t.Fatal("no session was started")
		return nil
	}
}

// gone waits until no connection is left.
func (h *house) gone(t testing.TB) {
	t.Helper()
	for late := time.Now().Add(patience); h.Connections() > 0; runtime.Gosched() {
		if time.Now().After(late) {
			t.Fatalf("%d connections are left", h.Connections())
		}
	}
}

func (h *house) starts(session func(gateway.Start) gateway.Session) { h.sessions.instead = session }

// key is well formed; whether it is known, the fake decides.
var key, _, _, _ = gateway.MintKey(rand.Reader, "")

var paths = map[messages.Api]string{
	messages.Api_API_TWITTER:  "/v1/twitter/stream?api_key=" + key,
	messages.Api_API_NEWSRANK: "/v1/news/stream?token=" + key,
	messages.Api_API_KITE:     "/api/ws?key=" + key,
}

// client speaks WebSocket byte by byte.
type client struct {
	net.Conn
	t      testing.TB
	br     *bufio.Reader
	answer *http.Response
}

// dial sends a handshake; the answer may be a refusal.
func (h *house) dial(t testing.TB, path string, headers ...string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	return handshake(t, conn, path, headers...)
}

func handshake(t testing.TB, conn net.Conn, path string, headers ...string) *client {
	t.Helper()
	t.Cleanup(func() { _ = conn.Close() })
	return greet(t, conn, path, headers...)
}

// greet is handshake for a connection that the test closes itself.
func greet(t testing.TB, conn net.Conn, path string, headers ...string) *client {
	t.Helper()
	var nonce [16]byte
	_, _ = rand.Read(nonce[:])
	request := "GET " + path + " HTTP/1.1\r\nHost: test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + base64.StdEncoding.EncodeToString(nonce[:]) + "\r\n"
	for _, line := range headers {
		request += line + "\r\n"
	}
	c := &client{Conn: conn, t: t, br: bufio.NewReader(conn)}
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		t.Fatal(err)
	}
	var err error
	if c.answer, err = http.ReadResponse(c.br, nil); err != nil {
		t.Fatalf("handshake: %v", err)
	}
	return c
}

// open dials and expects to be let in.
func (h *house) open(t testing.TB, path string, headers ...string) (*client, *session) {
	t.Helper()
	c := h.dial(t, path, headers...)
	if c.answer.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(c.answer.Body)
		t.Fatalf("%s: %s %s", path, c.answer.Status, body)
	}
	return c, h.next(t)
}

// write sends one masked frame.
func (c *client) write(first byte, payload []byte) {
	c.t.Helper()
	_ = c.SetWriteDeadline(time.Now().Add(patience)) // its dial's may be over
	if _, err := c.Conn.Write(maskedFrame(first, payload)); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

func (c *client) text(s string) {
	c.t.Helper()
	c.write(0x81, []byte(s))
}

func maskedFrame(first byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := [4]byte{1, 2, 3, 4}
	b = append(b, mask[:]...)
	for i, p := range payload {
		b = append(b, p^mask[i%4])
	}
	return b
}

// read reads one frame.
func (c *client) read() (first byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(c.br, head[:]); err != nil {
		return 0, nil, err
	}
	if head[1]&0x80 != 0 {
		return 0, nil, errors.New("a server's frame is masked")
	}
	n := uint64(head[1])
	switch n {
	case 126:
		var b [2]byte
		_, err = io.ReadFull(c.br, b[:])
		n = uint64(binary.BigEndian.Uint16(b[:]))
	case 127:
		var b [8]byte
		_, err = io.ReadFull(c.br, b[:])
		n = binary.BigEndian.Uint64(b[:])
	}
	if err != nil {
		return 0, nil, err
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(c.br, payload)
	return head[0], payload, err
}

// expect reads one text frame and compares it.
func (c *client) expect(want string) {
	c.t.Helper()
	first, payload, err := c.read()
	if err != nil || first != 0x81 || string(payload) != want {
		c.t.Fatalf("frame %#x %q, %v\nwant text %q", first, payload, err, want)
	}
}

// expectClose reads through to the close frame, answers it, and sees the
// server hang up.
func (c *client) expectClose(code uint16) (reason string) {
	c.t.Helper()
	_ = c.SetDeadline(time.Now().Add(patience))
	for {
		first, payload, err := c.read()
		if err != nil {
			c.t.Fatalf("waiting for close %d: %v", code, err)
		}
		if first != 0x88 {
			continue
		}
		if len(payload) < 2 || binary.BigEndian.Uint16(payload) != code {
			c.t.Fatalf("closed with %x, want code %d", payload, code)
		}
		_, _ = c.Conn.Write(maskedFrame(0x88, payload[:2]))
		c.expectEOF()
		return string(payload[2:])
	}
}

func (c *client) expectEOF() {
	c.t.Helper()
	if b, err := c.br.ReadByte(); !errors.Is(err, io.EOF) {
		c.t.Fatalf("after the close: byte %#x, %v; want the end", b, err)
	}
}

// tweets are deliveries of posts numbered from one, of size bytes each or so.
func tweets(from, n, size int) []*messages.Delivery {
	ds := make([]*messages.Delivery, n)
	for i := range ds {
		id := fmt.Sprintf("%08d", from+i)
		ds[i] = &messages.Delivery{
			Position: uint64(messages.At(uint64(from+i), 0)), K: 1,
			Origin: &messages.Origin{Kind: messages.OriginKind_ORIGIN_RULE, Id: "rule-1", Name: "tag"},
			Event: &messages.Event{DetectedMs: 1, Body: &messages.Event_Post{Post: &messages.Post{
				Id: id, Text: strings.Repeat("x", size), Author: &messages.Author{Username: "a"},
			}}},
		}
	}
	return ds
}

func query(values ...string) string {
	q := url.Values{}
	for i := 0; i < len(values); i += 2 {
		q.Set(values[i], values[i+1])
	}
	return "&" + q.Encode()
}
