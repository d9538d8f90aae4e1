package node

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"time"

	"github.com/birdwire/birdwire/actors/apikey"
	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/actors/newsdesk"
	"github.com/birdwire/birdwire/messages"
)

// Config is one node's. The zero value of a field is its default.
type Config struct {
	Name   string // of the node, default "birdwire"
	Dir    string // the data folder; made when it is not there
	Listen string // public, default ":8000"
	Admin  string // operators', default "127.0.0.1:8001"
	// Cluster is how the node is one of several; it then needs a Name of its own.
	// nil: it is alone.
	Cluster *Cluster

	AdminToken        string // "": read from, or made in, <dir>/admin.token
	CertFile, KeyFile string // TLS of the public listener
	Proxies           []netip.Prefix

	NATS *NATS // everything is kept in a NATS that others run; nil: in this process

	RetentionAge   time.Duration // of the log, default 24 h
	RetentionBytes int64         // of the log, default 10 GiB
	ItemsAge       time.Duration // of articles' last known states, default 30 days
	ReserveBytes   int64         // of free disk, below which ingest stops; default max(512 MiB, 2 %)
	// FreeSpace is what the disk under the data folder has left, and its size,
	// in bytes. Default: the operating system's word.
	FreeSpace func(dir string) (free, total uint64, err error)

	Plans             map[string]Plan // default: starter, pro, business and free
	RulesPerKey       int             // default 50
	MonitorsPerKey    int             // default 50
	QueryCharacters   int             // of one rule, default 1,024
	KiteConnections   int             // per key, default 5
	AllowPrivateFeeds bool            // feeds on loopback and private networks
	Stories           Stories
	EmbeddingModel    string // of vectors and filters that name none, default "birdwire-hash-1"

	QueueBytes     int // per connection, default 1 MiB
	MaxConnections int // of this node, default 100,000; past it 503
	Push           PushLimits
	Deflate        bool          // negotiate permessage-deflate
	Drain          time.Duration // over which connections are closed at the end, default 5 s

	Enrich Enrich

	Sample bool // bring the bundled sample in as live input
	Logger *slog.Logger

	// answerTime bounds how long a gateway waits for a key's actor: past it the
	// client is told 503, and nothing is known to have changed. Default 10 s;
	// tests wait longer, so that a slow machine is not taken for a node that
	// does not answer.
	answerTime time.Duration
}

// NATS is one that others run. It must sync every write before it acknowledges it.
type NATS struct {
	URLs        []string // nats://host:port
	Credentials string   // a .creds file; "": none
	Monitors    []string // http://host:port of all its servers' monitoring, which report that
	Synced      bool     // an operator attests it
	Replicas    int      // of everything, default 3
}

// PushLimits bound what is pushed. Zero values are gateway/rest's defaults.
type PushLimits struct {
	Body  int64         // bytes of one, inflated or not; default 16 MiB
	Rate  int           // bytes a second that one comes with, at least; default 4 KiB
	Pause time.Duration // without a byte, at most; default 10 s
	// How many may be under way: of one key (default 8), from one address (192),
	// and in all (256).
	OfKey, OfAddress, InAll int
}

func (c Config) withDefaults() Config {
	if c.Cluster != nil {
		cluster := c.Cluster.withDefaults()
		c.Cluster = &cluster
	} else {
		c.Name = cmp.Or(c.Name, "birdwire")
	}
	c.Listen = cmp.Or(c.Listen, ":8000")
	c.Admin = cmp.Or(c.Admin, "127.0.0.1:8001")
	c.EmbeddingModel = cmp.Or(c.EmbeddingModel, "birdwire-hash-1")
	c.RetentionAge = cmp.Or(c.RetentionAge, 24*time.Hour)
	c.RetentionBytes = cmp.Or(c.RetentionBytes, 10<<30)
	c.ItemsAge = cmp.Or(c.ItemsAge, 30*24*time.Hour)
	c.QueueBytes = cmp.Or(c.QueueBytes, 1<<20)
	c.MaxConnections = cmp.Or(c.MaxConnections, 100_000)
	c.Drain = cmp.Or(c.Drain, 5*time.Second)
	c.answerTime = cmp.Or(c.answerTime, 10*time.Second)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// Stories is what stories are made by. It is the same on every node of a cluster.
type Stories struct {
	Preferred []string           // ids of sources that head a story, and whose word alone makes a development
	Quality   map[string]float64 // what an article of the source counts for, 0.3 to 1; others 0.6
}

func (s Stories) settings() newsdesk.Settings {
	preferred := make(map[string]bool, len(s.Preferred))
	for _, id := range s.Preferred {
		preferred[id] = true
	}
	return newsdesk.Settings{Preferred: preferred, Quality: s.Quality}
}

func (c Config) validate() error {
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(c.Dir == "", "data: a folder is needed")
	if c.Cluster != nil {
		refuse(c.Name == "", "node: one of several nodes needs a name of its own")
		errs = append(errs, c.Cluster.validate())
	}
	refuse((c.CertFile == "") != (c.KeyFile == ""), "tls: a certificate and its key go together")
	refuse(c.RetentionAge < time.Minute, "retention.age: %v is shorter than a minute", c.RetentionAge)
	refuse(c.RetentionBytes < 16<<20, "retention.bytes: %d is less than 16 MiB", c.RetentionBytes)
	refuse(c.QueueBytes < 64<<10, "queue bytes: %d is less than 64 KiB, two of the largest frames", c.QueueBytes)
	return errors.Join(errs...)
}

// limits of the rule language.
func (c Config) limits() rule.Limits { return rule.Limits{MaxCharacters: c.QueryCharacters} }

// Plan is what a plan allows.
type Plan = apikey.Plan

// DefaultPlans are free, starter, pro and business.
func DefaultPlans() map[string]Plan { return apikey.DefaultPlans() }

// plansOf are the plans of the configuration: kite's bound is one figure for all of them.
func plansOf(cfg Config) map[string]Plan {
	plans := DefaultPlans()
	if cfg.Plans != nil {
		plans = maps.Clone(cfg.Plans)
	}
	for name, p := range plans {
		if cfg.KiteConnections > 0 {
			p.Connections = maps.Clone(p.Connections)
			if p.Connections == nil {
				p.Connections = map[messages.Api]int{}
			}
			p.Connections[messages.Api_API_KITE] = cfg.KiteConnections
			plans[name] = p
		}
	}
	return plans
}
