package actors

// Probe asks an actor that something depends on whether it takes its turns, in
// whatever state it is. Answer: Probed, or Following.
type (
	Probe  struct{ Number uint64 }
	Probed struct{ Number uint64 }
	// Following is the answer of one that follows the log.
	Following struct {
		Number  uint64
		Place   uint64 // sequence: it has come to there
		Loading bool   // it reads what it begins with, and follows nothing yet
	}
)
