package node

import (
	"context"
	"fmt"
	"net"
	"net/netip"
)

// This file finds out by which addresses the others reach this node.

// advertised is the host by which the others reach what listens on the address.
func advertised(ctx context.Context, c Cluster, address string) (string, error) {
	if c.Advertise != "" {
		return c.Advertise, nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("%q is no host:port", address)
	}
	if ip, err := netip.ParseAddr(host); host != "" && (err != nil || !ip.IsUnspecified()) {
		return host, nil
	}
	own, here := wayTo(ctx, c.Join)
	if own == "" && !here {
		own = anyAddress()
	}
	switch {
	case own != "":
		return own, nil
	case here:
		return "127.0.0.1", nil
	}
	return "", fmt.Errorf("advertise: %q is every address of this machine, which has none that others could reach: say by which address they do", address)
}

// wayTo is the address that the way to one of the seeds begins at; nothing is sent,
// the system only chooses a way. A machine's own name often leads to its loopback,
// so that says nothing, unless all seeds are here. A seed whose name is not known
// yet is no reason to end: it may be the name of a node that has not started.
func wayTo(ctx context.Context, seeds []string) (own string, here bool) {
	here = true
	var dialer net.Dialer
	for _, seed := range seeds {
		way, err := dialer.DialContext(ctx, "udp", seed)
		if err != nil {
			here = false
			continue
		}
		ip := way.LocalAddr().(*net.UDPAddr).IP
		way.Close() //nolint:errcheck // nothing was written
		if !ip.IsLoopback() {
			return ip.String(), false
		}
	}
	return "", here
}

// anyAddress is one of this machine's that others may reach; "": it has none.
func anyAddress() string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	return ""
}

// address is the host's IP.
func address(ctx context.Context, host string) (string, error) {
	if _, err := netip.ParseAddr(host); err == nil {
		return host, nil
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return "", fmt.Errorf("advertise: %w", err)
	}
	return ips[0].Unmap().String(), nil
}
