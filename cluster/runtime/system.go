package runtime

import (
	"context"
	"log/slog"
	"strings"

	"github.com/asynkron/protoactor-go/actor"
	cmap "github.com/orcaman/concurrent-map"
)

// The process registry is 1,024 maps already; with the library's default each
// of them is 32 more, and a new system costs 10 ms and 3 MB.
func init() { cmap.SHARD_COUNT = 1 }

// Config is one system's. The functions are called from many goroutines.
type Config struct {
	Name   string // the node's: what the PIDs of its actors carry as address
	Logger *slog.Logger

	// Failed is told of every actor that failed and of what its supervisor did.
	Failed func(kind, id string, directive actor.Directive, reason any)
	// DeadLetter is told of every message that reached no actor.
	DeadLetter func(to *actor.PID, message any)
	// Dropped returns what counts the messages that a full mailbox of the kind drops.
	Dropped func(kind string) interface{ Inc() }
	// WorkPanicked is told of every job of a Pool that panicked.
	WorkPanicked func()
}

// System is one node's actor system with what its actors take from it.
type System struct {
	*actor.ActorSystem
	dispatcher *dispatcher
	timers     *timers
	pulse      pulse
	cfg        Config
}

// New starts a system. Its goroutines end with Shutdown.
func New(cfg Config) *System {
	s := &System{cfg: cfg, dispatcher: newDispatcher()}
	s.ActorSystem = actor.NewActorSystem(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
			return slog.New(levelled{cfg.Logger.Handler(), slog.LevelError})
		}),
		// The library counts dead letters for a log line that nobody sees, on a
		// goroutine that waits for the interval: past the system's end too.
		actor.WithDeadLetterThrottleInterval(1),
	)
	s.timers = &timers{root: s.Root, rings: late}
	s.ProcessRegistry.Address = cfg.Name
	s.EventStream.Subscribe(s.observe)
	return s
}

// Clock is the machine's, its timers sent by this system.
func (s *System) Clock() Clock { return Clock{s.timers} }

// observe passes on what supervision and dead letters say. A stop after the
// budget is what protoactor would otherwise do silently.
func (s *System) observe(event any) {
	switch e := event.(type) {
	case *actor.SupervisorEvent:
		s.cfg.Logger.Error("an actor failed", "actor", e.Child.GetId(), "directive", e.Directive.String(), "reason", e.Reason)
		s.cfg.Failed(kindOf(e.Child.GetId()), e.Child.GetId(), e.Directive, e.Reason)
	case *actor.DeadLetterEvent:
		s.cfg.DeadLetter(e.PID, e.Message)
	}
}

// kindOf reads an actor's kind from its id: node/shard/7/key-x/rule-y.
func kindOf(id string) string {
	last := id[strings.LastIndexByte(id, '/')+1:]
	for prefix, kind := range map[string]string{"key-": "apikey", "mon-": "monitor", "rule-": "filterrule", "story-": "storycluster"} {
		if strings.HasPrefix(last, prefix) {
			return kind
		}
	}
	if strings.HasPrefix(id, "node/upstreams/") {
		return "source"
	}
	kind, _, _ := strings.Cut(strings.TrimPrefix(id, "node/"), "/")
	return kind
}

// Props is the one factory of actors' props.
func (s *System) Props(name string, produce actor.Producer, children actor.SupervisorStrategy) *actor.Props {
	shared := &kind{name: name, bound: boundOf(name), dropped: s.cfg.Dropped(name), dispatcher: s.dispatcher}
	options := []actor.PropsOption{actor.WithMailbox(func() actor.Mailbox { return &mailbox{kind: shared, running: true} })}
	if children != nil {
		options = append(options, actor.WithSupervisor(children))
	}
	return actor.PropsFromProducer(produce, options...)
}

// Shutdown ends the system, and then what its actors ran on.
func (s *System) Shutdown() {
	s.timers.end()
	s.ActorSystem.Shutdown()
	s.dispatcher.close()
}

// levelled passes on only what is at least as grave.
type levelled struct {
	slog.Handler
	least slog.Level
}

func (h levelled) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.least && h.Handler.Enabled(ctx, l)
}
