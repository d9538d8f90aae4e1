package follow

// Places that few runs come to: see actors.Sometimes.
const (
	OverflowLeftLive   = "a follower for whom too much came live leaves, and reads on"
	JoinedAgain        = "a follower joins again, another owner or a later start of it"
	DeliveriesMissing  = "deliveries are missing, and are read from the log"
	SentForAFormerJoin = "somebody sends for a join that was given up, and is told so"
)

// Places are those that some hundred seeds of the simulation come to. The others
// take thousands of deliveries between two readings, or an owner who has not heard
// that somebody has left: the follower's own tests come to them.
var Places = []string{JoinedAgain, DeliveriesMissing}

func (t *turn) rare(place string) {
	if t.cfg.Sometimes != nil {
		t.cfg.Sometimes(place)
	}
}
