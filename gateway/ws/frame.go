package ws

import (
	"bytes"
	"encoding/binary"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/klauspost/compress/flate"
)

// Opcodes and bits of RFC 6455, section 5.2.
const (
	opText  = 0x1
	opClose = 0x8
	opPing  = 0x9
	opPong  = 0xA
	finBit  = 0x80
	rsv1Bit = 0x40 // compressed

	maxHeader  = 10  // of a server's frame, which has no mask
	maxControl = 125 // payload of a control frame
)

var (
	pingFrame = []byte{finBit | opPing, 0}
	flateTail = []byte{0, 0, 0xff, 0xff} // what a flush ends with, and RFC 7692 leaves out
)

// putHeader writes the header of a frame whose payload begins at b[maxHeader:]
// so that it ends there, and returns the frame.
func putHeader(b []byte, first byte) []byte {
	n := len(b) - maxHeader
	switch {
	case n < 126:
		b = b[maxHeader-2:]
		b[1] = byte(n)
	case n <= 0xffff:
		b = b[maxHeader-4:]
		b[1] = 126
		binary.BigEndian.PutUint16(b[2:], uint16(n))
	default:
		b[1] = 127
		binary.BigEndian.PutUint64(b[2:], uint64(n))
	}
	b[0] = first
	return b
}

// payload is what follows the header of a frame made here.
func payload(frame []byte) []byte {
	switch frame[1] {
	case 126:
		return frame[4:]
	case 127:
		return frame[maxHeader:]
	}
	return frame[2:]
}

// frameSize is how long the frame is that b begins with. What is no frame of ours
// (the answer to a handshake) is as long as it is.
func frameSize(b []byte) int {
	size := len(b)
	if len(b) >= maxHeader && b[0]&finBit != 0 {
		switch n := b[1]; n {
		case 126:
			size = 4 + int(binary.BigEndian.Uint16(b[2:]))
		case 127:
			size = maxHeader + int(binary.BigEndian.Uint64(b[2:]))
		default:
			size = 2 + int(n)
		}
	}
	return min(size, len(b))
}

// framesIn is how many frames are in b, which are whole.
func framesIn(b []byte) (n int) {
	for len(b) > 0 {
		n++
		b = b[frameSize(b):]
	}
	return n
}

// frameEnd is where the frame ends in b of which the first offset bytes are
// written: offset itself where it is between two.
func frameEnd(b []byte, offset int) (end int) {
	for end < offset {
		end += frameSize(b[end:])
	}
	return end
}

// scratch holds buffers to encode into before the exact size is known.
var scratch = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

// textFrame makes a text frame of what fill appends; nil when that is nothing.
func textFrame(fill func(b []byte) []byte) []byte {
	buf := scratch.Get().(*[]byte)
	defer scratch.Put(buf)
	var header [maxHeader]byte
	b := fill(append((*buf)[:0], header[:]...))
	if cap(b) <= 64<<10 { // a rare giant is not kept
		*buf = b
	}
	if len(b) == maxHeader {
		return nil
	}
	return bytes.Clone(putHeader(b, finBit|opText))
}

func pongFrame(data []byte) []byte {
	return append([]byte{finBit | opPong, byte(len(data))}, data...)
}

// closeFrame clips the reason to what a control frame holds.
func closeFrame(code uint16, reason string) []byte {
	if most := maxControl - 2; len(reason) > most {
		for most > 0 && !utf8.RuneStart(reason[most]) {
			most--
		}
		reason = reason[:most]
	}
	b := []byte{finBit | opClose, byte(2 + len(reason)), byte(code >> 8), byte(code)}
	return append(b, reason...)
}

var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriter(io.Discard, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

// deflate compresses a text frame without context takeover, so that the bytes
// are the same for every connection. A frame that does not become smaller, or
// is below the threshold, is returned as it is: each frame says for itself
// whether it is compressed.
func deflate(frame []byte, threshold int) []byte {
	data := payload(frame)
	if len(data) < threshold {
		return frame
	}
	var out bytes.Buffer
	out.Grow(maxHeader + len(data)/2)
	out.Write(make([]byte, maxHeader))
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	w.Reset(&out)
	// A bytes.Buffer takes every write; if the compressor still fails, the
	// frame goes out as it is.
	if _, err := w.Write(data); err != nil {
		return frame
	}
	if err := w.Flush(); err != nil {
		return frame
	}
	b := bytes.TrimSuffix(out.Bytes(), flateTail)
	if len(b)-maxHeader >= len(data) {
		return frame
	}
	return putHeader(b, finBit|rsv1Bit|opText)
}
