package node

import (
	"crypto/tls"
	"errors"
	"log/slog"

	"github.com/birdwire/birdwire/cluster/certs"
	"github.com/birdwire/birdwire/cluster/link/grpc"
	"github.com/birdwire/birdwire/cluster/membership/gossip"
	"github.com/birdwire/birdwire/cluster/store/nats"
)

// security is what nodes of a cluster know each other by.
type security struct {
	secret       []byte        // of the store's routes
	certificates *certs.Source // of the link and the routes; nil: none
}

func openSecurity(node string, c Cluster, log *slog.Logger) (*security, error) {
	s := &security{secret: []byte("insecure")} // which whoever said --insecure knows
	if c.SecretFile != "" {
		secrets, err := gossip.ReadSecrets(c.SecretFile)
		if err != nil {
			return nil, err
		}
		s.secret = secrets[0]
	}
	if c.CertDir == "" {
		return s, nil
	}
	var err error
	s.certificates, err = certs.Open(certs.Config{Dir: c.CertDir, Node: node, Logger: log.With("part", "certificates")})
	return s, err
}

// link is what the link shows; nil: nothing.
func (s *security) link() grpc.Certificates {
	if s.certificates == nil {
		return nil // not a nil pointer in an interface
	}
	return s.certificates
}

func (s *security) routes() *tls.Config {
	if s.certificates == nil {
		return nil
	}
	return s.certificates.Routes()
}

// trouble is what is wrong with the certificate, or soon will be.
func (s *security) trouble() string {
	if s.certificates == nil {
		return ""
	}
	return s.certificates.Status().Trouble
}

// sound is trouble as an error.
func (s *security) sound() error {
	if text := s.trouble(); text != "" {
		return errors.New(text)
	}
	return nil
}

// capability says how the node shows who it is, so that two that cannot connect for
// that say so, and not that nobody answers.
func (s *security) capability() string {
	if s.certificates == nil {
		return gossip.Insecure
	}
	return gossip.Certificates
}

func (s *security) close() {
	if s.certificates != nil {
		s.certificates.Close()
	}
}

// secrets are what the secret file has now: gossip says what is wrong with it, where
// it cannot be read.
func (c *clustered) secrets() [][]byte {
	if c.cfg.SecretFile == "" {
		return nil
	}
	all, err := gossip.ReadSecrets(c.cfg.SecretFile)
	if err != nil {
		return nil
	}
	return all
}

// store is how this node's store is a member.
func (c *clustered) store(node string, seeds []string) *nats.Cluster {
	return &nats.Cluster{
		Node: node, Name: c.cfg.Name, Listen: c.cfg.Routes, Advertise: c.advertise.routes, Seeds: seeds, Secret: c.security.secret,
		Secrets: c.secrets, TLS: c.security.routes(),
	}
}
