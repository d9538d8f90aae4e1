package grpc

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/messages"
)

const (
	// giveWay is how long the one of two nodes that has the greater name waits
	// before it dials: most pairs then never dial each other at once.
	giveWay = 200 * time.Millisecond
	// Between attempts, doubled from the one to the other.
	againFirst, againMost = 100 * time.Millisecond, 2 * time.Second
	// steadyAfter is how long a session lasts whose end is no sign of trouble.
	steadyAfter = 5 * time.Second
	// rememberFor is how long one that nobody names any more is asked whether its
	// process has ended.
	rememberFor = 10 * time.Minute
)

// peer is another node: at most one session with it, and who begins one.
//
//	none --dial, its hello--> session --its end, Down told--> none
//	none --its hello--> accepting --its first frame--> session
//
// Both dial. Where both have sent their hellos at once, the attempt of the one
// with the smaller name goes on: it refuses the other's as busy, and the other
// gives its own up when it gets the smaller's. A node that accepts dials no more.
// The one that accepts begins the session with the other's first frame, which is
// sent by one that has begun it: neither believes in a session that the other has
// given up.
type peer struct {
	l    *Link
	node string

	// tell is held while the handler is told, so of one peer never twice at once.
	tell sync.Mutex
	// session is set from before Up is told until after Down is; changed under mu.
	session atomic.Pointer[session]
	lasted  atomic.Int64 // nanoseconds, of the newest session that is over
	counts  counts

	mu        sync.Mutex // protects what follows
	address   string     // as discovered, or as the peer has said
	wanted    bool       // it is discovered
	newest    uint64     // incarnation that there was a session with
	dialing   *attempt
	accepting *attempt
	former    *former // until it is known to have ended, or there is another session
	trouble   string  // why there is no session
	forgotten bool    // the link has it no more
	changed   chan struct{}
}

// attempt is a session that may come.
type attempt struct {
	ctx    context.Context
	cancel context.CancelFunc
	said   bool // its hello is sent
}

// former is a process whose session was ended by its side.
type former struct {
	peer    link.Peer
	address string // where it listened
	since   time.Duration
}

func newPeer(l *Link, node string) *peer {
	return &peer{l: l, node: node, changed: make(chan struct{}, 1)}
}

func (p *peer) newAttempt() *attempt {
	a := &attempt{}
	a.ctx, a.cancel = context.WithCancel(p.l.ctx)
	return a
}

// discovered: it is where whoever discovers nodes says.
func (p *peer) discovered(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wanted && p.address == address {
		return
	}
	p.wanted, p.address = true, address
	p.wake()
}

func (p *peer) vanished() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wanted {
		p.wanted = false
		p.wake()
	}
}

// wake has the loop look again at once.
func (p *peer) wake() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

func (p *peer) send(to link.Peer, e link.Envelope) link.Result {
	s := p.session.Load()
	switch {
	case s == nil:
		p.counts.dropped[droppedDown].Add(1)
		return link.PeerDown
	case s.with != to:
		p.counts.dropped[droppedStale].Add(1)
		return link.StaleIncarnation
	}
	result, tell := s.queue.put(e)
	if tell {
		s.tellCredit()
	}
	switch result {
	case link.NoCredit:
		p.counts.dropped[droppedCredit].Add(1)
	case link.PeerDown:
		p.counts.dropped[droppedDown].Add(1)
	}
	return result
}

// happened tells the handler.
func (p *peer) happened(e link.Event) {
	p.tell.Lock()
	defer p.tell.Unlock()
	if !p.l.quiet.Load() {
		p.l.handler.Happened(e)
	}
}

func (p *peer) received(from link.Peer, envelopes []link.Envelope) {
	p.tell.Lock()
	defer p.tell.Unlock()
	if !p.l.quiet.Load() {
		p.l.handler.Received(from, envelopes)
	}
}

// loop dials while there is no session, and finds out whether a process that had
// one has ended.
func (p *peer) loop() {
	pause := p.first()
	for p.l.ctx.Err() == nil {
		if s := p.session.Load(); s != nil {
			<-s.done
			pause = p.after(pause)
			continue
		}
		p.probe()
		if p.forget() {
			return
		}
		if !p.pause(pause) {
			pause = p.first()
			continue
		}
		switch p.dial() {
		case busy:
			pause = giveWay
		case failed:
			pause = longer(pause)
		case ended:
			pause = p.after(pause)
		}
	}
}

// after is how long to wait once a session has ended: one that has lasted is no
// sign of trouble.
func (p *peer) after(pause time.Duration) time.Duration {
	if time.Duration(p.lasted.Load()) > steadyAfter {
		return p.first()
	}
	return longer(pause)
}

func longer(pause time.Duration) time.Duration { return min(max(2*pause, againFirst), againMost) }

// first is how long to wait before the first attempt.
func (p *peer) first() time.Duration {
	if p.l.cfg.Self.Node < p.node {
		return 0
	}
	return giveWay
}

// pause waits about d; false: something has changed before.
func (p *peer) pause(d time.Duration) bool {
	if d == 0 {
		return true
	}
	t := time.NewTimer(d/2 + rand.N(d))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-p.l.ctx.Done():
		return false
	case <-p.changed:
		return false
	}
}

// probe finds out whether the former process has ended.
func (p *peer) probe() {
	p.mu.Lock()
	f := p.former
	p.mu.Unlock()
	if f == nil || !refused(p.l.ctx, f.address) {
		return
	}
	p.mu.Lock()
	told := p.former != f
	if !told {
		p.former = nil
	}
	p.mu.Unlock()
	if !told {
		p.l.cfg.Logger.Info("a node's process has ended", "peer", f.peer.String())
		p.happened(link.Event{Peer: f.peer, Kind: link.Ended})
	}
}

// forget ends the loop of one that nobody names and nothing is to be learned of.
func (p *peer) forget() bool {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wanted || p.session.Load() != nil || p.accepting != nil || p.former != nil && p.l.now()-p.former.since < rememberFor {
		return false
	}
	delete(p.l.peers, p.node)
	p.forgotten = true
	return true
}

// beginDial is nil where there is nothing to dial.
func (p *peer) beginDial() (*attempt, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.address == "" || !p.wanted || p.accepting != nil || p.session.Load() != nil {
		return nil, ""
	}
	p.dialing = p.newAttempt()
	return p.dialing, p.address
}

func (p *peer) endDial(a *attempt, trouble string) {
	a.cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dialing == a {
		p.dialing = nil
	}
	if trouble != "" {
		p.trouble = trouble
	}
}

// sayHello: from now on the attempt is one that the peer may have accepted; false:
// it was given up.
func (p *peer) sayHello(a *attempt) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	a.said = p.dialing == a
	return a.said
}

// incoming decides what becomes of a peer's hello.
func (p *peer) incoming(h *messages.LinkHello) (*attempt, *messages.LinkRefusal) {
	for {
		p.mu.Lock()
		if h.GetIncarnation() < p.newest {
			p.mu.Unlock()
			return nil, refuse("stale", "a later process of node "+h.GetNode()+" has started: two must not run under one name")
		}
		s := p.session.Load()
		if s == nil {
			defer p.mu.Unlock()
			if p.forgotten {
				return nil, refuse(reasonBusy, "it was forgotten just now")
			}
			return p.accept(h)
		}
		p.mu.Unlock()
		if h.GetIncarnation() > s.with.Incarnation {
			s.stop("a later process of the node has come")
		}
		select {
		case <-s.over:
		default:
			return nil, refuse(reasonBusy, "there is a session")
		}
		<-s.done
	}
}

// accept: there is no session; mu is held.
func (p *peer) accept(h *messages.LinkHello) (*attempt, *messages.LinkRefusal) {
	if d := p.dialing; d != nil {
		if d.said && p.l.cfg.Self.Node < p.node {
			return nil, refuse(reasonBusy, "it is being dialed")
		}
		d.cancel()
		p.dialing = nil
	}
	if p.accepting != nil {
		p.accepting.cancel()
	}
	p.accepting = p.newAttempt()
	if !p.wanted {
		p.address = h.GetAddress()
	}
	return p.accepting, nil
}

func (p *peer) endAccept(a *attempt) {
	a.cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.accepting == a {
		p.accepting = nil
		p.wake()
	}
}

// establish makes the attempt the session; false: it was given up.
func (p *peer) establish(a *attempt, s *session) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dialing != a && p.accepting != a || p.session.Load() != nil || p.l.ctx.Err() != nil {
		return false
	}
	p.dialing, p.accepting, p.former, p.trouble = nil, nil, nil, ""
	p.newest = max(p.newest, s.with.Incarnation)
	p.counts.sessions.Add(1)
	p.session.Store(s)
	p.wake() // a loop that pauses now waits for its end
	return true
}

// ended: its Down is told.
func (p *peer) ended(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.conn.ending() == byPeer {
		p.former = &former{s.with, s.listens, p.l.now()}
	}
	p.trouble = s.why()
	p.lasted.Store(int64(p.l.now() - s.began))
	p.session.Store(nil)
}

func (p *peer) close() {
	if s := p.session.Load(); s != nil {
		s.stop("this node's link is closed")
	}
}
