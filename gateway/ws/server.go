package ws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lxzan/gws"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/gateway/dialect/kite"
	"github.com/birdwire/birdwire/gateway/dialect/newsrank"
	"github.com/birdwire/birdwire/gateway/dialect/twitter"
	"github.com/birdwire/birdwire/gateway/dialect/twittersdk"
	"github.com/birdwire/birdwire/messages"
)

// Paths are where the APIs' clients connect; a mux routes them to a Server.
var Paths = []string{"/v1/twitter/stream", "/ws", "/v1/news/stream", "/api/ws", "/sdk/v1/twitter/stream"}

// route is one API as it is served, in one dialect.
type route struct {
	api      messages.Api
	dialect  uint8  // which of the server's routes it is
	name     string // in logs and metrics
	codec    codec
	key      func(*http.Request) string // the key as presented, "" where none was
	tooLarge string                     // why a message past the read limit is refused
	upgrader *gws.Upgrader
	figures  *figures
}

// Server serves the three APIs' WebSockets. It is an http.Handler for Paths
// and a prometheus.Collector.
type Server struct {
	cfg      Config
	keys     gateway.Keys
	sessions gateway.Sessions
	apis     []*route
	routes   map[string]*route // by path
	cache    *cache
	batches  batches
	flushers []*flusher
	watcher  *watcher       // nil: every connection has a goroutine that reads
	writing  sync.WaitGroup // the flushers and the watcher

	admitting atomic.Int64
	refusing  *refusing
	slow      *gateway.Digest
	nextID    atomic.Uint64 // spreads connections over the flushers

	mu       sync.Mutex    // protects what follows
	draining bool          // nobody is let in any more
	conns    *Conn         // every upgraded connection, in a list through prev and after
	open     int           // those that were let in, and those that have a place already
	parting  int           // those that are only told why they are refused
	empty    chan struct{} // closed once there are neither; nil until Drain waits
}

// slowTold is how many slow consumers have a line of their own in RefusalsEvery.
const slowTold = 20

const (
	readLimitNews  = 256 << 10
	readLimitOther = 64 << 10
	// readBuffer serves client messages of ordinary size; longer ones bypass it.
	readBuffer = 64
)

// New makes a server and starts its flushers and its watcher; Close stops them.
func New(cfg Config, keys gateway.Keys, sessions gateway.Sessions) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, keys: keys, sessions: sessions, cache: newCache(cfg.CacheSize),
		refusing: newRefusing(cfg.MaxRefusing), slow: gateway.NewDigest(cfg.Log, slowTold, gateway.RefusalsEvery),
	}
	tw := s.route(messages.Api_API_TWITTER, "twitter", twitter.Codec{}, twitterKey, readLimitOther)
	news := s.route(messages.Api_API_NEWSRANK, "newsrank", newsrank.Codec{Model: cfg.EmbeddingModel}, queryKey("token"), readLimitNews)
	ki := s.route(messages.Api_API_KITE, "kite", kite.Codec{}, kiteKey, readLimitOther)
	sdk := s.route(messages.Api_API_TWITTER, "twitter-sdk", twittersdk.Codec{}, twitterKey, readLimitOther)
	s.apis = []*route{tw, news, ki, sdk}
	for i, r := range s.apis {
		r.dialect = uint8(i)
	}
	s.routes = map[string]*route{Paths[0]: tw, Paths[1]: news, Paths[2]: news, Paths[3]: ki, Paths[4]: sdk}
	for range cfg.Flushers {
		f := newFlusher()
		s.flushers = append(s.flushers, f)
		s.writing.Go(f.run)
	}
	watcher, err := newWatcher()
	switch {
	case err == nil:
		s.watcher = watcher
		s.writing.Go(watcher.run)
	case !errors.Is(err, errors.ErrUnsupported):
		cfg.Log.Warn("connections take more memory than they need: each has a goroutine that reads", "error", err)
	}
	return s, nil
}

func (s *Server) route(api messages.Api, name string, c codec, key func(*http.Request) string, limit int) *route {
	return &route{
		api: api, name: name, codec: c, key: key, figures: new(figures),
		tooLarge: fmt.Sprintf("message too large: at most %d bytes", limit),
		upgrader: gws.NewUpgrader(events{}, &gws.ServerOption{
			ReadMaxPayloadSize: limit,
			ReadBufferSize:     readBuffer,
			ParallelGolimit:    1, // unused, but a channel of this size is made for each connection
			CheckUtf8Enabled:   true,
			NewSession:         func() gws.SessionStorage { return noStorage{} },
			PermessageDeflate:  gws.PermessageDeflate{Enabled: s.cfg.Deflate, PoolSize: 2},
		}),
	}
}

// twitterKey: where both are present the header wins, with no fallback.
func twitterKey(r *http.Request) string {
	if values := r.Header.Values("X-Api-Key"); len(values) > 0 {
		return values[0]
	}
	return r.URL.Query().Get("api_key")
}

// kiteKey takes the header as well: the vendor's own error asks for it.
func kiteKey(r *http.Request) string {
	if key := r.URL.Query().Get("key"); key != "" {
		return key
	}
	return r.Header.Get("X-Api-Key")
}

func queryKey(name string) func(*http.Request) string {
	return func(r *http.Request) string { return r.URL.Query().Get(name) }
}

// Connections is how many are open.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// full: nobody can be let in.
func (s *Server) full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open >= s.cfg.MaxConnections || s.draining
}

// reserve takes a place for a connection that was admitted; false: the server
// is full or draining. forget gives it back.
func (s *Server) reserve() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open >= s.cfg.MaxConnections || s.draining {
		return false
	}
	s.open++
	return true
}

func (s *Server) unreserve() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	s.emptied()
}

// reservePart takes a place for a connection that is refused after its upgrade.
func (s *Server) reservePart(addr netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining || !s.refusing.begin(addr) {
		return false
	}
	s.parting++
	return true
}

func (s *Server) unreservePart(addr netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parting--
	s.refusing.end(addr)
	s.emptied()
}

// emptied tells Drain. s.mu is held.
func (s *Server) emptied() {
	if s.open+s.parting == 0 && s.empty != nil {
		close(s.empty)
		s.empty = nil
	}
}

// list makes an upgraded connection known to Drain; true: it came too late
// for that and must end at once.
func (s *Server) list(c *Conn) (draining bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.after = s.conns
	if c.after != nil {
		c.after.prev = c
	}
	s.conns = c
	if !c.parting {
		c.route.figures.connections.Add(1)
	}
	return s.draining
}

// forget undoes list, and the reservation with it.
func (s *Server) forget(c *Conn) {
	s.mu.Lock()
	if c.prev != nil {
		c.prev.after = c.after
	} else {
		s.conns = c.after
	}
	if c.after != nil {
		c.after.prev = c.prev
	}
	c.prev, c.after = nil, nil
	s.mu.Unlock()
	s.watcher.forget(c)
	if c.parting {
		s.unreservePart(c.address)
		return
	}
	c.route.figures.connections.Add(-1)
	s.unreserve()
}

// Drain lets nobody in any more (503) and ends every connection with 1012,
// spread evenly over the period so that the clients do not come back all at
// once. It returns when all are gone, or, with ctx's error, when ctx ends:
// those that are left are cut off then.
//
// A session ends its connection itself, between two deliveries: what it hands on
// while its socket closes is dropped, and would have been paid for. One that does
// not within a second is not waited for.
func (s *Server) Drain(ctx context.Context, period time.Duration) error {
	s.mu.Lock()
	s.draining = true
	all := s.listedLocked()
	if s.empty == nil {
		s.empty = make(chan struct{})
	}
	empty := s.empty
	s.emptied()
	s.mu.Unlock()

	const step = 10 * time.Millisecond
	steps := max(1, int(period/step))
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	done := 0
	for i := 1; i <= steps && done < len(all); i++ {
		for upTo := len(all) * i / steps; done < upTo; done++ {
			all[done].part()
		}
		if done == len(all) {
			break
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			steps = i // the rest at once
		}
	}
	for ; done < len(all); done++ {
		all[done].part()
	}
	late := time.NewTimer(partWithin)
	defer late.Stop()
	for over := false; !over; {
		select {
		case <-empty:
			return nil
		case <-late.C:
			for _, c := range all {
				c.End(messages.EndReason_END_DRAIN, "") // of one that has ended it changes nothing
			}
		case <-ctx.Done():
			over = true
		}
	}
	s.mu.Lock()
	all = s.listedLocked()
	s.mu.Unlock()
	for _, c := range all {
		c.abort()
	}
	<-empty
	return fmt.Errorf("drain connections: %w", ctx.Err())
}

// partWithin is how long sessions have to end their connections.
const partWithin = time.Second

// listedLocked copies the list. s.mu is held.
func (s *Server) listedLocked() []*Conn {
	var all []*Conn
	for c := s.conns; c != nil; c = c.after {
		all = append(all, c)
	}
	return all
}

// Close cuts off every connection, waits for the last one to be cleaned up,
// and stops the flushers and the watcher. Drain first to part in order.
func (s *Server) Close() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.Drain(ctx, 0) // its error is the cancelled context's
	for _, f := range s.flushers {
		close(f.stop)
	}
	s.watcher.close()
	s.writing.Wait()
}
