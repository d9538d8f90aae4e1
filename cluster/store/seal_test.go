package store_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

func FuzzUnseal(f *testing.F) {
	f.Add("keys.0001.a", []byte("data"), uint(13))
	f.Add("", []byte{}, uint(0))
	f.Fuzz(func(t *testing.T, name string, data []byte, flip uint) {
		b := store.Seal(name, data)
		got, err := store.Unseal(name, b)
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("unseal: %q, %v; want %q", got, err, data)
		}
		if _, err := store.Unseal(name+"x", b); !errors.Is(err, messages.ErrDamaged) {
			t.Fatalf("under another name: %v, want corrupt", err)
		}
		bit := int(flip % uint(8*len(b)))
		b[bit/8] ^= 1 << (bit % 8)
		if _, err := store.Unseal(name, b); !errors.Is(err, messages.ErrDamaged) {
			t.Fatalf("bit %d flipped: %v, want corrupt", bit, err)
		}
		_, _ = store.Unseal(name, data) // whatever it is: no panic
	})
}
