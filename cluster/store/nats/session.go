package nats

import (
	"errors"
	"fmt"

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
// the session selects on it.
type session struct {
	server *server.Server
	// writes and reads are two connections: the server answers in the order of
	// one connection, and a batch of a replay must not stand before an
	// acknowledgement.
	writes, reads *nc.Conn
	journal       jetstream.Stream                // on reads
	items         jetstream.Stream                // on reads
	records       jetstream.Stream                // on reads: the control records
	control       jetstream.KeyValue              // on reads: the same, to watch
	snapshots     jetstream.Stream                // on reads
	made          struct{ journal, records bool } // by this session, for want of any

	done chan struct{}
}

// startSession starts the server on the folder and makes what streams are
// missing. It checks nothing for damage; trouble is called on the server's
// error lines until the session is stopped.
func startSession(cfg Config, trouble func()) (*session, error) {
	bridge := &serverLog{log: cfg.Logger, trouble: trouble}
	s := &session{done: make(chan struct{})}
	var err error
	s.server, err = server.NewServer(&server.Options{
		ServerName:             "birdwire",
		DontListen:             true, // set no cluster port beside it: Start would wait for a listener for ever
		JetStream:              true,
		StoreDir:               cfg.Dir,
		SyncAlways:             true,    // the default syncs every two minutes
		JetStreamMaxStore:      1 << 62, // the reserve and the streams' own bounds decide
		MaxPayload:             maxPayload,
		NoSigs:                 true,
		DisableJetStreamBanner: true,
	})
	if err != nil {
		return nil, fmt.Errorf("embedded server: %w", err)
	}
	s.server.SetLogger(bridge, false, false)
	s.server.Start()
	if text := bridge.fatalText(); text != "" {
		err = errors.New(text)
	}
	if err == nil {
		s.writes, err = s.connect("writes")
	}
	if err == nil {
		s.reads, err = s.connect("reads")
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *session) connect(name string) (*nc.Conn, error) {
	c, err := nc.Connect("", nc.InProcessServer(s.server), nc.Name(name), nc.NoReconnect(),
		nc.ErrorHandler(func(*nc.Conn, *nc.Subscription, error) {})) // every reader checks its own sequence
	if err != nil {
		return nil, fmt.Errorf("connect to the embedded server: %w", err)
	}
	return c, nil
}

// stop ends every wait on the session, then the server, and returns when its
// goroutines and files are gone.
func (s *session) stop() {
	close(s.done)
	for _, c := range []*nc.Conn{s.writes, s.reads} {
		if c != nil {
			c.Close()
		}
	}
	s.server.Shutdown()
	s.server.WaitForShutdown()
}

// sick is why the server cannot write, or nil. The server knows; it tells a
// writer nothing and lets it wait.
func (s *session) sick() error {
	if h := s.server.Healthz(&server.HealthzOptions{}); h.StatusCode != 200 && h.Status != "ok" {
		return errors.New(h.Error)
	}
	return nil
}
