package link

import (
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
)

// RemoteConfig is what a Remote takes from its node. Count and Observe may be
// called from several goroutines and must not block.
type RemoteConfig struct {
	System *actor.ActorSystem
	Link   Link
	Logger *slog.Logger
	// Count: no_credit, peer_down, stale_incarnation (not sent); too_large,
	// not_protobuf, unsupported (cannot be sent); too_new (not all nodes know it yet); unknown_kind, damaged (received
	// and answered).
	Count   func(metric string)
	Observe func(Event) // after the Remote has done what follows from it; may be nil

	// Lowest is the lowest version that a node of the cluster runs
	// (membership.View.Lowest); asked with every message of a kind that came after
	// the first version, from any goroutine. nil: all know everything.
	Lowest func() uint32
	// Since is the version that a kind of message came with; default: this
	// program's. Tests have others.
	Since func(kind string) uint32
}

// Remote sends what actors tell PIDs of other nodes, and hands what comes from
// there to its own. PIDs are made again at the boundary: one keeps the process
// that it was resolved to, and would lead around the link.
//
// Of the messages of the library it carries Watch, Unwatch and Terminated. When
// a peer goes down, whoever watches an actor of it is told that it has
// terminated, for the reason that its address has: whether the actor has ended
// is then not known.
//
// A message that cannot be sent is a dead letter: who asked is answered so. It
// is safe for concurrent use.
type Remote struct {
	cfg  RemoteConfig
	self Peer

	// mu protects what follows. It is held while a Watch or Terminated is sent,
	// which keeps their order; never while an actor's mailbox is posted to.
	mu      sync.Mutex
	watches watches
	up      map[string]Peer   // by node: with whom there is a session
	ended   map[string]uint64 // by node: the newest incarnation that is known to have ended

	encoded encoded // protected by its own mutex
}

// NewRemote connects the system to the link. The system must not have an actor
// yet: it gets its address here.
func NewRemote(cfg RemoteConfig) *Remote {
	if cfg.Since == nil {
		cfg.Since = func(kind string) uint32 { return since[kind] }
	}
	if cfg.Observe == nil {
		cfg.Observe = func(Event) {}
	}
	r := &Remote{cfg: cfg, self: cfg.Link.Self(), watches: newWatches(), up: map[string]Peer{}, ended: map[string]uint64{}}
	registry := cfg.System.ProcessRegistry
	registry.Address = r.self.Address()
	registry.RegisterAddressResolver(func(pid *actor.PID) (actor.Process, bool) {
		_, ok := ParseAddress(pid.GetAddress())
		return process{r}, ok
	})
	cfg.Link.Handle(r)
	return r
}

// process is what every PID of another node resolves to.
type process struct{ *Remote }

var _ actor.Process = process{}

func (p process) SendUserMessage(pid *actor.PID, message any) {
	_, content, sender := actor.UnwrapEnvelope(message)
	m, ok := content.(proto.Message)
	if !ok {
		p.refuse("not_protobuf", pid, message)
		return
	}
	if s := p.cfg.Since(kindOf(m)); s > 0 && p.cfg.Lowest != nil && s > p.cfg.Lowest() {
		p.cfg.Count("too_new")
		p.dead(pid, message)
		return
	}
	bytes, err := p.encoded.bytes(m)
	if err != nil || len(bytes) > MaxBytes {
		p.refuse("too_large", pid, message)
		return
	}
	e := Envelope{Kind: kindOf(m), Target: pid.GetId(), Bytes: bytes}
	if sender != nil {
		e.Sender = sender.GetId()
		if sender.GetAddress() != p.self.Address() {
			e.SenderAt = sender.GetAddress()
		}
	}
	if result := p.send(pid, e); result != Queued {
		p.cfg.Count(result.String())
		p.dead(pid, message)
	}
}

// refuse: what no link carries is a mistake of whoever sends it.
func (r *Remote) refuse(metric string, pid *actor.PID, message any) {
	_, content, _ := actor.UnwrapEnvelope(message)
	r.cfg.Count(metric)
	r.cfg.Logger.Error("a message cannot be sent to another node", "reason", metric, "to", pid.GetAddress()+"/"+pid.GetId(), "message", typeName(content))
	r.dead(pid, message)
}

func (r *Remote) dead(pid *actor.PID, message any) {
	r.cfg.System.DeadLetter.SendUserMessage(pid, message)
}

func (r *Remote) send(pid *actor.PID, e Envelope) Result {
	to, ok := ParseAddress(pid.GetAddress())
	if !ok || to.Node == r.self.Node { // of an earlier process of this node
		return StaleIncarnation
	}
	return r.cfg.Link.Send(to, e)
}

// Stop and SendSystemMessage carry nothing of what a parent does to its
// children: those are on its own node.
func (p process) Stop(pid *actor.PID) { p.unsupported(pid, &actor.Stop{}) }

func (p process) SendSystemMessage(pid *actor.PID, message any) {
	peer, ok := ParseAddress(pid.GetAddress())
	if !ok {
		return
	}
	switch m := message.(type) {
	case *actor.Watch:
		p.watch(peer, pid, m.Watcher)
	case *actor.Unwatch:
		p.unwatch(peer, pid, m.Watcher)
	case *actor.Terminated:
		p.terminated(peer, pid, m)
	default:
		p.unsupported(pid, message)
	}
}

func (r *Remote) unsupported(pid *actor.PID, message any) {
	r.cfg.Count("unsupported")
	r.cfg.Logger.Error("a system message cannot be sent to another node", "to", pid.GetAddress()+"/"+pid.GetId(), "message", typeName(message))
}

// Received hands envelopes to this node's actors.
func (r *Remote) Received(from Peer, envelopes []Envelope) {
	for _, e := range envelopes {
		if system, ok := systemKinds[e.Kind]; ok {
			system(r, from, e)
			continue
		}
		r.deliver(from, e)
	}
}

func (r *Remote) deliver(from Peer, e Envelope) {
	var sender *actor.PID
	if e.Sender != "" {
		at := e.SenderAt
		if at == "" {
			at = from.Address()
		}
		sender = actor.NewPID(at, e.Sender)
	}
	m, err := decode(e.Kind, e.Bytes)
	if err != nil {
		metric := "damaged"
		if err == errUnknownKind {
			metric = "unknown_kind"
		}
		r.cfg.Count(metric)
		r.cfg.Logger.Warn("a message of another node is not understood", "from", from.String(), "to", e.Target, "kind", e.Kind, "error", err)
		if sender != nil {
			r.cfg.System.Root.Send(sender, &messages.NotUnderstood{Kind: e.Kind})
		}
		return
	}
	r.cfg.System.Root.RequestWithCustomSender(r.local(e.Target), m, sender)
}

func (r *Remote) local(id string) *actor.PID { return actor.NewPID(r.self.Address(), id) }

// system posts a message of the library's own to one of this node's actors.
func (r *Remote) system(id string, message any) {
	pid := r.local(id)
	to, _ := r.cfg.System.ProcessRegistry.Get(pid) // where there is none: the dead letters, which answer a Watch
	to.SendSystemMessage(pid, message)
}

// Happened does what follows from a session's change.
func (r *Remote) Happened(e Event) {
	switch e.Kind {
	case Up:
		r.mu.Lock()
		r.up[e.Peer.Node] = e.Peer
		r.mu.Unlock()
	case Down:
		r.down(e.Peer)
	case CreditOK:
		r.creditOK(e.Peer)
	case Ended:
		r.mu.Lock()
		r.ended[e.Peer.Node] = max(r.ended[e.Peer.Node], e.Peer.Incarnation)
		r.mu.Unlock()
	}
	r.cfg.Observe(e)
}

// Up are the processes with which there is a session, so that each reaches the
// other, by node.
func (r *Remote) Up() []Peer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return byNode(maps.Values(r.up))
}

// Ended are those that are known to have ended, the newest of each node, by node.
func (r *Remote) Ended() []Peer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return byNode(func(yield func(Peer) bool) {
		for node, incarnation := range r.ended {
			if !yield(Peer{node, incarnation}) {
				return
			}
		}
	})
}

func byNode(peers iter.Seq[Peer]) []Peer {
	return slices.SortedFunc(peers, func(a, b Peer) int { return strings.Compare(a.Node, b.Node) })
}
