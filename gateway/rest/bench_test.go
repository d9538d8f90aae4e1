package rest

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
)

// sink reads a body as a port does that does nothing with it.
type sink struct{}

func (sink) Posts(_ context.Context, body io.Reader) (Result, error) {
	_, err := io.Copy(io.Discard, body)
	return Result{Accepted: 1000}, err
}

func (s sink) Articles(ctx context.Context, body io.Reader) (Result, error) {
	return s.Posts(ctx, body)
}
func (sink) DeleteArticle(context.Context, string, string) (bool, error) { return true, nil }

// BenchmarkPush is what HTTP, the credential and inflating cost a push of
// 1,000 events of 700 bytes.
func BenchmarkPush(b *testing.B) {
	text, id, hash, err := gateway.MintKey(rand.Reader, "")
	if err != nil {
		b.Fatal(err)
	}
	keys := &keyring{keys: map[string]*messages.Key{id: {Id: id, SecretHash: hash, Scopes: gateway.Scopes}}}
	s, err := New(Config{
		Keys: keys, Throttle: gateway.NewThrottle(gateway.ThrottleConfig{}), Queries: queries{}, Ingest: sink{}, News: newsroom{},
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	mux := http.NewServeMux()
	s.Register(mux)
	server := httptest.NewServer(mux)
	defer server.Close()
	line := `{"id":"1234567890123456789","text":"` + strings.Repeat("the future is electric ", 28) + `"}` + "\n"
	plain := []byte(strings.Repeat(line, 1000))
	for name, body := range map[string][]byte{"plain": plain, "gzip": pressed(b, plain)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(plain)))
			b.ReportAllocs()
			for b.Loop() {
				keys.asked = keys.asked[:0]
				req, err := http.NewRequest("POST", server.URL+"/v1/ingest/posts", bytes.NewReader(body))
				if err != nil {
					b.Fatal(err)
				}
				req.Header.Set("X-API-Key", text)
				if name == "gzip" {
					req.Header.Set("Content-Encoding", "gzip")
				}
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				if res.StatusCode != http.StatusAccepted {
					b.Fatalf("status %d", res.StatusCode)
				}
			}
		})
	}
}
