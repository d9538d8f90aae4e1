package gateway

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A client that writes all of its body before it reads gets the answer that came
// before the body's end: whatever the answer is, however the body is sent, and
// whatever of it the handler has read.
func TestAnEarlyAnswerReachesAClientThatWritesFirst(t *testing.T) {
	h := http.NewServeMux()
	h.HandleFunc("/refused", func(w http.ResponseWriter, _ *http.Request) { WriteError(w, http.StatusUnauthorized, "no", "early") })
	h.HandleFunc("/closed", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		WriteError(w, http.StatusServiceUnavailable, "no", "early")
	})
	h.HandleFunc("/large", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, 1<<20)); err == nil {
			t.Error("the body was not too large")
		}
		WriteError(w, http.StatusRequestEntityTooLarge, "no", "early")
	})
	h.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now())
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			t.Error("the body was not too slow")
		}
		WriteError(w, http.StatusRequestTimeout, "no", "early")
	})
	addr := serve(t, Config{Log: slog.New(slog.DiscardHandler)}, JSONErrors(h))
	piece := bytes.Repeat([]byte("x"), 64<<10)
	for _, path := range []string{"/refused", "/closed", "/large", "/slow", "/unknown"} {
		for _, chunked := range []bool{false, true} {
			for _, pieces := range []int{3, 640} { // 192 KiB, 40 MiB
				if path == "/large" && pieces == 3 {
					continue
				}
				t.Run(fmt.Sprintf("%s chunked=%v %d KiB", path[1:], chunked, pieces*64), func(t *testing.T) {
					c, err := net.Dial("tcp", addr)
					if err != nil {
						t.Fatal(err)
					}
					defer c.Close()
					_ = c.SetDeadline(time.Now().Add(time.Minute))
					head := fmt.Sprintf("Content-Length: %d", pieces*len(piece))
					if chunked {
						head = "Transfer-Encoding: chunked"
					}
					fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", path, head)
					for i := range pieces {
						if chunked {
							fmt.Fprintf(c, "%x\r\n", len(piece))
						}
						if _, err := c.Write(piece); err != nil {
							t.Fatalf("after %d KiB: %v", i*64, err)
						}
						if chunked {
							fmt.Fprint(c, "\r\n")
						}
					}
					if chunked {
						fmt.Fprint(c, "0\r\n\r\n")
					}
					a, err := http.ReadResponse(bufio.NewReader(c), nil)
					if err != nil {
						t.Fatalf("the answer: %v", err)
					}
					b, err := io.ReadAll(a.Body)
					if err != nil || a.StatusCode < 400 || path != "/unknown" && !strings.Contains(string(b), "early") || !strings.HasSuffix(string(b), "}") {
						t.Errorf("%d %s, %v", a.StatusCode, b, err)
					}
				})
			}
		}
	}
}

// What is read after an answer has an end, and so has the server.
func TestReadingOnEnds(t *testing.T) {
	refuse := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { WriteError(w, http.StatusUnauthorized, "no", "early") })
	open := func(addr string) net.Conn {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", int64(1)<<40)
		if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
			t.Fatal(err)
		}
		return c
	}
	addr := serve(t, Config{Log: slog.New(slog.DiscardHandler)}, refuse)
	c := open(addr)
	defer c.Close()
	piece, sent := make([]byte, 64<<10), 0
	for ; sent < 4*lingerBytes; sent += len(piece) {
		if _, err := c.Write(piece); err != nil {
			break
		}
	}
	if sent < lingerBytes/2 || sent >= 4*lingerBytes {
		t.Errorf("%d bytes were read on; want about %d", sent, lingerBytes)
	}
}
