package ws

import "math"

// guard follows the frame headers in what a client sends and stops the reading
// at the first that breaks RFC 6455, section 5.2, or RFC 7692, section 6. gws
// looks at some of this itself, at little of it where compression was agreed
// to, and panics on a length of 2^63 or more; here the whole list is in one
// place.
//
// It sees bytes as they come, in pieces of any size, and keeps a header's state
// and no bytes.
type guard struct {
	left    uint64 // of the frame under way: bytes of its mask and payload
	length  uint64 // as far as its bytes have come
	first   byte   // of the header under way
	step    step   // what comes next of it
	form    uint8  // bytes that a long length has: 2 or 8
	missing uint8  // of them
	open    bool   // a message in fragments is under way
	deflate bool   // compression was agreed to
	failed  bool   // nothing more may be read
}

type step uint8

const (
	stepFirst step = iota
	stepSecond
	stepLength
)

// Opcodes and bits that only clients' frames have.
const (
	opContinuation = 0x0
	opBinary       = 0x2
	opBits         = 0xf
	controlBit     = 0x8
	rsvBits        = 0x70
	maskBit        = 0x80
	maskBytes      = 4
	length16       = 126 // the length is in the next 2 bytes
)

// pass returns how many of b's bytes may be read, and how many fragments of
// messages began in them. Fewer than all of them: it has failed.
func (g *guard) pass(b []byte) (n, fragments int) {
	for n < len(b) && !g.failed {
		if g.left > 0 {
			some := min(g.left, uint64(len(b)-n))
			g.left -= some
			n += int(some)
			continue
		}
		if !g.header(b[n]) {
			g.failed = true
			break
		}
		n++
		if g.left > 0 && (g.first&finBit == 0 || g.first&opBits == opContinuation) {
			fragments++
		}
	}
	return n, fragments
}

// between says that no message is under way, nor a part of a header.
func (g *guard) between() bool { return g.left == 0 && g.step == stepFirst && !g.open }

// header takes the next byte of one; false: it breaks the protocol.
func (g *guard) header(c byte) bool {
	switch g.step {
	case stepFirst:
		g.first, g.step = c, stepSecond
		return g.opcode(c&opBits, c&finBit != 0, c&rsvBits)
	case stepSecond:
		return g.size(c&^maskBit, c&maskBit != 0)
	}
	g.length = g.length<<8 | uint64(c)
	if g.missing--; g.missing > 0 {
		return true
	}
	if g.form == 2 && g.length < length16 || g.form == 8 && (g.length <= math.MaxUint16 || g.length > math.MaxInt64) {
		return false // shorter forms must be used where they do
	}
	g.payload()
	return true
}

func (g *guard) opcode(code byte, fin bool, rsv byte) bool {
	switch code {
	case opText, opBinary:
		// A message's first frame alone says that the message is compressed.
		return !g.open && (rsv == 0 || rsv == rsv1Bit && g.deflate)
	case opContinuation:
		return g.open && rsv == 0
	case opClose, opPing, opPong:
		return fin && rsv == 0
	}
	return false
}

func (g *guard) size(n byte, masked bool) bool {
	switch control := g.first&controlBit != 0; {
	case !masked, control && n > maxControl:
		return false
	case n < length16:
		g.length = uint64(n)
		g.payload()
		return true
	case n == length16:
		g.form = 2
	default:
		g.form = 8
	}
	g.length, g.missing, g.step = 0, g.form, stepLength
	return true
}

// payload is what a header is followed by.
func (g *guard) payload() {
	g.left, g.step = g.length+maskBytes, stepFirst
	if g.first&controlBit == 0 {
		g.open = g.first&finBit == 0
	}
}
