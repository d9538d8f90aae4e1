package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// Problem is the body of every HTTP error: Error short and stable, Detail the
// sentence a person needs.
type Problem struct {
	Error  string `json:"error"`
	Detail string `json:"detail"`
	Status int    `json:"status"`
}

// WriteError answers with a Problem.
func WriteError(w http.ResponseWriter, status int, short, detail string) {
	WriteJSON(w, status, Problem{Error: short, Detail: detail, Status: status})
}

// WriteRetry is WriteError with Retry-After, in whole seconds, at least one.
func WriteRetry(w http.ResponseWriter, status int, after time.Duration, short, detail string) {
	w.Header().Set("Retry-After", RetryAfter(after))
	WriteError(w, status, short, detail)
}

// RetryAfter is d as the header wants it: whole seconds, rounded up, at least
// one, so that a client never comes back too early.
func RetryAfter(d time.Duration) string {
	return strconv.FormatInt(max(1, int64(math.Ceil(d.Seconds()))), 10)
}

// WriteJSON answers with v as compact UTF-8 without HTML escaping. A v that
// cannot be encoded is an error of ours: 500.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		b.Reset()
		status = http.StatusInternalServerError
		fmt.Fprintf(&b, `{"error":"internal","detail":"the answer could not be encoded","status":%d}`, status)
	}
	body := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away is no error of ours
}
