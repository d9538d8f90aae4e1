package dialect

import "github.com/birdwire/birdwire/messages"

// Form is what may differ between connections of one API that are sent the
// same event.
type Form struct {
	Cursor     string // sent as the frame's last field; "" is none
	Embeddings bool   // newsrank: with embedding and embedding_model
}

// WebSocket close codes. Those from 4000 are the APIs' own.
const (
	CloseNormal     = 1000
	CloseGoingAway  = 1001
	CloseViolation  = 1008
	CloseTooLarge   = 1009
	CloseInternal   = 1011
	CloseRestart    = 1012
	CloseTryLater   = 1013
	CloseBadKey     = 4001 // twitter
	CloseTooMany    = 4003 // twitter
	CloseSlow       = 4008 // twitter
	CloseNoCredits  = 4402
	CloseKeyRevoked = 4403 // newsrank, kite
)

// Ending is how a connection is closed: the frame that tells why, where the
// API has one, then the close code and its reason.
type Ending struct {
	Frame  []byte // JSON; nil: none
	Code   uint16
	Reason string
}

// Denial is how an API refuses a connection: over HTTP before the upgrade, or,
// where Ending is set and the client asks for an upgrade, by upgrading and
// then closing.
type Denial struct {
	Ending *Ending
	Status int    // HTTP
	Error  string // short and stable
	Detail string // the sentence a person needs
}

// EndCode is the close code and reason that the APIs have in common; an API
// says what differs.
func EndCode(reason messages.EndReason) (code uint16, text string) {
	switch reason {
	case messages.EndReason_END_REVOKED:
		return CloseKeyRevoked, "API key revoked"
	case messages.EndReason_END_DRAIN:
		return CloseRestart, "server restarting, reconnect"
	case messages.EndReason_END_SLOW:
		return CloseTryLater, "slow consumer"
	case messages.EndReason_END_DEAD:
		return CloseGoingAway, "no pong"
	case messages.EndReason_END_CREDITS:
		return CloseNoCredits, "monthly credits used up"
	case messages.EndReason_END_ABUSE:
		return CloseViolation, "too many invalid messages"
	case messages.EndReason_END_EVICTED:
		return CloseGoingAway, "closed by an operator"
	}
	return CloseInternal, "internal error"
}

// Or is detail, or where there is none, the usual text.
func Or(detail, text string) string {
	if detail != "" {
		return detail
	}
	return text
}
