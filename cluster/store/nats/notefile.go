package nats

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/birdwire/birdwire/cluster/store"
)

// Our own notes are kept twice, as <dir>/<name> and as <dir>/copies/<name>: a
// note that is damaged together with what it tells of would else leave nobody
// to tell. Only the first is read while the store runs. At a start the two are
// held against each other, and the better one is written over the other.
//
// Asking the server's files instead was rejected: which records there were is
// in none of them, and its index, which says how far a stream went, is gone
// after a crash.
const copiesFolder = "copies"

// twice are the paths where a note is kept.
func twice(dir, name string) [2]string {
	return [2]string{filepath.Join(dir, name), filepath.Join(dir, copiesFolder, name)}
}

// noteFile is a note that is open. What is written goes to both places.
type noteFile [2]*os.File

// openNote opens a note, which is made where it is not there, and says how long
// it is.
func openNote(dir, name string) (f *noteFile, size int64, err error) {
	f = new(noteFile)
	for i, path := range twice(dir, name) {
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			f[i], err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		}
		if err != nil {
			return nil, 0, errors.Join(err, f.Close())
		}
	}
	size, err = f[0].Seek(0, io.SeekEnd)
	return f, size, err
}

// WriteAt is an error where not all was written to both.
func (f *noteFile) WriteAt(b []byte, at int64) (n int, err error) {
	for _, each := range f {
		if n, err = each.WriteAt(b, at); err != nil {
			return n, err
		}
	}
	return n, nil
}

func (f *noteFile) Sync() error { return errors.Join(f[0].Sync(), f[1].Sync()) }

// Close may be called again.
func (f *noteFile) Close() error {
	if f == nil {
		return nil
	}
	var errs []error
	for _, each := range f {
		if each != nil {
			errs = append(errs, closeFile(each))
		}
	}
	return errors.Join(errs...)
}

// writeNote replaces a note as a whole, first in the place that is read.
func writeNote(dir, name string, b []byte, write func(path string, b []byte) error) error {
	for _, path := range twice(dir, name) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := write(path, b); err != nil {
			return err
		}
	}
	return nil
}

func removeNote(dir, name string) error {
	for _, path := range twice(dir, name) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// extent is what of a note can be read.
type extent struct {
	entries int  // whole ones; -1: there is no file
	end     int  // where the last of them ends
	broken  bool // there is something else before that
}

// sealedExtent is of a note that is one sealed whole; from before it was sealed
// it may be JSON.
func sealedExtent(name string) func([]byte) extent {
	return func(b []byte) extent {
		if _, err := store.Unseal(name, b); err != nil && !json.Valid(b) {
			return extent{broken: true}
		}
		return extent{entries: 1, end: len(b)}
	}
}

// agree brings a note's two places to the better content of both. least is how
// long it must be, as far as that is known. What is good in one place is no
// loss, and is said as a warning.
func (s *Store) agree(name string, least int64, read func([]byte) extent) error {
	paths := twice(s.cfg.Dir, name)
	var content [2][]byte
	var there [2]bool
	for i, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		content[i], there[i] = b, err == nil
	}
	// As nearly always: what they hold need not be looked at, and lists are long.
	if there[0] == there[1] && bytes.Equal(content[0], content[1]) {
		return nil
	}
	var is [2]extent
	for i := range is {
		if is[i].entries = -1; there[i] {
			is[i] = read(content[i])
		}
	}
	best, other := 0, 1
	if is[1].entries > is[0].entries {
		best, other = 1, 0
	}
	if err := writeNote(s.cfg.Dir, name, content[best], replaceFile); err != nil {
		return err
	}
	// One that is older and whole is of a process that ended between its two writes.
	older := !is[other].broken && is[other].entries >= 0 && int64(is[other].end) >= least &&
		(is[other].entries == is[best].entries || bytes.HasPrefix(content[best], content[other][:is[other].end]))
	good := !is[best].broken && int64(is[best].end) >= least
	if older || !good || is[other].entries < 0 && !s.copied {
		return nil
	}
	s.report(store.Damage{
		Stream: "store", File: s.relative(paths[other]),
		Advice: fmt.Sprintf("it was damaged or missing and was written again from %s: nothing is lost with it. Check the disk", s.relative(paths[best])),
	})
	return nil
}

// replaceFile writes a file so that it is the old one or the new one, whole.
func replaceFile(path string, b []byte) error {
	if err := writeSynced(path+".new", b); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// replaceUnsynced is for what can be made again after a power failure, where a
// start is to be quick.
func replaceUnsynced(path string, b []byte) error {
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func writeSynced(path string, b []byte) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(b); err != nil {
		return err
	}
	return f.Sync()
}

// closeFile closes a file that may be closed already.
func closeFile(f *os.File) error {
	if err := f.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}
