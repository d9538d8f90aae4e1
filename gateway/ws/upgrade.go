package ws

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/lxzan/gws"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/gateway/dialect"
	"github.com/birdwire/birdwire/messages"
)

// checkHandshake looks at what RFC 6455 asks of a client's handshake, before
// anything is spent on it; nil: it is one.
func checkHandshake(r *http.Request) error {
	switch {
	case r.ProtoMajor != 1 || r.ProtoMinor < 1:
		return errors.New("a WebSocket is opened over HTTP/1.1")
	case !hasToken(r.Header, "Connection", "upgrade") || !hasToken(r.Header, "Upgrade", "websocket"):
		return errors.New("this address speaks WebSocket: send Connection: Upgrade and Upgrade: websocket")
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		return errors.New("only version 13 of the WebSocket protocol is spoken here")
	}
	nonce, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-WebSocket-Key"))
	if err != nil || len(nonce) != 16 {
		return errors.New("Sec-WebSocket-Key must be 16 bytes in base64")
	}
	return nil
}

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

// begin upgrades an admitted request and starts its session.
func (a *admission) begin() bool {
	c, socket, ok := a.upgrade()
	if !ok {
		a.release()
		return false
	}
	a.start.Socket = c
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.r.Context()), a.cfg.AskTimeout)
	defer cancel()
	session, err := a.sessions.Start(ctx, a.start)
	if err != nil {
		a.cfg.Log.Error("session not started", "api", a.route.name, "key_id", c.keyID, "connection", c.id, "error", err)
		a.release()
		c.end(dialect.Ending{Code: dialect.CloseTryLater, Reason: "try again later"}, false)
	} else {
		a.cfg.Log.Debug("connection opened", "connection", c.id, "api", a.route.name, "key_id", c.keyID, "client", a.addr)
		c.attach(session)
	}
	go c.run(socket) // its owner: the connection; it ends in finish
	return true
}

// upgrade takes the connection from net/http and answers the handshake. From
// then on the connection is listed, and whoever called runs it.
func (a *admission) upgrade() (*Conn, *gws.Conn, bool) {
	netConn, buffered, err := http.NewResponseController(a.w).Hijack()
	if err != nil {
		a.route.figures.refusals[refusedUpgrade].Add(1)
		a.cfg.Log.Error("connection cannot be upgraded", "api", a.route.name, "error", err)
		gateway.WriteError(a.w, http.StatusInternalServerError, "internal", "this connection cannot be upgraded")
		return nil, nil, false
	}
	c := &Conn{
		server: a.Server, route: a.route, net: netConn, id: a.start.ConnectionID,
		flusher: a.flushers[a.nextID.Add(1)%uint64(len(a.flushers))],
		deflate: a.cfg.Deflate && offersDeflate(a.r),
		keyID:   a.start.Admitted.GetKeyId(), pro: a.start.Admitted.GetPro(), // not when refused
		opened: time.Now(), address: a.addr,
	}
	if sc, ok := netConn.(syscall.Conn); ok && direct {
		if raw, err := sc.SyscallConn(); err == nil {
			c.raw = raw
		}
	}
	c.in.attempt = c.in.try
	// What a hasty client sent behind its request is in net/http's buffer.
	if n := buffered.Reader.Buffered(); n > 0 {
		early, err := buffered.Reader.Peek(n)
		if err == nil {
			c.early = append([]byte(nil), early...)
		}
	}
	c.lastHeard.Store(time.Now().UnixNano())
	w := (*wire)(c)
	socket, err := a.route.upgrader.UpgradeFromConn(w, bufio.NewReaderSize(w, readBuffer), a.r)
	if err != nil {
		a.route.figures.refusals[refusedUpgrade].Add(1)
		a.cfg.Log.Debug("handshake failed", "api", a.route.name, "error", err)
		c.abort()
		return nil, nil, false
	}
	if a.list(c) {
		c.End(messages.EndReason_END_DRAIN, "")
	}
	return c, socket, true
}

// offersDeflate says whether the client offers compression that we can serve,
// and takes the offer out of the request where not: gws would agree to a
// smaller window than it (and we) compress with.
func offersDeflate(r *http.Request) bool {
	const header, extension = "Sec-WebSocket-Extensions", "permessage-deflate"
	offer := r.Header.Get(header) // gws reads the first line only
	if !strings.Contains(offer, extension) {
		return false
	}
	for param := range strings.FieldsFuncSeq(offer, func(r rune) bool { return r == ';' || r == ',' }) {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if strings.TrimSpace(name) == "server_max_window_bits" && strings.Trim(strings.TrimSpace(value), `"`) != "15" {
			r.Header.Del(header)
			return false
		}
	}
	return true
}
