package memory_test

import (
	"testing"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/cluster/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, storetest.Subject{
		Open: func(*testing.T) store.Store { return memory.New(memory.Config{}) },
		Reopen: func(t *testing.T, s store.Store) store.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return s.(*memory.Store).Disk().Open(nil)
		},
		Trim: func(_ *testing.T, s store.Store, first uint64) { s.(*memory.Store).Disk().Trim(first) },
		Damage: func(_ *testing.T, s store.Store, key string) store.Store {
			s.(*memory.Store).Disk().DamageRecord(key)
			return s
		},
		Hole: func(_ *testing.T, s store.Store, from, to uint64, why store.SkipReason) {
			s.(*memory.Store).Disk().Skip(from, to, why)
		},
	})
}
