package grpc

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/birdwire/birdwire/messages"
)

func (l *Link) serverCredentials() credentials.TransportCredentials {
	if l.cfg.Certificates == nil {
		return insecure.NewCredentials()
	}
	return spoken{credentials.NewTLS(l.cfg.Certificates.Server()), l}
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
		s.l.say("one who has connected is refused", c.RemoteAddr().String(), refuse("certificate", s.l.explainDialer(err)))
	}
	return secured, info, err
}

func (l *Link) explainDialer(err error) string {
	switch {
	case strings.Contains(err.Error(), "first record does not look like a TLS handshake"):
		return "it does not speak TLS: is it a node that was started with --insecure?"
	case hungUp(err, err.Error()):
		return hungUpEarly
	}
	return l.explain(err)
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
