package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
)

// Server is for one who accepts connections of nodes: each must have a certificate
// of the CA. Which node it is the caller has to ask. Every connection is served by
// what the files say then.
func (s *Source) Server() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return s.accepting(), nil
		},
	}
}

// accepting verifies by itself, which ClientCAs would do in words that help nobody.
func (s *Source) accepting() *tls.Config {
	b := s.current()
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		NextProtos:   []string{"h2"},
		Certificates: []tls.Certificate{b.certificate},
		ClientAuth:   tls.RequireAnyClientCert,
		VerifyConnection: func(c tls.ConnectionState) error {
			return verify(b.roots, c.PeerCertificates[0], c.PeerCertificates[1:])
		},
		SessionTicketsDisabled: true, // each connection is verified anew
	}
}

// Client is for dialing a node: the certificate that it shows must be of the CA
// and have its name.
func (s *Source) Client(node string) *tls.Config {
	c := s.dialing(func() string { return node })
	c.ServerName = node
	return c
}

// Routes is for both sides of the store's routes, which are dialed by host: a name
// that is dialed must be in the certificate. An IP address need not: TLS does not
// tell it to what verifies, and whoever has a certificate of the CA is a node. It
// may be used for ever.
func (s *Source) Routes() *tls.Config {
	c := s.dialing(nil)
	c.GetConfigForClient = s.Server().GetConfigForClient
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &s.current().certificate, nil }
	c.ClientAuth = tls.RequireAnyClientCert
	return c
}

// dialing has InsecureSkipVerify because it verifies by itself: with the CA as it
// is then, and in words that help.
func (s *Source) dialing(name func() string) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &s.current().certificate, nil
		},
		VerifyConnection: func(c tls.ConnectionState) error {
			if len(c.PeerCertificates) == 0 {
				return errors.New("the node that was dialed has shown no certificate")
			}
			leaf := c.PeerCertificates[0]
			if err := verify(s.current().roots, leaf, c.PeerCertificates[1:]); err != nil {
				return err
			}
			dialed := c.ServerName
			if name != nil {
				dialed = name()
			}
			if dialed != "" && leaf.VerifyHostname(dialed) != nil {
				return fmt.Errorf("%s was dialed, and the certificate that was shown is of %s: either the address is another node's, or its certificate lacks the name ('birdwire cluster certs NODE --host %s')", dialed, whose(leaf), dialed)
			}
			return nil
		},
	}
}

// verify holds a node's certificate against the CA. It must be for both sides of a
// connection: nodes dial each other.
func verify(roots *x509.CertPool, leaf *x509.Certificate, others []*x509.Certificate) error {
	between := x509.NewCertPool()
	for _, c := range others {
		between.AddCert(c)
	}
	for _, use := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{use}})
		if err != nil {
			return explain(err, leaf)
		}
	}
	return nil
}

// explain says what is wrong with the certificate and what to do.
func explain(err error, leaf *x509.Certificate) error {
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &x509.UnknownAuthorityError{}):
		return fmt.Errorf("the certificate of %s is of another CA (%s) than this node's: all nodes need certificates of one 'birdwire cluster init'", whose(leaf), leaf.Issuer.CommonName)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return expired(invalid, leaf)
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return fmt.Errorf("the certificate of %s is not for both sides of a connection: it needs the extended key usages serverAuth and clientAuth", whose(leaf))
	}
	return fmt.Errorf("the certificate of %s: %w", whose(leaf), err)
}

func expired(invalid x509.CertificateInvalidError, leaf *x509.Certificate) error {
	c := invalid.Cert
	if c == nil {
		c = leaf
	}
	switch {
	case strings.Contains(invalid.Detail, "is before"):
		return fmt.Errorf("the certificate of %s is valid only from %s: one of the two clocks is wrong", whose(leaf), day(c.NotBefore))
	case c.IsCA:
		return fmt.Errorf("the CA of %s ended on %s: make a new one with 'birdwire cluster init', and all certificates", whose(leaf), day(c.NotAfter))
	}
	return fmt.Errorf("the certificate of %s ended on %s: 'birdwire cluster certs' makes a new one", whose(leaf), day(c.NotAfter))
}

func whose(c *x509.Certificate) string {
	names := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return fmt.Sprintf("%q", c.Subject.CommonName)
	}
	return strings.Join(names, ", ")
}
