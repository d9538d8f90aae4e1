package ws

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the protocol's own choice
	"encoding/base64"
	"net/http"
	"strings"
	"syscall"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/gateway/dialect"
	"github.com/birdwire/birdwire/messages"
)

// malformed is what is wrong with a handshake, over HTTP.
type malformed struct {
	status        int
	short, detail string
}

// checkHandshake looks at what RFC 6455 asks of a client's handshake, before
// anything is spent on it; nil: it is one.
func checkHandshake(r *http.Request) *malformed {
	upgrade := func(detail string) *malformed {
		return &malformed{http.StatusUpgradeRequired, "upgrade_required", detail}
	}
	switch {
	case r.ProtoMajor != 1 || r.ProtoMinor < 1:
		return upgrade("a WebSocket is opened over HTTP/1.1")
	case !hasToken(r.Header, "Connection", "upgrade") || !hasToken(r.Header, "Upgrade", "websocket"):
		return upgrade("this address speaks WebSocket: send Connection: Upgrade and Upgrade: websocket")
	case !is(r.Header, "Sec-WebSocket-Version", "13"):
		return upgrade("only version 13 of the WebSocket protocol is spoken here")
	}
	keys := r.Header.Values("Sec-WebSocket-Key")
	if len(keys) == 1 {
		nonce, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(keys[0]))
		if err == nil && len(nonce) == 16 {
			return nil
		}
	}
	return &malformed{http.StatusBadRequest, "bad_handshake", "Sec-WebSocket-Key must be there once, 16 bytes in base64"}
}

// hasToken looks for a word in a header that is a list, on one line or several.
func hasToken(h http.Header, name, token string) bool {
	for _, line := range h.Values(name) {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// is says whether a header has this one value.
func is(h http.Header, name, value string) bool {
	values := h.Values(name)
	return len(values) == 1 && strings.TrimSpace(values[0]) == value
}

// begin upgrades an admitted request and starts its session.
func (a *admission) begin() bool {
	c, early, ok := a.upgrade(false)
	if !ok {
		a.release()
		return false
	}
	a.start.Socket = c
	session, err := a.sessions.Start(a.start)
	if err != nil {
		gateway.RequestLog(a.r, a.cfg.Log).Error("session not started", "api", a.route.name, "key_id", c.keyID, "connection", c.id, "error", err)
		a.release()
		c.end(dialect.Ending{Code: dialect.CloseTryLater, Reason: "try again later"}, false)
	} else {
		gateway.RequestLog(a.r, a.cfg.Log).Debug("connection opened", "connection", c.id, "api", a.route.name, "key_id", c.keyID, "client", a.addr)
		c.attach(session)
	}
	c.start(early)
	return true
}

// upgrade takes the connection from net/http and answers the handshake. From
// then on the connection is listed, and whoever called starts its reading with
// what came early. parting: it is only to be told why it is refused.
func (a *admission) upgrade(parting bool) (c *Conn, early []byte, ok bool) {
	netConn, buffered, err := http.NewResponseController(a.w).Hijack()
	if err != nil {
		a.refused(refusedUpgrade)
		gateway.RequestLog(a.r, a.cfg.Log).Error("connection cannot be upgraded", "api", a.route.name, "error", err)
		gateway.WriteError(a.w, http.StatusInternalServerError, "internal", "this connection cannot be upgraded")
		return nil, nil, false
	}
	extensions := ""
	if a.cfg.Deflate {
		extensions = agree(a.r.Header.Values(extensionsHeader))
	}
	c = &Conn{
		server: a.Server, route: a.route, net: netConn, id: a.start.ConnectionID,
		flusher: uint16(a.nextID.Add(1) % uint64(len(a.flushers))),
		deflate: extensions != "",
		keyID:   a.start.Admitted.GetKeyId(), pro: a.start.Admitted.GetPro(), // not when refused
		opened: monotonic(), address: a.addr, parting: parting,
	}
	if sc, ok := netConn.(syscall.Conn); ok && direct {
		if raw, err := sc.SyscallConn(); err == nil {
			c.raw = raw
		}
	}
	// What a hasty client sent after its request is in net/http's buffer.
	if n := buffered.Reader.Buffered(); n > 0 {
		if sent, err := buffered.Reader.Peek(n); err == nil {
			early = bytes.Clone(sent)
		}
	}
	c.lastHeard.Store(int64(monotonic()))
	c.answer(strings.TrimSpace(a.r.Header.Get("Sec-WebSocket-Key")), extensions, gateway.RequestID(a.r.Context()))
	if a.list(c) {
		c.End(messages.EndReason_END_DRAIN, "")
	}
	return c, early, true
}

// acceptGUID is RFC 6455's, section 1.3.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// answer queues the answer to a handshake, the first thing that is written.
func (c *Conn) answer(key, extensions, requestID string) {
	sum := sha1.Sum([]byte(key + acceptGUID))
	b := append([]byte(nil), "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	b = base64.StdEncoding.AppendEncode(b, sum[:])
	if extensions != "" {
		b = append(b, "\r\n"+extensionsHeader+": "+extensions...)
	}
	if requestID != "" {
		b = append(b, "\r\nX-Request-Id: "+requestID...)
	}
	b = append(b, "\r\n\r\n"...)
	c.push([][]byte{b}, len(b))
}

// The handshakes as gws reads them, which nobody changes: it takes headers of
// one line and one word, and any offer that holds the name of an extension. The
// client's own was checked and answered here; what gws answers to these is
// dropped.
var handshake, handshakeDeflate = plainHandshake(false), plainHandshake(true)

func plainHandshake(deflate bool) *http.Request {
	h := http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"-"},
	}
	if deflate {
		h.Set(extensionsHeader, "permessage-deflate")
	}
	return &http.Request{Method: http.MethodGet, Header: h}
}
