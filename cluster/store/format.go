package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/birdwire/birdwire/messages"
)

// Format is a form in which records of one kind are kept, that programs before a
// version do not read: a new field that older programs may pass over needs none.
// The first form of a kind has number 1, and none of these.
type Format struct {
	Kind   string // where the names of its records begin, up to the first dot: "rules"
	Number int    // 2 and so on; the kind's formats are numbered without a gap
	Since  uint32 // the version (link.Version) whose programs know it
	// Up makes it of what the format before it holds, and Down takes it back. What the
	// older one has no place for, Down leaves out.
	Up, Down func(data []byte) ([]byte, error)
}

// Formats are all that a program knows. It works with the newest of each kind; what is
// kept is the newest that the lowest version in the cluster knows, so that a program of
// that version goes on with it.
type Formats []Format

// The mark of a record's format, before its number and the data. It is no first byte of
// a protobuf message, of JSON or of text, and not Seal's; a record of the first format
// has none.
const formatMark = 0xB7

// Known are the formats of this program: so far every kind of record has its first.
// Frames, ledgers and items are the store's own, and snapshots are made again where
// they cannot be read.
var Known Formats

// Gate reads and writes the records of c so. lowest is the lowest version that a node
// of the cluster runs; asked with every write, from any goroutine.
//
// A record of a format that this program does not know is neither damaged nor absent:
// it is answered as messages.ErrNewer, is in lists as Newer, and is not written over.
func (f Formats) Gate(c Control, lowest func() uint32) *Gated { return &Gated{c, f, lowest} }

// of are the formats of the record, in order.
func (f Formats) of(key string) (of []Format) {
	kind, _, _ := strings.Cut(key, ".")
	for i, one := range f {
		switch {
		case one.Kind != kind:
		case of == nil: // most kinds have one at most
			of = f[i : i+1 : i+1]
		default:
			of = append(of, one)
		}
	}
	slices.SortFunc(of, func(a, b Format) int { return a.Number - b.Number })
	return of
}

// encode has data, of the newest format, in the newest that the version knows.
func (f Formats) encode(key string, data []byte, lowest uint32) ([]byte, error) {
	of := f.of(key)
	number := len(of) + 1
	for ; number > 1 && of[number-2].Since > lowest; number-- {
		var err error
		if data, err = of[number-2].Down(data); err != nil {
			return nil, fmt.Errorf("record %s in format %d: %w", key, number-1, err)
		}
	}
	if number == 1 && (len(data) == 0 || data[0] != formatMark) {
		return data, nil
	}
	return append(binary.AppendUvarint([]byte{formatMark}, uint64(number)), data...), nil
}

// Read is what is kept under the key, in the newest format. ErrNewer, ErrDamaged.
func (f Formats) Read(key string, data []byte) ([]byte, error) {
	of, number := f.of(key), uint64(1)
	if len(data) > 0 && data[0] == formatMark {
		n := 0
		if number, n = binary.Uvarint(data[1:]); n <= 0 || number == 0 {
			return nil, fmt.Errorf("record %s: %w: it has no number of a format", key, messages.ErrDamaged)
		}
		data = data[1+n:]
	}
	if newest := uint64(len(of) + 1); number > newest {
		return nil, fmt.Errorf("record %s is of format %d: %w, which knows %d: go on with the newer program", key, number, messages.ErrNewer, newest)
	}
	for _, up := range of[number-1:] {
		var err error
		if data, err = up.Up(data); err != nil {
			return nil, fmt.Errorf("record %s in format %d: %w: %w", key, up.Number, messages.ErrDamaged, err)
		}
	}
	return data, nil
}

// Gated is a control store whose records are read and written so: what actors see
// of it (actors.Records).
type Gated struct {
	control Control
	formats Formats
	lowest  func() uint32
}

// Get is Control's, but for ErrNewer.
func (g *Gated) Get(ctx context.Context, key string) (messages.KeptRecord, error) {
	kept, err := g.control.Get(ctx, key)
	if err == nil {
		kept.Data, err = g.formats.Read(key, kept.Data)
	}
	if err != nil {
		return messages.KeptRecord{}, err
	}
	return kept, nil
}

// CAS is Control's.
func (g *Gated) CAS(ctx context.Context, key string, data []byte, revision uint64) (uint64, error) {
	data, err := g.formats.encode(key, data, g.lowest())
	if err != nil {
		return 0, err
	}
	return g.control.CAS(ctx, key, data, revision)
}

// Delete is Control's: whoever has not read a record has no revision to delete it with.
func (g *Gated) Delete(ctx context.Context, key string, revision uint64) error {
	return g.control.Delete(ctx, key, revision)
}

// Mend is Control's: it leaves a newer record alone, since the store can read that.
func (g *Gated) Mend(ctx context.Context, key string, data []byte) (uint64, error) {
	data, err := g.formats.encode(key, data, g.lowest())
	if err != nil {
		return 0, err
	}
	return g.control.Mend(ctx, key, data)
}

// List is Control's; a record that is newer has no data and no revision, so that
// nobody writes over what he has not read.
func (g *Gated) List(ctx context.Context, prefixes ...string) ([]messages.KeptRecord, error) {
	all, err := g.control.List(ctx, prefixes...)
	if err != nil {
		return nil, err
	}
	for i, kept := range all {
		if kept.Damaged {
			continue
		}
		data, err := g.formats.Read(kept.Key, kept.Data)
		switch all[i].Data = data; {
		case errors.Is(err, messages.ErrNewer):
			all[i] = messages.KeptRecord{Key: kept.Key, Newer: true}
		case err != nil:
			all[i] = messages.KeptRecord{Key: kept.Key, Damaged: true}
		}
	}
	return all, nil
}
