// Package monitor is one monitor of a key as an actor: it says what the
// monitor becomes under a change, keeps its figures, and learns the numeric ids
// of the accounts it watches, so that an account that takes another name is
// watched still.
//
// It is its key's child and talks to nobody else. Every message to it carries
// the monitor as it is, so the actor holds nothing that a restart could
// make stale; a restart loses what it has counted since it was started, and
// nothing else. It never matches: the router's index does so on its behalf. It
// never writes: its key makes a change durable and live.
package monitor

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/text"
	"github.com/birdwire/birdwire/messages"
)

// Config is what a monitor takes from its node.
type Config struct {
	Clock actors.Clock
	Props actors.Props

	// LearnAfter is how long a newly seen account id waits for others, so that
	// a monitor's first minute is one write and not a hundred; default 5 s.
	LearnAfter time.Duration
}

func (c Config) withDefaults() Config {
	if c.LearnAfter == 0 {
		c.LearnAfter = 5 * time.Second
	}
	return c
}

type monitor struct {
	cfg     Config
	id      string
	figures *messages.Figures
	timers  actors.Timers
	learnt  map[string]string // username -> id, not told yet; at most one for each of 100 usernames
}

// Props describes the monitor with the id. figures are those that it begins with.
func Props(cfg Config, id string, figures *messages.Figures) *actor.Props {
	cfg = cfg.withDefaults()
	return cfg.Props("monitor", func() actor.Actor {
		own := &messages.Figures{}
		proto.Merge(own, figures)
		return &monitor{cfg: cfg, id: id, figures: own, learnt: map[string]string{}, timers: actors.NewTimers(cfg.Clock)}
	}, nil)
}

type learnTime struct{}

func (m *monitor) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *messages.DraftMonitor:
		drafted, rejected := draft(msg.GetPresent(), msg.GetChange(), msg.GetFields())
		ctx.Respond(&messages.MonitorDrafted{Id: msg.GetId(), Monitor: drafted, Rejected: rejected})
	case *messages.CountHits:
		m.count(ctx, msg)
	case *messages.AskFigures:
		ctx.Respond(&messages.MonitorShown{Monitor: msg.GetMonitor(), Figures: m.snapshot()})
	case *learnTime:
		m.tell(ctx)
	case *actor.Stopping, *actor.Restarting:
		m.timers.Stop()
	case *messages.Retire:
		m.tell(ctx)
		ctx.Request(ctx.Sender(), &messages.Retired{Id: m.id, Figures: m.snapshot()})
	}
}

func (m *monitor) count(ctx actor.Context, c *messages.CountHits) {
	n := int64(len(c.GetEvents()))
	m.figures.Matched += n
	if c.GetDelivered() {
		m.figures.Delivered += n
	}
	m.figures.LastMatchMs = c.GetAtMs()
	for _, e := range c.GetEvents() {
		m.learn(ctx, c.GetMonitor(), e.GetPost().GetAuthor())
	}
}

// learn remembers the id of a watched username. The first one learnt
// stays: when an account is renamed and another takes its old name, the monitor
// goes on watching the account and matches the other by name alone.
func (m *monitor) learn(ctx actor.Context, present *messages.Monitor, author *messages.Author) {
	if !numeric(author.GetId()) {
		return
	}
	username := text.FoldName(strings.TrimPrefix(author.GetUsername(), "@"))
	i := slices.Index(present.GetUsernames(), username)
	if i < 0 || i < len(present.GetAuthorIds()) && present.GetAuthorIds()[i] != "" {
		return
	}
	if _, ok := m.learnt[username]; ok {
		return
	}
	if len(m.learnt) == 0 {
		m.timers.Set(learnTime{}, m.cfg.LearnAfter, ctx.Self(), &learnTime{})
	}
	m.learnt[username] = author.GetId()
}

func (m *monitor) tell(ctx actor.Context) {
	if len(m.learnt) == 0 {
		return
	}
	told := &messages.AuthorsLearnt{MonitorId: m.id}
	for _, username := range slices.Sorted(maps.Keys(m.learnt)) {
		told.Learnt = append(told.Learnt, &messages.LearntAuthor{Username: username, Id: m.learnt[username]})
	}
	ctx.Send(ctx.Parent(), told)
	m.learnt = map[string]string{}
}

// snapshot is a copy: what was sent is never changed.
func (m *monitor) snapshot() *messages.Figures {
	return proto.Clone(m.figures).(*messages.Figures)
}

func numeric(id string) bool {
	for i := range len(id) {
		if id[i] < '0' || id[i] > '9' {
			return false
		}
	}
	return len(id) > 0 && len(id) <= 20
}
