package assembly

import (
	"errors"
	"fmt"
	"strings"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/connection"
	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
)

// ErrStopping: the node starts nothing any more.
var ErrStopping = errors.New("the node is stopping")

// Why a node serves no client and owns nothing.
var (
	// ErrLapsed: its lease is not live.
	ErrLapsed = errors.New("the node's lease is not live")
	// ErrApart: its lease is, and it is outside the connected core.
	ErrApart = errors.New("the node is outside the connected core of its cluster")
)

var _ gateway.Sessions = (*Node)(nil)

// Start starts the actor of a socket that was admitted. Its session takes
// messages at once.
func (n *Node) Start(s gateway.Start) (gateway.Session, error) {
	if n.stopping.Load() {
		return nil, fmt.Errorf("start connection %s: %w", s.ConnectionID, ErrStopping)
	}
	if err := n.apart(); err != nil {
		return nil, fmt.Errorf("start connection %s: %w", s.ConnectionID, err)
	}
	root := n.ports.System.Root
	pid, err := root.SpawnNamed(n.connections, connectionPrefix+s.ConnectionID)
	if err != nil {
		return nil, fmt.Errorf("start connection %s: %w", s.ConnectionID, err)
	}
	root.Send(pid, &connection.Begin{
		ID: s.ConnectionID, API: s.API, KeyID: s.Admitted.GetKeyId(), Metered: s.Admitted.GetMetered(),
		Socket: s.Socket, Cursors: s.Resume, Cursor: s.Cursor, Filters: s.Filters,
	})
	return session{root, pid}, nil
}

type session struct {
	root *actor.RootContext
	pid  *actor.PID
}

func (s session) Tell(message proto.Message) { s.root.Send(s.pid, message) }

// Connection is the actor of a connection of this node, if it has not ended.
func (n *Node) Connection(id string) *actor.PID { return n.pid(connectionPrefix + id) }

// lost sees messages that reached nobody. A connection that could not say that
// it ended must not be sent to for ever.
func (n *Node) lost(event any) {
	letter, ok := event.(*actor.DeadLetterEvent)
	if !ok {
		return
	}
	if a, ok := letter.Message.(*ask); ok {
		a.answer(nil, ErrStopping) // the desk has closed
		return
	}
	if opened, ok := letter.Message.(*connection.Opened); ok {
		n.ports.System.Root.Stop(opened.PID) // the supervisor has ended
		return
	}
	id, isConnection := strings.CutPrefix(letter.PID.GetId(), connectionPrefix)
	if _, ok := letter.Message.(*messages.Deliveries); ok && isConnection {
		for _, router := range []string{routerID, semanticID} {
			n.ports.System.Root.Send(n.pid(router), &messages.Leave{ConnectionId: id})
		}
	}
}
