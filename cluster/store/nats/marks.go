package nats

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// marks remembers, outside the server's files, the last sequence of a stream
// that was acknowledged. The server mends a damaged tail by cutting it off and
// says nothing; a log that ends before its mark has lost what was promised.
//
// The journal's mark is written after every acknowledgement, and synced every two
// seconds; the others are written with that. So it survives the process, and
// after a power failure it is a lower bound, which only makes it notice less.
//
//	0           8        16       24
//	| BWMARKS2  | unused | mark 0 | sum | ... sixteen bytes a mark
type marks struct {
	absent  bool   // there was no file
	damaged string // which of it could not be read; ""

	mu        sync.Mutex // protects what follows
	file      *noteFile
	last      [markCount]uint64
	unwritten [markCount]bool // put with the next sync
	synced    bool
}

// What has a mark, as its place in the file: the last sequence of a stream, and
// the length of a file of ours that must not have become shorter.
const (
	markJournal = iota
	markControl
	markControlList
	markItemsList
	markSnapshotsList
	markPast
	markCount

	marksFile = "marks"
	marksHead = "BWMARKS2"
	markSize  = 16
)

func openMarks(dir string) (*marks, error) {
	b, err := os.ReadFile(filepath.Join(dir, marksFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	m := &marks{absent: err != nil, synced: true}
	if !m.absent {
		_, m.damaged = m.read(b)
	}
	if m.file, _, err = openNote(dir, marksFile); err != nil {
		return nil, err
	}
	_, _ = m.file.WriteAt([]byte(marksHead), 0) // as below
	for i, sequence := range m.last {
		m.put(i, sequence)
	}
	return m, nil
}

// read takes in the marks that are whole, and says which are not.
func (m *marks) read(b []byte) (whole int, damaged string) {
	if len(b) < markSize*(1+markCount) || string(b[:len(marksHead)]) != marksHead {
		return 0, "all of it"
	}
	for i := range m.last {
		at := b[markSize*(1+i):]
		sequence := binary.LittleEndian.Uint64(at)
		if markSum(i, sequence) != binary.LittleEndian.Uint32(at[8:]) {
			damaged += fmt.Sprintf("mark %d; ", i)
			continue
		}
		m.last[i] = sequence
		whole++
	}
	return whole, damaged
}

func marksExtent(b []byte) extent {
	whole, damaged := new(marks).read(b)
	return extent{entries: whole, end: len(b), broken: damaged != ""}
}

// markSum is over the mark's place too: one never passes for another.
func markSum(which int, sequence uint64) uint32 {
	return crc32.Checksum(binary.LittleEndian.AppendUint64([]byte{byte(which)}, sequence), castagnoli)
}

func (m *marks) get(which int) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last[which]
}

// advance moves the mark up to sequence. A mark that cannot be written is not
// an error: the sequence is durable where it counts.
func (m *marks) advance(which int, sequence uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if sequence > m.last[which] {
		m.put(which, sequence)
	}
}

// advanceLater is advance for a mark that is written with the next sync: one of
// a file's length, or one that only tells where a list does not. A process that
// is killed leaves a lower bound; that there was something is written at once.
func (m *marks) advanceLater(which int, sequence uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case sequence <= m.last[which]:
	case m.last[which] == 0:
		m.put(which, sequence)
	default:
		m.last[which], m.unwritten[which], m.synced = sequence, true, false
	}
}

// write puts what was left for later. Holding mu.
func (m *marks) write() {
	for which, is := range m.unwritten {
		if is {
			m.put(which, m.last[which])
		}
	}
}

// reset sets the mark, also down, where a stream was made again or its loss was
// accepted.
func (m *marks) reset(which int, sequence uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(which, sequence)
}

func (m *marks) put(which int, sequence uint64) {
	m.last[which], m.unwritten[which], m.synced = sequence, false, false
	// Sixteen aligned bytes in one write: never seen half.
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, markSize), sequence)
	b = binary.LittleEndian.AppendUint32(b, markSum(which, sequence))
	_, _ = m.file.WriteAt(append(b, 0, 0, 0, 0), int64(markSize*(1+which)))
}

// sync makes durable what was put.
func (m *marks) sync() error {
	m.mu.Lock()
	m.write()
	synced := m.synced
	m.synced = true
	m.mu.Unlock()
	if synced {
		return nil
	}
	return m.file.Sync()
}

func (m *marks) close() error {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	m.write()
	m.mu.Unlock()
	return m.file.Close()
}
