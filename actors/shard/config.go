package shard

import (
	"context"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/gauge"
	"github.com/birdwire/birdwire/messages"
)

// Config is what a shard takes from its node.
type Config struct {
	Node        string
	Incarnation uint64
	Records     actors.Records
	Clock       actors.Clock
	Worker      actors.Worker
	Props       actors.Props
	Router      *actor.PID                                    // this node's
	Key         func(keyID string) *actor.Props               // of a key's actor
	Dead        func(slot *messages.Slot) bool                // its process has ended as far as this one knows; asked inside Workers too. Default: of this node, another incarnation
	Doubtful    func(slot *messages.Slot) bool                // its process may have ended, which is not proved; asked by the shard alone. Default: never
	Preload     func(shard int) ([]messages.KeptRecord, bool) // the records of the shard's keys, monitors and rules, if read already; default: they are listed
	Dormant     func(shard int) bool                          // nothing needs it yet: it takes its term with the first message it gets. Default: never
	Owns        func(shard int) bool                          // whether the shard's place is here, asked at every start; default: it is
	// Holder is the shard's actor in another process that may still serve it; it
	// is asked to give it up first. nil: that process has ended, or its lease has
	// run out, so that it acts no more. An error: that is not known. Asked inside
	// Workers. Default: nobody else is there
	Holder func(ctx context.Context, shard int, node string, incarnation uint64) (*actor.PID, error)
	// Behind says whether what Dead says of a process may be of before the record was
	// read in which it has a slot. Asked inside Workers. Default: never
	Behind    func(ctx context.Context, node string, incarnation uint64) (bool, error)
	Turned    func(shard int)     // called before every message but a Probe is handled; must not block
	Left      func(shard int)     // called once inactive, after it was not; must not block
	Lease     actors.Lease        // default: always live
	Active    func(shard int)     // called once active; must not block
	Count     func(metric string) // key_restarted, key_stopped, shard_fenced, not_owner, query_refused, record_corrupt, held_dropped
	Logger    *slog.Logger
	Sometimes actors.Sometimes // nil: nobody wants to know
	Queues    gauge.Told       // told of what waits inside; nil: nobody wants to know

	CommitAfter    time.Duration // how long a change waits for others, default 5 ms
	StoreTimeout   time.Duration // of one write or reading, default 10 s
	HandOver       time.Duration // how long a holder that lives has to give the shard up, default 20 s; then it is taken all the same
	PutAgain       time.Duration // a router that has not answered is asked again after, default 2 s
	HeldBytes      int           // of messages held while activating, default 1 MiB; past it they are refused
	WaitersMost    int           // slots waiting to become durable, default 4,096; past it they are refused
	KeysMost       int           // keys' actors at once, default 4,096; past it messages for others are refused
	RestartsMost   int           // of one key within RestartsWithin, default 5; past it the key is stopped and cools down
	RestartsWithin time.Duration // default 10 s
}

func (c Config) withDefaults() Config {
	duration := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	number := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	duration(&c.CommitAfter, 5*time.Millisecond)
	duration(&c.StoreTimeout, 10*time.Second)
	duration(&c.HandOver, 20*time.Second)
	duration(&c.PutAgain, 2*time.Second)
	duration(&c.RestartsWithin, 10*time.Second)
	number(&c.HeldBytes, 1<<20)
	number(&c.WaitersMost, 4096)
	number(&c.KeysMost, 4096)
	number(&c.RestartsMost, 5)
	if c.Dead == nil {
		node, incarnation := c.Node, c.Incarnation
		c.Dead = func(s *messages.Slot) bool { return s.GetNode() == node && s.GetIncarnation() != incarnation }
	}
	if c.Doubtful == nil {
		c.Doubtful = func(*messages.Slot) bool { return false }
	}
	if c.Preload == nil {
		c.Preload = func(int) ([]messages.KeptRecord, bool) { return nil, false }
	}
	if c.Dormant == nil {
		c.Dormant = func(int) bool { return false }
	}
	if c.Owns == nil {
		c.Owns = func(int) bool { return true }
	}
	if c.Holder == nil {
		c.Holder = func(context.Context, int, string, uint64) (*actor.PID, error) { return nil, nil }
	}
	if c.Behind == nil {
		c.Behind = func(context.Context, string, uint64) (bool, error) { return false, nil }
	}
	if c.Turned == nil {
		c.Turned = func(int) {}
	}
	if c.Left == nil {
		c.Left = func(int) {}
	}
	if c.Lease == nil {
		c.Lease = actors.AlwaysLive{}
	}
	if c.Active == nil {
		c.Active = func(int) {}
	}
	if c.Count == nil {
		c.Count = func(string) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// holds says whether the record names this process as the shard's owner.
func (c *Config) holds(record *messages.Shard) bool {
	return record.GetNode() == c.Node && record.GetIncarnation() == c.Incarnation
}
