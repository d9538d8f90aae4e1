package node

import (
	"context"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/connection"
	"github.com/birdwire/birdwire/gateway/ws"
	"github.com/birdwire/birdwire/messages"
)

// sessions starts a connection actor for every socket that was admitted.
type sessions struct{ n *Node }

var _ ws.Sessions = sessions{}

func (s sessions) Start(ctx context.Context, start ws.Start) (ws.Session, error) {
	n := s.n
	begin := &connection.Begin{
		ID: start.ConnectionID, API: start.API, KeyID: start.Admitted.GetKeyId(),
		Metered: start.Admitted.GetMetered(), Socket: start.Socket,
		Cursors: start.Resume, Filters: start.Filters,
	}
	if c := start.Cursor; c != nil {
		notice, err := s.refuse(ctx, c.Epoch, c.Position)
		if err != nil {
			return nil, err
		}
		if begin.Notice = notice; notice == "" {
			begin.Resume, begin.From, begin.FromK = true, c.Position, c.K
		}
	}
	pid, err := n.actors.Connect(begin)
	if err != nil {
		return nil, err
	}
	return session{n.system.Root, pid}, nil
}

// refuse says why a cursor cannot be served from, "" where it can. A position
// beyond the end would silence the connection until the log had passed it.
func (s sessions) refuse(ctx context.Context, epoch string, p messages.Position) (notice string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	first, last, err := s.n.store.Journal().Bounds(ctx)
	if err != nil {
		return "", fmt.Errorf("resume: bounds of the log: %w", err)
	}
	switch {
	case epoch != s.n.store.Journal().Epoch():
		return fmt.Sprintf("cursor is of another history; the first position still held is %d; live events follow", messages.At(first, 0)), nil
	case p.Sequence() > last:
		return fmt.Sprintf("cursor lies beyond the end of the log; the first position still held is %d; live events follow", messages.At(first, 0)), nil
	}
	return "", nil
}

type session struct {
	root *actor.RootContext
	pid  *actor.PID
}

func (s session) Tell(message proto.Message) { s.root.Send(s.pid, message) }
