package testkit

import (
	"fmt"
	"log/slog"
	"slices"

	"github.com/asynkron/protoactor-go/actor"
)

// Host is one actor system with what its actors are given. All hosts of a kit
// share its loop and its time, so that what happens between them, as between the
// nodes of a cluster, is as repeatable as what happens in one.
type Host struct {
	System *actor.ActorSystem
	Clock  *Clock
	Rand   *Rand
	Worker *Worker
	// Props is the factory that actors spawn their children with. kind names the
	// actor in what a failed test says. children is how it supervises its children; nil:
	// as the library does, up to ten restarts in ten seconds. The library's strategies
	// that count restarts within a time count them by the host's clock; the one with a
	// backoff waits by the machine's, which no Advance moves.
	Props func(kind string, produce actor.Producer, children actor.SupervisorStrategy) *actor.Props
	// Bounds say how much its mailboxes hold; nil: there is no bound. It is set before
	// actors are started, and is asked with the kit's lock held.
	Bounds Bounds
	// Posted is told of each message that one of its actors is told, once it is in the
	// mailbox, or dropped, in its sender's step; nil: nobody is.
	Posted func(kind string, message any)
	// Log discards what is below a warning and shows the rest with the test.
	Log *slog.Logger

	kit     *Kit
	address string
	spawned []*actor.PID
	spawns  string                   // their ids' count, as a footprint has it
	roots   actor.SupervisorStrategy // of actors without a parent

	// The schedule's mu protects these.
	ended  bool    // its process is gone
	frozen bool    // its process is stopped, and may go on
	waits  []Event // while it is frozen
}

// Bounds are what a host's mailboxes hold, and what they drop past it: the tested
// system's own policy.
type Bounds interface {
	// Weigh is about how many bytes the message is.
	Weigh(message any) int
	// Drop says whether a mailbox of the kind, in which so many messages wait with so
	// many bytes, drops the message.
	Drop(kind string, waits, bytes int, message any) bool
	// Instead is what such a mailbox is given, once, in the place of the first message
	// that it drops; nil: nothing.
	Instead(kind string) any
}

// NewHost starts another system, whose actors' PIDs carry the address. Its chance
// is of the kit's seed and that address: it is the same whoever starts before it.
func (k *Kit) NewHost(address string) *Host {
	return k.newHost(address, &Rand{r: chanceOf(k.seed, address)})
}

func (k *Kit) newHost(address string, chance *Rand) *Host {
	log := slog.New(slog.NewTextHandler(k.output, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: withoutTime}))
	if address != Address {
		log = log.With("host", address)
	}
	h := &Host{
		System: actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return log })),
		Rand:   chance, Log: log, kit: k, address: address, spawns: "spawns of " + address,
	}
	h.System.ProcessRegistry.Address = address
	h.Clock = &Clock{line: k.schedule.time, host: h, wall: Start.Add(-century)}
	h.Worker = &Worker{host: h, schedule: k.schedule}
	h.Props = h.props
	h.roots = h.byClock(actor.DefaultSupervisorStrategy())
	draws := "chance of " + address
	chance.drawn = func() { k.schedule.touch(draws, true) } // of two who draw, the first has the first
	h.System.EventStream.Subscribe(func(event any) {
		if e, ok := event.(*actor.DeadLetterEvent); ok {
			if k.schedule.explored != nil { // later, or earlier, somebody may be there
				k.schedule.touch(waitingOf(e.PID.GetAddress()+"/"+e.PID.GetId()), true)
			}
			k.mu.Lock()
			defer k.mu.Unlock()
			if len(k.deadLetters) < deadLettersMax {
				k.deadLetters = append(k.deadLetters, DeadLetter{To: e.PID, Message: e.Message})
			}
		}
	})
	k.hosts = append(k.hosts, h)
	return h
}

// withoutTime drops the time of a log line: it is wall time, which says nothing of
// when something happened in the test, and differs from run to run.
func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

func (h *Host) props(kind string, produce actor.Producer, children actor.SupervisorStrategy) *actor.Props {
	options := []actor.PropsOption{actor.WithMailbox(func() actor.Mailbox {
		h.kit.schedule.touch(h.spawns, true) // ids are counted
		return &mailbox{kind: kind, host: h, schedule: h.kit.schedule}
	})}
	if children == nil {
		children = actor.DefaultSupervisorStrategy()
	}
	options = append(options, actor.WithSupervisor(h.byClock(children)))
	return actor.PropsFromProducer(produce, options...)
}

// Spawn starts an actor with no parent. Its failures restart it, up to ten
// times in ten seconds of virtual time; to choose another strategy, spawn it from a Probe made
// by Supervisor. It has not had its Started before the next Settle or Expect.
func (h *Host) Spawn(kind string, produce actor.Producer) *actor.PID {
	return h.SpawnProps(kind, h.Props(kind, produce, nil))
}

// SpawnProps is Spawn for an actor package that hands out its own props.
func (h *Host) SpawnProps(prefix string, props *actor.Props) *actor.PID {
	pid := h.System.Root.SpawnPrefix(props, prefix)
	h.spawned = append(h.spawned, pid)
	return pid
}

// Tell sends a message without a sender.
func (h *Host) Tell(to *actor.PID, message any) { h.System.Root.Send(to, message) }

// Stop asks the actor to stop, before what waits in its mailbox, and settles.
func (h *Host) Stop(pid *actor.PID) {
	h.kit.TB.Helper()
	h.System.Root.Stop(pid)
	h.kit.Settle()
}

// Actors are the ids of all actors that there are, sorted, probes too.
func (h *Host) Actors() []string {
	h.kit.TB.Helper()
	h.kit.Settle()
	var ids []string
	for _, part := range h.System.ProcessRegistry.LocalPIDs.LocalPIDs {
		for id, process := range part.Items() {
			if _, ok := process.(*actor.ActorProcess); ok {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return ids
}

// Crash ends the host as a process that is killed: its actors handle nothing
// more, not even Stopping, what they had asked a Worker for does not begin, and
// none of its timers fires. What was done stays done.
func (h *Host) Crash() {
	s := h.kit.schedule
	s.mu.Lock()
	h.ended = true
	s.touch(hostThing(h), true)
	s.mu.Unlock()
	s.time.forget(h)
}

// Freeze stops the host as a process that is suspended: nothing of it happens
// until Thaw, while its clock goes on.
func (h *Host) Freeze() {
	s := h.kit.schedule
	s.mu.Lock()
	defer s.mu.Unlock()
	h.frozen = true
	s.touch(hostThing(h), true)
	before := len(h.waits)
	due := s.due.all()
	s.due = queue[Event]{}
	for _, e := range due {
		if e.of() == h {
			h.waits = append(h.waits, e)
		} else {
			s.due.push(e)
		}
	}
	s.halts(h.waits[before:])
}

// Thaw has the host go on, with all that has come for it since.
func (h *Host) Thaw() {
	s := h.kit.schedule
	s.mu.Lock()
	defer s.mu.Unlock()
	waits := h.waits
	h.frozen, h.waits = false, nil
	s.touch(hostThing(h), true)
	for _, e := range waits {
		s.add(e)
	}
}

// stop ends every actor, newest first, so that their Stopping code has run
// before the test is judged.
func (h *Host) stop() {
	h.kit.TB.Helper()
	if !h.ended {
		for i := len(h.spawned) - 1; i >= 0; i-- {
			h.Stop(h.spawned[i])
		}
	}
	h.System.Shutdown()
}

func (h *Host) String() string { return fmt.Sprintf("host %s", h.address) }
