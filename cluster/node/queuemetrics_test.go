package node

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/birdwire/birdwire/actors/engine/gauge"
)

// A queue that was nearly full is seen by whoever looks within a minute, however short
// that was, and not for ever.
func TestQueueFigures(t *testing.T) {
	now := time.Unix(6000, 0)
	q := newQueueFigures(func() time.Time { return now })
	registry := prometheus.NewRegistry()
	registry.MustRegister(q)
	look := func(fullness, full string) {
		t.Helper()
		for range 2 { // looking takes nothing away
			a := httptest.NewRecorder()
			promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(a, httptest.NewRequest("GET", "/metrics", nil))
			for _, want := range []string{`birdwire_queue_fullness_ratio{queue="a"} ` + fullness, `birdwire_queue_full_total{queue="a"} ` + full} {
				if !strings.Contains(a.Body.String(), want+"\n") {
					t.Errorf("want %s, got\n%s", want, a.Body)
				}
			}
		}
	}
	q.grown(gauge.Queue{Name: "a", Items: 3, MostItems: 4})
	q.grown(gauge.Queue{Name: "a", Items: 1, MostItems: 4, Bytes: 10, MostBytes: 100})
	look("0.75", "0")
	now = now.Add(30 * time.Second)
	q.grown(gauge.Queue{Name: "a", Bytes: 100, MostBytes: 100})
	look("1", "1")
	now = now.Add(time.Minute)
	q.grown(gauge.Queue{Name: "a", Items: 1, MostItems: 10})
	look("1", "1")
	now = now.Add(time.Minute)
	look("0.1", "1")
	now = now.Add(time.Hour)
	look("0", "1")
}
