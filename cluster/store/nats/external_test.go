package nats

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A NATS of others is used only where its writes are synced: by its own word, or by
// an operator's.
func TestExternalMustSync(t *testing.T) {
	t.Parallel()
	o := startOutside(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for what, c := range map[string]struct {
		reports string // of the monitoring; "": there is none
		attest  bool
		refused string
	}{
		"nobody says":       {refused: "attest it"},
		"attested":          {attest: true},
		"it reports so":     {reports: `{"config":{"sync_always":true}}`},
		"it reports it not": {reports: `{"config":{"sync_interval":120000000000}}`, attest: true, refused: "does not sync every write"},
		"no answer":         {reports: "nothing", refused: "whether it syncs every write"},
	} {
		cfg := quiet(t, o.config(0, 0))
		cfg.External.Synced = c.attest
		if c.reports != "" {
			monitor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/jsz" {
					_, _ = w.Write([]byte(c.reports)) // who asks finds out
				}
			}))
			defer monitor.Close()
			cfg.External.Monitors = []string{monitor.URL}
		}
		s, err := Open(ctx, cfg)
		if err == nil {
			closeStore(t, s)
		}
		if c.refused == "" && err != nil || c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)) {
			t.Errorf("%s: %v, want a refusal with %q", what, err, c.refused)
		}
	}
}
