package node

import "github.com/birdwire/birdwire/gateway"

// Scopes are those that a key may have, in the order people expect to see.
func Scopes() []string { return gateway.Scopes }
