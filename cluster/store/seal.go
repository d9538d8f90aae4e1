package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/birdwire/birdwire/messages"
)

// A small record at rest: a mark, CRC-32C of the mark, the record's name and
// the data, then the data.
//
//	0      1                5
//	| mark | crc32c (LE)    | data ...
//
// The sum is over the name too, so that a record never passes for another. The
// mark is no first byte of a protobuf message, of JSON or of text, so that a
// record from before there were marks is told apart from one whose mark is
// damaged where the reader knows that such records may be there.
const (
	sealMark   = 0xBF // wire type 7, which there is none of
	sealHeader = 5
)

// Seal is the data of the named record as it is stored.
func Seal(name string, data []byte) []byte {
	b := make([]byte, sealHeader, sealHeader+len(data))
	b[0] = sealMark
	b = append(b, data...)
	binary.LittleEndian.PutUint32(b[1:], sealSum(name, b))
	return b
}

// Unseal is the data that Seal was given, in the same memory. The error is
// ErrDamaged where the bytes are damaged, or are another record's.
func Unseal(name string, b []byte) ([]byte, error) {
	if len(b) < sealHeader || b[0] != sealMark {
		return nil, fmt.Errorf("%w: no record begins like this", messages.ErrDamaged)
	}
	if have, want := sealSum(name, b), binary.LittleEndian.Uint32(b[1:]); have != want {
		return nil, fmt.Errorf("%w: checksum %08x, written as %08x", messages.ErrDamaged, have, want)
	}
	return b[sealHeader:], nil
}

// Sealed says whether the bytes begin as Seal's do.
func Sealed(b []byte) bool { return len(b) > 0 && b[0] == sealMark }

func sealSum(name string, b []byte) uint32 {
	sum := crc32.Update(0, castagnoli, b[:1])
	sum = crc32.Update(sum, castagnoli, []byte(name))
	sum = crc32.Update(sum, castagnoli, []byte{0}) // no name holds it: where it ends is said
	return crc32.Update(sum, castagnoli, b[sealHeader:])
}
