// Package twitter is the codec of the tweet streaming API: connected and
// new_tweet frames, errors with their codes. It reads nothing from clients,
// since the API has no client messages.
package twitter

import (
	"net/http"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/gateway/dialect"
	"github.com/birdwire/birdwire/messages"
)

// errorNotice is the code of an error frame after which the connection stays
// open; the document's own codes, 4001 and 4003, close it.
const errorNotice = 4000

const (
	badKey  = "Invalid or missing API key"
	tooMany = "Connection limit exceeded"
)

// Codec turns messages into frames of this API.
type Codec struct{}

// Decode ignores whatever a client sends: one known client library answers
// application pings that it never got.
func (Codec) Decode([]byte, bool) (proto.Message, error) { return nil, nil }

// Filters refuses: what a key receives is decided by its monitors and rules.
func (Codec) Filters([]byte, bool) (*messages.ClientSubscribed, error) {
	return nil, errNoFilters
}

// Connected appends the first frame of a connection.
func (Codec) Connected(b []byte, connectionID, keyID string) []byte {
	b = append(b, `{"type":"connected","connection_id":`...)
	b = dialect.AppendString(b, connectionID)
	b = append(b, `,"api_key_id":`...)
	b = dialect.AppendString(b, keyID)
	return append(b, '}')
}

// Subscribed appends nothing: the API has no such frame.
func (Codec) Subscribed(b []byte, _ *messages.ClientSubscribed) []byte { return b }

// Pong appends nothing: the API has no such frame.
func (Codec) Pong(b []byte) []byte { return b }

// Ping appends nothing: the API has WebSocket's pings alone.
func (Codec) Ping(b []byte, _ time.Time) []byte { return b }

// Error appends an error frame after which the connection stays open.
func (Codec) Error(b []byte, text string) []byte { return appendError(b, errorNotice, text) }

func appendError(b []byte, code uint16, text string) []byte {
	b = append(b, `{"type":"error","code":`...)
	b = strconv.AppendUint(b, uint64(code), 10)
	b = append(b, `,"message":`...)
	b = dialect.AppendString(b, text)
	return append(b, '}')
}

// End says how a connection is told that it ends.
func (Codec) End(reason messages.EndReason, detail string) dialect.Ending {
	code, text := dialect.EndCode(reason)
	switch reason {
	case messages.EndReason_END_REVOKED:
		return ending(dialect.CloseBadKey, dialect.Or(detail, badKey))
	case messages.EndReason_END_SLOW:
		return ending(dialect.CloseSlow, dialect.Or(detail, "Slow consumer"))
	case messages.EndReason_END_CREDITS, messages.EndReason_END_ABUSE:
		return ending(code, dialect.Or(detail, text))
	}
	return dialect.Ending{Code: code, Reason: dialect.Or(detail, text)}
}

// Deny says how a connection is refused: the API upgrades first, so that a
// browser can read the code; only overload is answered before that.
func (Codec) Deny(refusal messages.Refusal, detail string) dialect.Denial {
	switch refusal {
	case messages.Refusal_REFUSAL_UNSPECIFIED, // no key was presented
		messages.Refusal_REFUSAL_UNKNOWN_KEY, messages.Refusal_REFUSAL_REVOKED:
		return denial(dialect.CloseBadKey, http.StatusUnauthorized, "unauthorized", badKey)
	case messages.Refusal_REFUSAL_SCOPE, messages.Refusal_REFUSAL_PLAN:
		return denial(dialect.CloseBadKey, http.StatusForbidden, "forbidden", dialect.Or(detail, badKey))
	case messages.Refusal_REFUSAL_CONNECTIONS:
		return denial(dialect.CloseTooMany, http.StatusTooManyRequests, "too_many_connections", tooMany)
	case messages.Refusal_REFUSAL_CREDITS:
		return denial(dialect.CloseNoCredits, http.StatusForbidden, "credits_exhausted", dialect.Or(detail, "Monthly credits used up"))
	}
	return dialect.Denial{
		Status: http.StatusServiceUnavailable, Error: "overloaded",
		Detail: dialect.Or(detail, "The server cannot take this connection now; try again later."),
	}
}

func denial(code uint16, status int, short, text string) dialect.Denial {
	end := ending(code, text)
	return dialect.Denial{Ending: &end, Status: status, Error: short, Detail: text}
}

func ending(code uint16, text string) dialect.Ending {
	return dialect.Ending{Frame: appendError(nil, code, text), Code: code, Reason: text}
}
