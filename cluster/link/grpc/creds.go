package grpc

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/birdwire/birdwire/messages"
)

func (l *Link) serverCredentials() credentials.TransportCredentials {
	if l.cfg.Certificates == nil {
		return insecure.NewCredentials()
	}
	c := &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		own := l.cfg.Certificates.Server()
		own.NextProtos, own.MinVersion = []string{"h2"}, tls.VersionTLS13
		return own, nil
	}, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS13}
	return spoken{credentials.NewTLS(c), l}
}

func (l *Link) clientCredentials(node string) credentials.TransportCredentials {
	if l.cfg.Certificates == nil {
		return insecure.NewCredentials()
	}
	return credentials.NewTLS(l.cfg.Certificates.Client(node))
}

// spoken says why TLS with one who has connected came to nothing, which gRPC keeps
// to itself.
type spoken struct {
	credentials.TransportCredentials
	l *Link
}

func (s spoken) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secured, info, err := s.TransportCredentials.ServerHandshake(c)
	if err != nil && s.l.ctx.Err() == nil {
		s.l.say("one who has connected is refused", c.RemoteAddr().String(), refuse("certificate", err.Error()))
	}
	return secured, info, err
}

func (s spoken) Clone() credentials.TransportCredentials {
	return spoken{s.TransportCredentials.Clone(), s.l}
}

func (s spoken) ClientHandshake(ctx context.Context, authority string, c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return s.TransportCredentials.ClientHandshake(ctx, authority, c)
}

// judgeCertificate: who has connected is the node that it says it is.
func judgeCertificate(node string, auth credentials.AuthInfo) *messages.LinkRefusal {
	secured, ok := auth.(credentials.TLSInfo)
	if !ok {
		return nil
	}
	chain := secured.State.PeerCertificates
	if len(chain) == 0 {
		return refuse("certificate", "node "+node+" has shown no certificate")
	}
	if !slices.Contains(chain[0].DNSNames, node) {
		return refuse("certificate", fmt.Sprintf("one that says it is node %s has the certificate of %q: make its own with 'birdwire cluster certs %s'", node, chain[0].DNSNames, node))
	}
	return nil
}
