package failures_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A lan is hosts that have a network of their own: each is a network namespace
// whose one device is a tun, and this process carries the packets between them. So
// it decides which arrive, on every kernel, with no program and no module of it:
// tc's netem and a firewall were rejected, which many kernels do not have. Each host
// outlives the processes on it, as a machine does: its kernel resets connections of
// one that was killed, and acknowledges for one that was stopped.
type lan struct {
	hosts []*host
	wires [][]*wire // from, to
	over  chan struct{}
	ended sync.WaitGroup
}

// host is one machine. Its name is a letter, from a on.
type host struct {
	name   string
	ip     string
	space  *os.File // its network namespace
	device *os.File
	web    *http.Client // calls from this host
}

// weather is what a wire does to packets.
type weather struct {
	cut   bool
	loss  float64       // of 1
	delay time.Duration // of each packet
	rate  int           // bytes a second; 0: any
}

// wire is the one way from a host to another.
type wire struct {
	to     *os.File
	now    atomic.Pointer[weather]
	chance *rand.Rand // of the reader of the host that it begins at
	queue  chan late  // packets that are under way; a full one drops, as a router does
}

type late struct {
	packet []byte
	due    time.Time
}

const (
	mtu = 1500
	// underWay is how many packets a slow wire holds, a second's worth of 1.5 MB/s.
	underWay = 1000
)

// newLAN makes hosts a, b, c…, until close. It needs the rights to make network namespaces and
// /dev/net/tun: root has them, or who runs this under 'unshare --user --map-root-user'.
func newLAN(t testing.TB, n int) *lan {
	t.Helper()
	l := &lan{over: make(chan struct{})}
	for i := range n {
		h := &host{name: string(rune('a' + i)), ip: fmt.Sprintf("10.77.0.%d", i+1)}
		if err := h.open(); err != nil {
			l.close()
			t.Skipf("hosts with a network of their own cannot be made here: %v; it takes root and /dev/net/tun, or 'unshare --user --map-root-user'", err)
		}
		h.web = &http.Client{Transport: &http.Transport{DialContext: h.dial, DisableKeepAlives: true}}
		l.hosts = append(l.hosts, h)
	}
	for i, from := range l.hosts {
		chance := rand.New(rand.NewPCG(77, uint64(i)))
		var wires []*wire
		for _, to := range l.hosts {
			w := &wire{to: to.device, chance: chance, queue: make(chan late, underWay)}
			w.now.Store(&weather{})
			wires = append(wires, w)
			l.ended.Go(func() { w.bringLate(l.over) })
		}
		l.wires = append(l.wires, wires)
		l.ended.Go(func() { l.carry(from, wires) })
	}
	return l
}

// close ends the network: its goroutines end with the devices.
func (l *lan) close() {
	close(l.over)
	for _, h := range l.hosts {
		_ = h.device.Close()
		_ = h.space.Close()
	}
	l.ended.Wait()
}

// open makes the host on a thread of its own, which ends with it: a thread that has
// left the first network must run nothing else.
func (h *host) open() error {
	failed := make(chan error)
	go func() {
		runtime.LockOSThread()
		failed <- func() (err error) {
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("a network namespace: %w", err)
			}
			if h.space, err = os.Open("/proc/thread-self/ns/net"); err != nil {
				return err
			}
			if h.device, err = openTun("lan"); err != nil {
				return fmt.Errorf("/dev/net/tun: %w", err)
			}
			return h.configure()
		}()
	}()
	return <-failed
}

// openTun makes a device of which a read is one packet that leaves the host.
func openTun(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	request, err := unix.NewIfreq(name)
	if err != nil {
		return nil, err
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), name), nil
}

// configure gives the host its address, and the whole network by its device.
func (h *host) configure() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd) //nolint:errcheck // it carried nothing
	set := func(device string, what uint, value func(*unix.Ifreq) error) error {
		request, err := unix.NewIfreq(device)
		if err == nil {
			err = value(request)
		}
		if err == nil {
			err = unix.IoctlIfreq(fd, what, request)
		}
		return err
	}
	address := func(ip string) func(*unix.Ifreq) error {
		return func(r *unix.Ifreq) error { return r.SetInet4Addr(net.ParseIP(ip).To4()) }
	}
	up := func(r *unix.Ifreq) error { r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING); return nil }
	return errors.Join(
		set("lo", unix.SIOCSIFFLAGS, up),
		set("lan", unix.SIOCSIFADDR, address(h.ip)),
		set("lan", unix.SIOCSIFNETMASK, address("255.255.255.0")),
		set("lan", unix.SIOCSIFMTU, func(r *unix.Ifreq) error { r.SetUint32(mtu); return nil }),
		set("lan", unix.SIOCSIFTXQLEN, func(r *unix.Ifreq) error { r.SetUint32(underWay); return nil }),
		set("lan", unix.SIOCSIFFLAGS, up),
	)
}

// inside does something in the host's network: sockets and processes that it makes
// are there. It must not go on in another goroutine.
func (h *host) inside(do func()) error {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer home.Close() //nolint:errcheck // nothing was written
	if err := unix.Setns(int(h.space.Fd()), unix.CLONE_NEWNET); err != nil {
		return err
	}
	defer func() {
		if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread() // else the thread ends with the goroutine
		}
	}()
	do()
	return nil
}

// dial is for an http.Transport. Addresses are of hosts, or of loopback.
func (h *host) dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	var dialer net.Dialer
	if failed := h.inside(func() { conn, err = dialer.DialContext(ctx, network, address) }); failed != nil {
		return nil, failed
	}
	return conn, err
}

// carry hands on what leaves the host, until its device is closed.
func (l *lan) carry(from *host, wires []*wire) {
	packet := make([]byte, mtu)
	for {
		n, err := from.device.Read(packet)
		if err != nil {
			return
		}
		const destination = 16 // in an IPv4 header; its last byte names the host
		if n < 20 || packet[0]>>4 != 4 {
			continue // IPv6 looks for neighbours; there are none
		}
		if to := int(packet[destination+3]) - 1; to >= 0 && to < len(wires) {
			wires[to].send(packet[:n])
		}
	}
}

func (w *wire) send(packet []byte) {
	now := w.now.Load()
	if now.cut || now.loss > 0 && w.chance.Float64() < now.loss {
		return
	}
	if now.delay == 0 && now.rate == 0 {
		_, _ = w.to.Write(packet) // a host that takes no more drops it
		return
	}
	select {
	case w.queue <- late{append([]byte(nil), packet...), time.Now().Add(now.delay)}:
	default:
	}
}

// bringLate delivers what a slow wire holds, in order.
func (w *wire) bringLate(over chan struct{}) {
	for {
		select {
		case p := <-w.queue:
			wait := time.Until(p.due)
			if rate := w.now.Load().rate; rate > 0 {
				wait = max(wait, 0) + time.Duration(len(p.packet))*time.Second/time.Duration(rate)
			}
			<-time.After(wait)
			_, _ = w.to.Write(p.packet)
		case <-over:
			return
		}
	}
}

// between has the weather on every wire from one of these to one of those hosts, by
// their letters, and back.
func (l *lan) between(these, those string, w weather) {
	l.from(these, those, w)
	l.from(those, these, w)
}

// from is between, one way.
func (l *lan) from(these, those string, w weather) {
	for _, i := range these {
		for _, j := range those {
			if i != j {
				l.wires[i-'a'][j-'a'].now.Store(&w)
			}
		}
	}
}

// fine has all packets arrive again.
func (l *lan) fine() {
	for _, wires := range l.wires {
		for _, w := range wires {
			w.now.Store(&weather{})
		}
	}
}
