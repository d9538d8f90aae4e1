package node

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	cmap "github.com/orcaman/concurrent-map"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// The process registry is 1,024 maps already; with the library's default each
// of them is 32 more, and a new system costs 10 ms and 3 MB.
func init() { cmap.SHARD_COUNT = 1 }

// system is one node's actor system with what its actors take from it.
type system struct {
	*actor.ActorSystem
	dispatcher *dispatcher
	log        *slog.Logger
	metrics    *metrics
	stopped    atomic.Pointer[func(kind, id string, reason any)] // told of every actor that supervision has stopped
}

func newSystem(name string, log *slog.Logger, m *metrics) *system {
	s := &system{log: log, metrics: m, dispatcher: newDispatcher()}
	s.ActorSystem = actor.NewActorSystem(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
			return slog.New(levelled{log.Handler(), slog.LevelError})
		}),
	)
	s.ProcessRegistry.Address = name
	s.EventStream.Subscribe(s.observe)
	return s
}

// observe counts what supervision and dead letters say. A stop after the
// budget is what protoactor would otherwise do silently.
func (s *system) observe(event any) {
	switch e := event.(type) {
	case *actor.SupervisorEvent:
		kind, _, _ := strings.Cut(e.Child.GetId(), "/")
		if i := strings.LastIndexByte(e.Child.GetId(), '/'); i >= 0 {
			if k := kindOfChild(e.Child.GetId()); k != "" {
				kind = k
			}
		}
		s.metrics.supervised(kind, e.Directive.String())
		s.log.Error("an actor failed", "actor", e.Child.GetId(), "directive", e.Directive.String(), "reason", e.Reason)
		if told := s.stopped.Load(); told != nil && e.Directive == actor.StopDirective {
			(*told)(kind, e.Child.GetId(), e.Reason)
		}
	case *actor.DeadLetterEvent:
		s.metrics.deadLetters.Inc()
		// A connection that could not say that it ended must not be sent to for ever.
		id, isConnection := strings.CutPrefix(e.PID.GetId(), connectionPrefix)
		if _, ok := e.Message.(*messages.Deliveries); ok && isConnection {
			for _, router := range []string{"router", laneName} {
				s.Root.Send(actor.NewPID(s.ProcessRegistry.Address, router), &messages.Leave{ConnectionId: id})
			}
		}
	}
}

// kindOfChild reads a child's kind from its id: shard/0007/key-x/rule-y.
func kindOfChild(id string) string {
	last := id[strings.LastIndexByte(id, '/')+1:]
	for prefix, kind := range map[string]string{"key-": "apikey", "mon-": "monitor", "rule-": "filterrule"} {
		if strings.HasPrefix(last, prefix) {
			return kind
		}
	}
	return ""
}

// props is the one factory of actors' props.
func (s *system) props(kind string, produce actor.Producer, children actor.SupervisorStrategy) *actor.Props {
	bound := boundOf(kind)
	dropped := s.metrics.dropped(kind)
	options := []actor.PropsOption{actor.WithMailbox(func() actor.Mailbox {
		return &mailbox{kind: kind, bound: bound, dropped: dropped}
	}), actor.WithDispatcher(s.dispatcher)}
	if children != nil {
		options = append(options, actor.WithSupervisor(children))
	}
	return actor.PropsFromProducer(produce, options...)
}

// spawn starts an actor that has no parent, under an explicit strategy.
func (s *system) spawn(name string, props *actor.Props, strategy actor.SupervisorStrategy) (*actor.PID, error) {
	return s.Root.SpawnNamed(guarded(props, strategy), name)
}

// Shutdown ends the system, and then what its actors ran on.
func (s *system) Shutdown() {
	s.ActorSystem.Shutdown()
	s.dispatcher.close()
}

// guarded sets who supervises an actor that has no parent. It changes the
// props, so those that many actors share are guarded once, before the first.
func guarded(props *actor.Props, strategy actor.SupervisorStrategy) *actor.Props {
	return props.Configure(actor.WithGuardian(strategy))
}

// The strategies of actors without a parent. One value each: protoactor keeps a
// guardian for every strategy it sees.
var (
	stopOnFailure     = actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.StopDirective })
	restartWithBudget = actor.NewOneForOneStrategy(10, 10*time.Second, actor.DefaultDecider)
	restartWithPause  = actor.NewExponentialBackoffStrategy(5*time.Minute, time.Second)
)

// clock is the wall clock.
type clock struct{ root *actor.RootContext }

var _ actors.Clock = clock{}

func (c clock) Now() time.Time { return time.Now() }

func (c clock) After(d time.Duration, to *actor.PID, message any) func() {
	t := time.AfterFunc(d, func() { c.root.Send(to, message) })
	return func() { t.Stop() }
}

// levelled passes on only what is at least as grave.
type levelled struct {
	slog.Handler
	least slog.Level
}

func (h levelled) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.least && h.Handler.Enabled(ctx, l)
}
