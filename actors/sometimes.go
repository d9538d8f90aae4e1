package actors

// Sometimes is told when an actor comes to a place in its code that few runs come
// to. A simulation counts them over many seeds: a place that none has reached was
// not tested. In production nobody listens and it is nil, which costs one
// comparison where the place is reached.
type Sometimes func(place string)

// The places.
const (
	GapRead           = "a gap in what came is read from the log"
	LastFrameFound    = "a last frame that never came is found at the log's end"
	EventRepeated     = "an event comes again and is dropped"
	AppendUncertain   = "an append is uncertain and tried again"
	SourcesSlowed     = "an offer waits for a router that is behind"
	NotOwnerAnswered  = "NotOwner is answered"
	OwnerSteppedDown  = "an owner hears of a later one and steps down"
	ShardHandedOver   = "a shard is handed over by its former owner"
	ShardTakenAnyway  = "a shard is taken whose former owner does not answer"
	ShardTakenAgain   = "a process takes a shard that it had before"
	LeaseLapsed       = "an owner without a live lease does nothing"
	KeyFull           = "a connection is refused: the key is full"
	DeadSlotsFreed    = "slots of a process that has ended are freed for others"
	ReleaseSaidAgain  = "a release that was not answered is said again"
	SlowConsumer      = "a slow consumer is closed"
	GrantInherited    = "a key inherits a grant that a crash has left open"
	CreditCalledBack  = "a key that moves calls back what is held unspent"
	CreditAgain       = "an operation on credits failed and is done again"
	KeyHearsOfAnother = "a key hears of another owner by its own write"
	ChangeBarred      = "a change that an owner before was making is kept from being made late"
)

// Places are those that some hundred seeds of the simulation come to: all but
// OwnerSteppedDown, KeyHearsOfAnother and ShardTakenAnyway, which take an owner that
// goes on though it should not, and some hundred seeds more.
var Places = []string{
	GapRead, LastFrameFound, EventRepeated, AppendUncertain, SourcesSlowed, NotOwnerAnswered, ShardHandedOver,
	ShardTakenAgain, LeaseLapsed, KeyFull, DeadSlotsFreed, ReleaseSaidAgain, SlowConsumer,
	GrantInherited, CreditCalledBack, CreditAgain, ChangeBarred,
}

// Reached says that the place is.
func (s Sometimes) Reached(place string) {
	if s != nil {
		s(place)
	}
}
