package store_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/messages"
)

// upper is a made-up second format: what the first has in small letters it has in
// capitals.
var upper = store.Formats{{
	Kind: "rules", Number: 2, Since: 7,
	Up:   func(data []byte) ([]byte, error) { return bytes.ToUpper(data), nil },
	Down: func(data []byte) ([]byte, error) { return bytes.ToLower(data), nil },
}}

func TestAFormatIsUsedOnceTheLowestVersionKnowsIt(t *testing.T) {
	control := memory.NewDisk(memory.Config{}).Open(nil).Control()
	lowest := uint32(6)
	newer := upper.Gate(control, func() uint32 { return lowest })
	older := store.Formats{}.Gate(control, func() uint32 { return lowest })
	ctx := t.Context()

	// While a program of the older version is there, each reads what the other writes.
	revision, err := newer.CAS(ctx, "rules.a", []byte("MOON"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := older.Get(ctx, "rules.a"); err != nil || string(kept.Data) != "moon" {
		t.Errorf("the older one reads %q, %v", kept.Data, err)
	}
	if revision, err = older.CAS(ctx, "rules.a", []byte("sun"), revision); err != nil {
		t.Fatal(err)
	}
	if kept, err := newer.Get(ctx, "rules.a"); err != nil || string(kept.Data) != "SUN" {
		t.Errorf("the newer one reads %q, %v", kept.Data, err)
	}

	// After it the older one reads nothing of that, and leaves it alone.
	lowest = 7
	if revision, err = newer.CAS(ctx, "rules.a", []byte("STAR"), revision); err != nil {
		t.Fatal(err)
	}
	_, err = older.Get(ctx, "rules.a")
	if !errors.Is(err, messages.ErrNewer) || errors.Is(err, messages.ErrDamaged) || errors.Is(err, messages.ErrNotFound) || !strings.Contains(err.Error(), "record rules.a is of format 2") {
		t.Errorf("the older one reads: %v", err)
	}
	all, err := older.List(ctx, "rules.")
	if err != nil || len(all) != 1 || !all[0].Newer || all[0].Data != nil || !errors.Is(all[0].Unread(), messages.ErrNewer) {
		t.Errorf("the older one lists %+v, %v", all, err)
	}
	if _, err := older.Mend(ctx, "rules.a", []byte("lost")); !errors.Is(err, messages.ErrConflict) {
		t.Errorf("the older one mends what is not damaged: %v", err)
	}
	if _, err := older.CAS(ctx, "rules.a", []byte("lost"), all[0].Revision); !errors.Is(err, messages.ErrConflict) {
		t.Errorf("the older one writes over what it has not read: %v", err)
	}
	if err := older.Delete(ctx, "rules.a", all[0].Revision); !errors.Is(err, messages.ErrConflict) {
		t.Errorf("the older one deletes what it has not read: %v", err)
	}
	if kept, err := newer.Get(ctx, "rules.a"); err != nil || string(kept.Data) != "STAR" || kept.Revision != revision {
		t.Errorf("the newer one reads %q, %v", kept.Data, err)
	}

	// Other kinds are as they were, whatever they begin with.
	for _, data := range []string{"", "text", "\xb7 is the mark itself"} {
		if _, err := newer.CAS(ctx, "marks.a", []byte(data), 0); err != nil {
			t.Fatal(err)
		}
		kept, err := older.Get(ctx, "marks.a")
		if err != nil || string(kept.Data) != data {
			t.Errorf("%q is read as %q, %v", data, kept.Data, err)
		}
		if err := older.Delete(ctx, "marks.a", kept.Revision); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzFormat: whatever is stored is read, or refused, and never read as two things.
func FuzzFormat(f *testing.F) {
	f.Add([]byte("\xb7\x02STAR"))
	f.Add([]byte("\xb7"))
	f.Add([]byte("moon"))
	f.Fuzz(func(t *testing.T, stored []byte) {
		control := memory.NewDisk(memory.Config{}).Open(nil).Control()
		if _, err := control.CAS(t.Context(), "rules.a", stored, 0); err != nil {
			t.Fatal(err)
		}
		g := upper.Gate(control, func() uint32 { return 7 })
		kept, err := g.Get(t.Context(), "rules.a")
		if err != nil {
			if !errors.Is(err, messages.ErrNewer) && !errors.Is(err, messages.ErrDamaged) {
				t.Error(err)
			}
			return
		}
		if _, err := g.CAS(t.Context(), "rules.a", kept.Data, kept.Revision); err != nil {
			t.Fatal(err)
		}
		if again, err := g.Get(t.Context(), "rules.a"); err != nil || !bytes.Equal(again.Data, kept.Data) {
			t.Errorf("%q is read as %q, and after it was written as %q, %v", stored, kept.Data, again.Data, err)
		}
	})
}
