package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/gateway/client"
)

// certify writes a certificate for this machine, and its key, into dir.
func certify(t *testing.T, dir string, serial int64) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "birdwire"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key, pool = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(parsed)
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, pool
}

// TestTLS: the certificate in the files is served, also after they
// change; who is connected stays.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key, pool := certify(t, dir, 1)
	s := start(t, "", "--tls-cert", cert, "--tls-key", key)
	trusting := func(pool *x509.CertPool) *client.Client {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
		t.Cleanup(transport.CloseIdleConnections)
		k := s.key(t, "pro", "ws:connect", "ingest:write")
		c, err := client.New(client.Config{URL: "https://" + s.public, Key: k.Key, HTTP: &http.Client{Transport: transport}})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := trusting(pool)
	kite, err := first.Kite(within(t), client.Options{Once: true})
	if err != nil {
		t.Fatal(err)
	}
	defer kite.Close() //nolint:errcheck // it never fails
	if m, err := kite.Next(within(t)); err != nil || string(m.Raw) != kiteConnected {
		t.Fatalf("%s, %v", m.Raw, err)
	}
	if r := s.call(t, http.MethodGet, "/healthz", "", ""); r.status != http.StatusBadRequest {
		t.Fatalf("plain HTTP is answered %+v", r)
	}

	for address, want := range map[string]string{
		"http://" + s.public:  "it speaks TLS: write https:// instead of http://",
		"https://" + s.public: "its certificate is not trusted",
		"https://" + s.admin:  "it speaks plain HTTP: write http:// instead of https://",
	} {
		c, err := client.New(client.Config{URL: address, Key: "k"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.ListRules(within(t), client.Page{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("asked at %s: %v, want %q", address, err, want)
		}
	}

	_, _, renewed := certify(t, dir, 2)
	served := func() *big.Int {
		conn, err := tls.Dial("tcp", s.public, &tls.Config{InsecureSkipVerify: true}) // which one it is, is the question
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close() //nolint:errcheck // nothing is lost with it
		return conn.ConnectionState().PeerCertificates[0].SerialNumber
	}
	eventually(t, func() string {
		if n := served(); n.Int64() != 2 {
			return "the files have changed, and certificate 1 is served still"
		}
		return ""
	})
	second := trusting(renewed)
	if _, err := second.Newsrank(within(t), client.Options{Once: true}); err != nil {
		t.Fatal(err)
	}
	if done, err := second.Publish(within(t), client.Articles, articleReader("over TLS"), client.PublishOptions{}); err != nil || done.Accepted != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	m, err := kite.Next(within(t))
	if e, ok := m.Event.(*client.News); err != nil || !ok || e.Item.Title != "over TLS" {
		t.Fatalf("who was connected before got %s, %v", m.Raw, err)
	}

	// A pair that does not fit leaves the old one in service.
	s.faults = certificateKept
	if err := os.WriteFile(key, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		if n := served(); n.Int64() != 2 {
			t.Fatalf("certificate %v is served", n)
		}
		if !certificateKept.MatchString(s.notes.String()) {
			return "the log does not say that the certificate could not be loaded"
		}
		return ""
	})
}

var certificateKept = regexp.MustCompile(`certificate not reloaded, the old one stays in service`)

func articleReader(title string) io.Reader { return strings.NewReader(article(title, "a")) }
