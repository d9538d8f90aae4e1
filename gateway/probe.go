package gateway

import (
	"context"
	"net/http"
	"time"
)

// Probe answers a health probe, which brings no key: 200, or 503 with what
// check found and short as the stable word for it.
func Probe(timeout time.Duration, short string, check func(context.Context) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		w.Header().Set("Cache-Control", "no-store")
		if err := check(ctx); err != nil {
			WriteRetry(w, http.StatusServiceUnavailable, time.Second, short, err.Error())
			return
		}
		WriteJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	}
}
