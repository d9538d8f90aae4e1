package gateway

import (
	"context"

	"google.golang.org/protobuf/proto"
)

// Keys asks the actor of a key, wherever it is placed. An error means that no
// answer came (overload, the owner is moving, ctx ended): nothing is known to
// have changed, and the client is told 503 and when to ask again. A refusal
// is an answer.
type Keys interface {
	Ask(ctx context.Context, keyID string, command proto.Message) (answer proto.Message, err error)
}

// The scopes that a key may have.
const (
	ScopeConnect = "ws:connect"   // open WebSockets
	ScopeIngest  = "ingest:write" // push posts and articles
	ScopeRules   = "rules:write"  // read and change monitors and filter rules
	ScopeRead    = "rules:read"   // read them only
)

// Scopes are all of them, in the order people expect to see.
var Scopes = []string{ScopeConnect, ScopeRules, ScopeRead, ScopeIngest}
