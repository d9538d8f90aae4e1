package testkit

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Probe is an actor that the test plays: it keeps what it is sent until the
// test asks for it, sends, watches, and can be parent of what is tested.
type Probe struct {
	host   *Host
	kit    *Kit
	pid    *actor.PID
	ctx    actor.Context
	inbox  []received // bounded by the test's own length
	sender *actor.PID // of the message taken last
}

type received struct {
	message any
	sender  *actor.PID
}

// Probe starts a probe. Its children restart when they fail.
func (h *Host) Probe() *Probe {
	h.kit.TB.Helper()
	return h.Supervisor(actor.DefaultSupervisorStrategy())
}

// Supervisor starts a probe whose children are supervised by strategy.
func (h *Host) Supervisor(strategy actor.SupervisorStrategy) *Probe {
	h.kit.TB.Helper()
	p := &Probe{host: h, kit: h.kit}
	props := h.Props("probe", func() actor.Actor { return actor.ReceiveFunc(p.receive) }, strategy)
	p.pid = h.SpawnProps("probe", props)
	h.kit.Settle()
	return p
}

func (p *Probe) receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		p.ctx = ctx
	case *actor.Stopping, *actor.Stopped, *actor.Restarting:
	default:
		p.inbox = append(p.inbox, received{m, ctx.Sender()})
	}
}

// PID is the probe's own.
func (p *Probe) PID() *actor.PID { return p.pid }

// Spawn starts an actor as the probe's child.
func (p *Probe) Spawn(kind string, produce actor.Producer) *actor.PID {
	return p.SpawnProps(kind, p.host.Props(kind, produce, nil))
}

// SpawnProps is Spawn for an actor package that hands out its own props.
func (p *Probe) SpawnProps(prefix string, props *actor.Props) *actor.PID {
	return p.ctx.SpawnPrefix(props, prefix)
}

// Send tells without a sender; Request tells with the probe as the sender.
func (p *Probe) Send(to *actor.PID, message any) { p.ctx.Send(to, message) }

// Request tells with the probe as the sender: answers come to it.
func (p *Probe) Request(to *actor.PID, message any) {
	p.host.System.Root.RequestWithCustomSender(to, message, p.pid)
}

// Sender sent the message that was taken last; nil when it named none.
func (p *Probe) Sender() *actor.PID { return p.sender }

// Reply answers the message that was taken last, with the probe as the sender.
func (p *Probe) Reply(message any) {
	p.kit.TB.Helper()
	if p.sender == nil {
		p.kit.TB.Fatalf("testkit: reply %T: the last message named no sender", message)
	}
	p.Request(p.sender, message)
}

// Watch has the probe told when the actor ends: see ExpectTerminated.
func (p *Probe) Watch(pid *actor.PID) { p.ctx.Watch(pid) }

// Unwatch has the probe not told any more.
func (p *Probe) Unwatch(pid *actor.PID) { p.ctx.Unwatch(pid) }

// Stop ends the probe: its watchers and children see it.
func (p *Probe) Stop() {
	p.kit.TB.Helper()
	p.host.Stop(p.pid)
}

// ExpectTerminated settles, and takes the next message, which must say that
// the actor has ended. The probe watches it, or is its parent.
func (p *Probe) ExpectTerminated(pid *actor.PID) {
	p.kit.TB.Helper()
	if got := Expect[*actor.Terminated](p); !got.Who.Equal(pid) {
		p.kit.TB.Fatalf("testkit: %s terminated, want %s", got.Who, pid)
	}
}

// ExpectNoMessage fails when a message is there or arrives within d of virtual time.
func (p *Probe) ExpectNoMessage(d time.Duration) {
	p.kit.TB.Helper()
	p.kit.Advance(d)
	if len(p.inbox) > 0 {
		p.kit.TB.Fatalf("testkit: want no message within %v, got%s", d, p.listing())
	}
}

// Messages settles and takes all that has arrived.
func (p *Probe) Messages() []any {
	p.kit.TB.Helper()
	p.kit.Settle()
	all := make([]any, 0, len(p.inbox))
	for len(p.inbox) > 0 {
		all = append(all, p.take().message)
	}
	return all
}

// Expect settles and takes the next message, which must be a T.
func Expect[T any](p *Probe) T {
	p.kit.TB.Helper()
	p.kit.Settle()
	return expect[T](p)
}

// AwaitMessage is Expect for a message that another goroutine causes: it waits
// up to ten seconds of wall time for one.
func AwaitMessage[T any](p *Probe) T {
	p.kit.TB.Helper()
	p.kit.Await(typeName[T](), func() bool { return len(p.inbox) > 0 })
	return expect[T](p)
}

// FishFor settles and takes messages until one is a T for which all of where
// hold, and returns that one. What lay before it is dropped.
func FishFor[T any](p *Probe, where ...func(T) bool) T {
	p.kit.TB.Helper()
	p.kit.Settle()
	before := p.listing()
	for len(p.inbox) > 0 {
		if m, ok := p.take().message.(T); ok && all(m, where) {
			return m
		}
	}
	p.kit.TB.Fatalf("testkit: want %s among%s", typeName[T](), before)
	panic("unreachable: Fatalf does not return")
}

func all[T any](m T, where []func(T) bool) bool {
	for _, holds := range where {
		if !holds(m) {
			return false
		}
	}
	return true
}

func expect[T any](p *Probe) T {
	p.kit.TB.Helper()
	if len(p.inbox) == 0 {
		p.kit.TB.Fatalf("testkit: want %s, but the system is at rest and sent nothing%s", typeName[T](), p.kit.hint())
	}
	listing := p.listing()
	m, ok := p.take().message.(T)
	if !ok {
		p.kit.TB.Fatalf("testkit: want %s next, got%s", typeName[T](), listing)
	}
	return m
}

func (p *Probe) take() received {
	first := p.inbox[0]
	p.inbox = p.inbox[1:]
	p.sender = first.sender
	return first
}

// listing shows what has arrived, for failures.
func (p *Probe) listing() string {
	const shown = 10
	if len(p.inbox) == 0 {
		return " nothing"
	}
	var b strings.Builder
	for i, r := range p.inbox {
		if i == shown {
			fmt.Fprintf(&b, "\n\t… and %d more", len(p.inbox)-shown)
			break
		}
		fmt.Fprintf(&b, "\n\t%s", render(r.message))
	}
	return b.String()
}

func typeName[T any]() string { return reflect.TypeFor[T]().String() }
