package node

import (
	"net"
	"net/netip"
)

// listen binds addr as it reads: an IPv4 address is IPv4 alone, also 0.0.0.0,
// which package net would make every address of both families of; [::] and an
// empty host are both families.
func listen(addr string) (net.Listener, error) {
	network := "tcp"
	if host, _, err := net.SplitHostPort(addr); err == nil {
		if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() {
			network = "tcp4"
		}
	}
	return net.Listen(network, addr)
}
