package shard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/definition"
	"github.com/birdwire/birdwire/actors/engine/hold"
	"github.com/birdwire/birdwire/messages"
)

// ownPuts begins the ids of the shard's own PutQueries. A key's are below, and
// their answers are handed on to it.
const ownPuts = 1 << 63

// put is one PutQueries of the activation; its id is ownPuts, the term and its place.
type put struct {
	message  *messages.PutQueries
	answered bool
}

// activated is a worker's answer.
type activated struct {
	of       *shard
	record   *messages.Shard
	revision uint64
	queries  []*messages.PutQueries // one a key, by key id; without ids
	keys     []string               // the ids of all keys that have a record, readable or not
	corrupt  []string               // records that cannot be read
	holder   *actor.PID             // who has it and is to give it up first; nothing was taken
	former   *actor.PID             // who had it and did not give it up
	err      error
}

func (s *shard) activate(ctx actor.Context) {
	*s.woken = true
	s.term, s.taking = 0, taking{}
	s.behavior.Become(s.activating)
	s.load(ctx)
}

// load takes the term and reads what the shard's keys ask for.
func (s *shard) load(ctx actor.Context) {
	cfg, number, force, newest := s.cfg, s.number, s.taking.force, s.newest
	s.work(ctx, func(work context.Context) any {
		a := &activated{of: s}
		a.err = takeTerm(work, cfg, number, newest, force, a)
		if a.err == nil && a.holder == nil {
			a.err = readQueries(work, cfg, number, a)
		}
		return a
	})
}

// takeTerm makes this process the shard's owner, unless another one holds it
// that may be asked for it. newest is the highest term that is known, which is the
// record's, unless that was lost. After an uncertain answer the caller begins again:
// the term it then takes is higher than either.
func takeTerm(ctx context.Context, cfg *Config, number int, newest uint64, force bool, a *activated) error {
	name := actors.ShardRecord(number)
	kept, err := cfg.Records.Get(ctx, name)
	damaged := errors.Is(err, messages.ErrDamaged)
	if err != nil && !damaged && !errors.Is(err, messages.ErrNotFound) {
		return fmt.Errorf("take shard %d: %w", number, err)
	}
	var old messages.Shard
	unread := proto.Unmarshal(kept.Data, &old) != nil
	if unread {
		old.Reset()
	}
	if old.GetNode() != "" && !cfg.holds(&old) {
		if a.former, err = cfg.Holder(ctx, number, old.GetNode(), old.GetIncarnation()); err != nil {
			return fmt.Errorf("take shard %d: %w", number, err)
		}
		if a.former != nil && !force {
			a.holder = a.former
			return nil
		}
	}
	record := &messages.Shard{Term: max(old.GetTerm(), newest) + 1, Node: cfg.Node, Incarnation: cfg.Incarnation}
	if damaged || unread {
		// What it said is lost: who was connected comes again and asks for slots.
		record.Term = termAfterDamage(cfg.Incarnation)
		cfg.Count("record_corrupt")
		cfg.Logger.Error("the record of a shard is damaged and is written again: nothing is lost but who was connected", "record", name, "term", record.Term)
	}
	if record.Slots, err = living(ctx, cfg, old.GetSlots()); err != nil {
		return fmt.Errorf("take shard %d: %w", number, err)
	}
	data, err := proto.Marshal(record)
	if err != nil {
		return fmt.Errorf("take shard %d: %w", number, err)
	}
	if damaged {
		a.revision, err = cfg.Records.Mend(ctx, name, data)
	} else {
		a.revision, err = cfg.Records.CAS(ctx, name, data, kept.Revision)
	}
	if err != nil {
		return fmt.Errorf("take shard %d: %w", number, err)
	}
	a.record = record
	return nil
}

// living are those whose process has not ended. It is an error where that is not known
// yet: one that was taken for dead and is back has taken some of them since, by an owner
// that knew, and so the shard is not served before this process knows too.
func living(ctx context.Context, cfg *Config, slots []*messages.Slot) (all []*messages.Slot, err error) {
	type process struct {
		node        string
		incarnation uint64
	}
	asked := map[process]bool{}
	for _, slot := range slots {
		if p := (process{slot.GetNode(), slot.GetIncarnation()}); cfg.Dead(slot) && !asked[p] {
			asked[p] = true
			switch behind, err := cfg.Behind(ctx, p.node, p.incarnation); {
			case err != nil:
				return nil, err
			case behind:
				return nil, fmt.Errorf("%w: node %s, which was taken for dead, has renewed its lease", errBehind, p.node)
			}
		}
		if !cfg.Dead(slot) {
			all = append(all, slot)
		}
	}
	return all, nil
}

// errBehind: others know more of the cluster's nodes than this one, for a moment.
var errBehind = errors.New("this node is behind")

// termAfterDamage is above every term that a damaged record can have had: a
// shard is taken far fewer times than this in one run of a node.
func termAfterDamage(incarnation uint64) uint64 {
	const takenMost, termMost = 1 << 10, 1 << 30
	return min(incarnation, termMost/takenMost) * takenMost
}

// readQueries reads the active monitors and rules of active keys.
func readQueries(ctx context.Context, cfg *Config, number int, a *activated) error {
	records, ok := cfg.Preload(number)
	prefixes := []string{actors.KeysPrefix(number), actors.MonitorsPrefix(number), actors.RulesPrefix(number)}
	if !ok {
		var err error
		if records, err = cfg.Records.List(ctx, prefixes...); err != nil {
			return fmt.Errorf("load shard %d: list its records: %w", number, err)
		}
	}
	if len(records) == 0 {
		return nil
	}
	active := map[string]bool{}
	queries := map[string]*messages.PutQueries{}
	for _, r := range records {
		if r.Newer { // what would be served without it is not what its owner wants
			return fmt.Errorf("load shard %d: %w", number, r.Unread())
		}
		if strings.HasPrefix(r.Key, prefixes[0]) {
			a.keys = append(a.keys, keyIn(r.Key, prefixes[0]))
		}
		key, query, err := read(r, prefixes)
		switch {
		case err != nil:
			a.corrupt = append(a.corrupt, r.Key)
		case query == nil && key != nil:
			active[key.GetId()] = key.GetState() == messages.KeyState_KEY_ACTIVE
		case query != nil:
			if queries[key.GetId()] == nil {
				queries[key.GetId()] = &messages.PutQueries{KeyId: key.GetId()}
			}
			queries[key.GetId()].Put = append(queries[key.GetId()].Put, query)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(queries)) {
		if active[id] {
			slices.SortFunc(queries[id].Put, func(a, b *messages.Query) int { return int(int64(a.GetK()) - int64(b.GetK())) })
			a.queries = append(a.queries, queries[id])
		}
	}
	return nil
}

// read returns a key, or the query of a monitor or rule with its key's id, or
// neither for one that is not active.
func read(r messages.KeptRecord, prefixes []string) (*messages.Key, *messages.Query, error) {
	key := &messages.Key{}
	if err := r.Unread(); err != nil {
		return nil, nil, err
	}
	if strings.HasPrefix(r.Key, prefixes[0]) {
		return key, nil, proto.Unmarshal(r.Data, key)
	}
	prefix, rule := prefixes[1], false
	if strings.HasPrefix(r.Key, prefixes[2]) {
		prefix, rule = prefixes[2], true
	}
	if len(r.Data) == 0 {
		return nil, nil, nil // it is being made: see actors/apikey, place
	}
	d, err := definition.Unmarshal(rule, r.Data)
	if err != nil {
		return nil, nil, err
	}
	query := d.Query()
	if query == nil {
		return nil, nil, nil
	}
	key.Id = keyIn(r.Key, prefix)
	return key, query, nil
}

// activating is before the term is taken and the queries are live.
func (s *shard) activating(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *activated:
		if m.of == s {
			s.activated(ctx, m)
		}
	case *activateTime:
		if m.of == s {
			s.load(ctx)
		}
	case *handTime:
		if m.of == s {
			s.handDue(ctx)
		}
	case *messages.Deactivated, *actor.DeadLetterResponse:
		s.handed(ctx, m)
	case *putTime:
		s.putAgain(ctx, m)
	case *messages.QueriesPut:
		s.queriesPut(ctx, m)
	case *messages.NotOwner: // the router: it has heard of a later owner
		if s.term != 0 && actors.ShardTerm(m.GetTerm()) > s.term {
			s.stepDown(ctx, &messages.Shard{Term: actors.ShardTerm(m.GetTerm())})
		}
	case *messages.Activate:
		s.wanted = true
		s.ask(ctx, true)
	case *messages.Deactivate:
		s.ask(ctx, false)
		s.wanted = false
		if s.term != 0 || s.taking.holder != nil {
			s.deactivate(ctx)
		}
	case *commitTime, *committed, *coolTime, *leaveTime, *found, *released, *messages.ShardDropped: // of before
	default:
		s.hold(ctx)
	}
}

// hold keeps what came too early. Who waits for an answer gets one at once
// where the disk is full: that ends with somebody's work, not by itself.
func (s *shard) hold(ctx actor.Context) {
	h := actors.Present(ctx)
	if s.full != "" && h.Refuse(ctx, s.full) {
		return
	}
	if !s.held.Add(h, hold.Size(h.Message)) {
		s.cfg.Count("held_dropped")
		h.Refuse(ctx, detailActivating)
	}
}

// fullDisk refuses all that wait, and goes on doing so until the activation goes
// through.
func (s *shard) fullDisk(ctx actor.Context, err error) {
	s.full = actors.StoreDetail(err)
	s.held.Keep(func(h actors.Held) bool { return !h.Refuse(ctx, s.full) })
}

func (s *shard) activated(ctx actor.Context, a *activated) {
	s.full = ""
	if errors.Is(a.err, messages.ErrFull) {
		s.fullDisk(ctx, a.err)
	}
	switch {
	case !s.wanted && (a.err != nil || a.holder != nil):
		s.deactivate(ctx) // what was taken, if anything was, is found in the record
		return
	case a.err != nil:
		wait := s.store.Failed()
		level := slog.LevelWarn
		if errors.Is(a.err, errBehind) {
			level = slog.LevelDebug
		}
		s.log().Log(context.Background(), level, "activation failed; it is tried again", "in", wait, "error", a.err)
		s.timers.Set(activateTime{}, wait, ctx.Self(), &activateTime{s})
		return
	case a.holder != nil:
		s.askHolder(ctx, a.holder)
		return
	}
	for _, name := range a.corrupt {
		s.cfg.Count("record_corrupt")
		s.log().Error("a record cannot be read; it is left out until it is repaired or deleted", "record", name)
	}
	if a.former != nil { // it finds out by itself only when it writes
		ctx.Send(a.former, &messages.NotOwner{Shard: uint32(s.number), Term: actors.KeyTerm(a.record.GetTerm(), 0)})
	}
	s.store.Succeeded()
	if s.newest != 0 {
		s.cfg.Sometimes.Reached(actors.ShardTakenAgain)
	}
	s.term, s.revision = a.record.GetTerm(), a.revision
	s.says("a term is taken")
	s.slots.load(a.record)
	clear(s.known)
	for _, id := range a.keys {
		set(&s.known, id, struct{}{})
	}
	if !s.wanted {
		s.deactivate(ctx)
		return
	}
	for _, p := range a.queries {
		s.put(ctx, p)
	}
	if s.left > 0 {
		s.timers.Set(putTime{}, s.cfg.PutAgain, ctx.Self(), &putTime{s})
	}
	s.begin(ctx)
}

// put asks the router; s.queriesPut has the answer.
func (s *shard) put(ctx actor.Context, p *messages.PutQueries) {
	p.Id = s.firstPut() + uint64(len(s.puts))
	p.Term, p.All = actors.KeyTerm(s.term, 0), true
	s.puts = append(s.puts, &put{message: p})
	s.left++
	ctx.Request(s.cfg.Router, p)
}

func (s *shard) firstPut() uint64 { return ownPuts | s.term<<32 }

func (s *shard) putAgain(ctx actor.Context, m *putTime) {
	if m.of != s {
		return
	}
	for _, p := range s.puts {
		if !p.answered {
			ctx.Request(s.cfg.Router, p.message)
		}
	}
	s.timers.Set(putTime{}, s.cfg.PutAgain, ctx.Self(), &putTime{s})
}

// queriesPut: a query that the router refuses is left out, and silences its
// own monitor or rule alone.
func (s *shard) queriesPut(ctx actor.Context, m *messages.QueriesPut) {
	i := m.GetId() - s.firstPut()
	if m.GetId() < s.firstPut() || i >= uint64(len(s.puts)) || s.puts[i].answered {
		return
	}
	s.puts[i].answered = true
	s.left--
	for _, refused := range m.GetRefused() {
		s.cfg.Count("query_refused")
		s.log().Error("the router refused a query; it matches nothing",
			"key", m.GetKeyId(), "k", refused.GetQuery().GetK(), "error", refused.GetDetail())
	}
	s.begin(ctx)
}

// begin serves once every query is live. Keys with connections start at once:
// those learn from them that they are to join again.
func (s *shard) begin(ctx actor.Context) {
	if s.left > 0 {
		return
	}
	s.puts = nil
	s.timers.Cancel(putTime{})
	s.behavior.Become(s.active)
	for _, keyID := range s.slots.keys() {
		s.start(ctx, keyID)
	}
	s.tellAskers(ctx, true, &messages.Activated{Shard: uint32(s.number), Term: s.term})
	for _, h := range s.held.Take() {
		h.Serve(ctx)
	}
	s.cfg.Active(s.number)
}
