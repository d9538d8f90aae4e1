package messages

// Position is the place of one event in the log: sequence<<12 | index. Order
// of positions is log order.
type Position uint64

// FrameBits is how many low bits of a position are the index in its frame.
const FrameBits = 12

// At is the position of the event at index in the frame at sequence.
func At(sequence uint64, index int) Position {
	return Position(sequence<<FrameBits | uint64(index))
}

// EndOf is the last position of the frame at sequence: every event of it is
// at or before it, every later one after it.
func EndOf(sequence uint64) Position {
	return Position(sequence<<FrameBits | (1<<FrameBits - 1))
}

// Sequence is the frame's place in the log, from 1.
func (p Position) Sequence() uint64 { return uint64(p) >> FrameBits }

// Index is the event's place in its frame.
func (p Position) Index() int { return int(p & (1<<FrameBits - 1)) }

// Cursor is a client's place in the log: everything up to (Position, K) was
// sent.
type Cursor struct {
	Epoch    string // of the log; cursors of another one mean nothing
	Position Position
	K        uint32 // the monitor's or rule's number in its key, 0 elsewhere
}
