package ws_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/birdwire/birdwire/messages"
)

// scrape returns what the server measures, as "name{labels} value" lines.
func scrape(t *testing.T, h *house) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(h.Server)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			name := strings.TrimPrefix(f.GetName(), "birdwire_ws_") + fmt.Sprint(labels)
			all[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return all
}

func TestMetrics(t *testing.T) {
	h := newHouse(t)
	a, sa := h.open(t, paths[tw])
	b, sb := h.open(t, paths[tw])
	ds := tweets(1, 3, 10)
	sa.Socket.Deliver(ds, false, false)
	sb.Socket.Deliver(ds, false, false)
	for _, c := range []*client{a, b} {
		for range ds {
			if _, _, err := c.read(); err != nil {
				t.Fatal(err)
			}
		}
	}
	refused(t, h.dial(t, "/ws?token=bad"), 401)
	sb.Socket.End(messages.EndReason_END_SLOW, "")
	b.expectClose(4008)
	_ = b.Close()
	sb.end(t)
	// What was read may be counted a moment later.
	got := scrape(t, h)
	for deadline := time.Now().Add(patience); (got["frames_total[twitter]"] < 10 || got["connections[twitter]"] > 1) && time.Now().Before(deadline); {
		runtime.Gosched()
		got = scrape(t, h)
	}
	for name, want := range map[string]float64{
		"connections[twitter]": 1, "connections[kite]": 0, "slow_closes_total[twitter]": 1,
		"refusals_total[newsrank key]": 1, "encode_cache_misses_total[]": 3, "encode_cache_hits_total[]": 3, "panics_total[twitter]": 0,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %v, want %v", name, v, want)
		}
	}
	// Two handshakes, six tweets, an error and a close.
	if got["frames_total[twitter]"] != 10 || got["bytes_total[twitter]"] < 6*200 {
		t.Errorf("frames %v, bytes %v", got["frames_total[twitter]"], got["bytes_total[twitter]"])
	}
}
