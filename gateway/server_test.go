package gateway

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// journalLog is a log that tests read while the server writes.
type journalLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journalLog) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journalLog) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

func (j *journalLog) reset() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.b.Reset()
}

// serve starts a server as a node does and returns its address.
func serve(t *testing.T, cfg Config, h http.Handler) string {
	t.Helper()
	s, err := NewServer(cfg, h)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		if s.TLSConfig != nil {
			done <- s.ServeTLS(l, "", "")
			return
		}
		done <- s.Serve(l)
	}()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-done; err != http.ErrServerClosed {
			t.Errorf("serve: %v", err)
		}
	})
	return l.Addr().String()
}

type observed struct {
	route  string
	status int
}

func TestServer(t *testing.T) {
	log := &journalLog{}
	seen := make(chan observed, 16)
	panics := 0
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ok/{id}", func(w http.ResponseWriter, r *http.Request) {
		WriteJSON(w, http.StatusOK, map[string]string{"id": r.PathValue("id"), "html": "<&>"})
	})
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("boom") })
	mux.HandleFunc("GET /half", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("x"), 100000))
		panic("late")
	})
	mux.HandleFunc("GET /hijack", func(w http.ResponseWriter, _ *http.Request) {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
		_ = rw.Flush()
		_ = c.Close()
	})
	addr := serve(t, Config{
		Log:      slog.New(slog.NewTextHandler(log, nil)),
		Panicked: func() { panics++ },
		Observe: func(route, _ string, status int, _ time.Duration) {
			seen <- observed{route, status}
		},
	}, JSONErrors(mux))

	key := "bw_abcde23456_" + strings.Repeat("x", 43)
	for _, c := range []struct {
		method, path string
		status       int
		body         string
		observed     observed
	}{
		{"GET", "/ok/7?api_key=" + key, 200, `{"html":"<&>","id":"7"}`, observed{"GET /ok/{id}", 200}},
		{"GET", "/nothing/" + key, 404, `{"error":"not_found","detail":"nothing is served under this path","status":404}`, observed{"", 404}},
		{"POST", "/ok/7", 405, `{"error":"method_not_allowed","detail":"POST is not served here; allowed: GET, HEAD","status":405}`, observed{"", 405}},
		{"GET", "/panic", 500, `{"error":"internal","detail":"the request failed inside the server; the log says why","status":500}`, observed{"GET /panic", 500}},
	} {
		req, err := http.NewRequest(c.method, "http://"+addr+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != c.status || string(body) != c.body || res.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %d %q %s", c.method, c.path, res.StatusCode, res.Header.Get("Content-Type"), body)
		}
		if got := <-seen; got != c.observed {
			t.Errorf("%s %s: observed %v", c.method, c.path, got)
		}
	}

	res, err := http.Get("http://" + addr + "/half")
	if err == nil {
		_, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
	}
	if err == nil {
		t.Error("half an answer looked whole")
	}
	<-seen
	res, err = http.Get("http://" + addr + "/hijack")
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("hijack: %v %v", res, err)
	}
	_ = res.Body.Close()
	if got := <-seen; got.status != http.StatusSwitchingProtocols {
		t.Errorf("hijack: observed %v", got)
	}
	if panics != 2 {
		t.Errorf("%d panics were counted", panics)
	}
	text := log.String()
	if strings.Contains(text, key) || strings.Contains(text, "api_key") || !strings.Contains(text, "/nothing/bw_abcde23456_***") {
		t.Errorf("the log shows a key or a query:\n%s", text)
	}
}

func TestServerLimitsHeaders(t *testing.T) {
	addr := serve(t, Config{Log: slog.New(slog.DiscardHandler), MaxHeaderBytes: 4096}, http.NotFoundHandler())
	req, _ := http.NewRequest("GET", "http://"+addr+"/", nil)
	req.Header.Set("X-Long", strings.Repeat("x", 16384))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Fatalf("status %d", res.StatusCode)
	}
}

func TestServerConfig(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no log": {},
	} {
		if _, err := NewServer(cfg, http.NotFoundHandler()); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := LoadCertificate("/nowhere/x", "/nowhere/y", slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "/nowhere/x") {
		t.Errorf("a certificate that is not there: %v, want its file named", err)
	}
}

func TestRetryAfter(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "1", -time.Second: "1", time.Millisecond: "1", time.Second: "1", 1100 * time.Millisecond: "2", time.Minute: "60",
	} {
		if got := RetryAfter(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestCertificateReload(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePair(t, certFile, keyFile, 1)
	log := &journalLog{}
	c, err := LoadCertificate(certFile, keyFile, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	serial := func(at time.Duration) string {
		return fmt.Sprint(leaf(t, c.current(now.Add(at))).SerialNumber)
	}
	if got := serial(2 * time.Second); got != "1" {
		t.Fatalf("serial %s", got)
	}
	writePair(t, certFile, keyFile, 2)
	touch(t, now.Add(time.Minute), certFile, keyFile)
	if got := serial(2500 * time.Millisecond); got != "1" {
		t.Fatalf("looked at the files again within a second: %s", got)
	}
	if got := serial(4 * time.Second); got != "2" {
		t.Fatalf("not reloaded: %s", got)
	}
	if err := os.WriteFile(certFile, []byte("half written"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := serial(6 * time.Second); got != "2" || !strings.Contains(log.String(), "stays in service") {
		t.Fatalf("a broken file: serial %s, log %s", got, log)
	}
	if err := os.Remove(keyFile); err != nil {
		t.Fatal(err)
	}
	if got := serial(8 * time.Second); got != "2" {
		t.Fatalf("a missing file: %s", got)
	}
	writePair(t, certFile, keyFile, 3)
	touch(t, now.Add(2*time.Minute), certFile, keyFile)
	if got := serial(10 * time.Second); got != "3" {
		t.Fatalf("not recovered: %s", got)
	}
	writePair(t, certFile, keyFile, 4)
	if err := c.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := serial(10 * time.Second); got != "4" {
		t.Fatalf("not reloaded when asked to: %s", got)
	}
	if err := os.Remove(certFile); err != nil {
		t.Fatal(err)
	}
	if err := c.Reload(); err == nil || serial(10*time.Second) != "4" {
		t.Fatalf("reloaded without a file: %v", err)
	}
}

func TestServerTLS(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePair(t, certFile, keyFile, 7)
	certificate, err := LoadCertificate(certFile, keyFile, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	addr := serve(t, Config{Log: slog.New(slog.DiscardHandler), Certificate: certificate}, http.NotFoundHandler())
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}}
	conn, err := d.DialContext(context.Background(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	state := conn.(*tls.Conn).ConnectionState()
	if state.NegotiatedProtocol != "http/1.1" || state.PeerCertificates[0].SerialNumber.Int64() != 7 {
		t.Fatalf("protocol %q, serial %v", state.NegotiatedProtocol, state.PeerCertificates[0].SerialNumber)
	}
}

// Strangers who fail the handshake write a few lines, however many they are.
func TestFailedHandshakesAreCounted(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePair(t, certFile, keyFile, 1)
	c, err := LoadCertificate(certFile, keyFile, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	out := &journalLog{}
	addr := serve(t, Config{Certificate: c, Log: slog.New(slog.NewTextHandler(out, nil))}, http.NotFoundHandler())
	for range 50 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		_, _ = io.Copy(io.Discard, c) // until the server has given it up
		c.Close()
	}
	said := out.String()
	if n := strings.Count(said, "\n"); n != complaintsFirst || strings.Count(said, `level=WARN msg="TLS handshake failed" client=127.0.0.1 error=`) != n {
		t.Errorf("the log holds %d lines:\n%s", n, said)
	}
}

func leaf(t *testing.T, pair *tls.Certificate) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func touch(t *testing.T, at time.Time, files ...string) {
	t.Helper()
	for _, f := range files {
		if err := os.Chtimes(f, at, at); err != nil {
			t.Fatal(err)
		}
	}
}

func writePair(t *testing.T, certFile, keyFile string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: "localhost"},
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "EC PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
