package assembly

import (
	"errors"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// ErrNoAnswer: nobody answered in time. Nothing is known to have changed.
var ErrNoAnswer = errors.New("no answer in time")

// AskKey sends a command to the owner of the key and has answer called once,
// from an actor's turn or at once, with what came back or ErrNoAnswer. answer must not
// block. Commands that one goroutine asks for arrive in that order.
//
// A node that is apart from its cluster admits nobody.
func (n *Node) AskKey(keyID string, command proto.Message, within time.Duration, answer func(proto.Message, error)) {
	if _, ok := command.(*messages.Admit); ok {
		if err := n.apart(); err != nil {
			answer(actors.Unavailable(command, err.Error()).(proto.Message), nil)
			return
		}
	}
	n.ask(&ask{owner: n, keyID: keyID, command: command, within: within, answer: answer})
}

// Ask is AskKey for one of the node's own actors.
func (n *Node) Ask(to *actor.PID, command proto.Message, within time.Duration, answer func(proto.Message, error)) {
	n.ask(&ask{to: to, command: command, within: within, answer: answer})
}

func (n *Node) ask(a *ask) {
	if n.stopping.Load() {
		a.answer(nil, ErrStopping)
		return
	}
	n.ports.System.Root.Send(n.pid(deskID), a)
}

// TellKey sends a command that has no answer.
func (n *Node) TellKey(keyID string, command proto.Message) {
	to := n.Owner(keyID)
	if _, ok := command.(*messages.Release); ok && n.placed.Load() != nil {
		to = n.pid(releasesID) // which says it until it is heard
	}
	n.ports.System.Root.Send(to, command)
}

// ask is a question of somebody who is no actor.
type ask struct {
	owner   actors.Owners // nil: to
	keyID   string
	to      *actor.PID
	command proto.Message
	within  time.Duration
	answer  func(proto.Message, error)
}

// desk asks actors on behalf of gateways. Each question is a child, because an
// answer goes to whoever sent the command. It is bounded by what gateways have
// under way at once.
type desk struct {
	clock actors.Clock
	props actors.Props
}

func (n *Node) deskProps() *actor.Props {
	d := &desk{n.ports.Clock, n.ports.Props}
	return n.ports.Props("desk", func() actor.Actor { return d }, stopOnFailure)
}

func (d *desk) Receive(ctx actor.Context) {
	a, ok := ctx.Message().(*ask)
	if !ok {
		return
	}
	to := a.receiver()
	pid := ctx.Spawn(d.props("question", func() actor.Actor { return &question{ask: a, clock: d.clock, asked: to} }, stopOnFailure))
	// Sent from here, where questions are in the order in which they were asked.
	ctx.RequestWithCustomSender(to, a.command, pid)
}

func (a *ask) receiver() *actor.PID {
	if a.owner != nil {
		return a.owner.Owner(a.keyID)
	}
	return a.to
}

// question waits for one answer. What an owner took with it into its end is never
// answered: a command that may be done twice is asked again where the key has another
// owner by then, and its client does not wait for the time of the question to end.
type question struct {
	*ask
	clock  actors.Clock
	asked  *actor.PID
	cancel func() // nil once answered

	cancelAgain, cancelLook func()
}

type (
	tooLate struct{}
	again   struct{}
	look    struct{}
)

// ownerEvery is how often the owner of a key that does not answer is looked up.
const ownerEvery = 500 * time.Millisecond

// twice says whether the command may be done twice: it changes nothing, or names the
// connection that it is about.
func (a *ask) twice() bool {
	switch a.command.(type) {
	case *messages.Admit, *messages.Authorize, *messages.DescribeKey:
		return a.owner != nil
	}
	return false
}

// askAgain is how long an owner that is not there has to come back.
const askAgain = 200 * time.Millisecond

func (q *question) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		q.cancel, q.cancelAgain, q.cancelLook = q.clock.After(q.within, ctx.Self(), tooLate{}), func() {}, func() {}
		q.lookLater(ctx)
	case tooLate:
		q.end(ctx, nil, ErrNoAnswer)
	case again:
		q.asked = q.receiver()
		ctx.Request(q.asked, q.command)
	case look:
		if to := q.receiver(); to.GetAddress() != q.asked.GetAddress() || to.GetId() != q.asked.GetId() {
			q.asked = to
			ctx.Request(to, q.command)
		}
		q.lookLater(ctx)
	case *actor.DeadLetterResponse: // nobody had it, so it may be asked again
		if q.owner == nil {
			q.end(ctx, nil, ErrNoAnswer)
			return
		}
		q.askAgain(ctx)
	case *messages.NotOwner: // the key has moved or is moving, and nothing was done
		q.askAgain(ctx)
	case proto.Message:
		q.end(ctx, m, nil)
	case *actor.Stopping:
		q.tell(nil, ErrStopping)
	case *actor.Stopped, *actor.Restarting:
	default:
		q.end(ctx, nil, fmt.Errorf("answered by a %T", m))
	}
}

// askAgain looks the owner up again, a little later.
func (q *question) askAgain(ctx actor.Context) {
	q.cancelAgain()
	q.cancelAgain = q.clock.After(askAgain, ctx.Self(), again{})
}

func (q *question) lookLater(ctx actor.Context) {
	if q.twice() {
		q.cancelLook = q.clock.After(ownerEvery, ctx.Self(), look{})
	}
}

func (q *question) end(ctx actor.Context, m proto.Message, err error) {
	q.tell(m, err)
	ctx.Stop(ctx.Self())
}

func (q *question) tell(m proto.Message, err error) {
	if q.cancel == nil {
		return
	}
	q.cancel()
	q.cancelAgain()
	q.cancelLook()
	q.cancel = nil
	q.answer(m, err)
}
