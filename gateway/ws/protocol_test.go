package ws_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/birdwire/birdwire/gateway/ws"
	"github.com/birdwire/birdwire/messages"
)

// These are the categories of the Autobahn test suite for servers, over raw
// sockets, on every API, with and without compression agreed to.

// alive sends a ping and wants its pong, whatever frames come before it.
func (c *client) alive(payload string) {
	c.t.Helper()
	c.write(0x89, []byte(payload))
	for {
		first, got, err := c.read()
		if err != nil {
			c.t.Fatalf("waiting for the pong of %q: %v", payload, err)
		}
		if first == 0x8A && string(got) == payload {
			return
		}
	}
}

func frames(all ...[]byte) []byte { return bytes.Join(all, nil) }

func long(first byte, length uint64) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{first, 0xff}, length), 1, 2, 3, 4)
}

func closing(code uint16, reason string) []byte {
	return maskedFrame(0x88, append(binary.BigEndian.AppendUint16(nil, code), reason...))
}

// everyClient runs what on a client of each API, without compression and with.
func everyClient(t *testing.T, h *house, what func(t *testing.T, c *client, deflated bool)) {
	t.Helper()
	for _, path := range []string{paths[tw], paths[news], paths[kite], "/sdk" + paths[tw]} {
		for _, extension := range []string{"", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"} {
			headers := []string{extension}
			if extension == "" {
				headers = nil
			}
			c, s := h.open(t, path, headers...)
			agreed := c.answer.Header.Get("Sec-WebSocket-Extensions") != ""
			if agreed != (extension != "") {
				t.Fatalf("%s: compression agreed to: %v", path, agreed)
			}
			what(t, c, agreed)
			_ = c.Close()
			s.end(t)
		}
	}
}

// notes is a log that a test reads.
type notes struct {
	mu   sync.Mutex // protects text
	text strings.Builder
}

func (n *notes) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(p)
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

func loud(log *notes) option {
	return func(c *ws.Config) { c.Log = slog.New(slog.NewTextHandler(log, nil)) }
}

func deflating(c *ws.Config) { c.Deflate = true }

func TestWhatMayBeSent(t *testing.T) {
	h := newHouse(t, deflating)
	for name, send := range map[string][]byte{
		"empty text":                   maskedFrame(0x81, nil),
		"text of 125":                  maskedFrame(0x81, bytes.Repeat([]byte("*"), 125)),
		"text of 126":                  maskedFrame(0x81, bytes.Repeat([]byte("*"), 126)),
		"text of 128":                  maskedFrame(0x81, bytes.Repeat([]byte("*"), 128)),
		"text of 65535":                maskedFrame(0x81, bytes.Repeat([]byte("*"), 65535)),
		"text of 65536":                maskedFrame(0x81, bytes.Repeat([]byte("*"), 65536)),
		"empty binary":                 maskedFrame(0x82, nil),
		"binary that is not UTF-8":     maskedFrame(0x82, []byte("\xff\xfe\xfd")),
		"ping of 125":                  maskedFrame(0x89, bytes.Repeat([]byte("\xfe"), 125)),
		"pong that nobody asked for":   maskedFrame(0x8A, []byte("unasked")),
		"ten pings":                    bytes.Repeat(maskedFrame(0x89, []byte("p")), 10),
		"two fragments":                frames(maskedFrame(0x01, []byte("a")), maskedFrame(0x80, []byte("b"))),
		"empty fragments":              frames(maskedFrame(0x01, nil), maskedFrame(0x00, nil), maskedFrame(0x80, nil)),
		"ping between fragments":       frames(maskedFrame(0x01, []byte("a")), maskedFrame(0x89, []byte("p")), maskedFrame(0x80, []byte("b"))),
		"a code point in two pieces":   frames(maskedFrame(0x01, []byte("\xe2\x82")), maskedFrame(0x80, []byte("\xac"))),
		"text of all planes":           maskedFrame(0x81, []byte("κόσμε \U0010FFFF \ufffe ￿ \x00\x7f")),
		"two messages in one segment":  frames(maskedFrame(0x81, []byte("{}")), maskedFrame(0x81, []byte("{}"))),
		"fragments of a binary":        frames(maskedFrame(0x02, []byte("\xff")), maskedFrame(0x80, []byte("\xff"))),
		"a fragment longer than 65535": frames(maskedFrame(0x02, make([]byte, 65536)), maskedFrame(0x80, nil)),
	} {
		t.Run(name, func(t *testing.T) {
			everyClient(t, h, func(t *testing.T, c *client, _ bool) {
				if _, err := c.Write(send); err != nil {
					t.Fatal(err)
				}
				c.alive("still here")
			})
		})
	}
	// The same a byte at a time.
	c, _ := h.open(t, paths[kite])
	for _, b := range frames(maskedFrame(0x01, []byte(`{"type":`)), maskedFrame(0x89, []byte("p")), maskedFrame(0x80, []byte(`"ping"}`))) {
		if _, err := c.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	c.alive("slowly")
}

func TestWhatMayNotBeSent(t *testing.T) {
	log := &notes{}
	h := newHouse(t, deflating, loud(log))
	for name, c := range map[string]struct {
		send  []byte
		code  uint16
		plain bool // compression makes it allowed
	}{
		"length of 2^63":                       {send: long(0x82, 1<<63), code: 1002},
		"length of 2^64-1":                     {send: long(0x81, 1<<64-1), code: 1002},
		"length of 2^63 in a fragment":         {send: frames(maskedFrame(0x01, []byte("a")), long(0x80, 1<<63+7)), code: 1002},
		"length of 2^63-1":                     {send: long(0x82, 1<<63-1), code: 1009},
		"length past the limit":                {send: long(0x81, 256<<10+1), code: 1009},
		"length of 5 in two bytes":             {send: []byte{0x81, 0xfe, 0, 5}, code: 1002},
		"length of 125 in eight bytes":         {send: long(0x81, 125), code: 1002},
		"length of 65535 in eight bytes":       {send: long(0x81, 65535), code: 1002},
		"RSV1":                                 {send: maskedFrame(0xC1, []byte("a")), code: 1002, plain: true},
		"RSV2":                                 {send: maskedFrame(0xA1, []byte("a")), code: 1002},
		"RSV3":                                 {send: maskedFrame(0x91, []byte("a")), code: 1002},
		"RSV1 and RSV3":                        {send: maskedFrame(0xD1, []byte("a")), code: 1002},
		"all reserved bits on binary":          {send: maskedFrame(0xF2, []byte("a")), code: 1002},
		"RSV1 on a ping":                       {send: maskedFrame(0xC9, nil), code: 1002},
		"RSV1 on a pong":                       {send: maskedFrame(0xCA, nil), code: 1002},
		"RSV1 on a close":                      {send: maskedFrame(0xC8, []byte{3, 232}), code: 1002},
		"RSV2 on a ping":                       {send: maskedFrame(0xA9, nil), code: 1002},
		"RSV1 on a continuation":               {send: frames(maskedFrame(0x01, []byte("a")), maskedFrame(0xC0, []byte("b"))), code: 1002},
		"RSV2 on a continuation":               {send: frames(maskedFrame(0x01, []byte("a")), maskedFrame(0xA0, []byte("b"))), code: 1002},
		"ping in fragments":                    {send: maskedFrame(0x09, []byte("a")), code: 1002},
		"pong in fragments":                    {send: maskedFrame(0x0A, nil), code: 1002},
		"close in fragments":                   {send: maskedFrame(0x08, []byte{3, 232}), code: 1002},
		"ping of 126":                          {send: maskedFrame(0x89, make([]byte, 126)), code: 1002},
		"pong of 65536":                        {send: maskedFrame(0x8A, make([]byte, 65536)), code: 1002},
		"close of 126":                         {send: maskedFrame(0x88, append([]byte{3, 232}, bytes.Repeat([]byte("*"), 124)...)), code: 1002},
		"not masked":                           {send: []byte{0x81, 2, '{', '}'}, code: 1002},
		"ping, not masked":                     {send: []byte{0x89, 0}, code: 1002},
		"close, not masked":                    {send: []byte{0x88, 2, 3, 232}, code: 1002},
		"continuation of nothing":              {send: maskedFrame(0x80, []byte("a")), code: 1002},
		"first of fragments is a continuation": {send: maskedFrame(0x00, []byte("a")), code: 1002},
		"text in the midst of fragments":       {send: frames(maskedFrame(0x01, []byte("a")), maskedFrame(0x81, []byte("b"))), code: 1002},
		"fragments in the midst of fragments":  {send: frames(maskedFrame(0x01, []byte("a")), maskedFrame(0x01, []byte("b"))), code: 1002},
		"text that is not UTF-8":               {send: maskedFrame(0x81, []byte("\xce\xba\xe1\xbd\xb9\xed\xa0\x80")), code: 1007}, // a surrogate
		"text with overlong UTF-8":             {send: maskedFrame(0x81, []byte("\xc0\xaf")), code: 1007},
		"text beyond U+10FFFF":                 {send: maskedFrame(0x81, []byte("\xf4\x90\x80\x80")), code: 1007},
		"text that ends in a code point":       {send: maskedFrame(0x81, []byte("\xe2\x82")), code: 1007},
		"fragments that are not UTF-8":         {send: frames(maskedFrame(0x01, []byte("\xe2")), maskedFrame(0x80, []byte("a"))), code: 1007},
		"oversize in fragments":                {send: frames(maskedFrame(0x01, make([]byte, 65536)), bytes.Repeat(maskedFrame(0x00, make([]byte, 50_000)), 4)), code: 1009},
		"close of one byte":                    {send: maskedFrame(0x88, []byte{3}), code: 1002},
		"close whose reason is not UTF-8":      {send: closing(1000, "\xff"), code: 1007},
	} {
		t.Run(name, func(t *testing.T) {
			everyClient(t, h, func(t *testing.T, client *client, deflated bool) {
				if deflated && c.plain {
					return
				}
				if _, err := client.Write(c.send); err != nil {
					t.Fatal(err)
				}
				reason := client.expectClose(c.code)
				if strings.Contains(reason, "gws") || strings.Contains(reason, "127.0.0.1") {
					t.Errorf("reason %q", reason)
				}
			})
		})
	}
	for opcode := byte(3); opcode < 16; opcode++ {
		if opcode >= 8 && opcode <= 10 {
			continue
		}
		t.Run(fmt.Sprintf("opcode %d", opcode), func(t *testing.T) {
			everyClient(t, h, func(t *testing.T, c *client, _ bool) {
				if _, err := c.Write(maskedFrame(0x80|opcode, []byte("a"))); err != nil {
					t.Fatal(err)
				}
				c.expectClose(1002)
			})
		})
	}
	if text := log.String(); strings.Contains(text, "panic") {
		t.Errorf("a client's bytes made a panic: %s", text)
	}
}

func TestCloseCodes(t *testing.T) {
	h := newHouse(t, deflating)
	answered := func(code uint16) uint16 {
		switch {
		case code < 1000, code == 1004, code == 1005, code == 1006, code > 1013 && code < 3000, code >= 5000:
			return 1002
		case code < 3000:
			return 1000
		}
		return code
	}
	for _, code := range []uint16{
		0, 1, 999, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 1015, 1016, 1100,
		2000, 2999, 3000, 3999, 4000, 4999, 5000, 65535,
	} {
		everyClient(t, h, func(t *testing.T, c *client, _ bool) {
			// What comes after a close frame means nothing.
			if _, err := c.Write(frames(closing(code, strings.Repeat("é", 61)), maskedFrame(0x89, []byte("p")), []byte("\xff\xff"))); err != nil {
				t.Fatal(err)
			}
			c.expectClose(answered(code))
		})
	}
	everyClient(t, h, func(t *testing.T, c *client, _ bool) {
		if _, err := c.Write(maskedFrame(0x88, nil)); err != nil {
			t.Fatal(err)
		}
		if first, payload, err := c.read(); err != nil || first != 0x88 || len(payload) != 0 {
			t.Fatalf("an empty close is answered %#x %x, %v", first, payload, err)
		}
		c.expectEOF()
	})
}

// Compressed messages in every shape that RFC 7692 has.
func TestCompressedMessages(t *testing.T) {
	h := newHouse(t, deflating)
	open := func(t *testing.T) (*client, *session) {
		return h.open(t, paths[kite], "Sec-WebSocket-Extensions: permessage-deflate")
	}
	ping := squeeze(t, `{"type":"ping"}`)
	stored := append([]byte{0, 15, 0, 240, 255}, append([]byte(`{"type":"ping"}`), 0)...) // a block that is not compressed, RFC 7692, 7.2.3.3
	for name, send := range map[string][]byte{
		"one frame":                     maskedFrame(0xC1, ping),
		"stored":                        maskedFrame(0xC1, stored),
		"in fragments":                  frames(maskedFrame(0x41, ping[:3]), maskedFrame(0x00, ping[3:5]), maskedFrame(0x80, ping[5:])),
		"with a ping between fragments": frames(maskedFrame(0x41, ping[:3]), maskedFrame(0x89, nil), maskedFrame(0x80, ping[3:])),
		"with an empty last fragment":   frames(maskedFrame(0x41, ping), maskedFrame(0x80, nil)),
		"not compressed for once":       maskedFrame(0x81, []byte(`{"type":"ping"}`)),
		"as binary":                     maskedFrame(0xC2, ping),
		"after an empty one":            frames(maskedFrame(0xC1, []byte{0}), maskedFrame(0xC1, ping)),
	} {
		t.Run(name, func(t *testing.T) {
			c, s := open(t)
			if _, err := c.Write(send); err != nil {
				t.Fatal(err)
			}
			for {
				switch m := s.next(t).(type) {
				case *messages.ClientInvalid: // the empty one
				case *messages.ClientPinged:
					return
				default:
					t.Fatalf("told %T", m)
				}
			}
		})
	}
	for name, c := range map[string]struct {
		send []byte
		code uint16
	}{
		"not UTF-8 inside":         {maskedFrame(0xC1, squeeze(t, "\xff\xfe")), 1007},
		"no deflate":               {maskedFrame(0xC1, []byte("\xff\xff\xff\xff")), 1007},
		"a bomb":                   {maskedFrame(0xC1, squeeze(t, strings.Repeat("a", 64<<20))), 1009},
		"a bomb in fragments":      {frames(maskedFrame(0x41, squeeze(t, strings.Repeat("a", 1<<20))[:50]), maskedFrame(0x80, squeeze(t, strings.Repeat("a", 1<<20))[50:])), 1009},
		"RSV1 on the continuation": {frames(maskedFrame(0x41, ping[:3]), maskedFrame(0xC0, ping[3:])), 1002},
	} {
		t.Run(name, func(t *testing.T) {
			client, s := open(t)
			if _, err := client.Write(c.send); err != nil {
				t.Fatal(err)
			}
			client.expectClose(c.code)
			s.end(t)
		})
	}
}

// A client that sends fragments without end is held to the pace of messages.
func TestFragmentsArePaced(t *testing.T) {
	h := newHouse(t)
	c, s := h.open(t, paths[kite])
	one := maskedFrame(0x00, nil)
	if _, err := c.Write(frames(maskedFrame(0x01, nil), bytes.Repeat(one, 700), maskedFrame(0x80, []byte(`{"type":"ping"}`)))); err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	s.next(t)
	if took := time.Since(before) - s.Socket.Silence(); took.Milliseconds() < 500 {
		t.Errorf("700 fragments were read within %v: 512 may come at once, and 256 in each second after that", took)
	}
}

func TestExtensionsOverTheWire(t *testing.T) {
	for _, c := range []struct {
		deflate bool
		offer   []string
		want    string
	}{
		{true, []string{"permessage-deflate"}, "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
		{true, []string{"permessage-deflate; server_max_window_bits=15"}, "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15"},
		{true, []string{"permessage-deflate2"}, ""},
		{true, []string{"permessage-deflate; foo"}, ""},
		{true, []string{"permessage-deflate; client_max_window_bits=99"}, ""},
		{true, []string{"permessage-deflate; server_max_window_bits=9", "permessage-deflate"}, "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
		{true, nil, ""},
		{false, []string{"permessage-deflate"}, ""},
	} {
		h := newHouse(t, func(cfg *ws.Config) { cfg.Deflate = c.deflate })
		for _, api := range []messages.Api{tw, news, kite} {
			var lines []string
			for _, o := range c.offer {
				lines = append(lines, "Sec-WebSocket-Extensions: "+o)
			}
			client, s := h.open(t, paths[api], lines...)
			if got := client.answer.Header.Values("Sec-WebSocket-Extensions"); strings.Join(got, "|") != c.want {
				t.Errorf("%v (compression enabled: %v): answered %q, want %q", c.offer, c.deflate, got, c.want)
			}
			if c.want == "" { // what was not agreed to is not used
				_, _ = client.Write(maskedFrame(0xC1, squeeze(t, "{}")))
				client.expectClose(1002)
				s.end(t)
				continue
			}
			s.Socket.Deliver(tweets(1, 1, 3000), false, false)
			if api != tw {
				continue
			}
			if first, payload, err := client.read(); err != nil || first != 0xC1 || len(payload) > 1000 {
				t.Errorf("frame %#x of %d bytes, %v; want a compressed one", first, len(payload), err)
			}
		}
	}
}
