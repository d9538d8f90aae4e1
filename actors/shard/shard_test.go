package shard_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/shard"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

const keyID = "key-abcdefghij"

// number is keyID's shard; otherKey is another key of it.
var (
	number   = actors.ShardOf(keyID)
	otherKey = sibling(keyID)
)

func sibling(of string) string {
	for i := 0; ; i++ {
		if id := fmt.Sprintf("key-%d", i); id != of && actors.ShardOf(id) == actors.ShardOf(of) {
			return id
		}
	}
}

// rig is one shard whose keys are stubs: what they get, the test sees.
type rig struct {
	t      testing.TB
	k      *testkit.Kit
	cfg    shard.Config
	pid    *actor.PID
	router *testkit.Probe
	seen   *testkit.Probe // what the stubs got
	stubs  map[string]*actor.PID
	counts map[string]int
	owing  bool // the stubs cannot settle
}

// got is what a stub received.
type got struct {
	keyID   string
	message any
	sender  *actor.PID
}

// act is done by the stub that receives it, as the key would.
type act func(ctx actor.Context)

func newRig(t testing.TB, k *testkit.Kit, change ...func(*shard.Config)) *rig {
	r := &rig{t: t, k: k, router: k.Probe(), seen: k.Probe(), stubs: map[string]*actor.PID{}, counts: map[string]int{}}
	r.cfg = shard.Config{
		Node: "n1", Incarnation: 7,
		Records: records(k), Clock: k.Clock, Worker: k.Worker, Props: k.Props, Router: r.router.PID(),
		Logger: k.Log, Key: r.key, Count: func(m string) { r.counts[m]++ },
	}
	for _, c := range change {
		c(&r.cfg)
	}
	return r
}

// stored gives the store a record of each key.
func stored(t testing.TB, k *testkit.Kit, keys ...string) {
	t.Helper()
	for _, id := range keys {
		put(t, k, actors.KeyRecord(id), &messages.Key{Id: id, State: messages.KeyState_KEY_ACTIVE})
	}
}

func (r *rig) key(keyID string) *actor.Props {
	return r.k.Props("key", func() actor.Actor {
		return actor.ReceiveFunc(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *actor.Started:
				r.stubs[keyID] = ctx.Self()
				ctx.Request(ctx.Parent(), &messages.AskKey{KeyId: keyID})
			case *actor.Stopping, *actor.Stopped, *actor.Restarting:
			case act:
				m(ctx)
			case *messages.Release: // as the key does
				ctx.Send(r.seen.PID(), &got{keyID, m, ctx.Sender()})
				ctx.RequestWithCustomSender(ctx.Parent(), &messages.FreeSlot{KeyId: keyID, ConnectionId: m.GetConnectionId()}, ctx.Sender())
			case *messages.EndKey:
				if !r.owing {
					ctx.Stop(ctx.Self())
				}
			case *messages.DescribeKey:
				panic("described")
			default:
				ctx.Send(r.seen.PID(), &got{keyID, m, ctx.Sender()})
			}
		})
	}, nil)
}

// start has the shard active, unless something was told to be in the way.
func (r *rig) start() *rig {
	r.t.Helper()
	r.pid = r.k.SpawnProps("shard", shard.Props(r.cfg)(number))
	r.k.Settle()
	return r
}

// do has the key's stub do f; the key must run.
func (r *rig) do(keyID string, f act) {
	r.t.Helper()
	if r.stubs[keyID] == nil {
		r.t.Fatalf("%s does not run", keyID)
	}
	r.k.Tell(r.stubs[keyID], f)
	r.k.Settle()
}

// running starts the key by a message and returns under which term.
func (r *rig) running(keyID string) *messages.KeyOwned {
	r.t.Helper()
	r.k.Tell(r.pid, &messages.Matched{KeyId: keyID})
	return testkit.FishFor(r.seen, func(g *got) bool { _, ok := g.message.(*messages.KeyOwned); return ok }).message.(*messages.KeyOwned)
}

func slot(key, connection string) *messages.Slot {
	return &messages.Slot{KeyId: key, Api: messages.Api_API_TWITTER, Node: "n1", Incarnation: 7, ConnectionId: connection}
}

// take has the key ask for a slot, and lets the group commit's time pass.
func (r *rig) take(key, connection string, limit int32) {
	r.t.Helper()
	r.ask(slot(key, connection), limit)
	r.k.Advance(5 * time.Millisecond)
}

func (r *rig) ask(s *messages.Slot, limit int32) {
	r.t.Helper()
	r.do(s.GetKeyId(), func(ctx actor.Context) { ctx.Request(ctx.Parent(), &messages.TakeSlot{Slot: s, Limit: limit}) })
}

func (r *rig) free(key, connection string) {
	r.t.Helper()
	r.do(key, func(ctx actor.Context) {
		ctx.Send(ctx.Parent(), &messages.FreeSlot{KeyId: key, ConnectionId: connection})
	})
}

// release is what a connection or the gateway sends at the end.
func (r *rig) release(key, connection string) {
	r.t.Helper()
	r.k.Tell(r.pid, &messages.Release{KeyId: key, ConnectionId: connection})
	r.k.Settle()
}

// answers are what the stubs were told since the last look, as short texts.
func (r *rig) answers() (all []string) {
	r.t.Helper()
	for _, m := range r.seen.Messages() {
		switch m := m.(*got).message.(type) {
		case *messages.SlotTaken:
			all = append(all, "taken "+m.GetConnectionId())
		case *messages.SlotRefused:
			why := "full "
			if m.GetRetry() {
				why = "retry "
			}
			all = append(all, why+m.GetConnectionId())
		case *messages.KeyOwned:
			all = append(all, fmt.Sprintf("owned %d", len(m.GetSlots())))
		case *messages.Matched:
		default:
			all = append(all, fmt.Sprintf("%T", m))
		}
	}
	return all
}

// record is what is in the store.
func (r *rig) record() *messages.Shard {
	r.t.Helper()
	return readShard(r.t, r.k)
}

func readShard(t testing.TB, k *testkit.Kit) *messages.Shard {
	t.Helper()
	kept, err := records(k).Get(t.Context(), actors.ShardRecord(number))
	if err != nil {
		t.Fatal(err)
	}
	s := &messages.Shard{}
	if err := proto.Unmarshal(kept.Data, s); err != nil {
		t.Fatal(err)
	}
	return s
}

func connections(s *messages.Shard) map[string]bool {
	all := map[string]bool{}
	for _, slot := range s.GetSlots() {
		all[slot.GetConnectionId()] = true
	}
	return all
}

func put(t testing.TB, k *testkit.Kit, name string, m proto.Message) {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	records(k).Put(name, data)
}
