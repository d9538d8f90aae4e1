package gateway

import (
	"net/http"
	"net/netip"
	"testing"
)

func TestClientAddr(t *testing.T) {
	proxies := Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		name, remote string
		forwarded    []string
		want         string
	}{
		{"no proxy", "203.0.113.5:99", nil, "203.0.113.5"},
		{"header of a stranger", "203.0.113.5:99", []string{"1.2.3.4"}, "203.0.113.5"},
		{"one proxy", "10.1.1.1:99", []string{"203.0.113.5"}, "203.0.113.5"},
		{"two proxies", "10.1.1.1:99", []string{"203.0.113.5, 192.0.2.7"}, "203.0.113.5"},
		{"two headers", "10.1.1.1:99", []string{"203.0.113.5", "192.0.2.7"}, "203.0.113.5"},
		{"the client lies", "10.1.1.1:99", []string{"1.1.1.1, 203.0.113.5"}, "203.0.113.5"},
		{"the client lies nonsense", "10.1.1.1:99", []string{"x y, 203.0.113.5"}, "203.0.113.5"},
		{"with ports", "[fd00::1]:99", []string{"203.0.113.5:4711"}, "203.0.113.5"},
		{"IPv6", "10.1.1.1:99", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"mapped peer", "[::ffff:10.1.1.1]:99", []string{"203.0.113.5"}, "203.0.113.5"},
		{"nothing forwarded", "10.1.1.1:99", nil, "10.1.1.1"},
		{"nonsense forwarded", "10.1.1.1:99", []string{"unknown"}, "10.1.1.1"},
		{"only proxies", "10.1.1.1:99", []string{"10.2.2.2"}, "10.2.2.2"},
		{"no peer address", "@", []string{"203.0.113.5"}, "invalid IP"},
	} {
		r := &http.Request{RemoteAddr: c.remote, Header: http.Header{"X-Forwarded-For": c.forwarded}}
		if got := proxies.ClientAddr(r).String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
