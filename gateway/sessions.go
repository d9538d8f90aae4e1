package gateway

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
)

// Start is a connection that was admitted and upgraded.
type Start struct {
	ConnectionID string
	API          messages.Api
	Admitted     *messages.Admitted
	Resume       bool                       // every event frame carries a cursor
	Cursor       *messages.Cursor           // where to begin; nil: now
	Filters      *messages.ClientSubscribed // given with the address, else nil
	Socket       Socket
}

// Socket is the client's end as its session sees it. It encodes and queues; no
// method blocks.
type Socket interface {
	Connected()
	Subscribed(*messages.ClientSubscribed) // nil: everything, after an unsubscribe
	Pong()
	Error(text string)
	Cursor(messages.Position)
	// Deliver queues one frame a delivery. False: the queue's byte bound is
	// passed, and the client is a slow consumer.
	Deliver(deliveries []*messages.Delivery, cursors, embeddings bool) bool
	Pending() int   // bytes queued
	NotifyDrained() // *messages.SocketDrained comes once little is queued
	Ping()
	// Silence is how long the client has sent nothing, not even a pong.
	Silence() time.Duration
	// End tells the client why in its API's own way and closes.
	End(reason messages.EndReason, detail string)
}

// Session is told what comes from a client: ClientSubscribed,
// ClientUnsubscribed, ClientPinged, ClientInvalid, Heard (at most once a
// second), SocketDrained (when asked for), End (when the node drains: it ends its
// socket with that), and last, exactly once, SocketClosed.
type Session interface {
	Tell(message proto.Message) // never blocks
}

// Sessions starts the session of each connection, at once. On success the
// session owns the connection's slot; on an error the slot is given back here.
type Sessions interface {
	Start(s Start) (Session, error)
}
