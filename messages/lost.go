package messages

// Loss says why sequences of the log hold nothing that can be read.
type Loss int

const (
	// NotLost: nothing was ever acknowledged there; a write that failed has
	// used the sequence up.
	NotLost Loss = iota
	// Damaged: the disk no longer holds what was acknowledged.
	Damaged
	// Trimmed: retention took it while it was being read.
	Trimmed
)

// Lost is a stretch of positions, both ends included, whose events were
// acknowledged and will never be read. A client whose replay meets one is told.
type Lost struct {
	From, To Position
	Why      Loss // Damaged or Trimmed
}
