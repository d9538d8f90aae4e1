// Package filterrule is one filter rule of a key as an actor: it says what the
// rule becomes under a change, whether its query is one, and keeps its figures.
//
// It is its key's child and talks to nobody else. Every message to it carries
// the rule as it is, so the actor holds nothing that a restart could make
// stale; a restart loses what it has counted since it was started, and nothing
// else. It never matches: the router's index does so on its behalf. It never
// writes: its key makes a change durable and live.
package filterrule

import (
	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// Config is what a filter rule takes from its node.
type Config struct {
	Props actors.Props
	// Parse is nil for a query that the language has. A *messages.SyntaxError
	// tells the rule's owner where it is wrong; any other error only that it is.
	Parse func(query string) error
}

type rule struct {
	cfg     Config
	id      string
	figures *messages.Figures
}

// Props describes the rule with the id. figures are those that it begins with.
func Props(cfg Config, id string, figures *messages.Figures) *actor.Props {
	return cfg.Props("filterrule", func() actor.Actor {
		own := &messages.Figures{}
		proto.Merge(own, figures)
		return &rule{cfg: cfg, id: id, figures: own}
	}, nil)
}

func (r *rule) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.DraftRule:
		drafted, rejected := draft(r.cfg.Parse, m.GetPresent(), m.GetChange(), m.GetFields())
		ctx.Respond(&messages.RuleDrafted{Id: m.GetId(), Rule: drafted, Rejected: rejected})
	case *messages.CountHits:
		n := int64(len(m.GetEvents()))
		r.figures.Matched += n
		if m.GetDelivered() {
			r.figures.Delivered += n
		}
		r.figures.LastMatchMs = m.GetAtMs()
	case *messages.AskFigures:
		ctx.Respond(&messages.RuleShown{Rule: m.GetRule(), Figures: r.snapshot()})
	case *messages.Retire:
		ctx.Request(ctx.Sender(), &messages.Retired{Id: r.id, Figures: r.snapshot()})
	}
}

// snapshot is a copy: what was sent is never changed.
func (r *rule) snapshot() *messages.Figures {
	return proto.Clone(r.figures).(*messages.Figures)
}
