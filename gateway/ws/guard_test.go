package ws

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
)

// plainGuard reads a client's frames from the whole of what it sends and
// returns how many bytes come before the first header byte that shows a breach;
// all of them where there is none.
func plainGuard(b []byte, deflate bool) int {
	open := false
	for at := 0; at < len(b); {
		code, fin, rsv := b[at]&0xf, b[at]&0x80 != 0, b[at]&0x70
		control := code >= 8
		switch {
		case code > 2 && code < 8, code > 10,
			control && (!fin || rsv != 0),
			!control && open != (code == 0),
			rsv != 0 && (rsv != 0x40 || !deflate || code == 0):
			return at
		}
		if at+1 == len(b) {
			break
		}
		short := b[at+1] & 0x7f
		if b[at+1]&0x80 == 0 || control && short > 125 {
			return at + 1
		}
		length, header := uint64(short), 2
		switch short {
		case 126:
			header = 4
		case 127:
			header = 10
		}
		if at+header > len(b) {
			break
		}
		switch short {
		case 126:
			if length = uint64(binary.BigEndian.Uint16(b[at+2:])); length < 126 {
				return at + 3
			}
		case 127:
			if length = binary.BigEndian.Uint64(b[at+2:]); length < 1<<16 || length > math.MaxInt64 {
				return at + 9
			}
		}
		if !control {
			open = !fin
		}
		if length > uint64(len(b)) { // the rest of it is not here
			break
		}
		at += header + 4 + int(length)
	}
	return len(b)
}

// passed gives b to a guard in pieces of so many bytes.
func passed(b []byte, deflate bool, size int) (n int) {
	g := guard{deflate: deflate}
	for len(b) > 0 {
		piece := b[:min(size, len(b))]
		some, _ := g.pass(piece)
		n += some
		if some < len(piece) {
			if again, _ := g.pass(b); again != 0 || !g.failed {
				panic("a guard that failed lets more pass")
			}
			return n
		}
		b = b[len(piece):]
	}
	return n
}

func frameOf(first, second byte, more ...byte) []byte { return append([]byte{first, second}, more...) }

func wide(first byte, length uint64) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{first, 0xff}, length), 1, 2, 3, 4)
}

func TestGuard(t *testing.T) {
	masked := func(first byte, payload string) []byte {
		return append([]byte{first, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
	}
	for name, c := range map[string]struct {
		send    []byte
		deflate bool
		passes  int // of send; -1: all
	}{
		"text":                              {masked(0x81, "hi"), false, -1},
		"binary":                            {masked(0x82, "hi"), false, -1},
		"fragments around a ping":           {bytes.Join([][]byte{masked(0x01, "a"), masked(0x00, "b"), masked(0x89, "p"), masked(0x80, "c"), masked(0x81, "d")}, nil), false, -1},
		"compressed":                        {masked(0xC1, "hi"), true, -1},
		"compressed fragments":              {append(masked(0x41, "a"), masked(0x80, "b")...), true, -1},
		"length of 126":                     {append([]byte{0x81, 0xfe, 0, 126, 1, 2, 3, 4}, make([]byte, 126)...), false, -1},
		"length of 65536":                   {wide(0x82, 1<<16), false, -1},
		"length of 2^63-1":                  {wide(0x82, math.MaxInt64), false, -1}, // the read limit ends it
		"length of 2^63":                    {wide(0x82, 1<<63), false, 9},
		"length of 2^64-1":                  {wide(0x82, math.MaxUint64), false, 9},
		"length of 2^63 in a fragment":      {append(masked(0x01, "a"), wide(0x00, 1<<63)...), false, 7 + 9},
		"length of 2^63, compressed":        {wide(0xC1, 1<<63|1), true, 9},
		"length of 125 in two bytes":        {[]byte{0x81, 0xfe, 0, 125}, false, 3},
		"length of 0 in two bytes":          {[]byte{0x81, 0xfe, 0, 0}, false, 3},
		"length of 65535 in eight":          {wide(0x81, 1<<16-1), false, 9},
		"compressed, nothing agreed":        {masked(0xC1, "hi"), false, 0},
		"RSV2":                              {masked(0xA1, "hi"), true, 0},
		"RSV3":                              {masked(0x91, "hi"), true, 0},
		"RSV1 and RSV2":                     {masked(0xE1, "hi"), true, 0},
		"RSV1 on a ping":                    {masked(0xC9, ""), true, 0},
		"RSV1 on a pong":                    {masked(0xCA, ""), true, 0},
		"RSV1 on a close":                   {masked(0xC8, ""), true, 0},
		"RSV1 on a continuation":            {append(masked(0x41, "a"), masked(0xC0, "b")...), true, 7},
		"RSV1 on a continuation before end": {append(masked(0x41, "a"), masked(0x40, "b")...), true, 7},
		"opcode 3":                          {masked(0x83, ""), false, 0},
		"opcode 7":                          {masked(0x87, ""), true, 0},
		"opcode 11":                         {masked(0x8B, ""), false, 0},
		"opcode 15":                         {masked(0x8F, ""), false, 0},
		"ping in fragments":                 {masked(0x09, ""), false, 0},
		"close in fragments":                {masked(0x08, ""), false, 0},
		"ping of 126":                       {frameOf(0x89, 0xfe, 0, 126), false, 1},
		"pong of 2^16":                      {frameOf(0x8A, 0xff), false, 1},
		"not masked":                        {frameOf(0x81, 0x02, 'h', 'i'), false, 1},
		"ping, not masked":                  {frameOf(0x89, 0x00), false, 1},
		"continuation of nothing":           {masked(0x80, "x"), false, 0},
		"continuation after the last":       {bytes.Join([][]byte{masked(0x01, "a"), masked(0x80, "b"), masked(0x80, "c")}, nil), false, 14},
		"a message in another's fragments":  {append(masked(0x01, "a"), masked(0x81, "b")...), false, 7},
		"fragments in another's fragments":  {append(masked(0x01, "a"), masked(0x02, "b")...), false, 7},
	} {
		want := c.passes
		if want < 0 {
			want = len(c.send)
		}
		for size := 1; size <= len(c.send); size++ {
			if got := passed(c.send, c.deflate, size); got != want {
				t.Errorf("%s, %d bytes at a time: %d of %d pass, want %d", name, size, got, len(c.send), want)
			}
		}
		if got := plainGuard(c.send, c.deflate); got != want {
			t.Errorf("%s: the oracle lets %d pass, want %d", name, got, want)
		}
	}
}

func TestGuardCountsFragments(t *testing.T) {
	var g guard
	n := 0
	for _, first := range []byte{0x01, 0x00, 0x89, 0x00, 0x80, 0x81, 0x82} {
		_, fragments := g.pass([]byte{first, 0x81, 0, 0, 0, 0, 'x'})
		n += fragments
	}
	if n != 4 {
		t.Errorf("%d fragments, want 4: what has no message of its own yet must not come faster than messages", n)
	}
}

func FuzzGuard(f *testing.F) {
	f.Add([]byte{0x81, 0x82, 0, 0, 0, 0, 'h', 'i', 0x89, 0x80, 0, 0, 0, 0}, false, 1)
	f.Add(append(wide(0x01, 1<<16), 0x80, 0x80), true, 3)
	f.Add(wide(0xC1, 1<<63), true, 100)
	f.Add([]byte{0x41, 0xfe, 0, 126}, true, 2)
	f.Fuzz(func(t *testing.T, b []byte, deflate bool, size int) {
		size = max(1, size)
		if got, want := passed(b, deflate, size), plainGuard(b, deflate); got != want {
			t.Fatalf("%x, %d at a time: %d pass, want %d", b, size, got, want)
		}
	})
}
