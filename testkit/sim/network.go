package sim

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/testkit"
)

const (
	// silent is after how long without a sign of life a session ends, as of the
	// real link.
	silent = 3 * time.Second
	// reconnect is how long a link waits before it tries a peer again.
	reconnect = 500 * time.Millisecond
	// refused is how long it takes a link whose session was reset to try again,
	// and so to know that nobody listens any more.
	refused = 300 * time.Millisecond
	// creditMost is how many envelopes may be on their way from one node to
	// another before the link takes no more.
	creditMost = 16_384
)

// Fate is what befalls one envelope on its way. The zero Fate is to arrive.
type Fate struct {
	Drop  bool
	Twice bool
	After time.Duration // later ones of the session wait behind it
}

// Network connects the processes of a simulation, each by a link.Link.
type Network struct {
	kit       *testkit.Kit
	endpoints map[string]*endpoint  // by node: the process that is there, or was last
	cuts      map[[2]string]bool    // from, to
	trying    map[[2]*endpoint]bool // to connect, later
	// Sent is told of every envelope, in the sender's turn; nil: nobody is.
	Sent func(from link.Peer, e link.Envelope)
	// Fate is asked for every envelope; nil: all arrive.
	Fate func(from, to link.Peer, e link.Envelope) Fate

	sent, lost int // envelopes
}

// NewNetwork has no cut and nobody on it.
func NewNetwork(k *testkit.Kit) *Network {
	return &Network{kit: k, endpoints: map[string]*endpoint{}, cuts: map[[2]string]bool{}, trying: map[[2]*endpoint]bool{}}
}

// endpoint is one process's link.
type endpoint struct {
	net     *Network
	self    link.Peer
	host    *testkit.Host
	handler link.Handler
	links   string // a name for who it has sessions with
	ended   bool
	stalled bool                     // its process is suspended
	peers   map[string]*session      // by node; those that this side takes for up
	lanes   map[string]*testkit.Lane // by node, to here: over them, sessions with one process after the other come in order
}

// session is one side's view of a session with a peer, and what is on its way
// to that peer.
type session struct {
	from, to *endpoint
	lane     *testkit.Lane // ends at to
	arrives  time.Duration // of the newest envelope
	under    int           // way: envelopes
	dropped  uint64        // for want of credit; 0: there is some
	low      bool
	told     bool // that it is up: to
	over     bool // nothing arrives any more
	back     *session
}

var _ link.Link = (*endpoint)(nil)

// Join is the link of a process that starts on the host. Its sessions begin once
// it is handled, with all whom it reaches.
func (n *Network) Join(self link.Peer, host *testkit.Host) link.Link {
	e := &endpoint{net: n, self: self, host: host, links: "links of " + self.Node, peers: map[string]*session{}, lanes: map[string]*testkit.Lane{}}
	if former := n.endpoints[self.Node]; former != nil {
		n.End(former.self.Node)
	}
	n.endpoints[self.Node] = e
	return e
}

func (e *endpoint) Self() link.Peer { return e.self }

func (e *endpoint) Handle(h link.Handler) {
	e.handler = h
	for _, name := range slices.Sorted(maps.Keys(e.net.endpoints)) {
		if other := e.net.endpoints[name]; other != e {
			e.net.connect(e, other)
		}
	}
}

func (e *endpoint) Close() error {
	e.net.end(e)
	return nil
}

// reaches says whether what from sends comes to to.
func (n *Network) reaches(from, to string) bool { return !n.cuts[[2]string{from, to}] }

// connect begins a session, if there is none, both are there, and there is no
// cut; it is tried again where there may be one later.
func (n *Network) connect(a, b *endpoint) {
	n.refuse(a, b)
	n.refuse(b, a)
	if a.ended || b.ended || a.handler == nil || b.handler == nil {
		return
	}
	ab, ba := a.peers[b.self.Node], b.peers[a.self.Node]
	switch {
	case ab != nil && ab.to == b && ba != nil:
	case ab != nil || ba != nil || a.stalled || b.stalled || !n.together(a, b):
		n.connectLater(a, b)
	default:
		ab, ba = newSession(a, b), newSession(b, a)
		ab.back, ba.back = ba, ab
		ab.up()
		ba.up()
	}
}

func (n *Network) together(a, b *endpoint) bool {
	return n.reaches(a.self.Node, b.self.Node) && n.reaches(b.self.Node, a.self.Node)
}

// refuse tells a that b's process has ended, where it finds that out by
// connecting; while it does not come there it tries again. The real link says so
// less often: not where the session had ended by silence.
func (n *Network) refuse(a, b *endpoint) {
	switch {
	case a.ended || !b.ended || a.handler == nil || n.endpoints[b.self.Node] != b:
	case a.stalled || !n.together(a, b):
		n.connectLater(a, b)
	default:
		b.lane(a).Add(func() { a.handler.Happened(link.Event{Peer: b.self, Kind: link.Ended}) })
	}
}

func (n *Network) connectLater(a, b *endpoint) {
	pair := [2]*endpoint{a, b}
	if a.self.Node > b.self.Node {
		pair = [2]*endpoint{b, a}
	}
	if n.trying[pair] {
		return
	}
	n.trying[pair] = true
	n.kit.Later(reconnect, func() {
		delete(n.trying, pair)
		n.connect(a, b)
	})
}

func newSession(from, to *endpoint) *session {
	return &session{from: from, to: to, lane: from.lane(to)}
}

// lane is what comes to the other by.
func (e *endpoint) lane(to *endpoint) *testkit.Lane {
	lane := to.lanes[e.self.Node]
	if lane == nil {
		lane = to.host.Lane("link " + e.self.Node + " to " + to.self.Node)
		to.lanes[e.self.Node] = lane
	}
	return lane
}

// up tells the one at the other end.
func (s *session) up() {
	s.from.net.kit.Touch(s.from.links)
	s.from.peers[s.to.self.Node] = s
	s.lane.Add(func() {
		s.told = true
		s.to.handler.Happened(link.Event{Peer: s.from.self, Kind: link.Up})
	})
}

func (e *endpoint) Send(to link.Peer, envelope link.Envelope) link.Result {
	e.net.kit.Look(e.links)
	s := e.peers[to.Node]
	switch {
	case e.ended || s == nil:
		return link.PeerDown
	case s.to.self != to:
		return link.StaleIncarnation
	case s.under >= creditMost:
		if s.dropped++; !s.low {
			s.low = true
			s.back.lane.Add(func() { e.handler.Happened(link.Event{Peer: to, Kind: link.CreditLow}) })
		}
		return link.NoCredit
	}
	n := e.net
	n.sent++
	if n.Sent != nil {
		n.Sent(e.self, envelope)
	}
	var fate Fate
	if n.Fate != nil {
		fate = n.Fate(e.self, to, envelope)
	}
	if s.over || fate.Drop || !n.reaches(e.self.Node, to.Node) {
		n.lost++
		return link.Queued
	}
	s.put(envelope, fate.After)
	if fate.Twice {
		s.put(envelope, 0)
	}
	return link.Queued
}

// put has the envelope arrive after what was sent before it.
func (s *session) put(e link.Envelope, after time.Duration) {
	kit := s.from.net.kit
	now := kit.Clock.Elapsed()
	s.under++
	s.arrives = max(s.arrives, now+after)
	arrive := func() { s.lane.Add(func() { s.arrive(e) }) }
	if s.arrives == now {
		arrive()
		return
	}
	kit.Later(s.arrives-now, arrive)
}

func (s *session) arrive(e link.Envelope) {
	s.under--
	if s.low && s.under <= creditMost/2 {
		dropped := s.dropped
		s.low, s.dropped = false, 0
		s.back.lane.Add(func() {
			s.from.handler.Happened(link.Event{Peer: s.to.self, Kind: link.CreditOK, Dropped: dropped})
		})
	}
	if s.over {
		s.from.net.lost++
		return
	}
	if s.to.ended { // nothing is handed over once it is closed
		return
	}
	s.to.handler.Received(s.from.self, []link.Envelope{e})
}

// down ends one side of a session: the handler is told after what has come.
func (e *endpoint) down(s *session) {
	if e.peers[s.to.self.Node] != s {
		return
	}
	e.net.kit.Touch(e.links)
	delete(e.peers, s.to.self.Node)
	s.back.over = true // what is on its way to this side comes to nobody
	if e.ended {
		return
	}
	s.back.lane.Add(func() {
		if s.back.told {
			e.handler.Happened(link.Event{Peer: s.to.self, Kind: link.Down})
		}
	})
	e.net.connectLater(e, s.to)
}

// Cut ends what from sends to to. Both notice that their session is dead once
// nothing has come for a while.
func (n *Network) Cut(from, to string) {
	n.cuts[[2]string{from, to}] = true
	a, b := n.endpoints[from], n.endpoints[to]
	if a == nil || b == nil || a.peers[to] == nil {
		return
	}
	s := a.peers[to]
	s.over = true
	n.kit.Later(silent, func() {
		b.down(s.back)
		a.down(s)
	})
}

// Suspect ends a session that nothing is wrong with; another one begins soon.
func (n *Network) Suspect(a, b string) {
	from, to := n.endpoints[a], n.endpoints[b]
	if s := from.peers[b]; s != nil {
		to.down(s.back)
		from.down(s)
	}
}

// Stall says whether the node's process is suspended: the others end their
// sessions with it once it has been silent for a while.
func (n *Network) Stall(node string, suspended bool) {
	e := n.endpoints[node]
	e.stalled = suspended
	if !suspended {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(e.peers)) {
		s := e.peers[name]
		n.kit.Later(silent, func() {
			if e.stalled {
				s.to.down(s.back)
				e.down(s)
			}
		})
	}
}

// Mend takes a cut back.
func (n *Network) Mend(from, to string) { delete(n.cuts, [2]string{from, to}) }

// End is a process that is gone: those with whom it had a session hear of it as
// soon as they come to it.
func (n *Network) End(node string) { n.end(n.endpoints[node]) }

func (n *Network) end(e *endpoint) {
	if e == nil || e.ended {
		return
	}
	e.ended = true
	for _, name := range slices.Sorted(maps.Keys(e.peers)) {
		s := e.peers[name]
		delete(e.peers, name)
		if !n.together(e, s.to) { // no reset comes there
			s.back.over = true
			n.kit.Later(silent, func() { s.to.down(s.back) })
			continue
		}
		s.to.down(s.back)
		n.kit.Later(refused, func() { n.refuse(s.to, e) })
	}
}

// Reaches are the nodes with whom the node has a session.
func (n *Network) Reaches(node string) []string {
	if e := n.endpoints[node]; e != nil && !e.ended {
		return slices.Sorted(maps.Keys(e.peers))
	}
	return nil
}

func (n *Network) String() string {
	return fmt.Sprintf("%d envelopes sent, %d lost", n.sent, n.lost)
}
