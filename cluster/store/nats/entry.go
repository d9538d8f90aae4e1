package nats

import (
	"encoding/binary"
	"hash/crc32"
)

// entry is one of a note that grows: of a list or of the past. What its fields
// mean is said by its kind.
//
//	0     4        6      7          15       19
//	| sum | length | kind | sequence | second | name ...
type entry struct {
	kind     byte
	sequence uint64
	second   int64 // Unix seconds
	name     string
}

const (
	entryHead = 19
	nameMost  = 1 << 10
)

// entryAt is the entry that b begins with, and how many bytes it has; none where
// there is no whole one.
func entryAt(b []byte) (e entry, size int) {
	if len(b) < entryHead {
		return e, 0
	}
	length := int(binary.LittleEndian.Uint16(b[4:]))
	size = entryHead + length
	if length > nameMost || size > len(b) || crc32.Checksum(b[4:size], castagnoli) != binary.LittleEndian.Uint32(b) {
		return e, 0
	}
	return entry{
		kind: b[6], sequence: binary.LittleEndian.Uint64(b[7:]), second: int64(binary.LittleEndian.Uint32(b[15:])), name: string(b[entryHead:size]),
	}, size
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

// entriesExtent is of a file of entries: of the past or a list.
func entriesExtent(b []byte) (is extent) {
	for at := 0; at < len(b); {
		_, size := entryAt(b[at:])
		if size == 0 {
			at++
			continue
		}
		is.broken = is.broken || at > is.end
		at += size
		is.entries, is.end = is.entries+1, at
	}
	return is
}
