package fanout

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Raw is the limit: a process that writes a ready frame to every socket by one
// write(2) each, a burst in one, and does nothing else.
type Raw struct {
	process *exec.Cmd
	control io.WriteCloser
	said    *bufio.Reader
	addr    string
	size    int
}

// StartRaw runs executable with args, which must call ServeRaw.
func StartRaw(ctx context.Context, size int, executable string, args ...string) (*Raw, error) {
	p := exec.CommandContext(ctx, executable, args...)
	p.Env = append(os.Environ(), "GOMAXPROCS=1")
	p.Stderr = os.Stderr
	control, err := p.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := p.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.Start(); err != nil {
		return nil, fmt.Errorf("start the raw writer: %w", err)
	}
	r := &Raw{process: p, control: control, said: bufio.NewReader(out), size: size}
	line, err := r.said.ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("start the raw writer: it said nothing: %w", err)
	}
	r.addr = strings.TrimSpace(line)
	return r, nil
}

// Stop ends the process.
func (r *Raw) Stop() error {
	r.control.Close()
	return r.process.Wait()
}

// Name is what reports call it.
func (r *Raw) Name() string { return "raw write(2)" }

// PIDs are those of the processes whose time is measured.
func (r *Raw) PIDs() []int { return []int{r.process.Process.Pid} }

// Live is not asked: a list of sockets is all there is.
func (r *Raw) Live(context.Context) (heap, stacks int64, err error) { return 0, 0, nil }

// Connect opens a plain TCP connection: there is no handshake to measure.
func (r *Raw) Connect(ctx context.Context) (Stream, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", r.addr)
	if err != nil {
		return Stream{}, err
	}
	reader := bufio.NewReaderSize(c, 1024)
	if _, err := reader.ReadByte(); err != nil { // the writer has it in its list
		return Stream{}, fmt.Errorf("raw connection: %w", err)
	}
	return Stream{c, reader}, nil
}

// Publish has the process write one burst.
func (r *Raw) Publish(_ context.Context, events int) error {
	if _, err := fmt.Fprintf(r.control, "%d %d\n", events, r.size); err != nil {
		return err
	}
	_, err := r.said.ReadString('\n')
	return err
}

// ServeRaw is the process: it prints its address, takes connections, and for
// each line "events size" writes that burst to all and answers with a line.
func ServeRaw(in io.Reader, out io.Writer) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	fmt.Fprintln(out, l.Addr())
	joined := make(chan net.Conn, 1024) // a full queue holds the accept loop back
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			joined <- c
		}
	}()
	bursts := make(chan string)
	go func() {
		defer close(bursts)
		for s := bufio.NewScanner(in); s.Scan(); {
			bursts <- s.Text()
		}
	}()
	var conns []net.Conn
	for {
		select {
		case c := <-joined:
			if _, err := c.Write([]byte{0}); err == nil {
				conns = append(conns, c)
			}
		case line, open := <-bursts:
			if !open {
				return nil
			}
			if err := writeBurst(conns, line); err != nil {
				return err
			}
			fmt.Fprintln(out, "done")
		}
	}
}

func writeBurst(conns []net.Conn, line string) error {
	events, size, ok := strings.Cut(line, " ")
	n, err := strconv.Atoi(events)
	bytesEach, err2 := strconv.Atoi(size)
	if !ok || err != nil || err2 != nil {
		return fmt.Errorf("raw writer: line %q: want events and size", line)
	}
	var burst []byte
	for range n {
		text := Stamp(time.Now())
		payload := text + strings.Repeat("x", max(0, bytesEach-len(text)))
		burst = append(burst, 0x81, 126)
		burst = binary.BigEndian.AppendUint16(burst, uint16(len(payload)))
		burst = append(burst, payload...)
	}
	for _, c := range conns {
		if _, err := c.Write(burst); err != nil {
			return fmt.Errorf("raw writer: %w", err)
		}
	}
	return nil
}
