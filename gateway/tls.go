package gateway

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certCheck is how often at most the files are looked at.
const certCheck = time.Second

// Certificate is the pair in two PEM files, read again when they change. They
// are looked at on handshakes, at most once a second: a watcher on the folder
// misses what certificate tools do with symlinks. A new pair that does not load
// (one file written, the other not yet) leaves the old one in service and is
// said in the log.
type Certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex // protects what follows
	pair    *tls.Certificate
	stamp   string // of the files that were last tried, loaded or not
	checked time.Time
}

// LoadCertificate reads the pair for the first time.
func LoadCertificate(certFile, keyFile string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile, log: log}
	if err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

// Reload reads the files now, changed or not. After an error the old pair is
// served on.
func (c *Certificate) Reload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checked = time.Now()
	return c.load()
}

func (c *Certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"}, // a WebSocket upgrade needs it
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.current(time.Now()), nil
		},
	}
}

func (c *Certificate) load() error {
	stamp, err := c.stat()
	if err != nil {
		return fmt.Errorf("load certificate: %w", err)
	}
	c.stamp = stamp
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("load certificate %s with key %s: %w", c.certFile, c.keyFile, err)
	}
	c.pair = &pair
	return nil
}

func (c *Certificate) current(now time.Time) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.checked) < certCheck {
		return c.pair
	}
	c.checked = now
	if stamp, err := c.stat(); err == nil && stamp == c.stamp {
		return c.pair
	}
	if err := c.load(); err != nil {
		c.log.Error("certificate not reloaded, the old one stays in service", "error", err)
	} else {
		c.log.Info("certificate reloaded", "file", c.certFile)
	}
	return c.pair
}

// stat follows symlinks: a swapped one is a change.
func (c *Certificate) stat() (string, error) {
	var stamp string
	for _, file := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(file)
		if err != nil {
			return "", err
		}
		stamp += fmt.Sprintf("%d/%d ", info.ModTime().UnixNano(), info.Size())
	}
	return stamp, nil
}
