package push

import (
	"bytes"
	"fmt"
	"io"
)

// splitter cuts a body into JSON values without parsing them: lines of NDJSON,
// elements of an array, or objects that span lines. What it returns is valid
// until the next call.
//
// Invariant: at most MaxValue bytes and one read are buffered; what is longer
// is skipped to its end and reported.
type splitter struct {
	r    io.Reader
	max  int64
	form form

	buf  []byte
	pos  int // buf[pos:] is not yet returned
	line int // of buf[pos], from 1
	item int // elements of the array so far
	read int64
	end  error // of the reader: nothing more comes
	done bool
}

type form uint8

const (
	unknown form = iota
	lines
	array
	objects
)

// badValue is a value that cannot be cut out, or is too long. The splitter
// goes on after it.
type badValue struct{ text string }

func (b *badValue) Error() string { return b.text }

func bad(format string, args ...any) error { return &badValue{text: fmt.Sprintf(format, args...)} }

// next returns the next value and its line. Errors: *badValue, after
// which it can be called again; io.EOF at the end; what reading failed with.
func (s *splitter) next() (value []byte, line int, err error) {
	if s.form == unknown {
		if err := s.detect(); err != nil {
			return nil, s.line, err
		}
	}
	switch {
	case s.done:
		return nil, s.line, io.EOF
	case s.form == lines:
		return s.nextLine()
	case s.form == array:
		return s.nextElement()
	default:
		return s.nextObject()
	}
}

// detect decides by the first bytes. An object whose first line does not close
// it is either pretty-printed or a broken first line of NDJSON: it is the
// latter when the next line begins an object of its own where there can be none.
func (s *splitter) detect() error {
	s.line = 1
	if err := s.skipSpace(); err != nil {
		return err
	}
	for s.buf[s.pos] == 0xef && len(s.buf)-s.pos < 3 && s.more() { // a byte order mark, in pieces
	}
	if bytes.HasPrefix(s.buf[s.pos:], []byte("\xef\xbb\xbf")) {
		s.pos += 3
		if err := s.skipSpace(); err != nil {
			return err
		}
	}
	for len(s.buf)-s.pos < 2 && s.more() {
	}
	if what := otherForm(s.buf[s.pos:]); what != "" {
		s.form, s.done = lines, true
		return bad("%s", what)
	}
	switch s.buf[s.pos] {
	case '[':
		s.form, s.pos = array, s.pos+1
		return nil
	case '{':
	default:
		s.form = lines
		return nil
	}
	s.buf, s.pos = s.buf[s.pos:], 0 // places stay what they are while more is read
	s.form = lines
	end := s.find(0, '\n')
	if end < 0 {
		return nil
	}
	var sc scanner
	if _, whole := sc.scan(s.buf[:end]); whole {
		return nil
	}
	next := end
	for next < len(s.buf) && isSpace(s.buf[next]) {
		next++
		if next == len(s.buf) && (next > MaxValue || !s.more()) {
			break
		}
	}
	first := bytes.TrimRight(s.buf[:end], " \t\r")
	opens := bytes.IndexByte([]byte(",:[{"), first[len(first)-1]) >= 0
	if next < len(s.buf) && s.buf[next] == '{' && !opens {
		return nil
	}
	s.form = objects
	return nil
}

// otherForm says of a body that is no text of ours what it is, and what to do.
func otherForm(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte{0x1f, 0x8b}):
		return "the body is gzip: send it with Content-Encoding: gzip"
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}), bytes.HasPrefix(b, []byte{0xfe, 0xff}),
		bytes.HasPrefix(b, []byte{'{', 0}), bytes.HasPrefix(b, []byte{0, '{'}), bytes.HasPrefix(b, []byte{'[', 0}), bytes.HasPrefix(b, []byte{0, '['}):
		return "the body is UTF-16: send UTF-8"
	}
	return ""
}

func (s *splitter) nextLine() ([]byte, int, error) {
	for {
		end := s.find(s.pos, '\n')
		line := s.line
		if end < 0 && len(s.buf)-s.pos > MaxValue {
			return nil, line, s.skipLine()
		}
		if end < 0 {
			value := bytes.TrimSpace(s.buf[s.pos:])
			s.pos = len(s.buf)
			if len(value) == 0 || !eof(s.end) {
				s.done = true
				return nil, line, s.end
			}
			return value, line, nil
		}
		value := bytes.TrimSpace(s.buf[s.pos:end])
		s.pos, s.line = end+1, line+1
		switch {
		case len(value) > MaxValue:
			return nil, line, tooLong()
		case len(value) > 0:
			return value, line, nil
		}
	}
}

func (s *splitter) skipLine() error {
	for {
		if i := bytes.IndexByte(s.buf[s.pos:], '\n'); i >= 0 {
			s.pos, s.line = s.pos+i+1, s.line+1
			break
		}
		s.pos = len(s.buf)
		if !s.more() {
			break
		}
	}
	return tooLong()
}

func tooLong() error { return bad("longer than %d bytes", MaxValue) }

func (s *splitter) nextElement() ([]byte, int, error) {
	if err := s.skipSpace(); err != nil {
		return s.broken(err, "the array does not end")
	}
	if s.buf[s.pos] == ']' {
		s.pos++
		s.done = true
		if err := s.skipSpace(); err == nil {
			return nil, s.item + 1, bad("text after the end of the array")
		} else if !eof(err) {
			return nil, s.item + 1, err
		}
		return nil, s.item, io.EOF
	}
	if s.item > 0 {
		if s.buf[s.pos] != ',' {
			s.done = true
			return nil, s.item + 1, bad("want ',' or ']' after element %d, got %q: the rest was not read", s.item, s.buf[s.pos])
		}
		s.pos++
		if err := s.skipSpace(); err != nil {
			return s.broken(err, "the array does not end")
		}
		if s.buf[s.pos] == ']' {
			return nil, s.item + 1, bad("an element is missing after the last ','")
		}
	}
	s.item++
	value, err := s.value()
	return value, s.item, err
}

func (s *splitter) nextObject() ([]byte, int, error) {
	if err := s.skipSpace(); err != nil {
		s.done = true
		return nil, s.line, err
	}
	line := s.line
	if c := s.buf[s.pos]; c != '{' {
		s.done = true
		return nil, line, bad("want an object, got %q: the rest was not read", c)
	}
	value, err := s.value()
	return value, line, err
}

// broken ends a body that stopped short.
func (s *splitter) broken(err error, text string) ([]byte, int, error) {
	s.done = true
	if eof(err) {
		err = bad("%s", text)
	}
	return nil, s.item + 1, err
}

// value cuts out the value at pos. Its end is found by brackets and quotes
// alone; the decoder judges what is in between.
func (s *splitter) value() ([]byte, error) {
	var sc scanner
	at, long := s.pos, false // buf[pos:at] is scanned
	for {
		n, whole := sc.scan(s.buf[at:])
		at += n
		if long = long || at-s.pos > MaxValue; long {
			s.line += bytes.Count(s.buf[s.pos:at], []byte("\n"))
			s.pos = at
		}
		if whole {
			break
		}
		before := s.pos
		more := s.more()
		at -= before - s.pos // reading on moves what waits to the front
		if !more {
			s.done = true
			if !eof(s.end) {
				return nil, s.end
			}
			if sc.scalar && !long {
				break
			}
			return nil, bad("the body ends inside a value")
		}
	}
	if long {
		return nil, tooLong()
	}
	value := s.buf[s.pos:at]
	s.line += bytes.Count(value, []byte("\n"))
	s.pos = at
	return bytes.TrimSpace(value), nil
}

// find returns the place of c at or after from, reading on until there is one,
// nothing more comes, or more than MaxValue bytes wait; -1 where there is none.
func (s *splitter) find(from int, c byte) int {
	for {
		if i := bytes.IndexByte(s.buf[from:], c); i >= 0 {
			return from + i
		}
		scanned := len(s.buf) - s.pos
		if scanned > MaxValue || !s.more() {
			return -1
		}
		from = s.pos + scanned
	}
}

// skipSpace moves pos to the next byte that is none. Its error is the
// reader's.
func (s *splitter) skipSpace() error {
	for {
		for s.pos < len(s.buf) && isSpace(s.buf[s.pos]) {
			if s.buf[s.pos] == '\n' {
				s.line++
			}
			s.pos++
		}
		if s.pos < len(s.buf) {
			return nil
		}
		if !s.more() {
			return s.end
		}
	}
}

const readSize = 64 << 10

// more reads on; false when nothing more comes. What was returned before is
// overwritten.
func (s *splitter) more() bool {
	if s.end != nil {
		return false
	}
	if s.pos > 0 {
		s.buf = s.buf[:copy(s.buf, s.buf[s.pos:])]
		s.pos = 0
	}
	if cap(s.buf)-len(s.buf) < readSize/2 {
		grown := make([]byte, len(s.buf), max(2*cap(s.buf), readSize))
		copy(grown, s.buf)
		s.buf = grown
	}
	for range 100 { // a reader that returns nothing, again and again, is broken
		n, err := s.r.Read(s.buf[len(s.buf):cap(s.buf)])
		s.buf = s.buf[:len(s.buf)+n]
		s.read += int64(n)
		switch {
		case s.read > s.max:
			s.end = fmt.Errorf("read body: %w: more than %d bytes", ErrTooLarge, s.max)
			n = max(0, n-int(s.read-s.max))
			s.buf = s.buf[:len(s.buf)-int(s.read-s.max)]
		case err == io.EOF:
			s.end = io.EOF
		case err != nil:
			s.end = fmt.Errorf("read body: %w", err)
		}
		if n > 0 || s.end != nil {
			return n > 0
		}
	}
	s.end = fmt.Errorf("read body: %w", io.ErrNoProgress)
	return false
}

func eof(err error) bool { return err == io.EOF }

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// scanner finds the end of a JSON value over several buffers.
type scanner struct {
	depth  int
	quoted bool
	escape bool
	begun  bool
	scalar bool // a number or a word: it ends at the next delimiter
}

// scan returns how many bytes of b belong to the value, and whether it ended.
func (sc *scanner) scan(b []byte) (n int, whole bool) {
	for i, c := range b {
		switch {
		case sc.escape:
			sc.escape = false
		case sc.quoted:
			switch c {
			case '\\':
				sc.escape = true
			case '"':
				sc.quoted = false
				if sc.depth == 0 {
					return i + 1, true
				}
			}
		case sc.scalar:
			if c == ',' || c == ']' || c == '}' || isSpace(c) {
				return i, true
			}
		case c == '"':
			sc.quoted, sc.begun = true, true
		case c == '{' || c == '[':
			sc.depth++
			sc.begun = true
		case c == '}' || c == ']':
			if sc.depth--; sc.depth <= 0 {
				return i + 1, true
			}
		case !sc.begun && !isSpace(c):
			sc.begun, sc.scalar = true, true
			if c == ',' {
				return i, true // an empty element
			}
		}
	}
	return len(b), false
}
