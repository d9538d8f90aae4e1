package runtime

import (
	"context"
	"errors"
	"sync"
)

// ErrBusy: as many wait as may. The caller tells its client to come back.
var ErrBusy = errors.New("too many are waiting")

// Gate lets so many callers do their work at once, shared out by owner. It is
// for callers that may wait, such as HTTP requests; actors use a Pool.
type Gate struct {
	mu   sync.Mutex // protects line
	line *line[chan struct{}]
}

// NewGate is an open gate with so many places.
func NewGate(share Share) *Gate { return &Gate{line: newLine[chan struct{}](share)} }

// Enter waits for a place. The caller calls leave once it is done. ErrBusy: the
// line is full; else the error is ctx's.
func (g *Gate) Enter(ctx context.Context, owner string) (leave func(), err error) {
	turn := make(chan struct{})
	g.mu.Lock()
	ok := g.line.add(owner, turn)
	g.call()
	g.mu.Unlock()
	if !ok {
		return nil, ErrBusy
	}
	leave = sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.line.done(owner)
		g.call()
	})
	select {
	case <-turn:
		return leave, nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	waiting := g.line.leave(owner, func(c chan struct{}) bool { return c == turn })
	g.mu.Unlock()
	if !waiting { // its turn came at the same moment
		leave()
	}
	return nil, ctx.Err()
}

// call tells those whose turn it is. Holding mu.
func (g *Gate) call() {
	for {
		_, turn, ok := g.line.next()
		if !ok {
			return
		}
		close(turn)
	}
}
