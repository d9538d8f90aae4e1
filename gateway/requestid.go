package gateway

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"strings"
)

// requestIDHeader carries a request's id, from a client that has one and to
// every client.
const requestIDHeader = "X-Request-Id"

type requestIDKey struct{}

// RequestID is the id of the request that ctx is of, as its answer and the log
// have it; "" outside of one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// RequestLog is log with the request's id on each line.
func RequestLog(r *http.Request, log *slog.Logger) *slog.Logger {
	if id := RequestID(r.Context()); id != "" {
		return log.With("request", id)
	}
	return log
}

// identified gives the request its id: the client's own where it can be written in a
// log, else a new one.
func identified(r *http.Request) *http.Request {
	id := r.Header.Get(requestIDHeader)
	if !saneID(id) {
		id = "req-" + strings.ToLower(rand.Text()[:16])
	}
	return r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id))
}

// saneID takes what others make of ids, and nothing that could forge a line of
// the log or hold a key.
func saneID(id string) bool {
	if id == "" || len(id) > 64 || strings.Contains(id, keyPrefix) {
		return false
	}
	for i := range len(id) {
		if !isBase62(id[i:i+1]) && strings.IndexByte("._-", id[i]) < 0 {
			return false
		}
	}
	return true
}
