// Package newsrank is the codec of the news ranking API: subscribe with its
// filters from the client; item, story, cluster and ticker events to it.
package newsrank

import (
	"net/http"
	"strconv"
	"time"

	"github.com/birdwire/birdwire/gateway/dialect"
	"github.com/birdwire/birdwire/messages"
)

// Codec turns this API's frames into messages and back.
type Codec struct {
	// Model is the server's embedding model, which filters are of that name none.
	Model string
}

// Connected appends nothing: the API speaks only after a subscribe.
func (Codec) Connected(b []byte, _, _ string) []byte { return b }

// Subscribed appends the answer to subscribe. The server's model is named to
// a client that named one.
func (c Codec) Subscribed(b []byte, s *messages.ClientSubscribed) []byte {
	b = append(b, `{"type":"subscribed"`...)
	filters := s.GetNewsrank().GetEmbeddingFilters()
	if len(filters) > 0 {
		b = append(b, `,"embedding_filters":`...)
		b = strconv.AppendInt(b, int64(len(filters)), 10)
	}
	for _, f := range filters {
		if f.GetNamesModel() {
			b = append(b, `,"embedding_model":`...)
			b = dialect.AppendString(b, c.Model)
			break
		}
	}
	return append(b, '}')
}

// Pong appends nothing: the API has no such frame.
func (Codec) Pong(b []byte) []byte { return b }

// Ping appends nothing: the API has WebSocket's pings alone.
func (Codec) Ping(b []byte, _ time.Time) []byte { return b }

// Error appends an error frame.
func (Codec) Error(b []byte, text string) []byte {
	b = append(b, `{"type":"error","error":`...)
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

// Deny says how a connection is refused, always before the upgrade.
func (Codec) Deny(refusal messages.Refusal, detail string) dialect.Denial {
	deny := func(status int, short, text string) dialect.Denial {
		return dialect.Denial{Status: status, Error: short, Detail: dialect.Or(detail, text)}
	}
	switch refusal {
	case messages.Refusal_REFUSAL_UNSPECIFIED: // no token was presented
		return deny(http.StatusUnauthorized, "unauthorized", "No token provided; pass your API key as the token query parameter.")
	case messages.Refusal_REFUSAL_UNKNOWN_KEY:
		return deny(http.StatusUnauthorized, "unauthorized", "The token is invalid.")
	case messages.Refusal_REFUSAL_REVOKED:
		return deny(http.StatusForbidden, "key_revoked", "The API key has been revoked.")
	case messages.Refusal_REFUSAL_SCOPE:
		return deny(http.StatusForbidden, "forbidden", "The API key lacks the ws:connect scope for this API.")
	case messages.Refusal_REFUSAL_PLAN:
		return deny(http.StatusForbidden, "plan_required", "WebSocket connections require a paid plan.")
	case messages.Refusal_REFUSAL_CONNECTIONS:
		return deny(http.StatusTooManyRequests, "too_many_connections", "As many connections as the plan allows are open.")
	case messages.Refusal_REFUSAL_CREDITS:
		return deny(http.StatusForbidden, "credits_exhausted", "The month's credits are used up.")
	}
	return deny(http.StatusServiceUnavailable, "overloaded", "The server cannot take this connection now; try again later.")
}
