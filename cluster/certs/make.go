package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// SecretFile has the keys of the gossip: each line is 32 bytes in base64. The
	// first is used for sending, all for reading.
	SecretFile = "secret"
	secretSize = 32

	caFor = 10 * 365 * 24 * time.Hour
	// early is how long before it was made a certificate is valid: clocks differ.
	early = time.Hour
)

// Init makes a cluster's secret and CA in the folder, which it makes too. Nothing
// that is there is replaced.
func Init(dir, cluster string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, name := range []string{SecretFile, CAFile, CAKeyFile} {
		switch _, err := os.Lstat(filepath.Join(dir, name)); {
		case err == nil:
			return fmt.Errorf("%s is there already: a second secret or CA would cut off the nodes that have the first; name another folder, or take it away", filepath.Join(dir, name))
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	secret := make([]byte, secretSize)
	_, _ = rand.Read(secret) // it does not fail
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	c := certificate("birdwire cluster "+cluster, caFor)
	c.IsCA, c.BasicConstraintsValid, c.MaxPathLenZero = true, true, true
	c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	made, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		return err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return err
	}
	return writeAll(dir, []file{
		{SecretFile, []byte(base64.StdEncoding.EncodeToString(secret) + "\n"), 0o600},
		{CAKeyFile, keyPEM, 0o600},
		{CAFile, encode(made), 0o644},
	})
}

// Node makes a certificate for the node, with the CA in the folder from, and puts
// it and the CA's into the folder to. What is there is replaced: so it is renewed.
// hosts are names and IP addresses under which other nodes dial it.
func Node(from, to, node string, hosts []string, valid time.Duration) (time.Time, error) {
	if err := checkName(node); err != nil {
		return time.Time{}, err
	}
	ca, signer, err := readCA(from)
	if err != nil {
		return time.Time{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return time.Time{}, err
	}
	c := certificate(node, valid)
	c.NotAfter = earlier(c.NotAfter, ca.NotAfter)
	c.KeyUsage = x509.KeyUsageDigitalSignature
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	c.DNSNames = []string{node}
	for _, h := range hosts {
		switch ip := net.ParseIP(h); {
		case ip != nil:
			c.IPAddresses = append(c.IPAddresses, ip)
		case checkName(h) != nil:
			return time.Time{}, fmt.Errorf("%q is neither a host's name nor an IP address: it is without a port", h)
		case !slices.Contains(c.DNSNames, h):
			c.DNSNames = append(c.DNSNames, h)
		}
	}
	made, err := x509.CreateCertificate(rand.Reader, c, ca, key.Public(), signer)
	if err != nil {
		return time.Time{}, err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return time.Time{}, err
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return time.Time{}, err
	}
	return c.NotAfter, writeAll(to, []file{{CAFile, encode(ca.Raw), 0o644}, {NodeKeyFile, keyPEM, 0o600}, {NodeFile, encode(made), 0o644}})
}

// checkName: it is a label, or labels with dots between, as in DNS.
func checkName(name string) error {
	for label := range strings.SplitSeq(name, ".") {
		bad := label == "" || len(label) > 63 || label[0] == '-' || strings.Trim(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != ""
		if bad || len(name) > 253 {
			return fmt.Errorf("%q cannot be a name in a certificate: letters, digits, '-' and '_', with dots between", name)
		}
	}
	return nil
}

func certificate(name string, valid time.Duration) *x509.Certificate {
	serial := make([]byte, 16)
	_, _ = rand.Read(serial) // it does not fail
	serial[0] &= 0x7f
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-early), NotAfter: now.Add(valid),
	}
}

func readCA(dir string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	certPath, keyPath := filepath.Join(dir, CAFile), filepath.Join(dir, CAKeyFile)
	blocks := [2]*pem.Block{}
	for i, path := range []string{certPath, keyPath} {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: certificates are made where 'birdwire cluster init' was run", err)
		}
		if blocks[i], _ = pem.Decode(b); blocks[i] == nil {
			return nil, nil, fmt.Errorf("%s is not PEM", path)
		}
	}
	c, err := x509.ParseCertificate(blocks[0].Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", certPath, err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(blocks[1].Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", keyPath, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	switch {
	case !ok || !key.PublicKey.Equal(c.PublicKey):
		return nil, nil, fmt.Errorf("%s is not the key of the certificate in %s", keyPath, certPath)
	case time.Now().After(c.NotAfter):
		return nil, nil, fmt.Errorf("the CA in %s ended on %s: make a new one with 'birdwire cluster init' in another folder", certPath, day(c.NotAfter))
	}
	return c, key, nil
}

func encode(certificate []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	b, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b}), nil
}

type file struct {
	name  string
	bytes []byte
	mode  fs.FileMode
}

// writeAll replaces each file whole. Between two of them a reader finds files that
// do not go together, and reads again.
func writeAll(dir string, files []file) error {
	for _, f := range files {
		t, err := os.CreateTemp(dir, f.name+".*")
		if err != nil {
			return err
		}
		_, err = t.Write(f.bytes)
		err = errors.Join(err, t.Chmod(f.mode), t.Sync(), t.Close())
		if err == nil {
			err = os.Rename(t.Name(), filepath.Join(dir, f.name))
		}
		if err != nil {
			return errors.Join(err, os.Remove(t.Name()))
		}
	}
	return nil
}
