package actors

// Probe asks an actor that something depends on whether it takes its turns, in
// whatever state it is. Answer: Probed.
type (
	Probe  struct{ Number uint64 }
	Probed struct{ Number uint64 }
)
