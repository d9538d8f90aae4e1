package nats

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	nc "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/birdwire/birdwire/cluster/store"
)

// maxPayload holds a frame, an item or a control record of the largest size
// with its headers.
const maxPayload = store.MaxFrameBytes + 64<<10

// session is one run of the embedded server with its connections. It is
// started and stopped whole; done is closed when it stops, and every wait on
// the session selects on it. A connection may be lost and made again within it.
type session struct {
	server *server.Server // nil: another process's is used
	log    *slog.Logger
	fatal  func() string                          // why the server cannot go on; "": it can
	epoch  string                                 // the journal's
	made   struct{ journal, records, items bool } // by this session, because there were none

	probed  atomic.Bool        // the probe's stream is there
	linking [duties]sync.Mutex // each protects its link
	links   [duties]*link

	// Of the mode, since the session was started the same.
	first  *server.Options // that the server was started with
	shared bool            // others write to the streams too, and there are replicas
	own    *ownWord        // what the own server is worth as a leader; nil: it is not a member
	where  string          // what the connections lead to, in words
	dial   func(...nc.Option) (*nc.Conn, error)
	system func(...nc.Option) (*nc.Conn, error) // of a member: as who may change the membership
	// How long an answer may come no further, and a word on a write is waited for.
	stall, silence time.Duration

	done chan struct{}
}

// startSession starts the server on the folder. It checks nothing for damage
// and makes no streams; bridge gets the server's lines until the session is
// stopped, and more are routes besides the seeds.
func startSession(cfg Config, more []string, bridge *serverLog) (*session, error) {
	s := &session{log: cfg.Logger, where: "the embedded server", stall: opTimeout, silence: opTimeout, shared: cfg.shared(), done: make(chan struct{})}
	options := server.Options{
		ServerName:             "birdwire",
		DontListen:             true, // set no cluster port as well: Start would wait for a listener for ever
		JetStream:              true,
		StoreDir:               cfg.Dir,
		SyncAlways:             true,    // the default syncs every two minutes
		JetStreamMaxStore:      1 << 62, // the reserve and the streams' own bounds decide
		MaxPayload:             maxPayload,
		MaxPending:             pendingMost,
		WriteDeadline:          time.Minute, // the other side is this process: late is not gone
		NoSigs:                 true,
		DisableJetStreamBanner: true,
	}
	var err error
	if c := cfg.Cluster; c != nil {
		s.stall, s.silence = askAgain, ackSilence
		if options, err = c.options(options); err != nil {
			return nil, err
		}
		for _, address := range more {
			options.Routes = append(options.Routes, c.route(address))
		}
		s.first = options.Clone()
	} else if err := clearPassing(cfg.Dir); err != nil {
		return nil, err
	}
	s.dial = func(o ...nc.Option) (*nc.Conn, error) {
		return nc.Connect("", append(o, nc.InProcessServer(inProcess{s.server}))...)
	}
	if s.server, err = server.NewServer(&options); err != nil {
		return nil, fmt.Errorf("embedded server: %w", err)
	}
	if known, ok := options.CustomClientAuthentication.(*visitors); ok {
		known.server = s.server
		anybody := s.dial
		as := func(v visitor) func(...nc.Option) (*nc.Conn, error) {
			return func(o ...nc.Option) (*nc.Conn, error) { return anybody(append(o, nc.Token(v.token))...) }
		}
		s.dial, s.system = as(known.all[0]), as(known.all[1])
	}
	s.fatal = bridge.fatalText
	s.server.SetLogger(bridge, false, false)
	s.server.Start()
	if text := bridge.fatalText(); text != "" {
		err = errors.New(text)
	}
	if err == nil {
		_, err = s.link(lookups)
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	if s.shared {
		s.own = watchOwn(s.server, s.log, s.done)
	}
	return s, nil
}

// pendingMost is what the server lets wait for one connection before it closes
// it: far more than is ever asked for at once.
const pendingMost = 1 << 30

// clearPassing takes away what is made again with every session: the stream that
// the health check writes to, and the server's notes of watchers that are gone.
func clearPassing(dir string) error {
	gone := []string{streamDir(dir, probeStream)}
	for _, name := range allStreams {
		gone = append(gone, filepath.Join(streamDir(dir, name), "obs"))
	}
	for _, path := range gone {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// stop ends every wait on the session, then the server, and returns when its
// goroutines and files are gone.
func (s *session) stop() {
	close(s.done)
	for d := range duties {
		s.linking[d].Lock()
		if l := s.links[d]; l != nil {
			l.conn.Close()
		}
		s.linking[d].Unlock()
	}
	if s.server != nil {
		s.server.Shutdown()
		s.server.WaitForShutdown()
	}
}

// sick is why the server cannot write, or nil. The server knows; it tells a
// writer nothing and lets it wait. It may take as long as the disk does.
func (s *session) sick() error {
	if s.server == nil {
		return nil // not ours to mend
	}
	if s.shared {
		return s.sickMember()
	}
	for {
		probed := s.probed.Load() // before it looks at the streams
		if sick, said := sickness(s.server.Healthz(&server.HealthzOptions{Details: true}), probed); said {
			return sick
		}
		select {
		case <-s.done:
			return errStopped
		default:
		}
	}
}

// sickMember is why a member's own server cannot write. That it has no leader to
// write to, or is behind, passes by itself.
func (s *session) sickMember() error {
	if !s.server.JetStreamEnabled() {
		return errors.New("the server has given up its streams, as it does where the disk is full")
	}
	for _, e := range s.server.Healthz(&server.HealthzOptions{Details: true}).Errors {
		if strings.Contains(e.Error, "write error") {
			return errors.New(e.Error)
		}
	}
	return nil
}

// sickness is what the server says of its streams. said is false where it gave
// up before it looked at them: it first asks, for a millisecond, whether it can
// be connected to, and on a busy machine that is over before the answer. That
// alone is no reason to start it again.
func sickness(h *server.HealthStatus, probed bool) (sick error, said bool) {
	for _, e := range h.Errors {
		switch {
		case e.Type == server.HealthzErrorConn:
			return nil, false
		case e.Stream == probeStream && !probed: // it is being made
		default:
			sick = errors.Join(sick, errors.New(e.Error))
		}
	}
	return sick, true
}

// pause waits for so long; false where ctx ended before that, or done was closed.
func pause(ctx context.Context, long time.Duration, done <-chan struct{}) bool {
	wait := time.NewTimer(long)
	defer wait.Stop()
	select {
	case <-wait.C:
		return true
	case <-ctx.Done():
	case <-done:
	}
	return false
}

// handle is the client's handle of a stream, for lookups.
func (s *session) handle(ctx context.Context, stream string) (jetstream.Stream, error) {
	l, err := s.link(lookups)
	if err != nil {
		return nil, err
	}
	return l.stream(ctx, stream)
}

// info is the state of a stream, its leader's where there are replicas.
func (s *session) info(ctx context.Context, stream string, opts ...jetstream.StreamInfoOpt) (info *jetstream.StreamInfo, err error) {
	ask := func(ctx context.Context) error {
		handle, err := s.handle(ctx, stream)
		if err != nil {
			return err
		}
		info, err = handle.Info(ctx, opts...)
		if err == nil && s.shared {
			err = ofLeader(info.Cluster)
		}
		return wrap(stream, err)
	}
	if s.shared {
		return info, s.insist(ctx, stream, ask)
	}
	return info, ask(ctx)
}

// message reads one message of a stream, its leader's where there are replicas.
// jetstream.ErrMsgNotFound also where the server holds it and cannot read it.
func (s *session) message(ctx context.Context, stream string, w which) (*jetstream.RawStreamMsg, error) {
	if s.shared {
		return s.leaders(ctx, stream, w)
	}
	handle, err := s.handle(ctx, stream)
	if err != nil {
		return nil, err
	}
	if w.Last != "" {
		return handle.GetLastMsgForSubject(ctx, w.Last)
	}
	return handle.GetMsg(ctx, w.From, jetstream.WithGetMsgSubject(w.Next))
}

// publish sends one message and waits for its acknowledgement.
func (s *session) publish(ctx context.Context, m *nc.Msg) (*nc.Msg, error) {
	l, err := s.link(writes)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnsent, err)
	}
	a, err := l.request(ctx, m)
	if err != nil {
		return nil, err
	}
	return a.word(ctx, s.done)
}

// errUnsent: nothing was handed to the server.
var errUnsent = errors.New("nothing was written")

// names are the subjects of a stream under a filter.
func (s *session) names(ctx context.Context, stream, filter string) (map[string]bool, error) {
	info, err := s.info(ctx, stream, jetstream.WithSubjectFilter(filter))
	if err != nil {
		return nil, err
	}
	names := make(map[string]bool, len(info.State.Subjects))
	for name := range info.State.Subjects {
		names[name] = true
	}
	return names, nil
}
