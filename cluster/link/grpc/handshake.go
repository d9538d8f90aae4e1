package grpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	rpc "google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	grpcpeer "google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/birdwire/birdwire/messages"
)

// reasonBusy: there is, or will be, another session. It is no trouble.
const reasonBusy = "busy"

func refuse(reason, text string) *messages.LinkRefusal {
	return &messages.LinkRefusal{Reason: reason, Text: text}
}

// judge is why there can be no session with whoever says the hello; nil: there
// can. Both sides judge by the same rules.
func (l *Link) judge(h *messages.LinkHello) *messages.LinkRefusal {
	c := &l.cfg
	switch {
	case h.GetCluster() != c.Cluster:
		return refuse("cluster", fmt.Sprintf("node %s is of cluster %q, and node %s of cluster %q", h.GetNode(), h.GetCluster(), c.Self.Node, c.Cluster))
	case h.GetNode() == "" || len(h.GetNode()) > 255 || strings.Contains(h.GetNode(), "@") || h.GetIncarnation() == 0:
		return refuse("name", fmt.Sprintf("%q is no node's name", h.GetNode()))
	case h.GetNode() == c.Self.Node && h.GetIncarnation() == c.Self.Incarnation:
		return refuse("itself", "node "+h.GetNode()+" has dialed itself: the address of another node leads to it")
	case h.GetNode() == c.Self.Node:
		return refuse("name", "two processes have the name "+h.GetNode()+": each node needs its own")
	case h.GetVersion() < c.Oldest || c.Version < h.GetOldest():
		return refuse("version", fmt.Sprintf("node %s speaks version %d (understands %d and later), and node %s version %d (understands %d and later): upgrade one release at a time",
			h.GetNode(), h.GetVersion(), h.GetOldest(), c.Self.Node, c.Version, c.Oldest))
	}
	return nil
}

// serve is one stream of one who has connected.
func (l *Link) serve(stream rpc.ServerStream) error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.wg.Add(1)
	l.mu.Unlock()
	defer l.wg.Done()
	from, _ := grpcpeer.FromContext(stream.Context())
	at, ok := from.Addr.(address)
	if !ok {
		return errors.New("link: the connection is not the listener's")
	}
	defer at.conn.Close()
	patience := time.AfterFunc(helloTime, func() { _ = at.conn.Close() })
	defer patience.Stop()
	f := &frame{}
	if err := stream.RecvMsg(f); err != nil || f.hello == nil {
		return err
	}
	p, a, refusal := l.welcome(f.hello, from.AuthInfo)
	if refusal != nil {
		if refusal.GetReason() != reasonBusy {
			l.say("a node that has connected is refused", at.Addr.String(), refusal)
		}
		if err := stream.SendMsg(&frame{refusal: refusal}); err != nil {
			return err
		}
		_ = stream.RecvMsg(f) // until the other has read it and hangs up
		return nil
	}
	defer p.endAccept(a)
	s := newSession(p, f.hello, stream, at.conn)
	s.listens = f.hello.GetAddress()
	if err := stream.SendMsg(&frame{hello: l.hello()}); err != nil {
		return err
	}
	first := &frame{kinds: names{}}
	if err := stream.RecvMsg(first); err != nil {
		return err
	}
	patience.Stop()
	if p.establish(a, s) {
		at.conn.admit()
		s.run(first)
	}
	return nil
}

// welcome is the peer and the attempt, or a refusal.
func (l *Link) welcome(h *messages.LinkHello, auth credentials.AuthInfo) (*peer, *attempt, *messages.LinkRefusal) {
	refusal := l.judge(h)
	if refusal == nil {
		refusal = judgeCertificate(h.GetNode(), auth)
	}
	if refusal != nil {
		return nil, nil, refusal
	}
	l.mu.Lock()
	if l.closed || l.peers[h.GetNode()] == nil && len(l.peers) >= peersMost {
		l.mu.Unlock()
		return nil, nil, refuse("full", fmt.Sprintf("node %s is closing, or knows %d nodes already", l.cfg.Self.Node, peersMost))
	}
	p := l.peer(h.GetNode())
	l.mu.Unlock()
	a, refusal := p.incoming(h)
	return p, a, refusal
}

// outcome is what came of an attempt.
type outcome uint8

const (
	failed outcome = iota
	busy           // there is, or will be, a session that the other side has begun
	ended          // a session, and it is over
)

// dial makes one attempt, and runs the session that comes of it.
func (p *peer) dial() outcome {
	a, address := p.beginDial()
	if a == nil {
		return failed
	}
	trouble := ""
	defer func() { p.endDial(a, trouble) }()
	raw, err := (&net.Dialer{Timeout: connectTime}).DialContext(a.ctx, "tcp", address)
	if err != nil {
		trouble = err.Error()
		return failed
	}
	c := &conn{Conn: raw}
	defer c.Close()
	patience := time.AfterFunc(helloTime, func() { _ = c.Close() })
	defer patience.Stop()
	client, err := p.client(c, address)
	if err != nil {
		trouble = err.Error()
		return failed
	}
	defer client.Close()
	s, first, refusal, err := p.ask(a, client, c)
	switch {
	case err != nil:
		trouble = p.l.explain(err)
		if a.ctx.Err() == nil {
			p.l.say("a node that was dialed gives no session", address, refuse("failed", trouble))
		}
		return failed
	case refusal.GetReason() == reasonBusy:
		return busy
	case refusal != nil:
		trouble = refusal.GetText()
		p.l.say("a node that was dialed is refused, or refuses", address, refusal)
		return failed
	}
	patience.Stop()
	s.listens, s.dialed = raw.RemoteAddr().String(), true
	if !p.establish(a, s) {
		return busy
	}
	s.run(first)
	return ended
}

// client is one that has this connection and no other.
func (p *peer) client(c *conn, address string) (*rpc.ClientConn, error) {
	var given atomic.Bool
	return rpc.NewClient("passthrough:///"+address,
		rpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			if given.Swap(true) {
				return nil, errors.New("the connection has ended")
			}
			return c, nil
		}),
		rpc.WithTransportCredentials(p.l.clientCredentials(p.node)),
		rpc.WithDefaultCallOptions(rpc.ForceCodecV2(codec{}), rpc.MaxCallRecvMsgSize(frameMost), rpc.MaxCallSendMsgSize(frameMost)),
		rpc.WithStaticStreamWindowSize(window), rpc.WithStaticConnWindowSize(window),
		rpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 3 * time.Second, PermitWithoutStream: true}),
		rpc.WithDisableRetry(), rpc.WithDisableServiceConfig(), rpc.WithIdleTimeout(0), rpc.WithNoProxy(),
	)
}

// ask says hello.
func (p *peer) ask(a *attempt, client *rpc.ClientConn, c *conn) (*session, *frame, *messages.LinkRefusal, error) {
	stream, err := client.NewStream(a.ctx, &opened, method)
	if err != nil {
		return nil, nil, nil, err
	}
	if !p.sayHello(a) {
		return nil, nil, refuse(reasonBusy, ""), nil
	}
	if err := stream.SendMsg(&frame{hello: p.l.hello()}); err != nil {
		return nil, nil, nil, err
	}
	f := &frame{kinds: names{}}
	if err := stream.RecvMsg(f); err != nil {
		return nil, nil, nil, err
	}
	h := f.hello
	switch {
	case f.refusal != nil:
		return nil, nil, f.refusal, nil
	case h == nil:
		return nil, nil, nil, errors.New("it answered something else than a hello")
	}
	refusal := p.l.judge(h)
	if refusal == nil && h.GetNode() != p.node {
		refusal = refuse("name", fmt.Sprintf("node %s was dialed, and node %s has answered", p.node, h.GetNode()))
	}
	f.hello = nil
	return newSession(p, h, stream, c), f, refusal, nil
}

// explain is an error in words for whoever runs the node.
func (l *Link) explain(err error) string {
	text := err.Error()
	if s, ok := status.FromError(err); ok {
		text = s.Message()
	}
	switch {
	case strings.Contains(text, "first record does not look like a TLS handshake"):
		return "the other side speaks without TLS, and this node has certificates: start it with --cert-dir"
	case strings.Contains(text, "remote error: tls:"):
		return "the other side does not accept this node's certificate; its log says why (" + text + ")"
	case !hungUp(err, text):
		return text
	case l.cfg.Certificates == nil:
		return "it hung up before it said a word: it has ended or been killed or, where this goes on, it has certificates and this node has none (" + text + ")"
	}
	return hungUpEarly + " (" + text + ")"
}

const hungUpEarly = "it hung up before the handshake was over: it has ended or been killed or, where this goes on, its log says what it does not accept"

// hungUp says whether the peer, or its kernel, closed the connection, by whichever of
// reading and writing was first to find it. gRPC keeps but the text of some errors.
func hungUp(err error, text string) bool {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return true
	}
	for _, said := range []string{"server preface", "broken pipe", "connection reset by peer"} {
		if strings.Contains(text, said) {
			return true
		}
	}
	return strings.HasSuffix(text, "EOF")
}

// refused says whether nobody listens at the address: each place that it names
// says so. A name that has no place, or one that does not answer, proves nothing.
func refused(ctx context.Context, at string) bool {
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	places, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil || len(places) == 0 {
		return false
	}
	for _, place := range places {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(place, port))
		if err == nil {
			_ = c.Close() // it was only to be known whether there is one
			return false
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return false
		}
	}
	return true
}
