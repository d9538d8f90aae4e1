package nats

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"sync"
	"time"

	"github.com/birdwire/birdwire/cluster/store"
)

// A log left clean is not read through before it is served: that would take as
// long as reading ten gigabytes does. But the server must not meet a block whose
// structure is damaged: where a length or a sequence is garbage it goes on
// filling its memory. So each block is vetted before anything is read from it,
// by whoever is first to want it, else by the audit, from the oldest on.
type vetting struct {
	store *Store

	// Since the store was opened the same: the blocks that were not read before
	// that, ascending, and the log's last sequence; what is newer was written by
	// this process.
	blocks  []*vetted
	through uint64

	mu     sync.Mutex // protects what follows
	frames *look      // what the vetted blocks hold
	left   int        // how many are not vetted yet
}

// vetted is one block.
type vetted struct {
	file
	first uint64 // the sequence of its first record
	done  bool   // protected by vetting.mu

	turn sync.Mutex // held by who reads it
}

// readHead is how much of a block is read to find its first record.
const readHead = 64 << 10

// planVetting says of a log left clean which blocks the server itself reads when it
// starts: those must be read before it. The others are vetted later.
func planVetting(cfg Config, now time.Time) (before map[int]bool, later []*vetted, err error) {
	files, err := blockFiles(streamDir(cfg.Dir, journalStream))
	if err != nil {
		return nil, nil, err
	}
	begins := make([]beginning, len(files))
	for i, f := range files {
		if begins[i], err = beginningOf(f); err != nil {
			return nil, nil, err
		}
	}
	before = map[int]bool{}
	expiring := cfg.RetentionAge > 0 // the next block with frames that are young enough has the oldest of them
	for i, f := range files {
		// It goes on in the last.
		if i == 0 || i >= len(files)-2 || !begins[i].known || !begins[i+1].known {
			before[f.number] = true
			continue
		}
		// It knows by name what is in the newest, and takes away what has become too
		// old. A block ends before the next begins.
		age := now.Sub(time.Unix(0, begins[i+1].time))
		oldest := expiring && age < cfg.RetentionAge+expirySlack
		expiring = expiring && age > cfg.RetentionAge-expirySlack
		if age < cfg.DuplicateWindow*3/2 || oldest {
			before[f.number] = true
			continue
		}
		later = append(later, &vetted{file: f, first: begins[i].sequence})
	}
	return before, later, nil
}

// expirySlack is how exactly it is known when a block becomes too old.
const expirySlack = time.Minute

// beginning is a block's first record that has a sequence, if it is whole.
type beginning struct {
	sequence uint64
	time     int64 // Unix nanoseconds
	known    bool
}

func beginningOf(f file) (begins beginning, err error) {
	block, err := newBlock(journalStream, f.number)
	if err != nil {
		return begins, err
	}
	opened, err := os.Open(f.path)
	if err != nil {
		return begins, err
	}
	defer opened.Close()
	head := make([]byte, recordHead)
	for at := int64(0); at < readHead; {
		if _, err := opened.ReadAt(head, at); err != nil {
			return begins, unlessEOF(err)
		}
		length := int64(binary.LittleEndian.Uint32(head) &^ headersBit)
		if length < recordHead+recordSum || length > min(recordMost, f.size) {
			return begins, nil
		}
		content := make([]byte, length)
		if _, err := opened.ReadAt(content, at); err != nil {
			return begins, unlessEOF(err)
		}
		r, _, whole := block.record(content)
		if !whole {
			return begins, nil
		}
		if !r.empty {
			return beginning{r.sequence, r.time, true}, nil
		}
		at += length
	}
	return begins, nil
}

func unlessEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// begin takes over the plan, and what was read before, once the server runs.
func (v *vetting) begin(later []*vetted, before *look, last uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.blocks, v.left, v.through, v.frames = later, len(later), last, before
}

// clear vets the blocks that hold any of so many sequences.
func (v *vetting) clear(ctx context.Context, from, most uint64) error {
	v.mu.Lock()
	if v.left == 0 {
		v.mu.Unlock()
		return nil
	}
	var wanted []*vetted
	for i, b := range v.blocks {
		// The next block's first sequence is where this one ends, at the latest.
		ends := uint64(math.MaxUint64)
		if i+1 < len(v.blocks) {
			ends = v.blocks[i+1].first
		}
		if !b.done && b.first-min(b.first, from) < most && from < ends {
			wanted = append(wanted, b)
		}
	}
	v.mu.Unlock()
	for _, b := range wanted {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := v.vet(b); err != nil {
			return fmt.Errorf("read %s: %w", b.path, err)
		}
	}
	return nil
}

// vet reads one block and cuts out what is damaged of it. What is lost with
// that is told by whoever reads over it.
func (v *vetting) vet(b *vetted) error {
	b.turn.Lock()
	defer b.turn.Unlock()
	if v.isDone(b) {
		return nil
	}
	k := newLook(v.store.cfg.Dir, journalStream)
	if err := k.read(b.file); err != nil {
		return err
	}
	if err := v.store.mendBeside(k); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	b.done = true
	v.left--
	v.frames.merge(k)
	return nil
}

func (v *vetting) isDone(b *vetted) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return b.done
}

// all is what the log's blocks held when the store was opened, once all are
// vetted.
func (v *vetting) all() (frames *look, through uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.frames, v.through
}

// oldest is the next block to vet; nil where there is none.
func (v *vetting) oldest() *vetted {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, b := range v.blocks {
		if !b.done {
			return b
		}
	}
	return nil
}

// mendBeside cuts damaged stretches out of blocks while the server runs. It
// opens a block by name whenever it loads it, so the next load finds the mended
// one; the last block is its own, and is left.
func (s *Store) mendBeside(k *look) error {
	files, err := blockFiles(k.dir)
	if err != nil || len(files) == 0 {
		return err
	}
	aside := s.aside(k.stream)
	for _, f := range k.bad {
		if f.number == files[len(files)-1].number {
			continue
		}
		content, err := os.ReadFile(f.path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if int64(len(content)) != f.size {
			continue // the server has written it again since it was read
		}
		if err := cutOut(f.file, content, f.bad, aside); err != nil {
			return fmt.Errorf("mend %s: %w", f.path, err)
		}
		s.report(s.wasCut(k.stream, f, aside))
	}
	return nil
}

func (s *Store) wasCut(stream string, f badFile, aside string) store.Damage {
	return store.Damage{
		Stream: shown(stream), File: f.describe(s.cfg.Dir),
		Advice: "the damaged part was cut out, and the file as it was is in " + s.relative(aside) + "; what is lost with it is named by itself. Check the disk",
	}
}
