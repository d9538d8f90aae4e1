// Package kite is the codec of the KITE 2.0 news API: subscribe, unsubscribe
// and ping from the client; connected, subscribed, news, pong and error to it.
package kite

import (
	"net/http"
	"time"

	"github.com/birdwire/birdwire/gateway/dialect"
	"github.com/birdwire/birdwire/messages"
)

// Codec turns this API's frames into messages and back.
type Codec struct{}

// Connected appends the first frame of a connection.
func (Codec) Connected(b []byte, _, _ string) []byte {
	return append(b, `{"type":"connected","message":"Connected to KITE 2.0 WebSocket. Send a 'subscribe' message to set filters."}`...)
}

// Subscribed appends the answer to subscribe: the supplied fields, normalised.
// Nil is the answer to unsubscribe.
func (Codec) Subscribed(b []byte, s *messages.ClientSubscribed) []byte {
	b = append(b, `{"type":"subscribed","filters":{`...)
	f := s.GetKite()
	for i, field := range f.GetSupplied() {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, field...)
		b = append(b, `":`...)
		b = dialect.AppendStrings(b, *list(f, field))
	}
	return append(b, `}}`...)
}

// Pong appends the answer to a ping message.
func (Codec) Pong(b []byte) []byte { return append(b, `{"type":"pong"}`...) }

// Ping appends nothing: the API has WebSocket's pings alone.
func (Codec) Ping(b []byte, _ time.Time) []byte { return b }

// Error appends an error frame.
func (Codec) Error(b []byte, text string) []byte {
	b = append(b, `{"type":"error","message":`...)
	b = dialect.AppendString(b, text)
	return append(b, '}')
}

// End says how a connection is told that it ends.
func (c Codec) End(reason messages.EndReason, detail string) dialect.Ending {
	code, text := dialect.EndCode(reason)
	text = dialect.Or(detail, text)
	end := dialect.Ending{Code: code, Reason: text}
	switch reason {
	case messages.EndReason_END_REVOKED, messages.EndReason_END_CREDITS, messages.EndReason_END_ABUSE:
		end.Frame = c.Error(nil, text)
	}
	return end
}

// Deny says how a connection is refused, always before the upgrade. This
// vendor's error is the sentence itself.
func (Codec) Deny(refusal messages.Refusal, detail string) dialect.Denial {
	deny := func(status int, text string) dialect.Denial {
		return dialect.Denial{Status: status, Error: text, Detail: dialect.Or(detail, text)}
	}
	switch refusal {
	case messages.Refusal_REFUSAL_UNSPECIFIED: // no key was presented
		return deny(http.StatusUnauthorized, "Missing API key. Include an X-API-Key header.")
	case messages.Refusal_REFUSAL_UNKNOWN_KEY:
		return deny(http.StatusUnauthorized, "Invalid API key.")
	case messages.Refusal_REFUSAL_REVOKED:
		return deny(http.StatusUnauthorized, "API key has been revoked.")
	case messages.Refusal_REFUSAL_SCOPE:
		return deny(http.StatusForbidden, "API key may not use this API.")
	case messages.Refusal_REFUSAL_PLAN:
		return deny(http.StatusForbidden, "The plan has no WebSocket connections.")
	case messages.Refusal_REFUSAL_CONNECTIONS:
		return deny(http.StatusTooManyRequests, "Connection limit exceeded.")
	case messages.Refusal_REFUSAL_CREDITS:
		return deny(http.StatusForbidden, "Monthly credits used up.")
	}
	return deny(http.StatusServiceUnavailable, "Service overloaded.")
}
