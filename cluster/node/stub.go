package node

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/messages"
)

type stub struct{ router *actor.PID }

func (s *stub) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.Admit:
		ctx.Respond(&messages.Admitted{KeyId: m.GetCredential().GetKeyId(), Plan: "business", Pro: true})
	case *messages.Authorize:
		ctx.Respond(&messages.Authorized{Key: &messages.Key{Id: m.GetCredential().GetKeyId(), Scopes: []string{"ingest:write"}}})
	case *messages.CreateKey:
		ctx.Respond(&messages.KeyDescribed{Key: m.GetKey()})
	}
}

func (n *Node) keyProps() func(string) *actor.Props {
	n.cfg.Plans = map[string]Plan{"free": {}, "starter": {}, "pro": {}, "business": {}}
	return func(string) *actor.Props {
		return n.system.props("apikey", func() actor.Actor { return &stub{n.router} }, nil)
	}
}
