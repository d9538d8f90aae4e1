package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/shard"
	"github.com/birdwire/birdwire/cluster/runtime"
	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
)

// shards are the shard actors of this node, which on one node are all of them.
// Those with keys' queries to watch start with the node, the others when one
// of their keys is first asked for: 1,024 would cost a second on an empty folder.
type shards struct {
	start func(number int) (*actor.PID, error)
	log   *slog.Logger

	mu   sync.Mutex // protects pids
	pids [actors.Shards]*actor.PID
}

var _ actors.Owners = (*shards)(nil)

// Owner is the shard's actor, on this node: there is no other.
func (s *shards) Owner(keyID string) *actor.PID {
	pid, err := s.ensure(actors.ShardOf(keyID))
	if err != nil {
		s.log.Error("a shard cannot be started; its keys are not served", "error", err)
		return actor.NewPID("", "") // nobody: who asks hears nothing, and is told 503
	}
	return pid
}

func (s *shards) ensure(number int) (*actor.PID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pid := s.pids[number]; pid != nil {
		return pid, nil
	}
	pid, err := s.start(number)
	if errors.Is(err, actor.ErrNameExists) {
		return pid, nil // one that was stopped is not gone yet: not kept, so that the next message asks again
	}
	if err != nil {
		return nil, fmt.Errorf("start shard %d: %w", number, err)
	}
	s.pids[number] = pid
	return pid, nil
}

// forget lets the next message start the shard anew.
func (s *shards) forget(id string) {
	number, err := strconv.Atoi(strings.TrimPrefix(id, "shard/"))
	if err != nil || number < 0 || number >= actors.Shards {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pids[number] = nil
}

// keys is gateway.Keys over the shards of this node.
type keys struct {
	root    *actor.RootContext
	shards  *shards
	timeout time.Duration
}

var _ gateway.Keys = keys{}

// Ask waits for the answer on the caller's own goroutine: gateways may, actors may not.
func (k keys) Ask(ctx context.Context, keyID string, command proto.Message) (proto.Message, error) {
	timeout := k.timeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline))
	}
	if _, ok := command.(*messages.Release); ok {
		k.root.Send(k.shards.Owner(keyID), command) // has no answer
		return nil, nil
	}
	answer, err := ask(k.root, k.shards.Owner(keyID), command, timeout)
	if err != nil {
		return nil, fmt.Errorf("ask key %s for %T: %w", keyID, command, err)
	}
	return answer, nil
}

func ask(root *actor.RootContext, to *actor.PID, command any, timeout time.Duration) (proto.Message, error) {
	result, err := root.RequestFuture(to, command, timeout).Result()
	if err != nil {
		return nil, err
	}
	answer, ok := result.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("answered by a %T", result)
	}
	return answer, nil
}

// startShards starts those shards that hold queries, and waits until they are
// live: what is accepted from then on is matched by every rule there is.
func (n *Node) startShards(ctx context.Context) error {
	stored, err := storedRecords(ctx, n.store.Control())
	if err != nil {
		return err
	}
	active := make(chan int, actors.Shards)
	cfg := n.shardConfig(stored, func(number int) {
		select {
		case active <- number:
		default: // more have started since than anybody waits for
		}
	})
	n.shards = &shards{log: n.log, start: func(number int) (*actor.PID, error) {
		return n.system.Spawn(fmt.Sprintf("shard/%d", number), shard.Props(cfg, number), runtime.RestartWithBudget)
	}}
	waiting := 0
	for number := range stored {
		if !hasQueries(stored[number]) {
			continue
		}
		if _, err := n.shards.ensure(number); err != nil {
			return err
		}
		waiting++
	}
	for range waiting {
		select {
		case <-active:
		case <-ctx.Done():
			return fmt.Errorf("start shards: %d are not active yet: %w", waiting, ctx.Err())
		}
	}
	return nil
}

// storedRecords reads all keys, monitors and rules at once, by shard: 1,024
// lists of their own would make a start wait.
func storedRecords(ctx context.Context, control store.Control) (byShard [actors.Shards][]actors.Record, err error) {
	for _, prefix := range []string{"keys.", "monitors.", "rules."} {
		values, err := control.List(ctx, prefix)
		if err != nil {
			return byShard, fmt.Errorf("read %s*: %w", prefix, err)
		}
		for _, v := range values {
			number, _, _ := strings.Cut(strings.TrimPrefix(v.Key, prefix), ".")
			i, err := strconv.Atoi(number)
			if err != nil || i < 0 || i >= actors.Shards {
				return byShard, fmt.Errorf("record %s names no shard: the store holds what this program did not write", v.Key)
			}
			byShard[i] = append(byShard[i], actors.Record{Key: v.Key, Data: v.Data, Revision: v.Revision})
		}
	}
	return byShard, nil
}

func hasQueries(records []actors.Record) bool {
	return slices.ContainsFunc(records, func(r actors.Record) bool { return !strings.HasPrefix(r.Key, "keys.") })
}

func (n *Node) shardConfig(stored [actors.Shards][]actors.Record, active func(int)) shard.Config {
	var once [actors.Shards]atomic.Bool
	return shard.Config{
		Node: n.cfg.Name, Incarnation: n.incarnation, Records: records{n.store.Control()},
		Clock: n.clock, Worker: n.records, Props: n.system.Props, Router: n.router, Key: n.keyProps(),
		// One node: whoever is not this process has ended.
		Dead: func(s *messages.Slot) bool { return s.GetNode() != n.cfg.Name || s.GetIncarnation() != n.incarnation },
		// What was read at the start is good for the first activation only.
		Preload: func(number int) ([]actors.Record, bool) {
			if once[number].Swap(true) {
				return nil, false
			}
			return stored[number], true
		},
		Active: active, Count: n.metrics.keyed, Logger: n.log.With("actor", "shard"),
	}
}
