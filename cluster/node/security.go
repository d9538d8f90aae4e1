package node

import (
	"errors"

	"github.com/birdwire/birdwire/cluster/link/grpc"
	"github.com/birdwire/birdwire/cluster/membership/gossip"
	"github.com/birdwire/birdwire/cluster/store/nats"
)

// security is what nodes of a cluster know each other by.
type security struct {
	secret       []byte            // of the store's routes
	certificates grpc.Certificates // nil: none
}

func openSecurity(c Cluster) (*security, error) {
	s := &security{secret: []byte("insecure")} // which whoever said --insecure knows
	if c.SecretFile != "" {
		secrets, err := gossip.ReadSecrets(c.SecretFile)
		if err != nil {
			return nil, err
		}
		s.secret = secrets[0]
	}
	if c.CertDir != "" {
		return nil, errors.New("cert_dir: certificates are not served yet")
	}
	return s, nil
}

// store is how this node's store is a member.
func (c *clustered) store(node string, seeds []string) *nats.Cluster {
	return &nats.Cluster{
		Node: node, Name: c.cfg.Name, Listen: c.cfg.Routes, Advertise: c.advertise.routes, Seeds: seeds, Secret: c.security.secret,
	}
}
