package apikey

import (
	"cmp"
	"log/slog"
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey/definitions"
	"github.com/birdwire/birdwire/messages"
)

// part is what the key keeps of one monitor or rule besides its definition: its
// child while there is one. There is one before the definition is, while a child
// says what is to become of it.
type part struct {
	id    string
	rule  bool
	entry *definitions.Entry // nil while it is being created

	hits []*messages.Event // of the frame being handled

	figures  *messages.Figures // that the next child begins with
	child    *actor.PID
	token    uint64         // of the question that the child was asked last
	usedAt   actors.Instant // when the child was last told something
	retiring bool           // Retire was the last it was told
	budget   actors.Budget
	coolTill actors.Instant // no child before
}

// shown is the answer that shows it.
func (p *part) shown() any {
	if p.rule {
		return &messages.RuleShown{Rule: p.entry.Rule, Figures: p.figures}
	}
	return &messages.MonitorShown{Monitor: p.entry.Monitor, Figures: p.figures}
}

// parts are those of a key, with their children.
type parts struct {
	cfg     *Config
	log     *slog.Logger
	byID    map[string]*part
	byK     map[uint32]*part // without those that are being created
	sorted  []*part          // by k; without those that are being created
	byPID   map[string]*part // those with a child, by its actor id
	spawned uint64           // names children
}

func (t *parts) init(cfg *Config, log *slog.Logger) {
	t.cfg, t.log = cfg, log
	t.byID, t.byK, t.byPID = map[string]*part{}, map[uint32]*part{}, map[string]*part{}
}

func (t *parts) add(id string, rule bool) *part {
	p := &part{id: id, rule: rule}
	t.byID[id] = p
	return p
}

// of is the part of a monitor or rule that there is.
func (t *parts) of(e *definitions.Entry) *part {
	p := t.byID[e.ID()]
	if p == nil {
		p = t.add(e.ID(), e.IsRule())
	}
	if p.entry == nil {
		i, _ := slices.BinarySearchFunc(t.sorted, e.K(), func(o *part, k uint32) int { return cmp.Compare(o.entry.K(), k) })
		t.sorted = slices.Insert(t.sorted, i, p)
		t.byK[e.K()] = p
	}
	p.entry = e
	return p
}

func (t *parts) remove(p *part) {
	delete(t.byID, p.id)
	if p.entry != nil {
		delete(t.byK, p.entry.K())
	}
	t.sorted = slices.DeleteFunc(t.sorted, func(o *part) bool { return o == p })
}

// followSet has the parts be those of the set, which was read again.
func (k *key) followSet(ctx actor.Context) {
	for _, p := range slices.Clone(k.parts.sorted) {
		if k.changes.Set.ByID(p.id) == nil {
			k.forget(ctx, p.id)
		}
	}
	for _, e := range k.changes.Set.All() {
		k.parts.of(e)
	}
}

// forget ends what the key keeps of a monitor or rule that is no more, or never
// came to be.
func (k *key) forget(ctx actor.Context, id string) {
	if p := k.parts.byID[id]; p != nil {
		k.parts.stop(ctx, p)
		k.parts.remove(p)
		if p.entry != nil {
			k.record.Forget(p.entry.K())
		}
	}
}
