package rest

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/birdwire/birdwire/gateway"
)

// Config is what the package needs of its node.
type Config struct {
	Keys     gateway.Keys      // required
	Throttle *gateway.Throttle // required; shared with the WebSocket doors
	Proxies  gateway.Proxies
	Queries  Queries         // required
	Ingest   Ingest          // required
	Log      *slog.Logger    // required
	Refusals *gateway.Digest // is told of requests that are refused; nil: nobody is

	// Healthy says what is wrong with the process itself, Ready why it should
	// get no traffic now. nil functions find nothing wrong.
	Healthy func(context.Context) error
	Ready   func(context.Context) error

	Tiers     []Tier        // default DefaultTiers
	Timeout   time.Duration // for one answer of an actor; default 10 s
	MaxPush   int64         // bytes of a pushed body, inflated or not; default 16 MiB
	PushTime  time.Duration // for one pushed body to arrive and be durable; default 2 min
	Pushes    int           // under way at once; default 64
	KeyPushes int           // of one key; default 8
}

func (c Config) withDefaults() Config {
	nothing := func(context.Context) error { return nil }
	if c.Healthy == nil {
		c.Healthy = nothing
	}
	if c.Ready == nil {
		c.Ready = nothing
	}
	if c.Tiers == nil {
		c.Tiers = DefaultTiers
	}
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	if c.MaxPush <= 0 {
		c.MaxPush = 16 << 20
	}
	if c.PushTime <= 0 {
		c.PushTime = 2 * time.Minute
	}
	if c.Pushes <= 0 {
		c.Pushes = 64
	}
	if c.KeyPushes <= 0 {
		c.KeyPushes = 8
	}
	return c
}

func (c Config) validate() error {
	if c.Keys == nil || c.Throttle == nil || c.Queries == nil || c.Ingest == nil || c.Log == nil {
		return errors.New("new rest: Keys, Throttle, Queries, Ingest and Log are required")
	}
	return nil
}

// Server serves the owner's REST.
type Server struct {
	cfg       Config
	resources *Resources
	pushes    pushes
}

// New makes a Server.
func New(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Server{
		cfg: cfg,
		resources: &Resources{
			Keys: cfg.Keys, Queries: cfg.Queries, Log: cfg.Log,
			Tiers: cfg.Tiers, Timeout: cfg.Timeout,
		},
		pushes: pushes{all: cfg.Pushes, each: cfg.KeyPushes, of: make(map[string]int)},
	}, nil
}

const stream = "/v1/twitter/stream"

// prefix is where the owner's paths are a second time, for the vendor's Node
// library, whose base URL says which dialect its stream speaks.
const prefix = "/sdk"

// Register adds every path to mux. README.md lists them.
func (s *Server) Register(mux gateway.Routes) {
	for _, stream := range []string{stream, prefix + stream} {
		s.resources.Register(mux, stream+"/monitors", stream+"/filter-rules", s.owner)
		mux.HandleFunc("GET "+stream+"/logs", s.resources.guard(s.owner, false, s.resources.listLogs))
		mux.HandleFunc("GET "+stream+"/billing-logs", s.resources.guard(s.owner, false, s.resources.listBilling))
		mux.HandleFunc("GET "+stream+"/filter-rules-pricing", s.resources.guard(s.owner, false, s.resources.pricing))
	}

	mux.HandleFunc("POST /v1/ingest/posts", s.push(Ingest.Posts))
	mux.HandleFunc("POST /v1/ingest/articles", s.push(Ingest.Articles))
	mux.HandleFunc("DELETE /v1/ingest/articles/{id...}", s.deleteArticle)

	mux.HandleFunc("GET /healthz", gateway.Probe(s.cfg.Timeout, "unhealthy", s.cfg.Healthy))
	mux.HandleFunc("GET /readyz", gateway.Probe(s.cfg.Timeout, "not_ready", s.cfg.Ready))
}
