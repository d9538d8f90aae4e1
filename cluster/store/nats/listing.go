package nats

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
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

func (l *listing) take(e entry) {
	switch e.kind {
	case 'A':
		clear(l.records)
		l.floor, l.age = e.sequence, e.second
	case 'G':
		if age := int64(e.sequence); l.age == 0 || age > 0 && age < l.age {
			l.age = age
		}
	case 'P', 'D':
		// Two writers may note one record in the other order.
		if have, ok := l.records[e.name]; !ok || have.sequence <= e.sequence {
			l.records[e.name] = listed{e.sequence, e.second, e.kind == 'D'}
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
		e, size := entryAt(b[at:])
		if size == 0 {
			next := at + 1
			for ; next < len(b); next++ {
				if _, size := entryAt(b[next:]); size > 0 {
					break
				}
			}
			if next < len(b) || !newest || base {
				l.damaged = fmt.Sprintf("%s, from byte %d on", name, at)
			}
			at = next
			continue
		}
		switch e.kind {
		case 'A':
			base, entries = true, 0
		case 'E':
			if base && e.sequence != entries {
				l.damaged = fmt.Sprintf("%s: it has %d of %d entries", name, entries, e.sequence)
			}
			base = false
		default:
			entries++
		}
		l.take(e)
		at += size
	}
	if base {
		l.damaged = fmt.Sprintf("%s: its end is missing", name)
	}
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

func listName(stream string, n int) string {
	return filepath.Join(listFolder, stream+"."+strconv.Itoa(n))
}
