package ws

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/gateway/dialect"
	"github.com/birdwire/birdwire/messages"
)

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
