package ws

import (
	"net/netip"
	"time"

	"github.com/birdwire/birdwire/messages"
)

// Open is one connection as an operator sees it.
type Open struct {
	ID, KeyID string
	API       messages.Api
	Address   netip.Addr // the client's
	Opened    time.Time
	Queued    int               // bytes not yet written
	Delivered int64             // event frames
	Position  messages.Position // of the newest of them; 0: none
}

// List is every connection that was let in, newest first.
func (s *Server) List() []Open {
	s.mu.Lock()
	all := s.listedLocked()
	s.mu.Unlock()
	open, now := make([]Open, 0, len(all)), time.Now()
	for _, c := range all {
		if !c.parting {
			open = append(open, Open{
				ID: c.id, KeyID: c.keyID, API: c.route.api, Address: c.address, Opened: now.Add(time.Duration(c.opened - monotonic())),
				Queued: c.Pending(), Delivered: c.delivered.Load(), Position: messages.Position(c.position.Load()),
			})
		}
	}
	return open
}
