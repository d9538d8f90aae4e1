// Package certs is what nodes of one cluster prove to each other who they are
// with: a small CA and each node's certificate, made by the command line, and read
// from a folder by the link and by the store's routes.
//
//	ca.pem        whom to trust: one certificate or, while CAs change, several
//	node.pem      this node's certificate: names the node, and is for both sides
//	node-key.pem  its key
//
// What is read is looked at again while it is used, so a certificate is renewed by
// putting new files there. Whatever is wrong with the new ones, the old ones stay
// in service.
package certs

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Names of the files.
const (
	CAFile      = "ca.pem"
	CAKeyFile   = "ca-key.pem" // not for nodes: whoever has it can make certificates
	NodeFile    = "node.pem"
	NodeKeyFile = "node-key.pem"
)

const (
	lookEvery  = time.Second // at the files, at most
	checkEvery = time.Minute // for what expires, while nobody connects
	// warnBefore is how long before its end a certificate is warned of, once a day.
	warnBefore = 30 * 24 * time.Hour
	warnAgain  = 24 * time.Hour
)

// Config is what a Source takes from its node.
type Config struct {
	Dir    string
	Node   string // its name, which its certificate must have
	Logger *slog.Logger
}

// Source is a node's certificate and whom it trusts, as the files say now. It is
// safe for concurrent use.
type Source struct {
	cfg  Config
	stop chan struct{}
	done chan struct{}

	serves bool // a first certificate was taken; constant once Open is over

	mu      sync.Mutex // protects what follows
	now     *bundle
	looked  time.Time
	trouble string // why newer files are not in service
	warned  time.Time
}

// bundle is what one reading of the files brought.
type bundle struct {
	state       string // of the files, to see whether they have changed
	certificate tls.Certificate
	roots       *x509.CertPool
	rootsEnd    time.Time // the first of them to expire
}

// Open reads the folder; what is wrong with it is told with what to do. Close ends
// what watches it.
func Open(cfg Config) (*Source, error) {
	s := &Source{cfg: cfg, stop: make(chan struct{}), done: make(chan struct{})}
	b, err := s.read()
	if err != nil {
		return nil, err
	}
	s.serves = true
	s.now, s.looked = b, time.Now()
	s.mu.Lock()
	s.warn()
	s.mu.Unlock()
	go s.watch()
	return s, nil
}

// watch has what expires be told while nobody connects. It ends with Close.
func (s *Source) watch() {
	defer close(s.done)
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			s.current()
			s.mu.Lock()
			s.warn()
			s.mu.Unlock()
		}
	}
}

// Close is called once.
func (s *Source) Close() {
	close(s.stop)
	<-s.done
}

// Status is for an operator.
type Status struct {
	Names    []string  // that the certificate has
	Ends     time.Time // the certificate's
	RootEnds time.Time // the CA's; of several the first
	Trouble  string    // "" where all is well
}

// Status says what is in service.
func (s *Source) Status() Status {
	b := s.current()
	s.mu.Lock()
	defer s.mu.Unlock()
	leaf := b.certificate.Leaf
	st := Status{Names: slices.Clone(leaf.DNSNames), Ends: leaf.NotAfter, RootEnds: b.rootsEnd, Trouble: s.trouble}
	for _, ip := range leaf.IPAddresses {
		st.Names = append(st.Names, ip.String())
	}
	if end := earlier(leaf.NotAfter, b.rootsEnd); st.Trouble == "" && time.Until(end) < warnBefore {
		st.Trouble = s.expires(b)
	}
	return st
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func (s *Source) expires(b *bundle) string {
	if b.rootsEnd.Before(b.certificate.Leaf.NotAfter) {
		return fmt.Sprintf("a CA in %s ends on %s: make a new one with 'birdwire cluster init', add its %s to that of every node, and then make all certificates again",
			filepath.Join(s.cfg.Dir, CAFile), day(b.rootsEnd), CAFile)
	}
	return fmt.Sprintf("the certificate in %s ends on %s: %s", filepath.Join(s.cfg.Dir, NodeFile), day(b.certificate.Leaf.NotAfter), s.renew())
}

func (s *Source) renew() string {
	do := fmt.Sprintf("make a new one with 'birdwire cluster certs %s' and put its files into %s", s.cfg.Node, s.cfg.Dir)
	if s.serves {
		do += "; no restart is needed"
	}
	return do
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// warn tells the log of an end that is near; mu is held.
func (s *Source) warn() {
	end := earlier(s.now.certificate.Leaf.NotAfter, s.now.rootsEnd)
	left := time.Until(end)
	if left > warnBefore || time.Since(s.warned) < warnAgain {
		return
	}
	s.warned = time.Now()
	if left <= 0 {
		s.cfg.Logger.Error("this node's certificate has expired: other nodes refuse it", "what", s.expires(s.now))
		return
	}
	s.cfg.Logger.Warn("this node's certificate expires soon", "days", int(left/(24*time.Hour)), "what", s.expires(s.now))
}

// current is what the files say, or said when they were last in order.
func (s *Source) current() *bundle {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.looked) < lookEvery {
		return s.now
	}
	s.looked = time.Now()
	if state, err := s.state(); err == nil && state == s.now.state {
		s.trouble = ""
		return s.now
	}
	b, err := s.read()
	switch {
	case err == nil:
		s.now, s.trouble, s.warned = b, "", time.Time{}
		s.cfg.Logger.Info("this node's certificate was read again", "ends", day(b.certificate.Leaf.NotAfter))
	case err.Error() != s.trouble:
		s.trouble = err.Error()
		s.cfg.Logger.Error("the new certificate is not taken over, the old one stays in service", "error", err)
	}
	return s.now
}

// state changes when a file does.
func (s *Source) state() (string, error) {
	var all strings.Builder
	for _, name := range []string{CAFile, NodeFile, NodeKeyFile} {
		info, err := os.Stat(filepath.Join(s.cfg.Dir, name))
		if err != nil {
			return "", err
		}
		fmt.Fprintln(&all, info.Size(), info.ModTime().UnixNano())
	}
	return all.String(), nil
}

func (s *Source) read() (*bundle, error) {
	b := &bundle{}
	var err error
	if b.state, err = s.state(); err != nil {
		return nil, s.missing(err)
	}
	if b.roots, b.rootsEnd, err = readRoots(filepath.Join(s.cfg.Dir, CAFile)); err != nil {
		return nil, err
	}
	cert, key := filepath.Join(s.cfg.Dir, NodeFile), filepath.Join(s.cfg.Dir, NodeKeyFile)
	if b.certificate, err = tls.LoadX509KeyPair(cert, key); err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			return nil, s.missing(err)
		}
		return nil, fmt.Errorf("%s and %s do not go together: %w; %s", cert, key, err, s.renew())
	}
	if err := verify(b.roots, b.certificate.Leaf, nil); err != nil {
		return nil, fmt.Errorf("%s: %w; %s", cert, err, s.renew())
	}
	if !slices.Contains(b.certificate.Leaf.DNSNames, s.cfg.Node) {
		names := strings.Join(b.certificate.Leaf.DNSNames, ", ")
		if names == "" {
			names = "no node"
		}
		return nil, fmt.Errorf("%s names %s, and this node is %s; %s", cert, names, s.cfg.Node, s.renew())
	}
	return b, nil
}

func (s *Source) missing(err error) error {
	return fmt.Errorf("%w: a cluster's nodes need %s, %s and %s there; 'birdwire cluster init' and 'birdwire cluster certs %s' make them", err, CAFile, NodeFile, NodeKeyFile, s.cfg.Node)
}

func readRoots(path string) (*x509.CertPool, time.Time, error) {
	rest, err := os.ReadFile(path)
	if err != nil {
		return nil, time.Time{}, err
	}
	pool, end := x509.NewCertPool(), time.Time{}
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil || !c.IsCA {
			return nil, end, fmt.Errorf("%s: block %q is no CA's certificate (%v)", path, block.Type, err)
		}
		pool.AddCert(c)
		if end.IsZero() || c.NotAfter.Before(end) {
			end = c.NotAfter
		}
	}
	if end.IsZero() {
		return nil, end, fmt.Errorf("%s has no certificate: it is what 'birdwire cluster init' makes", path)
	}
	return pool, end, nil
}
