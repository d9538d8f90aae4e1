package nats

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// marks remembers, outside the server's files, the last sequence of a stream
// that was acknowledged. The server mends a damaged tail by cutting it off and
// says nothing; a log that ends before its mark has lost what was promised.
//
// A mark is written after every acknowledgement and never synced: it survives
// the process, not the machine. After a power failure it is a lower bound,
// which only makes it notice less.
type marks struct {
	mu   sync.Mutex // protects what follows
	file *os.File
	last [markCount]uint64
}

// The streams that have one, as their place in the file. Articles' states have
// none: a lost one is read again from its source.
const (
	markJournal = iota
	markControl
	markCount
)

func openMarks(dir string) (*marks, error) {
	f, err := os.OpenFile(filepath.Join(dir, "marks"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	m := &marks{file: f}
	var b [8 * markCount]byte
	if _, err := f.ReadAt(b[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(fmt.Errorf("read %s: %w", f.Name(), err), f.Close())
	}
	for i := range m.last {
		m.last[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return m, nil
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

// reset sets the mark, also down, where a stream was made anew or its loss was
// accepted.
func (m *marks) reset(which int, sequence uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(which, sequence)
}

func (m *marks) put(which int, sequence uint64) {
	m.last[which] = sequence
	// Eight aligned bytes in one write: never seen half.
	_, _ = m.file.WriteAt(binary.LittleEndian.AppendUint64(nil, sequence), int64(8*which))
}

func (m *marks) close() error {
	if m == nil {
		return nil
	}
	return closeFile(m.file)
}

// closeFile closes a file that may be closed already.
func closeFile(f *os.File) error {
	if err := f.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}
