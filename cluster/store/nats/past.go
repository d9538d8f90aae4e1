package nats

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// past says which frames retention can have taken. A log whose first block is
// gone looks like one whose first frames grew too old; what tells them apart is
// when the frames were written and how much came after them, noted here at a
// few thousand places of what is kept.
//
// The file has the entries of a list, in kinds of its own:
//
//	C  a place: all up to the sequence was written by the second; the name is the bytes up to there
//	F  the log's first sequence was seen to be this
//	R  retention is so many seconds, and the name so many bytes; 0: for ever
type past struct {
	absent  bool
	damaged bool

	marks *marks // where the file's length is noted

	mu       sync.Mutex // protects what follows
	file     *noteFile
	size     int64
	places   []passed // ascending
	first    uint64   // the highest seen
	last     uint64   // the last frame that was acknowledged
	was, now retention
	bytes    uint64 // of all frames ever appended, about
	synced   bool
}

type passed struct {
	sequence uint64
	second   int64
	bytes    uint64
}

type retention struct {
	age   time.Duration // 0: for ever
	bytes uint64        // 0: no bound
}

const (
	pastFile = "past"
	// pastPlaces is how finely the past is noted: one place each so many parts
	// of what is kept.
	pastPlaces = 2048
)

func openPast(dir string, now retention, m *marks) (*past, error) {
	path := filepath.Join(dir, pastFile)
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	p := &past{absent: err != nil, marks: m, was: now, now: now, synced: true}
	p.damaged = uint64(len(b)) < m.get(markPast)
	for at := 0; at < len(b); {
		e, size := entryAt(b[at:])
		if size == 0 {
			p.damaged = true
			break
		}
		p.take(e)
		at += size
	}
	if p.damaged { // what is left of it could accuse retention
		p.places, p.first, p.was = nil, 0, now
	}
	b = nil
	for _, c := range p.places {
		b = appendEntry(b, 'C', c.sequence, c.second, number(c.bytes))
	}
	b = appendEntry(b, 'F', p.first, 0, "")
	b = appendEntry(b, 'R', uint64(now.age/time.Second), 0, number(now.bytes))
	// Synced later with the rest: what a power failure takes of it only makes it
	// notice less. A process that ends in between leaves it without a mark.
	m.reset(markPast, 0)
	if err := writeNote(dir, pastFile, b, replaceUnsynced); err != nil {
		return nil, err
	}
	m.reset(markPast, uint64(len(b)))
	p.file, p.size, err = openNote(dir, pastFile)
	p.synced = false
	return p, err
}

func number(n uint64) string { return string(binary.LittleEndian.AppendUint64(nil, n)) }

func (p *past) take(e entry) {
	n := uint64(0)
	if len(e.name) == 8 {
		n = binary.LittleEndian.Uint64([]byte(e.name))
	}
	switch e.kind {
	case 'C':
		p.shorten(e.sequence)
		p.places = append(p.places, passed{e.sequence, e.second, n})
		p.bytes = n
	case 'F':
		p.first = max(p.first, e.sequence)
		p.forget()
	case 'R':
		p.was = retention{time.Duration(e.sequence) * time.Second, n}
	}
}

// shorten drops the places past the sequence: the log was found to end before
// them, and that was accepted.
func (p *past) shorten(sequence uint64) {
	for k := len(p.places); k > 0 && p.places[k-1].sequence > sequence; k-- {
		p.places = p.places[:k-1]
	}
}

// forget drops the places before the first frame, except for the newest of them.
func (p *past) forget() {
	n := 0
	for n+1 < len(p.places) && p.places[n+1].sequence < p.first {
		n++
	}
	p.places = p.places[n:]
}

// begin notes where the log ends when it is opened, and where it ends now for
// one that was made now. What was appended since the last place is not known
// and taken as more than it can be.
func (p *past) begin(last uint64, now time.Time, made bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if made {
		p.places, p.first = nil, 0
	}
	p.shorten(last)
	p.last = last
	if len(p.places) > 0 {
		p.bytes += p.now.bytes / pastPlaces
	}
	p.place(last, now)
}

// grew is told of a frame that was acknowledged.
func (p *past) grew(sequence uint64, bytes int, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bytes += uint64(bytes)
	p.last = max(p.last, sequence)
	if len(p.places) > 0 {
		last := p.places[len(p.places)-1]
		if (p.now.age == 0 || now.Unix()-last.second < int64(p.now.age/time.Second)/pastPlaces+1) &&
			(p.now.bytes == 0 || p.bytes-last.bytes < p.now.bytes/pastPlaces) {
			return
		}
	}
	p.place(sequence, now)
}

func (p *past) place(sequence uint64, now time.Time) {
	if k := len(p.places); k > 0 && p.places[k-1].sequence > sequence {
		return // appended at the same time as one after it
	}
	p.places = append(p.places, passed{sequence, now.Unix(), p.bytes})
	p.append(appendEntry(nil, 'C', sequence, now.Unix(), number(p.bytes)))
}

// sawFirst is told where the log begins.
func (p *past) sawFirst(first uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if first <= p.first {
		return
	}
	p.first = first
	p.forget()
	p.append(appendEntry(nil, 'F', first, 0, ""))
}

// append adds to the file; as with a list, what cannot be written only makes it
// notice less.
func (p *past) append(b []byte) {
	if n, err := p.file.WriteAt(b, p.size); err == nil {
		p.size += int64(n)
		p.marks.advanceLater(markPast, uint64(p.size))
	}
	p.synced = false
}

// holds is the first sequence that retention, as it is or as it was in the last
// run, cannot have taken by now; the highest there is where it may have taken
// all, and 0 where nothing is known.
func (p *past) holds(now time.Time) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.places) == 0 {
		return 0
	}
	for _, c := range p.places {
		if !p.was.taken(c, p.bytes, now) && !p.now.taken(c, p.bytes, now) {
			return max(p.first, c.sequence+1)
		}
	}
	return math.MaxUint64
}

// taken says whether a frame right after the place may have been taken; where
// that is close, it may.
func (r retention) taken(c passed, bytes uint64, now time.Time) bool {
	if slack := r.age/16 + time.Minute; r.age > 0 && now.Unix()-c.second > int64((r.age-slack)/time.Second) {
		return true
	}
	return r.bytes > 0 && bytes-c.bytes > r.bytes/8*7
}

func (p *past) sync() error {
	p.mu.Lock()
	synced := p.synced
	p.synced = true
	p.mu.Unlock()
	if synced {
		return nil
	}
	return p.file.Sync()
}

// through is the last frame of which it is known that it was in the log. After
// a clean end that is the last there was.
func (p *past) through() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.places) == 0 {
		return 0
	}
	return p.places[len(p.places)-1].sequence
}

func (p *past) close(now time.Time) error {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	if k := len(p.places); k > 0 && p.places[k-1].sequence < p.last {
		p.place(p.last, now)
	}
	p.mu.Unlock()
	return p.file.Close()
}
