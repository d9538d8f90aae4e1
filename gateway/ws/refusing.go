package ws

import (
	"net/netip"

	"github.com/birdwire/birdwire/gateway"
)

// refusing bounds the sockets that are open only to be told why they are
// refused (one API upgrades first, so that a browser can read the code). They
// need no key, so they take no place of the connections that were let in: past
// the bound, of all or of one address, the refusal is an answer over HTTP.
type refusing struct {
	most, each int
	n          int // Server.mu protects it, and of
	of         map[netip.Addr]int
}

func newRefusing(most int) *refusing {
	return &refusing{most: most, each: max(1, most/refusingShare), of: map[netip.Addr]int{}}
}

// refusingShare is what part of them one address may take.
const refusingShare = 8

func (r *refusing) begin(addr netip.Addr) bool {
	addr = gateway.Network(addr)
	if r.n >= r.most || r.of[addr] >= r.each {
		return false
	}
	r.n++
	r.of[addr]++
	return true
}

func (r *refusing) end(addr netip.Addr) {
	addr = gateway.Network(addr)
	r.n--
	if r.of[addr]--; r.of[addr] == 0 {
		delete(r.of, addr)
	}
}
