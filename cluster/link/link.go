// Package link is how actors of one node reach those of another: the contract of
// what carries messages (Link), and Remote, which lets actors tell a PID without
// knowing where it is.
//
//	actor ── Send ──▶ PID "b@7/node/shard/12" ──▶ Remote ── Envelope ──▶ Link ⇢ the other node's Link
//	                                                       ⇢ Remote ──▶ the actor's mailbox
//
// # What a link promises
//
// A session is from Up to Down of one peer. Within it, what one node sends to
// another arrives in the order in which it was sent, once or not at all; what is
// lost is lost for a reason that Send or Down tells. Down of a process comes
// before Up of the next process of that node, and everything that was received
// in a session comes before its Down. Nothing is ever handed to another process
// than the one it was sent to.
//
// Queued is not delivered: whoever must not lose a message has a number and asks
// again.
//
// # Addresses
//
// The address in a PID is the process, not the node: "name@incarnation". So a
// PID that outlives its process leads nowhere, instead of to whoever has taken
// the actor's name since.
package link

import (
	"fmt"
	"strconv"
	"strings"
)

// Peer is one process of a node.
type Peer struct {
	Node        string
	Incarnation uint64
}

// Address is what PIDs of the peer's actors carry.
func (p Peer) Address() string { return p.Node + "@" + strconv.FormatUint(p.Incarnation, 10) }

func (p Peer) String() string { return p.Address() }

// ParseAddress is the peer with the address; false where it is none.
func ParseAddress(address string) (Peer, bool) {
	node, number, ok := strings.Cut(address, "@")
	incarnation, err := strconv.ParseUint(number, 10, 64)
	return Peer{node, incarnation}, ok && err == nil && node != ""
}

// MaxBytes is how large the bytes of one envelope may be: more than the largest
// answer, a page of deliveries with their events.
const MaxBytes = 24 << 20

// Envelope is one message on its way.
type Envelope struct {
	// Kind is the message's protobuf name, or one of the system's own.
	Kind   string
	Target string // id of an actor of the peer; "": Remote itself
	Sender string // id; "": nobody is to be answered
	// SenderAt is the sender's address; "": that of the process that sends this.
	SenderAt string
	Bytes    []byte // not to be changed once sent: several envelopes may share them
}

// Result is what became of an envelope.
type Result uint8

const (
	// Queued: it is on its way, and may still be lost with the session.
	Queued Result = iota
	// NoCredit: the peer takes less than is sent to it, and the queue to it is
	// full. It is not sent. CreditOK will say when there is room.
	NoCredit
	// PeerDown: there is no session with the node. It is not sent.
	PeerDown
	// StaleIncarnation: the session is with another process of that node. It is
	// not sent.
	StaleIncarnation
)

func (r Result) String() string {
	if int(r) < len(results) {
		return results[r]
	}
	return fmt.Sprint("result ", uint8(r))
}

var results = [...]string{"queued", "no_credit", "peer_down", "stale_incarnation"}

// EventKind is what has happened to a session.
type EventKind uint8

// What Dropped says is for CreditOK alone.
const (
	Up EventKind = iota
	Down
	CreditLow
	CreditOK
	// Ended: the process is gone for good. It was down before this, and a new
	// connect to where it listened was refused. Whoever waits for it may wait in
	// vain: a link that is not sure says nothing.
	Ended
)

func (k EventKind) String() string {
	return [...]string{"up", "down", "credit low", "credit ok", "ended"}[k]
}

// Event is told in order with what is received from the peer.
type Event struct {
	Peer    Peer
	Kind    EventKind
	Dropped uint64 // envelopes that were not sent for want of credit since CreditLow
}

// Handler is told what comes from peers: of each peer in order, and of one peer
// never twice at once. It must not block.
//
// It is a function, and not a channel as first drawn: who takes from a channel
// is a goroutine, which a simulation cannot step, and nothing would say whether
// Down or the last message before it is taken first.
type Handler interface {
	Received(from Peer, envelopes []Envelope)
	Happened(Event)
}

// Link carries envelopes to the other nodes.
type Link interface {
	Self() Peer
	// Send never blocks. Bytes beyond MaxBytes are refused by whoever makes the
	// envelope.
	Send(to Peer, e Envelope) Result
	// Handle is called once, before anything is sent: nothing is received and no
	// session begins before it.
	Handle(Handler)
	// Close ends all sessions. Nothing is handed over after it.
	Close() error
}
