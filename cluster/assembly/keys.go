package assembly

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey"
	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/actors/filterrule"
	"github.com/birdwire/birdwire/actors/monitor"
	"github.com/birdwire/birdwire/actors/shard"
	"github.com/birdwire/birdwire/messages"
)

// storedQueries reads all keys, monitors and rules at once and returns those of
// the shards that have a monitor or rule: 1,024 lists of their own would make a
// start wait.
func storedQueries(ctx context.Context, records actors.Records) (map[int][]messages.KeptRecord, error) {
	values, err := records.List(ctx, "keys.", "monitors.", "rules.")
	if err != nil {
		return nil, fmt.Errorf("read keys, monitors and rules: %w", err)
	}
	stored, has := map[int][]messages.KeptRecord{}, map[int]bool{}
	for _, v := range values {
		kind, rest, _ := strings.Cut(v.Key, ".")
		number, _, _ := strings.Cut(rest, ".")
		i, err := strconv.Atoi(number)
		if err != nil || i < 0 || i >= actors.Shards {
			return nil, fmt.Errorf("record %s names no shard: the store holds what this program did not write", v.Key)
		}
		stored[i] = append(stored[i], v)
		has[i] = has[i] || kind != "keys"
	}
	maps.DeleteFunc(stored, func(i int, _ []messages.KeptRecord) bool { return !has[i] })
	return stored, nil
}

// shardConfig is the shards'. Those that had nothing to match when the node
// started take their term with their first message: 1,024 at once would cost a
// second on an empty folder.
func (n *Node) shardConfig(stored map[int][]messages.KeptRecord) shard.Config {
	p := n.ports
	supervisor := n.pid(supervisorID)
	// One slot a shard, each used by that shard alone.
	var preloaded [actors.Shards][]messages.KeptRecord
	var awaited [actors.Shards]bool
	for number, records := range stored {
		preloaded[number], awaited[number] = slices.Clip(records), true
	}
	return shard.Config{
		Node: p.Node, Incarnation: p.Incarnation, Records: n.stored,
		Clock: p.Clock, Worker: p.Work.Records, Props: p.Props, Lease: n.lease, Router: n.pid(routerID), Key: n.keyProps(),
		Dead: n.ended, Doubtful: n.doubtful, Owns: n.owns, Behind: n.behind, Holder: n.holder, Left: n.left, Turned: n.turned,
		// What was read at the start is good for the first activation only, and
		// is not kept after it.
		Preload: func(number int) ([]messages.KeptRecord, bool) {
			records := preloaded[number]
			preloaded[number] = nil
			return records, records != nil
		},
		Dormant: func(number int) bool { return p.Cluster == nil && preloaded[number] == nil },
		Active: func(number int) {
			if awaited[number] {
				p.System.Root.Send(supervisor, &ready{number})
			}
		},
		Count: p.Observe.Keys, Sometimes: p.Sometimes, Queues: p.Queues, Logger: p.Logger.With("actor", "shard"),
	}
}

// keyProps makes the props of keys' actors.
func (n *Node) keyProps() func(keyID string) *actor.Props {
	p := n.ports
	monitors := monitor.Config{Clock: p.Clock, Props: p.Props}
	rules := filterrule.Config{Props: p.Props, Parse: parseRule(n.cfg.Query)}
	cfg := apikey.Config{
		Records: n.stored, Counters: counters{p.Store.Counters()}, History: older{n.log}, Spent: spent{n.log}, Log: bounds{n.log}, Events: n.log, Lease: n.lease,
		Clock: p.Clock, Rand: p.Rand, Worker: p.Work.Records, Waker: p.Work.Wake, Props: p.Props, Router: n.pid(routerID),
		Monitor:    func(id string, f *messages.Figures) *actor.Props { return monitor.Props(monitors, id, f) },
		Rule:       func(id string, f *messages.Figures) *actor.Props { return filterrule.Props(rules, id, f) },
		Connection: n.connectionOf,
		Count:      p.Observe.Keys, Sometimes: p.Sometimes, Queues: p.Queues, Logger: p.Logger.With("actor", "apikey"),
		Plans: n.cfg.Plans, Scopes: n.cfg.Scopes, MonitorsMost: n.cfg.MonitorsPerKey, RulesMost: n.cfg.RulesPerKey,
	}
	return func(keyID string) *actor.Props {
		cfg := cfg
		cfg.Reader = p.Work.readFor(keyID)
		return apikey.Props(cfg, keyID)
	}
}

// parseRule is the rule language as a rule's actor takes it.
func parseRule(limits rule.Limits) func(query string) error {
	return func(query string) error {
		_, err := rule.Parse(query, limits)
		return err
	}
}
