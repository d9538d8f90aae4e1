package gateway

import (
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the networks whose X-Forwarded-For is believed. None by
// default: a header that anyone can send decides nothing.
type Proxies []netip.Prefix

// ClientAddr is who sent the request: the peer, or, where the peer is one of
// the proxies, the last address in X-Forwarded-For that is not. What is
// before that was written by the client and is not believed. The zero Addr
// comes back where the peer has none (a Unix socket).
func (p Proxies) ClientAddr(r *http.Request) netip.Addr {
	addr := parseAddr(r.RemoteAddr)
	if !p.trusts(addr) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop := parseAddr(strings.TrimSpace(hops[i]))
		if !hop.IsValid() {
			return addr // what a proxy cannot have written ends the chain
		}
		addr = hop
		if !p.trusts(addr) {
			return addr
		}
	}
	return addr
}

func (p Proxies) trusts(addr netip.Addr) bool {
	addr = addr.WithZone("")
	for _, prefix := range p {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// parseAddr reads an address with or without port; some proxies write ports.
func parseAddr(s string) netip.Addr {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap()
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap()
}
