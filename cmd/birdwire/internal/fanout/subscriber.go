package fanout

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Stream is a subscriber's connection: WebSocket frames from the server, and
// where pongs go.
type Stream struct {
	Conn   net.Conn
	Reader *bufio.Reader
}

const stampMark = "stamp "

// Stamp is a text that a subscriber reads the time of publishing from.
func Stamp(at time.Time) string { return stampMark + strconv.FormatInt(at.UnixNano(), 10) + " " }

// samplesEach bounds the latencies kept a subscriber; later ones are counted only.
const samplesEach = 4096

type subscribers struct {
	streams   []*subscriber
	delivered atomic.Int64
	reading   sync.WaitGroup
	arrived   chan struct{} // one token when something was delivered
}

type subscriber struct {
	stream  Stream
	all     *subscribers
	samples []time.Duration // its goroutine's until the reading ends
}

// connecting is how many connections are opened at once.
const connecting = 64

func subscribe(ctx context.Context, t Target, n int) (*subscribers, error) {
	s := &subscribers{arrived: make(chan struct{}, 1), streams: make([]*subscriber, n)}
	tokens := make(chan struct{}, connecting)
	failed := make(chan error, n)
	for i := range n {
		tokens <- struct{}{}
		go func() {
			defer func() { <-tokens }()
			stream, err := t.Connect(ctx)
			if err == nil { // read at once: the server pings those that wait for the others
				s.streams[i] = &subscriber{stream: stream, all: s}
				s.reading.Go(s.streams[i].read)
			}
			failed <- err
		}()
	}
	var first error
	for range n {
		if err := <-failed; err != nil && first == nil {
			first = err
		}
	}
	if first != nil {
		s.close()
		return nil, fmt.Errorf("open %d subscribers: %w", n, first)
	}
	return s, nil
}

func (s *subscribers) close() {
	for _, sub := range s.streams {
		if sub != nil {
			sub.stream.Conn.Close()
		}
	}
	s.reading.Wait()
}

// await waits until so many were delivered, or nothing more comes for patience.
func (s *subscribers) await(ctx context.Context, want int64, patience time.Duration) {
	quiet := time.NewTimer(patience)
	defer quiet.Stop()
	for s.delivered.Load() < want {
		select {
		case <-s.arrived:
			quiet.Reset(patience)
		case <-quiet.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// samples closes the connections and returns what their readers kept.
func (s *subscribers) samples() (all []time.Duration) {
	s.close()
	for _, sub := range s.streams {
		all = append(all, sub.samples...)
	}
	return all
}

// read takes frames until the connection ends. Payloads are read into one
// small buffer: a subscriber that keeps more would measure itself.
func (s *subscriber) read() {
	buf := make([]byte, 0, 1024)
	for {
		opcode, payload, err := readFrame(s.stream.Reader, buf)
		if err != nil {
			return
		}
		buf = payload[:0]
		switch opcode {
		case 0x9:
			if _, err := s.stream.Conn.Write(maskedFrame(0xA, payload)); err != nil {
				return
			}
		case 0x1:
			s.count(payload)
		}
	}
}

func (s *subscriber) count(payload []byte) {
	i := bytes.Index(payload, []byte(stampMark))
	if i < 0 {
		return
	}
	digits := payload[i+len(stampMark):]
	end := bytes.IndexByte(digits, ' ')
	if end < 0 {
		return
	}
	at, err := strconv.ParseInt(string(digits[:end]), 10, 64)
	if err != nil {
		return
	}
	if len(s.samples) < samplesEach {
		s.samples = append(s.samples, time.Since(time.Unix(0, at)))
	}
	s.all.delivered.Add(1)
	select {
	case s.all.arrived <- struct{}{}:
	default:
	}
}

func readFrame(r *bufio.Reader, buf []byte) (opcode byte, payload []byte, err error) {
	var head [10]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return 0, buf, err
	}
	n := uint64(head[1] & 0x7f)
	switch n {
	case 126:
		if _, err := io.ReadFull(r, head[2:4]); err != nil {
			return 0, buf, err
		}
		n = uint64(binary.BigEndian.Uint16(head[2:4]))
	case 127:
		if _, err := io.ReadFull(r, head[2:10]); err != nil {
			return 0, buf, err
		}
		n = binary.BigEndian.Uint64(head[2:10])
	}
	if n > 1<<20 {
		return 0, buf, fmt.Errorf("frame of %d bytes", n)
	}
	if uint64(cap(buf)) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	_, err = io.ReadFull(r, buf)
	return head[0] & 0xf, buf, err
}

// maskedFrame is a client's control frame; a mask of zeros is a mask.
func maskedFrame(opcode byte, payload []byte) []byte {
	return append([]byte{0x80 | opcode, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
}
