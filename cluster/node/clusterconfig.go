package node

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// Cluster is what a node is told that is one of several.
type Cluster struct {
	Name string // of the cluster, default "birdwire": nodes of another are refused

	// Where this node listens for the others, host:port: gossip by UDP and TCP,
	// the link and the store's routes by TCP. Defaults ":7946", ":7947", ":6222".
	Gossip, Link, Routes string
	// Advertise is the host or IP by which the others reach this node. Default: the
	// host of each address above, and where that is every address of the machine,
	// the one that the way to one of Join begins at.
	Advertise string
	// Join are gossip addresses, host:port, of some nodes, this one's among them
	// or not. They may be started in any order.
	Join []string

	SecretFile string // see gossip.ReadSecrets; "" only with Insecure
	CertDir    string // this node's certificate and the cluster's CA; "" only with Insecure
	Insecure   Insecure
}

// Insecure is whether nodes may talk without certificates.
type Insecure string

// What an operator may say.
const (
	InsecureNo       Insecure = ""
	InsecureLoopback Insecure = "loopback" // on this machine alone
	InsecureNetwork  Insecure = "network"  // on a network that nobody else is on
)

func (c Cluster) withDefaults() Cluster {
	for _, d := range []struct {
		to  *string
		def string
	}{{&c.Name, "birdwire"}, {&c.Gossip, ":7946"}, {&c.Link, ":7947"}, {&c.Routes, ":6222"}} {
		if *d.to == "" {
			*d.to = d.def
		}
	}
	return c
}

func (c Cluster) validate() error {
	if len(c.Join) == 0 {
		return errors.New("join: the gossip address of one node at least is needed, of this one where it is the first")
	}
	if c.Insecure == InsecureNo {
		if c.SecretFile == "" || c.CertDir == "" {
			return errors.New("secret_file, cert_dir: a cluster needs a secret and certificates, which 'birdwire cluster init' and 'birdwire cluster certs' make; " +
				"without, --insecure lets it start on this machine alone, and --insecure=network on a network that nobody else is on")
		}
		return nil
	}
	if c.CertDir != "" {
		return errors.New("insecure: it is set, and so is cert_dir: leave one of them out")
	}
	if c.Insecure == InsecureLoopback {
		for _, address := range []string{c.Gossip, c.Link, c.Routes} {
			if host, _, err := net.SplitHostPort(address); err != nil || !loopback(host) {
				return fmt.Errorf("insecure: %q is not on loopback, and whoever reaches it is one of the cluster's nodes: "+
					"give certificates, or say --insecure=network where nobody else is on that network", address)
			}
		}
	}
	return nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
