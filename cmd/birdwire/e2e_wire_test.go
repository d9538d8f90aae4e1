package main_test

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// wire is a client byte by byte, for what no library sends or does.
type wire struct {
	net.Conn
	t  testing.TB
	in *bufio.Reader
}

// The first byte of a client's or server's last fragment of each kind.
const (
	textFrame  = 0x81
	closeFrame = 0x88
)

// wire opens a WebSocket as curl does with the four headers.
func (s *server) wire(t testing.TB, path string) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", s.public)
	if err != nil {
		t.Fatal(err)
	}
	return upgrade(t, conn, path)
}

func upgrade(t testing.TB, conn net.Conn, path string) *wire {
	t.Helper()
	t.Cleanup(func() { _ = conn.Close() })
	w := &wire{conn, t, bufio.NewReader(conn)}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	const nonce = "dGhlIHNhbXBsZSBub25jZQ=="
	w.send([]byte("GET " + path + " HTTP/1.1\r\nHost: " + conn.RemoteAddr().String() + "\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n" +
		"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: " + nonce + "\r\nSec-WebSocket-Version: 13\r\n\r\n"))
	res, err := http.ReadResponse(w.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha1.Sum([]byte(nonce + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	if accept := res.Header.Get("Sec-WebSocket-Accept"); res.StatusCode != http.StatusSwitchingProtocols || accept != base64.StdEncoding.EncodeToString(sum[:]) {
		t.Fatalf("%s: %s, accept %q", path, res.Status, accept)
	}
	return w
}

func (w *wire) send(b []byte) {
	w.t.Helper()
	if _, err := w.Write(b); err != nil {
		w.t.Fatal(err)
	}
}

// text sends one masked text frame of at most 125 bytes.
func (w *wire) text(s string) {
	w.t.Helper()
	b := append([]byte{textFrame, 0x80 | byte(len(s)), 1, 2, 3, 4}, s...)
	for i := range s {
		b[6+i] ^= byte(i%4) + 1
	}
	w.send(b)
}

// frame reads one frame of the server.
func (w *wire) frame() (first byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(w.in, head[:]); err != nil {
		return 0, nil, err
	}
	if head[1]&0x80 != 0 {
		return 0, nil, errors.New("a server's frame is masked")
	}
	n := uint64(head[1])
	if n > 125 {
		long := make([]byte, 2+6*(n-126)) // 126: two bytes, 127: eight
		if _, err := io.ReadFull(w.in, long); err != nil {
			return 0, nil, err
		}
		n = binary.BigEndian.Uint64(append(make([]byte, 8-len(long)), long...))
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(w.in, payload)
	return head[0], payload, err
}

// expect wants the next frame to be this text.
func (w *wire) expect(want string) {
	w.t.Helper()
	if first, payload, err := w.frame(); err != nil || first != textFrame || string(payload) != want {
		w.t.Fatalf("frame %#x %q, %v; want text %q", first, payload, err, want)
	}
}

// closed reads to the close frame, which must have the code. It is not
// answered.
func (w *wire) closed(code uint16) {
	w.t.Helper()
	for {
		first, payload, err := w.frame()
		switch {
		case err != nil:
			w.t.Fatalf("waiting for close %d: %v", code, err)
		case first != closeFrame:
		case len(payload) < 2 || binary.BigEndian.Uint16(payload) != code:
			w.t.Fatalf("closed with %x, want code %d", payload, code)
		default:
			return
		}
	}
}

// ended reads to the connection's end, or to the close frame that begins it,
// and hangs up.
func (w *wire) ended() {
	w.t.Helper()
	for {
		first, _, err := w.frame()
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			w.t.Fatal("the connection goes on")
		}
		if err != nil || first == closeFrame {
			_ = w.Close() // it has ended already
			return
		}
	}
}
