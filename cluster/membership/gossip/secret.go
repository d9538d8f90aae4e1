package gossip

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/memberlist"
)

// SecretBytes is how long a secret is.
const SecretBytes = 32

const maxSecrets = 8

// ReadSecrets are those of a secret file: one a line in base64, 32 bytes each. The
// first is used, and what comes under any of them is taken. Empty lines and lines
// that begin with # are passed over.
//
// A secret is changed without a restart: the new one becomes the second line of
// every node's file, then the first, and then the old one is deleted. Each step
// waits until every node has said that it has read the last one.
func ReadSecrets(path string) ([][]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the cluster's secret: %w; 'birdwire cluster init' makes one", err)
	}
	secrets, err := parseSecrets(data)
	if err != nil {
		return nil, fmt.Errorf("read the cluster's secret: %s: %w; 'birdwire cluster init' makes one", path, err)
	}
	return secrets, nil
}

func parseSecrets(data []byte) ([][]byte, error) {
	var secrets [][]byte
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		secret, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(secret) != SecretBytes {
			return nil, fmt.Errorf("line %d is not %d bytes in base64", n, SecretBytes) // the line itself is not for a log
		}
		if !slices.ContainsFunc(secrets, func(have []byte) bool { return bytes.Equal(have, secret) }) {
			secrets = append(secrets, secret)
		}
	}
	switch {
	case len(secrets) == 0:
		return nil, errors.New("it has no line with a secret")
	case len(secrets) > maxSecrets:
		return nil, fmt.Errorf("it has %d secrets, %d at most are taken", len(secrets), maxSecrets)
	}
	return secrets, nil
}

// keysOf are what gossip is encrypted with: made of the secrets, and not the
// secrets themselves, which serve for other things too.
func keysOf(secrets [][]byte) ([][]byte, error) {
	keys := make([][]byte, len(secrets))
	for i, s := range secrets {
		key, err := hkdf.Key(sha256.New, s, nil, "birdwire gossip", 32)
		if err != nil {
			return nil, fmt.Errorf("derive the key of gossip: %w", err)
		}
		keys[i] = key
	}
	return keys, nil
}

// rekey has the ring hold the keys and no other, the first in use. memberlist
// reads the ring meanwhile, and its RemoveKey changes in place what a reader may
// hold, unless the key is the last: so what is removed is moved there first.
func rekey(ring *memberlist.Keyring, keys [][]byte) error {
	for _, key := range keys {
		if err := ring.AddKey(key); err != nil {
			return fmt.Errorf("take a new secret: %w", err)
		}
	}
	have := ring.GetKeys()
	if !slices.EqualFunc(have[:min(len(have), len(keys))], keys, bytes.Equal) {
		for _, key := range slices.Backward(keys) {
			if err := ring.UseKey(key); err != nil {
				return fmt.Errorf("use a new secret: %w", err)
			}
		}
	}
	have = ring.GetKeys()
	for _, key := range slices.Backward(have[len(keys):]) {
		if err := ring.RemoveKey(key); err != nil {
			return fmt.Errorf("give up an old secret: %w", err)
		}
	}
	return nil
}

// secrets follows the file. It is for one goroutine.
type secrets struct {
	path   string
	last   []byte // the file as it was read last
	failed string // why it could not be taken over; "" where it was
	readAt time.Time
}

// rereadEvery is how often the file is read: no watch of the system's is needed
// for a file of some hundred bytes, and none works on every file system.
const rereadEvery = 2 * time.Second

// open makes the ring of the file's secrets.
func (s *secrets) open(path string) (*memberlist.Keyring, error) {
	all, err := ReadSecrets(path)
	if err != nil {
		return nil, err
	}
	s.path = path
	if s.last, err = os.ReadFile(path); err != nil {
		return nil, fmt.Errorf("read the cluster's secret: %w", err)
	}
	keys, err := keysOf(all)
	if err != nil {
		return nil, err
	}
	return memberlist.NewKeyring(keys, keys[0])
}

// reread takes over the file's secrets where it has changed. What is wrong with it
// is said once, and leaves those that are in use.
func (g *Gossip) reread() {
	s := &g.secrets
	if s.path == "" || time.Since(s.readAt) < rereadEvery {
		return
	}
	s.readAt = time.Now()
	data, err := os.ReadFile(s.path)
	if err == nil && bytes.Equal(data, s.last) {
		s.failed = ""
		return
	}
	n := 0
	if err == nil {
		n, err = g.rekey(data)
	}
	if err != nil {
		if s.failed != err.Error() {
			s.failed = err.Error()
			g.log.Error("the cluster's secrets are not taken over; those of before stay in use", "file", s.path, "error", err)
		}
		return
	}
	s.last, s.failed = data, ""
	g.cfg.Count("secrets")
	g.log.Info("the cluster's secrets were read again", "file", s.path, "secrets", n)
}

func (g *Gossip) rekey(data []byte) (int, error) {
	all, err := parseSecrets(data)
	if err != nil {
		return 0, err
	}
	keys, err := keysOf(all)
	if err != nil {
		return 0, err
	}
	return len(all), rekey(g.ring, keys)
}
