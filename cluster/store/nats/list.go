package nats

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// A list says, outside the server's files, which records a stream must hold:
// each write and each deletion that was acknowledged, with the sequence it got.
// The server cuts damaged blocks and says nothing of what was in them; a record
// that is in the list and not in the stream has been lost.
//
//	<dir>/lists/<stream>.<n>    in the order of n; a base begins with 'A'
//
//	A  all that came before means nothing; a base begins, complete up to the
//	   sequence; records are kept for so many seconds
//	P  the record is present, written at the sequence
//	D  the record was deleted by the sequence
//	E  the base ends; the sequence counts its entries
//	G  records are kept for so many seconds from now on; 0: for ever
//
// Entries are appended after the acknowledgement and synced now and then: they
// survive the process, and a machine that stops loses the last seconds of them.
// So a record may be newer in the stream than in the list, and never older.
const listFolder = "lists"

// list is a stream's list as it is written.
type list struct {
	dir, stream string
	marks       *marks // where its length is noted, at place
	place       int
	absent      bool   // there was no file when it was opened
	short       string // which of it was missing then; ""

	mu     sync.Mutex // protects what follows
	file   *noteFile  // the newest; nil once closed
	number int
	size   int64 // of it
	base   int64 // of the last base that was written; 0: not known
	synced bool
}

// appendedLeast is how much is appended, at least, before a list is written
// again without what is no longer true.
const appendedLeast = 16 << 20

// markNumber is where a list's mark is parted: its newest file's number, and
// below that the file's length.
const markNumber = 40

func listMark(mark uint64) (newest int, length int64) {
	return int(mark >> markNumber), int64(mark & (1<<markNumber - 1))
}

// openList goes on with the newest file.
func openList(dir, stream string, m *marks, place int) (*list, error) {
	numbers, err := listFiles(dir, stream)
	if err != nil {
		return nil, err
	}
	l := &list{dir: dir, stream: stream, marks: m, place: place, number: 1, synced: true}
	if l.absent = len(numbers) == 0; !l.absent {
		l.number = numbers[len(numbers)-1]
	}
	n, length := listMark(m.get(place)) // before it is opened
	if err := l.open(); err != nil {
		return nil, err
	}
	switch {
	case l.number < n:
		l.short = listName(stream, n) + " is missing"
	case l.number == n && l.size < length:
		l.short = listName(stream, n) + ": its end is missing"
	}
	return l, nil
}

// read is all of it up to file through.
func (l *list) read(through int) (*listing, error) {
	all, err := readList(l.dir, l.stream, through)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	all.absent = l.absent
	if l.short != "" {
		all.damaged, all.floor = l.short, 0
	}
	return all, nil
}

// open opens file number. Holding mu.
func (l *list) open() (err error) {
	if l.file, l.size, err = openNote(l.dir, listName(l.stream, l.number)); err != nil {
		return err
	}
	l.marks.advanceLater(l.place, l.extent())
	return nil
}

// extent is what is noted in the mark. Holding mu.
func (l *list) extent() uint64 { return uint64(l.number)<<markNumber | uint64(l.size) }

// rotate begins another file, so that those up to the one returned change no
// more.
func (l *list) rotate() (through int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return 0, os.ErrClosed
	}
	full := l.file
	through = l.number
	l.number++
	if err := l.open(); err != nil {
		l.file, l.number = full, through
		return 0, err
	}
	return through, errors.Join(full.Sync(), full.Close())
}

// replace writes the records, complete up to floor, in the place of all files
// up to through.
func (l *list) replace(through int, records map[string]listed, floor uint64, age int64) error {
	b := appendEntry(nil, 'A', floor, age, "")
	count := uint64(0)
	for name, r := range records {
		if !r.deleted {
			b = appendEntry(b, 'P', r.sequence, r.second, name)
			count++
		}
	}
	b = appendEntry(b, 'E', count, 0, "")
	if err := writeNote(l.dir, listName(l.stream, through), b, replaceFile); err != nil {
		return err
	}
	var err error
	for _, dir := range twice(l.dir, "") {
		numbers, listErr := listFiles(dir, l.stream)
		err = errors.Join(err, listErr)
		for _, older := range numbers {
			if older < through {
				err = errors.Join(err, os.Remove(filepath.Join(dir, listName(l.stream, older))))
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.base, l.short, l.absent = int64(len(b)), "", false // what was missing is accounted for
	return err
}

// noted is one entry to be appended.
type noted struct {
	name     string
	sequence uint64
	deleted  bool
}

// note appends what was acknowledged. An entry that cannot be written is not an
// error: the record is durable where it counts, and the list only notices less.
func (l *list) note(second int64, all ...noted) {
	b := make([]byte, 0, len(all)*(entryHead+48))
	for _, n := range all {
		kind := byte('P')
		if n.deleted {
			kind = 'D'
		}
		b = appendEntry(b, kind, n.sequence, second, n.name)
	}
	l.append(b)
}

// keeps notes how long records are kept from now on; 0: for ever.
func (l *list) keeps(age int64) { l.append(appendEntry(nil, 'G', uint64(age), 0, "")) }

func (l *list) append(b []byte) {
	if l == nil { // of streams that others write too there are none
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return
	}
	// At its place, so that one half written is written over.
	if n, err := l.file.WriteAt(b, l.size); err == nil {
		begins := l.size == 0
		l.size += int64(n)
		if begins { // that the file is not empty must outlive a kill
			l.marks.advance(l.place, l.extent())
		} else {
			l.marks.advanceLater(l.place, l.extent())
		}
	}
	l.synced = false
}

// sync makes durable what was noted.
func (l *list) sync() error {
	l.mu.Lock()
	f, synced := l.file, l.synced
	l.synced = true
	l.mu.Unlock()
	if synced || f == nil {
		return nil
	}
	// Appends go on and do not wait. A file that was closed in between was
	// synced for that.
	if err := f.Sync(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// grown says whether it is time to write the list again.
func (l *list) grown() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file != nil && l.size > 2*l.base+appendedLeast
}

// shrink writes the list again without what is no longer true. For one caller
// at a time.
func (l *list) shrink(now time.Time) error {
	through, err := l.rotate()
	if err != nil {
		return err
	}
	was, err := l.read(through)
	if err != nil {
		return err
	}
	if was.damaged != "" {
		return fmt.Errorf("list of %s: %s", l.stream, was.damaged)
	}
	for name, r := range was.records {
		if was.expired(r, now) {
			delete(was.records, name)
		}
	}
	return l.replace(through, was.records, was.floor, was.age)
}

func (l *list) close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := errors.Join(l.file.Sync(), l.file.Close())
	l.file = nil
	return err
}
