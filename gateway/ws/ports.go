package ws

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/gateway/dialect"
	"github.com/birdwire/birdwire/messages"
)

// Start is a connection that was admitted and upgraded.
type Start struct {
	ConnectionID string
	API          messages.Api
	Admitted     *messages.Admitted
	Resume       bool                       // every event frame carries a cursor
	Cursor       *dialect.Cursor            // where to begin; nil: now
	Filters      *messages.ClientSubscribed // given with the address, else nil
	Socket       *Conn
}

// Session is told what comes from a client: ClientSubscribed,
// ClientUnsubscribed, ClientPinged, ClientInvalid, Heard (at most once a
// second), SocketDrained (when asked for), and last, exactly once,
// SocketClosed.
type Session interface {
	Tell(message proto.Message) // never blocks
}

// Sessions starts the session of each connection. On success the session owns
// the connection's slot; on an error the slot is given back here. ctx bounds
// Start alone.
type Sessions interface {
	Start(ctx context.Context, s Start) (Session, error)
}

// codec is what an API's dialect does for its connections. Appending nothing
// means that the API has no such frame.
type codec interface {
	// Decode turns a client's message into one for the session; nil: ignored.
	// The error is dialect.ErrTooDeep or nil.
	Decode(text []byte, pro bool) (proto.Message, error)
	// Filters reads the filters alone, as an address carries them.
	Filters(text []byte, pro bool) (*messages.ClientSubscribed, error)
	Connected(b []byte, connectionID, keyID string) []byte
	Subscribed(b []byte, s *messages.ClientSubscribed) []byte
	Pong(b []byte) []byte
	// Ping is the server's own, where the API has one besides WebSocket's.
	Ping(b []byte, now time.Time) []byte
	Error(b []byte, text string) []byte
	Event(b []byte, d *messages.Delivery, form dialect.Form) []byte
	End(reason messages.EndReason, detail string) dialect.Ending
	Deny(refusal messages.Refusal, detail string) dialect.Denial
}
