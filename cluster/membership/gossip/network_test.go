package gossip

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// network is one between transports of this process, which a test can cut and
// have lose packets. memberlist's own blocks its callers and loses nothing.
type network struct {
	mu    sync.Mutex
	ports map[string]*port
	// drops says whether what goes from one address to another is lost; nil: nothing
	drops func(from, to string) bool
}

func newNetwork() *network { return &network{ports: map[string]*port{}} }

// port is one node's transport. Its packets wait in a bounded queue, and what
// finds it full is lost, as in a kernel.
type port struct {
	network *network
	address string
	packets chan *memberlist.Packet
	streams chan net.Conn
	over    chan struct{}
}

var _ memberlist.NodeAwareTransport = (*port)(nil)

func (n *network) open(address string) *port {
	p := &port{n, address, make(chan *memberlist.Packet, 1024), make(chan net.Conn), make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ports[address] != nil {
		panic(address + " is taken")
	}
	n.ports[address] = p
	return p
}

// drop has what the function says be lost from now on.
func (n *network) drop(drops func(from, to string) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.drops = drops
}

func (n *network) lose(share float64) {
	n.drop(func(_, _ string) bool { return rand.Float64() < share })
}

func (n *network) to(from, to string) (p *port, lost bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.drops != nil && n.drops(from, to) {
		return nil, true
	}
	return n.ports[to], false
}

func (p *port) FinalAdvertiseAddr(ip string, number int) (net.IP, int, error) {
	return net.ParseIP(ip).To4(), number, nil
}

func (p *port) WriteTo(b []byte, address string) (time.Time, error) {
	return p.WriteToAddress(b, memberlist.Address{Addr: address})
}

func (p *port) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	if to, _ := p.network.to(p.address, a.Addr); to != nil {
		from, err := net.ResolveUDPAddr("udp", p.address)
		if err != nil {
			return time.Time{}, err
		}
		select {
		case to.packets <- &memberlist.Packet{Buf: append([]byte(nil), b...), From: from, Timestamp: time.Now()}:
		default:
		}
	}
	return time.Now(), nil
}

func (p *port) DialTimeout(address string, timeout time.Duration) (net.Conn, error) {
	return p.DialAddressTimeout(memberlist.Address{Addr: address}, timeout)
}

func (p *port) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	to, lost := p.network.to(p.address, a.Addr)
	if _, back := p.network.to(a.Addr, p.address); back || lost {
		<-time.After(timeout)
		return nil, fmt.Errorf("dial %s: i/o timeout", a.Addr)
	}
	if to == nil {
		return nil, fmt.Errorf("dial %s: connection refused", a.Addr)
	}
	here, there := net.Pipe()
	select {
	case to.streams <- there:
		return here, nil
	case <-to.over:
		return nil, errors.New("connection refused")
	case <-time.After(timeout):
		return nil, errors.New("i/o timeout")
	}
}

func (p *port) PacketCh() <-chan *memberlist.Packet { return p.packets }
func (p *port) StreamCh() <-chan net.Conn           { return p.streams }

func (p *port) Shutdown() error {
	p.network.mu.Lock()
	defer p.network.mu.Unlock()
	if p.network.ports[p.address] == p {
		delete(p.network.ports, p.address)
		close(p.over)
	}
	return nil
}
