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

	mu      sync.Mutex // protects what follows
	blocks  []*vetted  // ascending; as they were when the store was opened
	through uint64     // the log's last sequence then: what is newer was written by this process
	frames  *look      // what the vetted blocks hold
	left    int
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

// plan says of a log left clean which blocks the server itself reads when it
// starts: those must be read before it. The others are vetted later.
func planVetting(cfg Config, now time.Time) (before map[int]bool, later []*vetted, err error) {
	files, err := blockFiles(streamDir(cfg.Dir, journalStream))
	if err != nil {
		return nil, nil, err
	}
	const slack = time.Minute
	before = map[int]bool{}
	expiring := cfg.RetentionAge > 0 // the next block with frames that are young enough has the oldest of them
	for i, f := range files {
		info, err := os.Stat(f.path)
		if err != nil {
			return nil, nil, err
		}
		first, known, err := firstSequence(f.path)
		if err != nil {
			return nil, nil, err
		}
		age := now.Sub(info.ModTime()) // of its last record
		oldest := expiring && age < cfg.RetentionAge+slack
		expiring = expiring && age > cfg.RetentionAge-slack
		// It goes on in the last, knows by name what is in the newest, and takes away
		// what has become too old.
		if i == 0 || i >= len(files)-2 || age < cfg.DuplicateWindow+slack || oldest || !known {
			before[f.number] = true
			continue
		}
		later = append(later, &vetted{file: f, first: first})
	}
	return before, later, nil
}

// firstSequence is the sequence of the block's first record that has one.
func firstSequence(path string) (first uint64, known bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	head := make([]byte, recordHead)
	for at := int64(0); at < readHead; {
		if _, err := f.ReadAt(head, at); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return 0, false, err
		}
		length := int64(binary.LittleEndian.Uint32(head) &^ headersBit)
		sequence := binary.LittleEndian.Uint64(head[4:])
		if length < recordHead+recordSum || length > recordMost {
			return 0, false, nil
		}
		if sequence&(erasedBit|deletedBit) == 0 && sequence > 0 && sequence < math.MaxUint32<<16 {
			return sequence, true, nil
		}
		at += length
	}
	return 0, false, nil
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
