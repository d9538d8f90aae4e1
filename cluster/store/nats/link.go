package nats

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	nc "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/semaphore"

	"github.com/birdwire/birdwire/messages"
)

// duty is what a connection to the embedded server is for. Each has its own:
// the server answers in the order of one connection, and a batch of a replay
// must not delay an acknowledgement or the look for a key.
type duty int

const (
	writes  duty = iota
	lookups      // records, bounds, items: short answers
	replays      // batches of the log
	watches      // what changes, pushed by the server
	duties
)

func (d duty) String() string { return [duties]string{"writes", "lookups", "replays", "watches"}[d] }

// inFlightMost bounds the bytes that the server was asked for on one connection
// and has not handed over. It takes a connection that reads too slowly for a
// slow consumer and closes it.
const inFlightMost = 16 << 20

// errLost: the connection is gone, and another is made with the next use.
var errLost = errors.New("the connection to the embedded server was lost")

// link is one connection. It is used until it is lost, which the server may
// decide, and is never used again then.
type link struct {
	conn *nc.Conn
	gone chan struct{} // closed when the connection is
	flow *semaphore.Weighted
	// stall is how long an answer of many messages may come no further, and silence
	// how long a word is waited for.
	stall, silence time.Duration

	inbox string

	mu      sync.Mutex // protects what follows
	asked   map[string]*answer
	last    uint64
	streams map[string]jetstream.Stream
	records jetstream.KeyValue // nil until it is asked for
}

// answer is what comes for one question: some messages, and one that ends it.
type answer struct {
	link   *link
	token  string
	weight int64
	single bool // one message is all
	asks   bool // it is of a question that changes nothing

	// messages and end belong to the connection until done is closed.
	messages []*nc.Msg
	came     atomic.Int64 // how many so far
	end      *nc.Msg
	done     chan struct{}
	left     bool // nobody waits for it any more; protected by link.mu
}

func (s *session) connect(d duty) (*link, error) {
	l := &link{
		gone: make(chan struct{}), flow: semaphore.NewWeighted(inFlightMost), stall: s.stall, silence: s.silence,
		asked: map[string]*answer{}, streams: map[string]jetstream.Stream{},
	}
	var err error
	l.conn, err = s.dial(nc.Name(d.String()), nc.NoReconnect(),
		nc.ClosedHandler(func(*nc.Conn) { close(l.gone) }),
		nc.ErrorHandler(func(*nc.Conn, *nc.Subscription, error) {})) // every reader checks its own sequence
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", s.where, err)
	}
	l.inbox = l.conn.NewInbox()
	sub, err := l.conn.Subscribe(l.inbox+".*", l.take)
	if err == nil {
		err = sub.SetPendingLimits(-1, -1) // what may come was asked for, within bounds
	}
	if err != nil {
		l.conn.Close()
		return nil, fmt.Errorf("subscribe for answers: %w", err)
	}
	return l, nil
}

// link is the connection of that duty, made again where it was lost.
func (s *session) link(d duty) (*link, error) {
	s.linking[d].Lock()
	defer s.linking[d].Unlock()
	if l := s.links[d]; l != nil && !l.lost() {
		return l, nil
	}
	select {
	case <-s.done:
		return nil, errStopped
	default:
	}
	l, err := s.connect(d)
	if err != nil {
		return nil, err
	}
	if s.links[d] != nil {
		s.log.Warn("a connection to the embedded server was lost and is made again", "for", d.String())
	}
	s.links[d] = l
	return l, nil
}

func (l *link) lost() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}

// stream is the client's handle of a stream, on this connection.
func (l *link) stream(ctx context.Context, name string) (jetstream.Stream, error) {
	l.mu.Lock()
	handle := l.streams[name]
	l.mu.Unlock()
	if handle != nil {
		return handle, nil
	}
	js, err := jetstream.New(l.conn)
	if err == nil {
		handle, err = js.Stream(ctx, name)
	}
	if err != nil {
		return nil, wrap(name, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.streams[name] = handle
	return handle, nil
}

// bucket is the client's handle of the control records, on this connection.
func (l *link) bucket(ctx context.Context) (jetstream.KeyValue, error) {
	l.mu.Lock()
	bucket := l.records
	l.mu.Unlock()
	if bucket != nil {
		return bucket, nil
	}
	js, err := jetstream.New(l.conn)
	if err == nil {
		bucket, err = js.KeyValue(ctx, controlBucket)
	}
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = bucket
	return bucket, nil
}

// ask sends a question once its weight, in bytes, has room among what is under
// way. Its answer is some messages and an end.
func (l *link) ask(ctx context.Context, subject string, question []byte, weight int64) (*answer, error) {
	weight = min(weight, inFlightMost)
	if err := l.room(ctx, weight); err != nil {
		return nil, err
	}
	return l.send(&nc.Msg{Subject: subject, Data: question}, weight, false)
}

// ackWeight is more than the server's word on one write has, in bytes. A word
// that never comes keeps its room until the link is lost, so that this bounds
// how many are remembered.
const ackWeight = 512

// request sends a message that is answered by one: a write. An error that wraps
// errUnsent: nothing was handed to the server.
func (l *link) request(ctx context.Context, m *nc.Msg) (*answer, error) {
	if !l.flow.TryAcquire(ackWeight) {
		ctx, cancel := context.WithTimeout(ctx, opTimeout)
		defer cancel()
		if err := l.room(ctx, ackWeight); err != nil {
			return nil, fmt.Errorf("%w: %w", errUnsent, err)
		}
	}
	return l.send(m, ackWeight, true)
}

// question is a request that changes nothing. Nothing is kept of one that nobody
// waits for any more: a leader that steps down never answers those it had.
func (l *link) question(ctx context.Context, m *nc.Msg) (*answer, error) {
	a, err := l.request(ctx, m)
	if err == nil {
		a.asks = true
	}
	return a, err
}

// room waits until the weight has room.
func (l *link) room(ctx context.Context, weight int64) error {
	if !l.flow.TryAcquire(weight) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		waiting := make(chan error, 1)
		go func() { waiting <- l.flow.Acquire(ctx, weight) }() // ends with this call
		select {
		case err := <-waiting:
			return err
		case <-l.gone:
			return errLost
		}
	}
	return nil
}

// tryAsk is ask where there is room at once; nil where there is not.
func (l *link) tryAsk(subject string, question []byte, weight int64) (*answer, error) {
	weight = min(weight, inFlightMost)
	if !l.flow.TryAcquire(weight) {
		return nil, nil
	}
	return l.send(&nc.Msg{Subject: subject, Data: question}, weight, false)
}

// send gives the message a token of its own, which is never given again: an
// answer that comes late, when nobody waits for it any more, is not another's.
func (l *link) send(m *nc.Msg, weight int64, single bool) (*answer, error) {
	a := &answer{link: l, weight: weight, single: single, done: make(chan struct{})}
	l.mu.Lock()
	l.last++
	a.token = strconv.FormatUint(l.last, 36)
	l.asked[a.token] = a
	l.mu.Unlock()
	m.Reply = l.inbox + "." + a.token
	if err := l.conn.PublishMsg(m); err != nil {
		l.mu.Lock()
		delete(l.asked, a.token)
		l.mu.Unlock()
		l.flow.Release(a.weight)
		if errors.Is(err, nc.ErrMaxPayload) || errors.Is(err, nc.ErrBadSubject) {
			return nil, fmt.Errorf("%w: %w", errUnsent, err)
		}
		return nil, fmt.Errorf("%w: %w", errLost, err)
	}
	return a, nil
}

// take is called with every answer, one after another.
func (l *link) take(m *nc.Msg) {
	l.mu.Lock()
	a := l.asked[m.Subject[strings.LastIndexByte(m.Subject, '.')+1:]]
	if a == nil {
		l.mu.Unlock()
		return
	}
	left := a.left
	ends := a.single || len(m.Data) == 0 && m.Header.Get(statusHeader) != ""
	if ends {
		delete(l.asked, a.token)
	}
	l.mu.Unlock()
	switch {
	case ends:
		a.end = m
		l.flow.Release(a.weight)
		close(a.done)
	case left:
		a.messages = nil
	default:
		a.messages = append(a.messages, m)
		a.came.Add(1)
	}
}

// leave says that nobody waits any more. What is still to come keeps its
// weight until it has come, or the answer to a question gives it back.
func (a *answer) leave() {
	a.link.mu.Lock()
	defer a.link.mu.Unlock()
	a.left = true
	if a.asks && a.link.asked[a.token] == a {
		delete(a.link.asked, a.token)
		a.link.flow.Release(a.weight)
	}
}

// wait waits for the answer's end. Where ctx ends first it may be waited for
// again.
func (a *answer) wait(ctx context.Context, stopped <-chan struct{}) error {
	select { // what has come is taken, whatever else happened
	case <-a.done:
		return nil
	default:
	}
	most := a.link.stall
	if a.single {
		most = a.link.silence
	}
	patience := time.NewTimer(most)
	defer patience.Stop()
	came := a.came.Load()
	for {
		select {
		case <-a.done:
			return nil
		case <-a.link.gone:
			return errLost
		case <-stopped:
			return errStopped
		case <-ctx.Done():
			return ctx.Err()
		case <-patience.C:
			if now := a.came.Load(); now > came {
				came = now
				patience.Reset(most)
				continue
			}
			return fmt.Errorf("%w within %v", errSilent, most)
		}
	}
}

// word waits for the server's word on a request, and gives it up where it does
// not come.
func (a *answer) word(ctx context.Context, stopped <-chan struct{}) (*nc.Msg, error) {
	if err := a.wait(ctx, stopped); err != nil {
		a.leave()
		return nil, err
	}
	if len(a.end.Data) == 0 && a.end.Header.Get(statusHeader) == statusNobody {
		return nil, fmt.Errorf("%w: nobody takes writes now", errUnsent)
	}
	return a.end, nil
}

var (
	errStopped = errors.New("the embedded server was stopped")
	errSilent  = errors.New("the embedded server gave no answer")
)

// collect asks a question whose answer is some messages and an end, and gives
// each message to take.
func (s *session) collect(ctx context.Context, subject string, question []byte, weight int64, take func(*nc.Msg) error) error {
	l, err := s.link(lookups)
	if err != nil {
		return err
	}
	a, err := l.ask(ctx, subject, question, weight)
	if err != nil {
		return err
	}
	if err := a.wait(ctx, s.done); err != nil {
		a.leave()
		return err
	}
	for _, m := range a.messages {
		if err := take(m); err != nil {
			return err
		}
	}
	switch status := a.end.Header.Get(statusHeader); {
	case status == statusEnd, status == statusNotFound && a.end.Header.Get(descriptionHeader) == noResults:
		return nil
	case status == statusNotFound:
		return fmt.Errorf("%w: the server holds a message and does not read it", messages.ErrDamaged)
	default:
		return fmt.Errorf("the embedded server answered %s", status)
	}
}
