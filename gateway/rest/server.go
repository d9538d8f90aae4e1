package rest

import (
	"cmp"
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
	News     News            // required
	Log      *slog.Logger    // required
	Refusals *gateway.Digest // is told of requests that are refused; nil: nobody is

	// Healthy says what is wrong with the process itself, Ready why it should
	// get no traffic now. nil functions find nothing wrong.
	Healthy func(context.Context) error
	Ready   func(context.Context) error

	Tiers    []Tier        // default DefaultTiers
	Timeout  time.Duration // for one answer of an actor; default 10 s
	MaxPush  int64         // bytes of a pushed body, inflated or not; default 16 MiB
	PushIdle time.Duration // without a byte of a pushed body, at most; default 10 s
	PushRate int           // bytes a second of it, at least, with PushIdle of grace; default 4 KiB

	Pushes         int // bodies that are read at once; default 64
	KeyPushes      int // bodies under way of one key; default 8
	AddressUploads int // of one address; default 192
	Uploads        int // in all, those that wait for their clients included; default 256
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
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	c.MaxPush = cmp.Or(c.MaxPush, 16<<20)
	c.PushIdle = cmp.Or(c.PushIdle, 10*time.Second)
	c.PushRate = cmp.Or(c.PushRate, 4<<10)
	c.Pushes = cmp.Or(c.Pushes, 64)
	c.KeyPushes = cmp.Or(c.KeyPushes, 8)
	c.AddressUploads = cmp.Or(c.AddressUploads, 192)
	c.Uploads = cmp.Or(c.Uploads, 256)
	return c
}

func (c Config) validate() error {
	if c.Keys == nil || c.Throttle == nil || c.Queries == nil || c.Ingest == nil || c.News == nil || c.Log == nil {
		return errors.New("new rest: Keys, Throttle, Queries, Ingest, News and Log are required")
	}
	return nil
}

// Server serves the owner's REST.
type Server struct {
	cfg       Config
	resources *Resources
	places    *places
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
		places: newPlaces(cfg),
	}, nil
}

// Stop ends the bodies that are on their way: each is answered with what was
// taken of it. Call it when no more requests come.
func (s *Server) Stop() { s.places.stop() }

const stream = "/v1/twitter/stream"

// prefix is where the owner's paths are a second time, for the vendor's Node
// library, whose base URL says which dialect its stream speaks.
const prefix = "/sdk"

// Register adds every path to mux. README.md lists them.
func (s *Server) Register(mux gateway.Routes) {
	for _, stream := range []string{stream, prefix + stream} {
		s.resources.Register(mux, stream+"/monitors", stream+"/filter-rules", s.owner)
		mux.HandleFunc("GET "+stream+"/logs", s.resources.guard(s.owner, false, s.resources.listLogs,
			"page", "page_size", "monitor_id", "author_username", "delivery_status", "source", "sort"))
		mux.HandleFunc("GET "+stream+"/billing-logs", s.resources.guard(s.owner, false, s.resources.listBilling, "page", "page_size", "monitor_id"))
		mux.HandleFunc("GET "+stream+"/filter-rules-pricing", s.resources.guard(s.owner, false, s.resources.pricing))
	}

	mux.HandleFunc("POST /v1/ingest/posts", s.push(Ingest.Posts))
	mux.HandleFunc("POST /v1/ingest/articles", s.push(Ingest.Articles))
	mux.HandleFunc("DELETE /v1/ingest/articles", s.deleteArticle)
	mux.HandleFunc("DELETE /v1/ingest/articles/{id...}", s.deleteArticle)

	s.registerNews(mux)

	mux.HandleFunc("GET /healthz", gateway.Probe(s.cfg.Timeout, "unhealthy", s.cfg.Healthy))
	mux.HandleFunc("GET /readyz", gateway.Probe(s.cfg.Timeout, "not_ready", s.cfg.Ready))
}
