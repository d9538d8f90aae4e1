package nats

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/minio/highwayhash"
)

// The embedded server keeps a stream in block files, msgs/<n>.blk, one record
// after another:
//
//	0        4          12        20         22
//	| length | sequence | time ns | subject's length | subject | [headers' length | headers] | data | sum |
//
// All numbers are little-endian; the highest bit of length says that there are
// headers, the two highest of sequence mark a record that was erased or one
// that says of another that it was deleted. The sum is HighwayHash-64, keyed
// by stream and block, of all but the length and the two other lengths.
//
// We read these files ourselves because the server mends them in silence: it
// cuts a block off at the first record that it does not understand, and with it
// all that comes after. A test holds this description against the server that
// is built in.
const (
	recordHead = 22
	recordSum  = 8
	recordMost = 32 << 20 // the server's own bound

	headersBit = 1 << 31
	erasedBit  = 1 << 63
	deletedBit = 1 << 62
)

// record is one of a block file. Its slices are the file's memory.
type record struct {
	sequence uint64
	time     int64 // Unix nanoseconds
	subject  []byte
	headers  []byte
	data     []byte
	// empty: it holds no message, but says that one was erased or deleted.
	empty bool
}

// stretch is a part of a file, from byte from to before byte to.
type stretch struct{ from, to int }

// block reads one block file.
type block struct {
	hash *highwayhash.Digest64
}

func newBlock(stream string, number int) (*block, error) {
	key := sha256.Sum256(fmt.Appendf(nil, "%s-%d", stream, number))
	hash, err := highwayhash.NewDigest64(key[:])
	return &block{hash}, err
}

// scan gives every whole record to each, in order, and returns the stretches
// that are none. each can refuse a record, whose stretch then counts as bad.
func (b *block) scan(file []byte, each func(record) bool) (bad []stretch) {
	spoil := func(from, to int) {
		if k := len(bad) - 1; k >= 0 && bad[k].to == from {
			bad[k].to = to
			return
		}
		bad = append(bad, stretch{from, to})
	}
	last := uint64(0)
	for at := 0; at < len(file); {
		r, size, whole := b.record(file[at:])
		if !whole {
			next := b.next(file, at, last)
			spoil(at, next)
			at = next
			continue
		}
		if !each(r) {
			spoil(at, at+size)
		}
		if !r.empty {
			last = max(last, r.sequence)
		}
		at += size
	}
	return bad
}

// record is the one at the file's beginning, with its size; whole says whether
// it is what was written.
func (b *block) record(file []byte) (r record, size int, whole bool) {
	if len(file) < recordHead+recordSum {
		return r, 0, false
	}
	length := binary.LittleEndian.Uint32(file)
	headers := length&headersBit != 0
	size = int(length &^ headersBit)
	subject := int(binary.LittleEndian.Uint16(file[20:]))
	lengths := 0
	if headers {
		lengths = 4
	}
	if size > recordMost || size > len(file) || size < recordHead+subject+lengths+recordSum {
		return r, size, false
	}
	body := file[recordHead : size-recordSum]
	b.hash.Reset()
	b.hash.Write(file[4:20])
	b.hash.Write(body[:subject])
	b.hash.Write(body[subject+lengths:])
	var sum [highwayhash.Size64]byte
	if !bytes.Equal(b.hash.Sum(sum[:0]), file[size-recordSum:size]) {
		return r, size, false
	}
	sequence := binary.LittleEndian.Uint64(file[4:])
	r = record{
		sequence: sequence &^ (erasedBit | deletedBit), time: int64(binary.LittleEndian.Uint64(file[12:])),
		subject: body[:subject], data: body[subject+lengths:],
		empty: sequence&(erasedBit|deletedBit) != 0 || sequence == 0,
	}
	if headers {
		n := int(binary.LittleEndian.Uint32(body[subject:])) // no sum covers it
		if n > len(r.data) {
			return r, size, false
		}
		r.headers, r.data = r.data[:n], r.data[n:]
	}
	return r, size, true
}

// next is where the next whole record begins after a bad one at at: where its
// length says, or, where that is damaged too, the next place that reads like a
// record of about that time and place in the stream. The file's end where there
// is none.
func (b *block) next(file []byte, at int, last uint64) int {
	if len(file)-at >= recordHead {
		size := int(binary.LittleEndian.Uint32(file[at:]) &^ headersBit)
		if size >= recordHead+recordSum && size <= len(file)-at {
			if _, _, whole := b.record(file[at+size:]); whole || at+size == len(file) {
				return at + size
			}
		}
	}
	for i := at + 1; i+recordHead+recordSum <= len(file); i++ {
		sequence := binary.LittleEndian.Uint64(file[i+4:]) &^ (erasedBit | deletedBit)
		if sequence > last+1<<32 || binary.LittleEndian.Uint64(file[i+12:]) > 1<<62 {
			continue // it would cost a sum to find out
		}
		if _, _, whole := b.record(file[i:]); whole {
			return i
		}
	}
	return len(file)
}
