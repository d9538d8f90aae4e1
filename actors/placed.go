package actors

// What a node tells those of its actors that own something of which there is one in
// the cluster. None of it travels between nodes.
type (
	// Placed has them look again where its place is.
	Placed struct{}
	// GiveUp has them give up all of it, wherever its place is. Answer: GivenUp.
	GiveUp struct{ Round uint64 }
	// GivenUp: whoever answers has nothing of it. The next Placed may change that.
	GivenUp struct {
		Name  string
		Round uint64 // of the GiveUp that it answers
	}
)
