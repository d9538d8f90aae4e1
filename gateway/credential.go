package gateway

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"io"
	"math/big"
	"strings"

	"github.com/birdwire/birdwire/messages"
)

// A key reads bw_<id>_<secret>: the id says which record to look at, so that
// one read and one comparison decide. The secret is in base 62 and not in
// base64url, because a double click should select all of it.
const (
	keyPrefix    = "bw_"
	keyIDPrefix  = "key-"
	idLength     = 10 // base 32: 50 bits
	secretLength = 43 // base 62: 62^43 > 2^256
	keyLength    = len(keyPrefix) + idLength + 1 + secretLength
)

var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Credential reads a key as a client sent it. KeyID is "key-" and the id in
// the text, SecretHash the SHA-256 of the whole text. A text that cannot be a
// key has no KeyID; it is refused without asking anyone.
func Credential(key string) *messages.Credential {
	hash := sha256.Sum256([]byte(key))
	c := &messages.Credential{SecretHash: hash[:]}
	if len(key) != keyLength || !strings.HasPrefix(key, keyPrefix) {
		return c
	}
	id, rest := key[len(keyPrefix):len(keyPrefix)+idLength], key[len(keyPrefix)+idLength:]
	if rest[0] != '_' || !isID(id) || !isBase62(rest[1:]) {
		return c
	}
	c.KeyId = keyIDPrefix + id
	return c
}

// MintKey makes a key of 256 bits from random, which must be cryptographic.
// id "" mints a new id; a rotation passes the old one, with or without
// "key-", and keeps it. key is the text to show once; only hash is stored.
func MintKey(random io.Reader, id string) (key, keyID string, hash []byte, err error) {
	if id == "" {
		var raw [7]byte // 56 bits, of which 50 are used
		if _, err := io.ReadFull(random, raw[:]); err != nil {
			return "", "", nil, fmt.Errorf("mint key: read randomness: %w", err)
		}
		id = idEncoding.EncodeToString(raw[:])[:idLength]
	}
	id = strings.TrimPrefix(id, keyIDPrefix)
	if len(id) != idLength || !isID(id) {
		return "", "", nil, fmt.Errorf("mint key: id %q is not %d characters of a-z and 2-7", id, idLength)
	}
	var raw [32]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return "", "", nil, fmt.Errorf("mint key: read randomness: %w", err)
	}
	secret := new(big.Int).SetBytes(raw[:]).Text(62)
	secret = strings.Repeat("0", secretLength-len(secret)) + secret
	key = keyPrefix + id + "_" + secret
	sum := sha256.Sum256([]byte(key))
	return key, keyIDPrefix + id, sum[:], nil
}

func isID(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

func isBase62(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// redactKeys hides the secret of anything in s that begins like a key. A
// person who pastes a key into a path must not find it in the log.
func redactKeys(s string) string {
	const shown = len(keyPrefix) + idLength + 1
	var b strings.Builder
	for {
		i := strings.Index(s, keyPrefix)
		if i < 0 || len(s)-i <= shown {
			b.WriteString(s)
			return b.String()
		}
		end := i + shown
		for end < len(s) && isBase62(s[end:end+1]) {
			end++
		}
		b.WriteString(s[:i+shown])
		b.WriteString("***")
		s = s[end:]
	}
}
