package change

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
)

// Effect is one of the types below: what is to be done, in order.
type Effect any

type (
	// Draft asks the child of the monitor or rule, which is started if need be.
	// Answer: MonitorDrafted or RuleDrafted, or Failed.
	Draft struct {
		Token   uint64
		ID      string
		Rule    bool
		Message proto.Message // *messages.DraftMonitor or *messages.DraftRule
	}
	// Put goes to the router, in the shard's name and under the key's term.
	// Where it has an id it is answered: QueriesPut.
	Put struct{ Message *messages.PutQueries }
	// Store writes, in order, and stops at the first failure. Answer: Stored, of
	// the last write.
	Store struct {
		Token  uint64
		Writes []Write
	}
	// Load reads everything. Answer: *Loaded.
	Load struct{ Token uint64 }
	// Wait sets the one timer: Silent comes after For. It replaces the one
	// before it; For 0 ends it.
	Wait struct {
		Token uint64
		For   time.Duration
	}
	// Reply answers who waits under the ticket.
	Reply struct {
		Ticket  uint64
		Message proto.Message
	}
	// Describe answers with how the key is now, Show with the monitor or rule
	// and its figures.
	Describe struct{ Ticket uint64 }
	Show     struct {
		Ticket uint64
		ID     string
	}
	// Decided: what was undecided is decided.
	Decided struct{}
	// Gone: there is no monitor or rule with the id, or it never came to be.
	Gone struct{ ID string }
	// Changed: the whole set was read again.
	Changed struct{}
	// Synced: the router has, from the position on, what the records say.
	Synced struct{ Position uint64 }
	// Drop: the router is to have no query of the key.
	Drop struct{}
	// Made: there is such a key now. Revoked: it is no more, and its
	// connections end. Narrowed: it may do less than before, perhaps.
	Made     struct{}
	Revoked  struct{}
	Narrowed struct{}
	// Report is for the log; Count, if there is one, for the metrics.
	Report struct {
		Text  string
		Err   error
		Count string
	}
)

// Kind is what a record is of.
type Kind uint8

// The kinds of records.
const (
	OfKey Kind = iota
	OfMonitor
	OfRule
	OfPast
)

// Write is one record's new content.
type Write struct {
	Kind     Kind
	ID       string          // of the monitor or rule
	Past     *messages.Query // of OfPast: k and version name it
	Data     []byte          // nil: the record is deleted
	Revision uint64          // of the record as it is; of OfPast any
	Damaged  bool            // the record cannot be read, and is deleted whatever it holds
	Never    bool            // there is no such record: no try of before is to make it
}

// Loaded is what the store has of the key.
type Loaded struct {
	Token    uint64
	Key      *messages.Key // nil: there is none
	Revision uint64
	Stored   []StoredDefinition
	Past     []*messages.Query
	Lost     []Lost
	Empty    []Lost // records with nothing in them: of what was to be made
	End      uint64 // the log's last position, read after the records; 0: not known
	Err      error
}
