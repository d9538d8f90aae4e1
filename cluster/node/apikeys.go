package node

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors/apikey"
	"github.com/birdwire/birdwire/actors/filterrule"
	"github.com/birdwire/birdwire/actors/monitor"
	"github.com/birdwire/birdwire/actors/router/replay"
	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
)

// Plan is what a plan allows.
type Plan = apikey.Plan

// DefaultPlans are free, starter, pro and business.
func DefaultPlans() map[string]Plan { return apikey.DefaultPlans() }

// plansOf are the plans in force: kite's bound is one figure for all of them.
func plansOf(cfg Config) map[string]Plan {
	plans := DefaultPlans()
	if cfg.Plans != nil {
		plans = maps.Clone(cfg.Plans)
	}
	for name, p := range plans {
		if cfg.KiteConnections > 0 {
			p.Connections = maps.Clone(p.Connections)
			if p.Connections == nil {
				p.Connections = map[messages.Api]int{}
			}
			p.Connections[messages.Api_API_KITE] = cfg.KiteConnections
			plans[name] = p
		}
	}
	return plans
}

// metered are the APIs whose frames cost a credit each.
var metered = map[messages.Api]bool{messages.Api_API_TWITTER: true, messages.Api_API_NEWSRANK: true}

// keyProps makes the props of keys' actors.
func (n *Node) keyProps() func(keyID string) *actor.Props {
	monitors := monitor.Config{Clock: n.clock, Props: n.system.Props}
	rules := filterrule.Config{Props: n.system.Props, Parse: parseRule(n.cfg.limits())}
	cfg := apikey.Config{
		Records: records{n.store.Control()}, Counters: counters{n.store.Counters()}, History: history{n.journalLog},
		Clock: n.clock, Rand: n.rand, Worker: n.records, Reader: n.reading, Props: n.system.Props, Router: n.router,
		Monitor: func(id string, f *messages.Figures) *actor.Props { return monitor.Props(monitors, id, f) },
		Rule:    func(id string, f *messages.Figures) *actor.Props { return filterrule.Props(rules, id, f) },
		Connection: func(slot *messages.Slot) *actor.PID {
			if slot.GetNode() != n.cfg.Name || slot.GetIncarnation() != n.incarnation {
				return nil
			}
			return actor.NewPID(n.cfg.Name, connectionName(slot.GetConnectionId()))
		},
		Count: n.metrics.keyed, Logger: n.log.With("actor", "apikey"),
		Plans: plansOf(n.cfg), Metered: metered, Scopes: gateway.Scopes,
		MonitorsMost: n.cfg.MonitorsPerKey, RulesMost: n.cfg.RulesPerKey,
	}
	return func(keyID string) *actor.Props { return apikey.Props(cfg, keyID) }
}

// counters are the store's as keys take them.
type counters struct{ store store.Counters }

var _ apikey.Counters = counters{}

func (c counters) Reserve(ctx context.Context, keyID, month string, n, limit int64, op string) (*messages.Grant, error) {
	grant, err := c.store.Reserve(ctx, store.Reservation{KeyID: keyID, Month: month, N: n, Limit: limit, Op: op})
	if errors.Is(err, store.ErrExhausted) {
		return nil, fmt.Errorf("%w: %w", apikey.ErrExhausted, err)
	}
	return grant, portError(err)
}

func (c counters) Settle(ctx context.Context, grant *messages.Grant, used int64) error {
	return portError(c.store.Settle(ctx, grant, used))
}

func (c counters) Usage(ctx context.Context, keyID, month string) (*messages.Ledger, error) {
	ledger, err := c.store.Usage(ctx, keyID, month)
	return ledger, portError(err)
}

// historyFrames is how far back the record of deliveries is looked for after a
// key's actor starts: what a few seconds read.
const historyFrames = 4096

// history finds in the log what a key's queries have matched.
type history struct{ log log }

var _ apikey.History = history{}

func (h history) Newest(ctx context.Context, queries []*messages.Query, most int) ([]*messages.Delivery, error) {
	first, last, err := h.log.Bounds(ctx)
	if err != nil || last < first {
		return nil, err
	}
	request := replay.Request{Queries: queries, Through: messages.EndOf(last), Frames: 256, Deliveries: 1 << 20}
	if last > historyFrames && last-historyFrames > first {
		request.From = messages.EndOf(last - historyFrames)
	}
	// Repeats before this stretch are taken for new ones: a record that shows
	// one post twice is worth less than the window that would have to be read.
	request.VoidsSince = request.From
	newest := newestOf{most: most, byQuery: map[uint32]int{}}
	for request.From < request.Through {
		result, err := replay.Run(ctx, h.log, request)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			return nil, err
		}
		newest.add(result.Deliveries)
		request.From = result.Through
	}
	return newest.list(), nil
}

// newestOf keeps so many of each query, in log order.
type newestOf struct {
	most    int
	byQuery map[uint32]int
	all     []*messages.Delivery
}

func (n *newestOf) add(ds []*messages.Delivery) {
	for _, d := range ds {
		n.all = append(n.all, d)
		n.byQuery[d.GetK()]++
	}
	if len(n.all) > 2*n.most*max(1, len(n.byQuery)) {
		n.all = n.list()
	}
}

// list drops the oldest of each query past the bound.
func (n *newestOf) list() (kept []*messages.Delivery) {
	for _, d := range n.all {
		if n.byQuery[d.GetK()] > n.most {
			n.byQuery[d.GetK()]--
			continue
		}
		kept = append(kept, d)
	}
	return kept
}
