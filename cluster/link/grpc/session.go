package grpc

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/messages"
)

// stream is either end of a gRPC stream. One goroutine sends, and one receives.
type stream interface {
	SendMsg(any) error
	RecvMsg(any) error
}

// session is one session with a peer, on its connection. The goroutine that has
// made it runs it and receives; run starts one that writes, and one that watches
// whether the peer is heard. All end with the connection.
type session struct {
	p       *peer
	with    link.Peer
	hello   *messages.LinkHello
	listens string // host:port where the peer is reached
	dialed  bool   // by this side
	stream  stream
	conn    *conn
	queue   *queue
	began   time.Duration

	credit   chan struct{}
	heard    atomic.Int64 // when something came last, or was dealt with; by Link.now
	handling atomic.Bool  // what came is being dealt with
	trip     atomic.Int64 // nanoseconds of the newest ping's round trip

	over   chan struct{} // it ends
	done   chan struct{} // Down is told
	once   sync.Once
	reason string // why it ended; written before over
}

func newSession(p *peer, h *messages.LinkHello, s stream, c *conn) *session {
	n := &session{
		p: p, with: link.Peer{Node: h.GetNode(), Incarnation: h.GetIncarnation()}, hello: h, stream: s, conn: c,
		queue: newQueue(p.l.cfg.QueueBytes), began: p.l.now(),
		credit: make(chan struct{}, 1), over: make(chan struct{}), done: make(chan struct{}),
	}
	n.heard.Store(int64(n.began))
	return n
}

// stop ends it from here.
func (s *session) stop(why string) { s.stopAs(byUs, why) }

func (s *session) stopAs(how ending, why string) {
	s.once.Do(func() {
		s.conn.end(how)
		s.reason = why
		close(s.over)
		_ = s.conn.Close() // it is over in any case
	})
}

// why is asked once it is over.
func (s *session) why() string {
	if s.conn.ending() == byPeer {
		return "the peer, or its kernel, closed the connection"
	}
	return s.reason
}

// run returns once Down is told. first is what the peer has sent already.
func (s *session) run(first *frame) {
	log := s.p.l.cfg.Logger.With("peer", s.with.String())
	log.Info("a node is connected", "address", s.conn.Conn.RemoteAddr().String(), "dialed", s.dialed, "version", s.hello.GetVersion())
	s.p.happened(link.Event{Peer: s.with, Kind: link.Up})
	var wg sync.WaitGroup
	wg.Go(s.write)
	wg.Go(s.watch)
	s.read(first)
	wg.Wait()
	s.p.counts.dropped[droppedEnded].Add(uint64(s.queue.close()))
	log.Info("a node is not connected any more", "why", s.why())
	s.p.happened(link.Event{Peer: s.with, Kind: link.Down})
	s.p.ended(s)
	close(s.done)
}

func (s *session) read(f *frame) {
	for {
		s.frame(f)
		if err := s.stream.RecvMsg(f); err != nil {
			s.stopAs(bySilent, "the stream ended: "+err.Error())
			return
		}
	}
}

func (s *session) frame(f *frame) {
	s.handling.Store(true)
	defer func() {
		s.heard.Store(int64(s.p.l.now()))
		s.handling.Store(false)
	}()
	if f.ping != 0 {
		s.queue.beat(0, f.ping)
	}
	if f.pong != 0 {
		s.trip.Store(int64(s.p.l.now()) - int64(f.pong))
	}
	if len(f.envelopes) == 0 {
		return
	}
	c := &s.p.counts
	c.received.Add(uint64(len(f.envelopes)))
	c.receivedBytes.Add(uint64(size(f.envelopes)))
	s.p.received(s.with, f.envelopes)
}

func (s *session) write() {
	f := &frame{}
	for {
		tell, ok := s.queue.take(f)
		if !ok {
			return
		}
		if tell {
			s.tellCredit()
		}
		n, bytes := len(f.envelopes), size(f.envelopes)
		if err := s.stream.SendMsg(f); err != nil {
			s.p.counts.dropped[droppedEnded].Add(uint64(n))
			s.stopAs(bySilent, "the stream ended: "+err.Error())
			return
		}
		s.p.counts.sent.Add(uint64(n))
		s.p.counts.sentBytes.Add(uint64(bytes))
		clear(f.envelopes)
	}
}

func size(envelopes []link.Envelope) (n int) {
	for i := range envelopes {
		n += cost(&envelopes[i]) - envelopeCost
	}
	return n
}

func (s *session) tellCredit() {
	select {
	case s.credit <- struct{}{}:
	default: // it will look
	}
}

// watch sends pings, ends a session in which nothing comes, and tells of credit:
// whoever sends must not wait for the handler.
func (s *session) watch() {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		s.queue.beat(uint64(s.p.l.now()), 0)
		select {
		case <-s.over:
			s.p.counts.dropped[droppedEnded].Add(uint64(s.queue.close())) // and the writer ends
			return
		case <-s.credit:
			for kind, dropped, ok := s.queue.credit(); ok; kind, dropped, ok = s.queue.credit() {
				s.p.happened(link.Event{Peer: s.with, Kind: kind, Dropped: dropped})
			}
		case <-tick.C:
			silent := s.p.l.now() - time.Duration(s.heard.Load())
			if !s.handling.Load() && silent > downAfter {
				s.stopAs(bySilent, "nothing has come from it for "+silent.Round(time.Millisecond).String())
			}
		}
	}
}
