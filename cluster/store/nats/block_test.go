package nats

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/birdwire/birdwire/messages"
)

// What we make of the server's block files is what it has stored: this test
// fails where a newer server writes them otherwise.
func TestBlocksAreReadAsWritten(t *testing.T) {
	s := open(t, Config{})
	ctx := context.Background()
	for i := range uint64(30) {
		appendTo(t, s, i+1)
		if _, err := s.Control().CAS(ctx, fmt.Sprintf("k.%d", i), bytes.Repeat([]byte("x"), int(i)), 0); err != nil {
			t.Fatal(err)
		}
	}
	v, err := s.Control().Get(ctx, "k.3")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Control().Delete(ctx, "k.3", v.Revision); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Items().CAS(ctx, []*messages.Item{{Identity: "a"}}, []uint64{0}); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	for stream, want := range map[string]int{journalStream: 30, controlStream: 31, itemsStream: 1} {
		files, err := blockFiles(streamDir(s.cfg.Dir, stream))
		if err != nil || len(files) != 1 {
			t.Fatalf("%s: files %v, %v; want one", stream, files, err)
		}
		file, err := os.ReadFile(files[0].path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := newBlock(stream, files[0].number)
		if err != nil {
			t.Fatal(err)
		}
		var sequences []uint64
		bad := b.scan(file, func(r record) bool {
			if !r.empty {
				sequences = append(sequences, r.sequence)
			}
			if r.time < 1e18 || !bytes.HasPrefix(r.subject, []byte(map[string]string{
				journalStream: "journal.a", controlStream: "$KV.control.k.", itemsStream: "items.",
			}[stream])) && !r.empty {
				t.Errorf("%s: record %d of %q at %d", stream, r.sequence, r.subject, r.time)
			}
			return true
		})
		if len(bad) > 0 || len(sequences) != want || sequences[len(sequences)-1] != uint64(want) {
			t.Errorf("%s: sequences %v, bad %v; want %d records and nothing bad", stream, sequences, bad, want)
		}
	}
}

// Wherever a block is damaged, every record that was not touched is found, and
// none that was is taken for whole.
func TestDamagedBlocksGiveTheRest(t *testing.T) {
	dir := written(t, 40)
	path := blockFile(t, dir)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := newBlock(journalStream, 1)
	if err != nil {
		t.Fatal(err)
	}
	type place struct{ from, to int }
	var places []place // by sequence
	at := 0
	if bad := b.scan(whole, func(r record) bool {
		_, size, _ := b.record(whole[at:])
		places = append(places, place{at, at + size})
		at += size
		return true
	}); len(bad) > 0 || at != len(whole) {
		t.Fatalf("whole: bad %v, read %d of %d", bad, at, len(whole))
	}
	r := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		file := slices.Clone(whole)
		cut := len(file)
		switch r.IntN(4) {
		case 0: // cut
			cut = r.IntN(len(file))
			file = file[:cut]
		case 1: // a stretch of zeros, as of a page that was never written
			from := r.IntN(len(file))
			to := min(len(file), from+1+r.IntN(8000))
			clear(file[from:to])
		default:
			for range 1 + r.IntN(3) {
				bit := r.IntN(8 * len(file))
				file[bit/8] ^= 1 << (bit % 8)
			}
		}
		found := map[uint64]bool{}
		b.scan(file, func(r record) bool {
			found[r.sequence] = true
			return true
		})
		for i, p := range places {
			got := found[uint64(i+1)]
			if p.to > cut {
				if got {
					t.Fatalf("record %d at %d to %d was found in a file cut at %d", i+1, p.from, p.to, cut)
				}
				continue
			}
			is, was := file[p.from:p.to], whole[p.from:p.to]
			if want := bytes.Equal(is, was); !got && want || got && !want && !headersLength(is, was) {
				t.Fatalf("record %d at %d to %d: found %v, want %v", i+1, p.from, p.to, got, want)
			}
		}
	}
}

// headersLength says whether the two differ only where the server's sum does
// not look; what is inside has a sum of its own.
func headersLength(a, b []byte) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	subject := int(b[20]) | int(b[21])<<8
	clear(a[recordHead+subject : recordHead+subject+4])
	clear(b[recordHead+subject : recordHead+subject+4])
	return bytes.Equal(a, b)
}

func FuzzBlock(f *testing.F) {
	b, err := newBlock(journalStream, 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("x"))
	f.Add(make([]byte, 100))
	f.Fuzz(func(t *testing.T, file []byte) {
		n := 0
		bad := b.scan(file, func(record) bool { n++; return n%2 == 0 })
		for i, s := range bad {
			if s.from >= s.to || s.to > len(file) || i > 0 && s.from <= bad[i-1].to {
				t.Fatalf("stretches %v of %d bytes", bad, len(file))
			}
		}
	})
}
