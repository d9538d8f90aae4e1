package sim

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
	"github.com/birdwire/birdwire/testkit/sim/judge"
)

const (
	retryFirst = 100 * time.Millisecond
	retryMost  = 5 * time.Second
	// askWithin is how long a gateway waits for an answer.
	askWithin = 5 * time.Second
	// planLimit is how many connections a key may have by its plan.
	planLimit = 5
	// unheard is after how long a client gives up a connection on which nothing
	// has come, not even a ping.
	unheard = 40 * time.Second
)

// Client is one client of the twitter API: it connects, and when it is ended it
// connects again, at the next node, with the cursor of what it was handed last.
type Client struct {
	Name  string
	keyID string

	cluster *Cluster
	at      int // index of the node that it tries or has
	socket  *socket
	retry   time.Duration
	made    int
	Stay    bool // it tries no other node
	gone    bool // it has left for good

	joined bool
	began  messages.Position // where its first connection joined
	cursor *messages.Cursor
	seen   []seen   // what it was handed, in order
	steps  []int    // in which, of each
	Ends   []string // why its connections ended
}

// seen is one delivery.
type seen struct {
	position messages.Position
	k        uint32
	tag      string // of the rule
	id       string // of the post
}

func (s seen) place() judge.Place { return judge.Place{Position: uint64(s.position), K: s.k} }

func placeOf(c *messages.Cursor) judge.Place {
	return judge.Place{Position: uint64(c.Position), K: c.K}
}

// Connect is a client with the key that begins at the node.
func (c *Cluster) Connect(name, keyID, node string) *Client {
	c.TB.Helper()
	client := &Client{Name: name, keyID: keyID, cluster: c, at: c.place(node)}
	c.clients = append(c.clients, client)
	client.connect()
	return client
}

func (c *Client) node() *Node { return c.cluster.nodes[c.at%len(c.cluster.nodes)] }

// connect asks for a slot, as a gateway does.
func (c *Client) connect() {
	n := c.node()
	if !n.Awake() {
		c.later()
		return
	}
	c.made++
	c.cluster.Note("client "+c.Name, "connects to %s", n.Name)
	s := &socket{client: c, node: n, incarnation: n.incarnation, id: fmt.Sprintf("%s-%d", c.Name, c.made), heard: n.Clock.Elapsed(), asked: c.cluster.histories.tick()}
	c.socket = s
	n.Actors.AskKey(c.keyID, &messages.Admit{
		Credential: &messages.Credential{KeyId: c.keyID, SecretHash: c.cluster.secrets[c.keyID]}, Api: messages.Api_API_TWITTER,
		ConnectionId: s.id, Node: n.Name, Incarnation: n.incarnation,
	}, askWithin, func(m proto.Message, err error) { c.admitted(s, m, err) })
}

func (c *Client) admitted(s *socket, m proto.Message, err error) {
	c.touch()
	admitted, ok := m.(*messages.Admitted)
	if err != nil || !ok {
		if err != nil || m.(*messages.Refused).GetRefusal() == messages.Refusal_REFUSAL_OVERLOAD {
			s.release() // it may have been taken all the same
		}
		s.over(notAdmitted(m, err))
		return
	}
	if c.socket != s {
		s.release()
		return
	}
	session, err := s.node.Actors.Start(gateway.Start{
		ConnectionID: s.id, API: messages.Api_API_TWITTER, Admitted: admitted, Resume: true, Cursor: c.cursor, Socket: s,
	})
	if err != nil {
		s.release()
		s.over(err.Error())
		return
	}
	s.session = session
	h := c.cluster.histories
	h.add(h.slots, c.keyID, s.asked, place{connection: s.id, limit: planLimit}, nil, true)
	s.placed = true
}

// notAdmitted is why, in words of its own: the text of a generated message has other
// spaces in every build, so that no record would be the same.
func notAdmitted(m proto.Message, err error) string {
	if err != nil {
		return fmt.Sprintf("not admitted: %v", err)
	}
	r, _ := m.(*messages.Refused)
	return fmt.Sprintf("not admitted: %s, retry after %d ms: %s", r.GetRefusal(), r.GetRetryAfterMs(), r.GetDetail())
}

// left: the connection is over, or its node may not act any more.
func (s *socket) left() {
	if s.placed {
		h := s.client.cluster.histories
		s.placed = false
		h.add(h.slots, s.client.keyID, h.tick(), place{connection: s.id, leaves: true}, nil, true)
	}
}

// touch says that a step is about the client: see testkit.Explore.
func (c *Client) touch() { c.cluster.Touch("client " + c.Name) }

// later tries the next node.
func (c *Client) later() {
	if c.gone {
		return
	}
	c.retry = min(max(2*c.retry, retryFirst), retryMost)
	c.cluster.Later(c.retry, func() {
		if c.gone {
			return
		}
		if !c.Stay {
			c.at++
		}
		c.connect()
	})
}

// leave has the client hang up, and come no more.
func (c *Client) leave() {
	c.gone = true
	if s := c.socket; s != nil {
		s.over("the client leaves")
		if s.session != nil {
			s.session.Tell(&messages.SocketClosed{})
		}
	}
}

// hangUp ends the client's connection; it comes again soon, with its cursor.
func (c *Client) hangUp() {
	if s := c.socket; s != nil && s.session != nil {
		s.over("the client hangs up")
		s.session.Tell(&messages.SocketClosed{})
	}
}

// reset ends the connection with a process that is gone.
func (c *Client) reset(n *Node) {
	if s := c.socket; s != nil && s.node == n && s.incarnation == n.incarnation {
		s.over("reset")
	}
}

// Connected says whether it follows what is new.
func (c *Client) Connected() bool { return c.socket != nil && c.socket.session != nil && c.joined }

// socket is one connection, at the client's end.
type socket struct {
	client      *Client
	node        *Node
	incarnation uint64
	id          string
	session     gateway.Session
	heard       actors.Instant
	asked       int64 // for the histories
	placed      bool  // in them
}

var _ gateway.Socket = (*socket)(nil)

// release gives a slot back that may have been taken.
func (s *socket) release() {
	s.node.Actors.TellKey(s.client.keyID, &messages.Release{KeyId: s.client.keyID, Api: messages.Api_API_TWITTER, ConnectionId: s.id})
}

// over: the client has heard that this connection is no more.
func (s *socket) over(why string) {
	c := s.client
	c.touch()
	if c.socket != s {
		return
	}
	c.cluster.Note("client "+c.Name, "%s at %s has ended: %s", s.id, s.node.Name, why)
	s.left()
	c.Ends = append(c.Ends, fmt.Sprintf("%s at %s: %s", s.id, s.node.Name, why))
	c.socket = nil
	c.later()
}

func (s *socket) Connected()                            {}
func (s *socket) Subscribed(*messages.ClientSubscribed) {}
func (s *socket) Pong()                                 {}
func (s *socket) Pending() int                          { return 0 }
func (s *socket) NotifyDrained()                        {}
func (s *socket) Ping()                                 { s.heard = s.node.Clock.Elapsed() }
func (s *socket) Silence() time.Duration                { return s.node.Clock.Elapsed() - s.heard }

func (s *socket) Error(text string) {
	s.client.cluster.Violated("clients are told of no error", "client %s was told %q", s.client.Name, text)
}

func (s *socket) Cursor(p messages.Position) {
	c := s.client
	c.touch()
	if c.socket != s {
		return
	}
	c.retry = 0
	if !c.joined {
		c.joined, c.began = true, p
	}
	c.moveTo(p, 1<<32-1)
	c.cluster.Note("client "+c.Name, "stands at %d", p)
}

func (c *Client) moveTo(p messages.Position, k uint32) {
	if c.cursor == nil || p > c.cursor.Position || p == c.cursor.Position && k > c.cursor.K {
		c.cursor = &messages.Cursor{Epoch: c.cluster.Disk.Open(nil).Journal().Epoch(), Position: p, K: k}
	}
}

func (s *socket) Deliver(ds []*messages.Delivery, _, _ bool) bool {
	c := s.client
	c.touch()
	if c.socket != s { // on its way when the connection broke
		return true
	}
	if n := c.cluster.Stalls; n > 0 && c.cluster.Chance(testkit.Faults).Once(fmt.Sprintf("%s stalls after %d", c.Name, len(c.seen)), n) {
		c.cluster.costly = true
		c.cluster.Fault("client "+c.Name, "stalls")()
		return false
	}
	breaks := s.breaks(len(ds))
	if breaks {
		ds = ds[:1]
	}
	for _, d := range ds {
		next := seen{messages.Position(d.GetPosition()), d.GetK(), d.GetOrigin().GetName(), d.GetEvent().GetPost().GetId()}
		if c.cursor != nil && !next.place().After(placeOf(c.cursor)) {
			c.cluster.Violated("positions grow", "client %s is handed %v after %v", c.Name, next, *c.cursor)
		}
		c.moveTo(next.position, next.k)
		c.seen, c.steps = append(c.seen, next), append(c.steps, c.cluster.Step())
		c.cluster.Note("client "+c.Name, "is handed %s by rule %s at %d, %d", next.id, next.tag, next.position, next.k)
	}
	if c.retry = 0; breaks {
		s.over("the connection breaks")
		s.session.Tell(&messages.SocketClosed{})
	}
	return true
}

// breaks says whether the connection breaks while its client is handed so many: what
// it does not get is charged all the same.
func (s *socket) breaks(n int) bool {
	c := s.client
	most := c.cluster.Breaks
	if most == 0 || n < 2 || s.session == nil || !c.cluster.Chance(testkit.Faults).Once(fmt.Sprintf("the connection of %s breaks after %d", c.Name, len(c.seen)), most) {
		return false
	}
	c.cluster.costly = true
	c.cluster.Fault("client "+c.Name, "its connection breaks")()
	return true
}

func (s *socket) End(reason messages.EndReason, detail string) {
	s.over(fmt.Sprintf("%v: %s", reason, detail))
	if s.session != nil {
		s.session.Tell(&messages.SocketClosed{})
	}
}

// IDs are the posts that the client was handed, with spaces between.
func (c *Client) IDs() string {
	var ids []string
	for _, s := range c.seen {
		ids = append(ids, s.id)
	}
	return strings.Join(ids, " ")
}

// Connections is how often clients have connected.
func (c *Cluster) Connections() (n int) {
	for _, client := range c.clients {
		n += client.made
	}
	return n
}

// Clients are all that have ever connected, in that order.
func (c *Cluster) Clients() []*Client { return c.clients }

// At is the node that the client is connected to; "" where it is not.
func (c *Client) At() string {
	if c.socket == nil || c.socket.session == nil {
		return ""
	}
	return c.socket.node.Name
}

// Open is how many clients are connected.
func (c *Cluster) Open() (n int) {
	for _, client := range c.clients {
		if client.At() != "" {
			n++
		}
	}
	return n
}
