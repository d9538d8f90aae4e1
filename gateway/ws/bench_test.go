//go:build unix

package ws_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/gateway/dialect"
	"github.com/birdwire/birdwire/gateway/dialect/twitter"
	"github.com/birdwire/birdwire/gateway/ws"
	"github.com/birdwire/birdwire/messages"
)

// The benchmarks' clients are another process, so that this one's CPU is the
// server's alone: run them with -cpu 1 on a machine with two cores.
const crowdEnv = "BIRDWIRE_WS_BENCH_CROWD"

func TestMain(m *testing.M) {
	if spec := os.Getenv(crowdEnv); spec != "" {
		if err := beCrowd(spec); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// beCrowd opens connections, says "ready", and then answers each line N on
// its input with "ok" once N bytes have come in all.
func beCrowd(spec string) error {
	var addr, path string
	var n int
	if _, err := fmt.Sscanf(spec, "%s %d %s", &addr, &n, &path); err != nil {
		return err
	}
	var total, target atomic.Int64
	target.Store(1 << 62)
	reached := make(chan struct{}, 1)
	conns := make([]net.Conn, n)
	for i := range conns {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		conns[i] = conn
		if path != "raw" {
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n", path)
			br := bufio.NewReader(conn)
			answer, err := http.ReadResponse(br, nil)
			if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
				return fmt.Errorf("handshake: %v %v", answer, err)
			}
		}
		go func() { // ends with the process
			buf := make([]byte, 16<<10)
			for {
				k, err := conn.Read(buf)
				if err != nil {
					return
				}
				if total.Add(int64(k)) >= target.Load() {
					select {
					case reached <- struct{}{}:
					default:
					}
				}
			}
		}()
	}
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if lines.Text() == "speak" {
			for _, conn := range conns {
				speech := append(maskedFrame(0x8A, nil), maskedFrame(0x81, []byte(`{"type":"subscribe","filters":{"sources":["BBC News"]}}`))...)
				if _, err := conn.Write(speech); err != nil {
					return err
				}
			}
			continue
		}
		n, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil {
			return err
		}
		target.Store(n)
		for total.Load() < n {
			<-reached
		}
		fmt.Println("ok")
	}
	return lines.Err()
}

// crowd is that process as the benchmark sees it.
type crowd struct {
	b     testing.TB
	in    io.WriteCloser
	out   *bufio.Reader
	bytes int64
}

func newCrowd(b testing.TB, addr string, n int, path string) *crowd {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %s", crowdEnv, addr, n, path), "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return &crowd{b: b, in: in, out: bufio.NewReader(out)}
}

func (c *crowd) line(want string) {
	c.b.Helper()
	if got, err := c.out.ReadString('\n'); err != nil || got != want+"\n" {
		c.b.Fatalf("the clients said %q, %v", got, err)
	}
}

// await returns once the clients have received n more bytes.
func (c *crowd) await(n int) {
	c.b.Helper()
	c.bytes += int64(n)
	if _, err := fmt.Fprintln(c.in, c.bytes); err != nil {
		c.b.Fatal(err)
	}
	c.line("ok")
}

// mute is a session that costs nothing.
type mute struct{}

func (mute) Tell(proto.Message) {}

// one tweet whose frame has 512 bytes or so.
func benchTweet(position int) []*messages.Delivery {
	ds := tweets(position, 1, 287)
	ds[0].Origin = benchOrigin
	return ds
}

var benchOrigin = &messages.Origin{Kind: messages.OriginKind_ORIGIN_RULE, Id: "rule-1", Name: "tag"}

// birdwireCrowd connects n clients and returns their sockets.
func birdwireCrowd(b testing.TB, n int) (*crowd, []*ws.Conn) {
	h := newHouse(b)
	var sockets []*ws.Conn
	in := make(chan *ws.Conn, n)
	h.starts(func(s gateway.Start) gateway.Session {
		in <- s.Socket.(*ws.Conn)
		return mute{}
	})
	c := newCrowd(b, h.addr, n, paths[tw])
	c.line("ready")
	for range n {
		sockets = append(sockets, <-in)
	}
	h.keys.forget()
	return c, sockets
}

func rawCrowd(b testing.TB, n int) (*crowd, []syscall.RawConn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	c := newCrowd(b, l.Addr().String(), n, "raw")
	var raws []syscall.RawConn
	for range n {
		conn, err := l.Accept()
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close() })
		raw, err := conn.(*net.TCPConn).SyscallConn()
		if err != nil {
			b.Fatal(err)
		}
		raws = append(raws, raw)
	}
	c.line("ready")
	return c, raws
}

// cpu is what this process has used.
func cpu() (user, all time.Duration) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	user = time.Duration(u.Utime.Nano())
	return user, user + time.Duration(u.Stime.Nano())
}

// BenchmarkFanout is one event, or a burst of 16, to every subscriber; the
// next round begins when all have it. raw is one write(2) of a ready frame
// for each delivery. Figures are this process's CPU for one delivery.
func BenchmarkFanout(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		if room := openFiles() - 200; n > room {
			b.Logf("%d files may be open: not enough for %d subscribers", openFiles(), n)
			continue
		}
		for _, burst := range []int{1, 16} {
			name := fmt.Sprintf("burst=%d/subscribers=%d/", burst, n)
			b.Run(name+"raw", func(b *testing.B) {
				c, raws := rawCrowd(b, n)
				frame := []byte(strings.Repeat("x", benchFrame))
				write := func(fd uintptr) bool {
					k, err := syscall.Write(int(fd), frame)
					if err != nil || k != len(frame) {
						b.Errorf("wrote %d: %v", k, err)
					}
					return true
				}
				measure(b, c, n*burst, func(int) {
					for range burst {
						for _, raw := range raws {
							_ = raw.Write(write)
						}
					}
				})
			})
			b.Run(name+"birdwire", func(b *testing.B) {
				c, sockets := birdwireCrowd(b, n)
				position := 1
				measure(b, c, n*burst, func(int) {
					for range burst {
						ds := benchTweet(position)
						position++
						for _, s := range sockets {
							if !s.Deliver(ds, false, false) {
								b.Fatal("slow")
							}
						}
					}
				})
			})
		}
	}
}

// benchFrame is how long the frame of benchTweet is, its header included.
var benchFrame = 4 + len(twitter.Codec{}.Event(nil, benchTweet(1)[0], dialect.Form{}))

func measure(b *testing.B, c *crowd, deliveries int, round func(i int)) {
	b.Helper()
	round(0)
	c.await(deliveries * benchFrame)
	runtime.GC()
	user, all := cpu()
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		round(i)
		c.await(deliveries * benchFrame)
	}
	b.StopTimer()
	user2, all2 := cpu()
	each := func(d time.Duration) float64 {
		return float64(d.Nanoseconds()) / 1e3 / float64(b.N) / float64(deliveries)
	}
	b.ReportMetric(each(all2-all), "cpu-µs/delivery")
	b.ReportMetric(each(user2-user), "user-µs/delivery")
}

// BenchmarkIdle is what one idle connection holds of this process's memory,
// its session not counted: fresh, and once the client has subscribed, ponged
// and been sent something.
func BenchmarkIdle(b *testing.B) {
	n := min(10_000, openFiles()-200)
	for b.Loop() {
		h := newHouse(b)
		before := inUse()
		sockets := make([]*ws.Conn, 0, n)
		started, told := make(chan *ws.Conn, n), make(chan struct{}, n)
		h.starts(func(s gateway.Start) gateway.Session {
			started <- s.Socket.(*ws.Conn)
			return counting(told)
		})
		c := newCrowd(b, h.addr, n, paths[kite])
		c.line("ready")
		for range n {
			sockets = append(sockets, <-started)
		}
		h.keys.forget()
		b.ReportMetric(float64(inUse()-before)/float64(n), "B/fresh-connection")
		fmt.Fprintln(c.in, "speak")
		for range n {
			<-told
		}
		for _, s := range sockets {
			s.Pong()
		}
		c.await(n * len("..{`type`:`pong`}"))
		b.ReportMetric(float64(inUse()-before)/float64(n), "B/used-connection")
		runtime.KeepAlive(sockets)
	}
}

// counting counts subscribes.
type counting chan struct{}

func (c counting) Tell(m proto.Message) {
	if _, ok := m.(*messages.ClientSubscribed); ok {
		c <- struct{}{}
	}
}

func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// BenchmarkDeliver is the queueing of one shared frame, without its write.
func BenchmarkDeliver(b *testing.B) {
	h := newHouse(b)
	_, s := h.open(b, paths[tw])
	s.Socket.End(messages.EndReason_END_DRAIN, "") // takes nothing more
	ds := benchTweet(1)
	b.ReportAllocs()
	for b.Loop() {
		s.Socket.Deliver(ds, true, false)
	}
}
