package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
)

// Bounds of one frame in the log. A journal fills frames to 256 KiB of events;
// the hard bound leaves room for one event that came close to that by itself,
// and is there so that a reader never allocates what a damaged length says.
const (
	MaxFrameEvents = 256
	MaxFrameBytes  = 1 << 20 // encoded, header included
)

// A frame in the log: version, CRC-32C of everything but itself, protobuf.
//
//	0        1                5
//	| version | crc32c (LE)    | messages.Frame ...
//
// The stores check their own files; this sum is the end-to-end one, from the
// journal that wrote to the router that reads, over every disk and link between.
const (
	frameVersion = 1
	frameHeader  = 5
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// EncodeFrame is the frame as it is in the log. It refuses, with ErrInvalid, what
// DecodeFrame would and what no encoding has (text that is not UTF-8): no name, no events or more than MaxFrameEvents, or more
// than MaxFrameBytes.
func EncodeFrame(f *messages.Frame) ([]byte, error) {
	if err := checkFrame(f); err != nil {
		return nil, fmt.Errorf("encode frame %s: %w: %w", FrameName(f), messages.ErrInvalid, err)
	}
	size := frameHeader + proto.Size(f)
	if size > MaxFrameBytes {
		return nil, fmt.Errorf("encode frame %s: %w: %d bytes, at most %d", FrameName(f), messages.ErrInvalid, size, MaxFrameBytes)
	}
	b := make([]byte, frameHeader, size)
	b[0] = frameVersion
	// The sizes were computed a line ago and a message never changes.
	b, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(b, f)
	if err != nil {
		return nil, fmt.Errorf("encode frame %s: %w: %w", FrameName(f), messages.ErrInvalid, err)
	}
	binary.LittleEndian.PutUint32(b[1:], frameSum(b))
	return b, nil
}

// DecodeFrame reads what EncodeFrame wrote. The error is ErrDamaged where the
// bytes are damaged or were never a frame, and says so apart where a newer
// version wrote them.
func DecodeFrame(b []byte) (*messages.Frame, error) {
	if err := CheckFrame(b); err != nil {
		return nil, fmt.Errorf("decode frame: %w", err)
	}
	if b[0] != frameVersion {
		return nil, fmt.Errorf("decode frame: version %d, this program reads %d: a newer one wrote it", b[0], frameVersion)
	}
	f := new(messages.Frame)
	if err := proto.Unmarshal(b[frameHeader:], f); err != nil {
		return nil, fmt.Errorf("decode frame: %w: %w", messages.ErrDamaged, err)
	}
	if err := checkFrame(f); err != nil {
		return nil, fmt.Errorf("decode frame: %w: %w", messages.ErrDamaged, err)
	}
	return f, nil
}

// CheckFrame is nil for the bytes that EncodeFrame made, and ErrDamaged where
// they are damaged. It decodes nothing.
func CheckFrame(b []byte) error {
	switch {
	case len(b) < frameHeader:
		return fmt.Errorf("%w: %d bytes, a header is %d", messages.ErrDamaged, len(b), frameHeader)
	case len(b) > MaxFrameBytes:
		return fmt.Errorf("%w: %d bytes, at most %d", messages.ErrDamaged, len(b), MaxFrameBytes)
	}
	if have, want := frameSum(b), binary.LittleEndian.Uint32(b[1:]); have != want {
		return fmt.Errorf("%w: checksum %08x, written as %08x", messages.ErrDamaged, have, want)
	}
	return nil
}

func checkFrame(f *messages.Frame) error {
	switch n := len(f.GetEvents()); {
	case f.GetNode() == "" || f.GetNumber() == 0:
		return errors.New("no name: node and number must be set")
	case n == 0:
		return errors.New("no events")
	case n > MaxFrameEvents:
		return fmt.Errorf("%d events, at most %d", n, MaxFrameEvents)
	}
	return nil
}

// frameSum covers the version too: a flipped version must not read as "newer".
func frameSum(b []byte) uint32 {
	sum := crc32.Update(0, castagnoli, b[:1])
	return crc32.Update(sum, castagnoli, b[frameHeader:])
}

// FrameName names a frame once and for all: node/incarnation/number. It is the
// identifier under which the store writes a frame at most once.
func FrameName(f *messages.Frame) string {
	return Name{f.GetNode(), f.GetIncarnation(), f.GetNumber()}.String()
}

// Name is a frame's name in its parts.
type Name struct {
	Node        string
	Incarnation uint64
	Number      uint64
}

func (n Name) String() string {
	b := make([]byte, 0, len(n.Node)+24)
	b = append(append(b, n.Node...), '/')
	b = append(strconv.AppendUint(b, n.Incarnation, 10), '/')
	return string(strconv.AppendUint(b, n.Number, 10))
}

// Compare orders the names of one node as it gave them: -1, 0 or 1.
func (n Name) Compare(m Name) int {
	switch {
	case n.Incarnation < m.Incarnation, n.Incarnation == m.Incarnation && n.Number < m.Number:
		return -1
	case n.Incarnation == m.Incarnation && n.Number == m.Number:
		return 0
	}
	return 1
}

// ParseName reads what FrameName wrote. A node's own name may hold slashes.
func ParseName(s string) (Name, error) {
	i := strings.LastIndexByte(s, '/')
	j := strings.LastIndexByte(s[:max(i, 0)], '/')
	if j < 1 {
		return Name{}, fmt.Errorf("frame name %q: want node/incarnation/number", s)
	}
	incarnation, err := strconv.ParseUint(s[j+1:i], 10, 64)
	if err != nil {
		return Name{}, fmt.Errorf("frame name %q: incarnation: %w", s, err)
	}
	number, err := strconv.ParseUint(s[i+1:], 10, 64)
	if err != nil {
		return Name{}, fmt.Errorf("frame name %q: number: %w", s, err)
	}
	return Name{Node: s[:j], Incarnation: incarnation, Number: number}, nil
}
