package gateway

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
)

func TestMintedKeyReadsBack(t *testing.T) {
	key, keyID, hash, err := MintKey(rand.Reader, "")
	if err != nil {
		t.Fatal(err)
	}
	c := Credential(key)
	if c.KeyId != keyID || !bytes.Equal(c.SecretHash, hash) {
		t.Fatalf("Credential(%q) = %v, want %q", key, c, keyID)
	}
	if want := sha256.Sum256([]byte(key)); !bytes.Equal(hash, want[:]) {
		t.Fatal("hash is not the SHA-256 of the whole text")
	}
	rotated, sameID, other, err := MintKey(rand.Reader, keyID)
	if err != nil {
		t.Fatal(err)
	}
	if sameID != keyID || rotated == key || bytes.Equal(hash, other) {
		t.Fatalf("rotation of %q gave id %q and a secret that is new: %v", keyID, sameID, rotated != key)
	}
}

func TestMintKeyPadsSmallSecrets(t *testing.T) {
	key, keyID, _, err := MintKey(bytes.NewReader(make([]byte, 64)), "")
	if err != nil {
		t.Fatal(err)
	}
	if want := "bw_aaaaaaaaaa_" + strings.Repeat("0", 43); key != want || keyID != "key-aaaaaaaaaa" {
		t.Fatalf("key of zeros is %q, %q", key, keyID)
	}
	full, _, _, err := MintKey(bytes.NewReader(bytes.Repeat([]byte{255}, 64)), "")
	if err != nil || len(full) != len(key) {
		t.Fatalf("key of ones is %q, %v", full, err)
	}
}

func TestMintKeyErrors(t *testing.T) {
	broken := errors.New("no entropy")
	if _, _, _, err := MintKey(iotest.ErrReader(broken), ""); !errors.Is(err, broken) {
		t.Errorf("broken randomness: %v", err)
	}
	for _, id := range []string{"short", "UPPERCASE2", "key-", "aaaaaaaaa1"} {
		if _, _, _, err := MintKey(rand.Reader, id); err == nil {
			t.Errorf("id %q was taken", id)
		}
	}
}

func TestMalformedKeysHaveNoID(t *testing.T) {
	good := "bw_abcde23456_" + strings.Repeat("x", 43)
	if Credential(good).KeyId != "key-abcde23456" {
		t.Fatalf("%q was not read", good)
	}
	for name, key := range map[string]string{
		"empty":          "",
		"other prefix":   "xx" + good[2:],
		"short":          good[:len(good)-1],
		"long":           good + "x",
		"no separator":   strings.Replace(good, "6_", "6x", 1),
		"upper-case id":  strings.Replace(good, "abc", "ABC", 1),
		"dot in secret":  good[:len(good)-1] + ".",
		"dot in id":      strings.Replace(good, "abc", "a.c", 1),
		"NUL in secret":  good[:len(good)-1] + "\x00",
		"multi-byte end": good[:len(good)-2] + "é",
	} {
		if c := Credential(key); c.KeyId != "" || len(c.SecretHash) != sha256.Size {
			t.Errorf("%s: %v", name, c)
		}
	}
}

func FuzzCredential(f *testing.F) {
	f.Add("bw_abcde23456_" + strings.Repeat("x", 43))
	f.Add("bw_")
	f.Fuzz(func(t *testing.T, key string) {
		c := Credential(key)
		if c.KeyId != "" && key[:14] != "bw_"+strings.TrimPrefix(c.KeyId, "key-")+"_" {
			t.Fatalf("%q gave %q", key, c.KeyId)
		}
		if shown := redactKeys(key); c.KeyId != "" && strings.Contains(shown, key[14:]) {
			t.Fatalf("secret of %q is shown in %q", key, shown)
		}
	})
}
