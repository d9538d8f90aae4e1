package nats

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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
//	0     4        6      7          15       19
//	| sum | length | kind | sequence | second | name ...
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
const (
	listFolder = "lists"
	entryHead  = 19
	nameMost   = 1 << 10
)

// listed is the last word on one record.
type listed struct {
	sequence uint64
	second   int64 // Unix seconds of the write
	deleted  bool
}

// listing is a list as it was read.
type listing struct {
	records map[string]listed
	floor   uint64 // complete up to this sequence; what was written before and is not in it was deleted
	age     int64  // seconds that records are kept, the least that was configured; 0: for ever
	absent  bool   // there was no list at all when it was opened
	damaged string // what of it cannot be read; ""
}

// expired says whether the stream may have let the record go because of its
// age; where that is close, it may.
func (l *listing) expired(r listed, now time.Time) bool {
	return l.age > 0 && now.Unix()-r.second > l.age-l.age/16-60
}

func (l *listing) take(kind byte, sequence uint64, second int64, name string) {
	switch kind {
	case 'A':
		clear(l.records)
		l.floor, l.age = sequence, second
	case 'G':
		if age := int64(sequence); l.age == 0 || age > 0 && age < l.age {
			l.age = age
		}
	case 'P', 'D':
		// Two writers may note one record in the other order.
		if have, ok := l.records[name]; !ok || have.sequence <= sequence {
			l.records[name] = listed{sequence, second, kind == 'D'}
		}
	}
}

// readList reads a stream's list up to file through. What cannot be read of it
// is said in damaged; the error is of the disk.
func readList(dir, stream string, through int) (*listing, error) {
	l := &listing{records: map[string]listed{}}
	numbers, err := listFiles(dir, stream)
	if err != nil {
		return nil, err
	}
	numbers = slices.DeleteFunc(numbers, func(n int) bool { return n > through })
	for _, n := range numbers {
		name := listName(stream, n)
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		l.read(b, name, n == numbers[len(numbers)-1])
	}
	if l.damaged != "" {
		l.floor = 0
	}
	return l, nil
}

// read takes one file's entries. A torn end is no damage in the newest file: the
// machine stopped while it was written.
func (l *listing) read(b []byte, name string, newest bool) {
	base, entries := false, uint64(0)
	for at := 0; at < len(b); {
		kind, sequence, second, record, size := entryAt(b[at:])
		if size == 0 {
			next := at + 1
			for ; next < len(b); next++ {
				if _, _, _, _, size := entryAt(b[next:]); size > 0 {
					break
				}
			}
			if next < len(b) || !newest || base {
				l.damaged = fmt.Sprintf("%s, from byte %d on", name, at)
			}
			at = next
			continue
		}
		switch kind {
		case 'A':
			base, entries = true, 0
		case 'E':
			if base && sequence != entries {
				l.damaged = fmt.Sprintf("%s: it has %d of %d entries", name, entries, sequence)
			}
			base = false
		default:
			entries++
		}
		l.take(kind, sequence, second, record)
		at += size
	}
	if base {
		l.damaged = fmt.Sprintf("%s: its end is missing", name)
	}
}

func entryAt(b []byte) (kind byte, sequence uint64, second int64, name string, size int) {
	if len(b) < entryHead {
		return 0, 0, 0, "", 0
	}
	length := int(binary.LittleEndian.Uint16(b[4:]))
	size = entryHead + length
	if length > nameMost || size > len(b) || crc32.Checksum(b[4:size], castagnoli) != binary.LittleEndian.Uint32(b) {
		return 0, 0, 0, "", 0
	}
	return b[6], binary.LittleEndian.Uint64(b[7:]), int64(binary.LittleEndian.Uint32(b[15:])), string(b[entryHead:size]), size
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendEntry(b []byte, kind byte, sequence uint64, second int64, name string) []byte {
	from := len(b)
	b = append(b, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(name)))
	b = append(b, kind)
	b = binary.LittleEndian.AppendUint64(b, sequence)
	b = binary.LittleEndian.AppendUint32(b, uint32(second))
	b = append(b, name...)
	binary.LittleEndian.PutUint32(b[from:], crc32.Checksum(b[from+4:], castagnoli))
	return b
}

func listName(stream string, n int) string {
	return filepath.Join(listFolder, stream+"."+strconv.Itoa(n))
}

// listFiles are the numbers of a stream's files, ascending.
func listFiles(dir, stream string) (numbers []int, err error) {
	entries, err := os.ReadDir(filepath.Join(dir, listFolder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if n, ok := strings.CutPrefix(e.Name(), stream+"."); ok {
			if n, err := strconv.Atoi(n); err == nil && n > 0 {
				numbers = append(numbers, n)
			}
		}
	}
	slices.Sort(numbers)
	return numbers, err
}

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
	l.mark()
	return nil
}

func (l *list) mark() { l.marks.advance(l.place, uint64(l.number)<<markNumber|uint64(l.size)) }

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
	for _, dir := range places(l.dir, "") {
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
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return
	}
	// At its place, so that one half written is written over.
	if n, err := l.file.WriteAt(b, l.size); err == nil {
		l.size += int64(n)
		l.mark()
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
