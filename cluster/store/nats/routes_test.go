package nats

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/birdwire/birdwire/cluster/store/storetest"
)

// authority makes certificates of members.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.certificate, a.key = issue(t, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().Add(time.Hour),
	}, nil)
	return a
}

// issue makes a certificate, signed by itself where there is no authority.
func issue(t *testing.T, template *x509.Certificate, by *authority) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.certificate, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made, key
}

// member is the TLS of one, both ways.
func (a *authority) member(t *testing.T) *tls.Config {
	t.Helper()
	leaf, key := issue(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a)
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}},
		RootCAs:      pool, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13,
	}
}

// TestRoutesAreClosed: members with certificates of one authority and the same
// secret are one; who has another secret, another authority or no certificate
// gets no route.
func TestRoutesAreClosed(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	c := &trio{dir: memoryDir(t), seeds: freePorts(t, 3)}
	c.tls = func() *tls.Config { return ca.member(t) }
	c.open(t, 0, 1, 2)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := c.stores[0].Journal().Append(ctx, storetest.Frame("a", 1, 1, 1)); err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for what, stranger := range map[string]func(*Cluster){
		"another secret":    func(m *Cluster) { m.TLS, m.Secret = ca.member(t), []byte("a guess") },
		"another authority": func(m *Cluster) { m.TLS = newAuthority(t).member(t) },
		"no certificate":    func(m *Cluster) { m.TLS = nil },
	} {
		cfg := c.config(t, 0)
		cfg.Dir = filepath.Join(c.dir, what)
		cfg.Cluster.Node, cfg.Cluster.Listen = fmt.Sprintf("x%d", len(what)), freePorts(t, 1)[0]
		stranger(cfg.Cluster)
		wait.Go(func() {
			alone, end := context.WithTimeout(ctx, 4*time.Second)
			defer end()
			s, err := Open(alone, cfg)
			if err == nil {
				closeStore(t, s)
			}
			if err == nil || !strings.Contains(err.Error(), "One node alone does not serve") {
				t.Errorf("with %s: %v, want that it stays alone", what, err)
			}
		})
	}
	wait.Wait()
	for _, n := range c.stores[0].Status(ctx).Nodes {
		if strings.HasPrefix(n.Name, "x") {
			t.Errorf("the cluster knows %s, who is none of it", n.Name)
		}
	}
	if _, err := c.stores[1].Journal().Append(ctx, storetest.Frame("a", 1, 2, 1)); err != nil {
		t.Fatal(err)
	}
}
