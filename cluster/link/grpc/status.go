package grpc

import (
	"cmp"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/birdwire/birdwire/messages"
)

// Why an envelope was not sent, or not known to be.
const (
	droppedCredit = iota
	droppedDown
	droppedStale
	droppedEnded // it was queued, and the session ended
	droppedKinds
)

var droppedNames = [droppedKinds]string{"no_credit", "peer_down", "stale_incarnation", "session_ended"}

// counts are a peer's, over all its sessions.
type counts struct {
	sent, received, sentBytes, receivedBytes atomic.Uint64 // envelopes, and the bytes of them
	sessions                                 atomic.Uint64
	dropped                                  [droppedKinds]atomic.Uint64
}

// Status is what the link knows of one node. Its counts grow as long as the
// process knows the node.
type Status struct {
	Node, Address string
	Up            bool
	Trouble       string // why it is not up, in words for an operator

	// Of the session, while it is up.
	Incarnation uint64
	Since       time.Duration // how long it has lasted
	Dialed      bool          // by this side
	Version     uint32
	QueueBytes  int           // that wait
	RoundTrip   time.Duration // of the newest ping; 0: none has come back

	Sessions                 uint64 // that there were: one more than reconnects
	Sent, Received           uint64 // envelopes
	SentBytes, ReceivedBytes uint64
	Dropped                  map[string]uint64 // envelopes, by reason
}

// Status is of all nodes that the link knows, by name.
func (l *Link) Status() []Status {
	l.mu.RLock()
	peers := slices.Collect(maps.Values(l.peers))
	l.mu.RUnlock()
	all := make([]Status, 0, len(peers))
	for _, p := range peers {
		all = append(all, p.status())
	}
	slices.SortFunc(all, func(a, b Status) int { return cmp.Compare(a.Node, b.Node) })
	return all
}

func (p *peer) status() Status {
	p.mu.Lock()
	s := Status{Node: p.node, Address: p.address, Trouble: p.trouble}
	p.mu.Unlock()
	if n := p.session.Load(); n != nil {
		s.Up, s.Trouble = true, ""
		s.Incarnation, s.Since, s.Dialed = n.with.Incarnation, p.l.now()-n.began, n.dialed
		s.Version = n.hello.GetVersion()
		s.QueueBytes, s.RoundTrip = n.queue.size(), time.Duration(n.trip.Load())
	}
	c := &p.counts
	s.Sessions, s.Sent, s.Received = c.sessions.Load(), c.sent.Load(), c.received.Load()
	s.SentBytes, s.ReceivedBytes = c.sentBytes.Load(), c.receivedBytes.Load()
	s.Dropped = map[string]uint64{}
	for i, name := range droppedNames {
		s.Dropped[name] = c.dropped[i].Load()
	}
	return s
}

// said keeps what recurs with every attempt out of the log: the same is said once
// a minute.
type said struct {
	mu   sync.Mutex
	last map[string]time.Duration
}

const (
	sayAgain = time.Minute
	saidMost = 256
)

func (l *Link) say(what, address string, r *messages.LinkRefusal) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	key, now := host+" "+r.GetReason()+" "+r.GetText(), l.now()
	l.said.mu.Lock()
	last, before := l.said.last[key]
	fresh := !before || now-last > sayAgain
	if fresh {
		if l.said.last == nil || len(l.said.last) >= saidMost {
			l.said.last = map[string]time.Duration{}
		}
		l.said.last[key] = now
	}
	l.said.mu.Unlock()
	if fresh {
		l.cfg.Logger.Warn(what, "address", address, "reason", r.GetReason(), "why", r.GetText())
	}
}
