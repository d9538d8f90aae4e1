package sim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

// histories are what nodes and clients did to a shard's term, a key's places and a
// month's credits, and what they were answered. At the end of a run each has to be
// one that some order of them explains, each having happened at some moment between
// its call and its answer (linearizability). What was never answered may have
// happened then or later, or not at all.
type histories struct {
	now   int64 // counts calls and answers, in order
	terms map[string][]porcupine.Operation
	slots map[string][]porcupine.Operation
	money map[string][]porcupine.Operation

	names map[link.Peer]string // of processes; each is named a thousand times
}

func newHistories() *histories {
	return &histories{terms: make(map[string][]porcupine.Operation, actors.Shards), slots: map[string][]porcupine.Operation{}, money: map[string][]porcupine.Operation{}, names: map[link.Peer]string{}}
}

// process names a process.
func (h *histories) process(node string, incarnation uint64) string {
	peer := link.Peer{Node: node, Incarnation: incarnation}
	if h.names[peer] == "" {
		h.names[peer] = peer.Address()
	}
	return h.names[peer]
}

func (h *histories) tick() int64 {
	h.now++
	return h.now
}

// add is something that was called at that moment and has been answered now, or
// will never be.
func (h *histories) add(to map[string][]porcupine.Operation, of string, call int64, input, output any, answered bool) {
	o := porcupine.Operation{ClientId: len(to[of]), Input: input, Call: call, Output: output, Return: h.tick()}
	if !answered {
		o.Return = math.MaxInt64
	}
	to[of] = append(to[of], o)
}

// CheckHistories holds that an order explains each history. The picture of the first
// that none explains is written to a file.
func (c *Cluster) CheckHistories() {
	c.TB.Helper()
	for _, kind := range []struct {
		name  string
		model porcupine.NondeterministicModel
		all   map[string][]porcupine.Operation
	}{{"terms", termModel, c.histories.terms}, {"places", slotModel, c.histories.slots}, {"credits", moneyModel, c.histories.money}} {
		model := kind.model.ToModel()
		for _, of := range slices.Sorted(maps.Keys(kind.all)) {
			result, info := porcupine.CheckOperationsVerbose(model, kind.all[of], 0)
			if result == porcupine.Ok {
				continue
			}
			c.Violated("histories have an order", "none explains the %s of %s: see %s", kind.name, of, picture(model, info))
			break
		}
	}
}

func picture(model porcupine.Model, info porcupine.LinearizationInfo) string {
	f, err := os.CreateTemp("", "history-*.html")
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if err := porcupine.Visualize(model, info, f); err != nil {
		return err.Error()
	}
	return f.Name()
}

// term is that a process writes a shard's record with that term as its owner.
type term struct {
	number uint64
	by     string
}

// termModel: a term is one process's, and terms grow.
var termModel = porcupine.NondeterministicModel{
	Init: func() []any { return []any{term{}} },
	Step: func(state, input, output any) []any {
		was, is := state.(term), input.(term)
		var next []any
		if is.number > was.number || is == was {
			next = append(next, is)
		}
		if !output.(bool) { // not answered: it may not have happened
			next = append(next, was)
		}
		return next
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%v -> %v", input, output) },
}

// place is that a connection is admitted to one of a key's places, or leaves it.
type place struct {
	connection string
	leaves     bool
	limit      int
}

// slotModel: never more than the limit. The state is who is there.
var slotModel = porcupine.NondeterministicModel{
	Init: func() []any { return []any{""} },
	Step: func(state, input, _ any) []any {
		in, p := state.(string), input.(place)
		name := p.connection + " "
		switch {
		case p.leaves:
			return []any{strings.Replace(in, name, "", 1)}
		case strings.Count(in, " ") < p.limit:
			return []any{in + name}
		}
		return nil
	},
	DescribeOperation: func(input, _ any) string { return fmt.Sprintf("%+v", input) },
}

// balance is a month's credits: what is charged, and the grants that are open, each
// as "id=size ".
type balance struct {
	charged int64
	open    string
}

func (a balance) size(id string) (size int64, open bool) {
	for _, grant := range strings.Fields(a.open) {
		if rest, ok := strings.CutPrefix(grant, id+"="); ok {
			if _, err := fmt.Sscan(rest, &size); err == nil {
				return size, true
			}
		}
	}
	return 0, false
}

func (a balance) close(id string) balance {
	size, _ := a.size(id)
	a.open = strings.Replace(a.open, fmt.Sprintf("%s=%d ", id, size), "", 1)
	return a
}

// settling is that so much of a grant was used.
type settling struct {
	id   string
	used int64
}

// lent is a reservation's answer: how large the grant is; or it has failed.
type lent struct {
	size   int64
	failed bool
}

// moneyModel: what is charged is what was used and what grants hold, and never grows
// past the limit; a reservation that is asked for again is lent nothing more.
var moneyModel = porcupine.NondeterministicModel{
	Init: func() []any { return []any{balance{}} },
	Step: func(state, input, output any) []any {
		a := state.(balance)
		if s, ok := input.(settling); ok {
			next := []any{a.settle(s)}
			if output.(lent).failed {
				next = append(next, a)
			}
			return next
		}
		next, size, ok := a.reserve(input.(store.Reservation))
		switch out := output.(lent); {
		case out.failed && ok:
			return []any{a, next}
		case out.failed:
			return []any{a}
		case ok && (size == out.size || out.size == 0): // 0: settled before, and asked again
			return []any{next}
		}
		return nil
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %+v", input, output) },
}

func (a balance) settle(s settling) balance {
	size, open := a.size(s.id)
	if !open {
		return a
	}
	a.charged -= size - s.used
	return a.close(s.id)
}

func (a balance) reserve(r store.Reservation) (next balance, size int64, ok bool) {
	if size, open := a.size(r.Op); open {
		return a, size, true
	}
	more := r.N
	if r.Limit > 0 {
		more = max(min(more, r.Limit-a.charged), 0)
	}
	size = more
	if g := r.Replaces; g != nil {
		had, open := a.size(g.GetId())
		if !open {
			return a, 0, true // settled before, and asked again
		}
		size += had - r.Used
		a = a.close(g.GetId())
	}
	a.charged += more
	if size > 0 {
		a.open += fmt.Sprintf("%s=%d ", r.Op, size)
	}
	return a, size, true
}

// remembered is a store whose calls are in the histories.
type remembered struct {
	store.Store
	by *Node
}

func (r remembered) Control() store.Control {
	return rememberedControl{r.Store.Control(), r.by.cluster.histories, r.by}
}

func (r remembered) Counters() store.Counters {
	return rememberedCounters{r.Store.Counters(), r.by.cluster.histories, r.by.cluster}
}

type rememberedControl struct {
	store.Control
	h  *histories
	by *Node
}

func (c rememberedControl) CAS(ctx context.Context, key string, data []byte, revision uint64) (uint64, error) {
	shard := &messages.Shard{}
	plain, err := nextFormats.Read(key, data)
	if err != nil || !strings.HasPrefix(key, shardRecords) || proto.Unmarshal(plain, shard) != nil {
		return c.Control.CAS(ctx, key, data, revision)
	}
	if shard.GetNode() == "" {
		of := c.by.cluster
		open := of.owed(key)
		written, err := c.Control.CAS(ctx, key, data, revision)
		if err == nil {
			of.checkReleased(open)
			c.by.gave[key] = of.end().Sequence()
		}
		return written, err
	}
	delete(c.by.gave, key)
	call := c.h.tick()
	written, err := c.Control.CAS(ctx, key, data, revision)
	if !errors.Is(err, messages.ErrConflict) {
		c.h.add(c.h.terms, key, call, term{shard.GetTerm(), c.h.process(shard.GetNode(), shard.GetIncarnation())}, err == nil, err == nil)
	}
	return written, err
}

type rememberedCounters struct {
	store.Counters
	h  *histories
	of *Cluster
}

func (c rememberedCounters) Reserve(ctx context.Context, r store.Reservation) (*messages.Grant, error) {
	c.of.checkReserved(r)
	call := c.h.tick()
	g, err := c.Counters.Reserve(ctx, r)
	if !errors.Is(err, messages.ErrExhausted) && !errors.Is(err, messages.ErrNotFound) {
		r.Spenders = nil
		c.h.add(c.h.money, r.KeyID+" "+r.Month, call, r, lent{g.GetSize(), err != nil}, err == nil)
	}
	return g, err
}

func (c rememberedCounters) Settle(ctx context.Context, g *messages.Grant, used int64) error {
	call := c.h.tick()
	err := c.Counters.Settle(ctx, g, used)
	c.h.add(c.h.money, g.GetKeyId()+" "+g.GetMonth(), call, settling{g.GetId(), used}, lent{failed: err != nil}, err == nil)
	return err
}
