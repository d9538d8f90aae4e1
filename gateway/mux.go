package gateway

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Where the paths of the two listeners begin.
var (
	PublicPaths   = []string{"/v1/", "/sdk/", "/ws", "/api/"}
	OperatorPaths = []string{"/admin/", "/metrics", "/debug/"}
)

// Routes takes the paths that a gateway serves: a http.ServeMux, or a list of
// them.
type Routes interface {
	Handle(pattern string, handler http.Handler)
	HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request))
}

// JSONErrors serves mux, with its own plain-text answers (unknown path 404,
// wrong method 405) as Problems. A path under one of elsewhere is told to be on
// the other listener: a port mixed up is the likeliest reason why it is asked for.
func JSONErrors(mux *http.ServeMux, elsewhere ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		var said discarder
		h.ServeHTTP(&said, r)
		if allow := said.Header().Get("Allow"); said.status == http.StatusMethodNotAllowed && allow != "" {
			w.Header().Set("Allow", allow)
			WriteError(w, http.StatusMethodNotAllowed, "method_not_allowed", fmt.Sprintf("%s is not served here; allowed: %s", r.Method, allow))
			return
		}
		detail := "nothing is served under this path"
		if slices.ContainsFunc(elsewhere, func(prefix string) bool { return strings.HasPrefix(r.URL.Path, prefix) }) {
			detail += " here; it is served by the server's other listener: check the port"
		}
		WriteError(w, http.StatusNotFound, "not_found", detail)
	})
}

// discarder takes the status of an answer that is not sent.
type discarder struct {
	header http.Header
	status int
}

func (d *discarder) Header() http.Header {
	if d.header == nil {
		d.header = make(http.Header)
	}
	return d.header
}

func (d *discarder) WriteHeader(status int) { d.status = status }

func (d *discarder) Write(b []byte) (int, error) { return len(b), nil }
