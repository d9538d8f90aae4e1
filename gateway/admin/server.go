package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/gateway/rest"
)

// Config is what the package needs of its node.
type Config struct {
	Token       string       // required; see Token
	Keys        gateway.Keys // required
	KeyList     KeyList      // required
	Feeds       Feeds        // required
	Sources     Sources      // required
	Connections Connections  // required
	Queries     rest.Queries // required
	Checks      Checks       // required
	Store       Store        // nil: its addresses are 404
	Cluster     Cluster      // nil: the node is alone
	Log         *slog.Logger // required
	Random      io.Reader    // required; cryptographic: keys come from it

	Gatherer prometheus.Gatherer // nil: /metrics is 404
	Console  http.Handler        // the operators' page, served at / without a token; nil: 404
	Throttle *gateway.Throttle   // of wrong tokens; default one of its own
	Refusals *gateway.Digest     // is told of who has no token; nil: nobody is
	Proxies  gateway.Proxies
	Plans    []string         // names that a key may have; at least one
	Tiers    []rest.Tier      // default rest.DefaultTiers
	Timeout  time.Duration    // for one answer of an actor or a port; default 10 s
	Now      func() time.Time // default time.Now
}

func (c Config) withDefaults() Config {
	if c.Throttle == nil {
		c.Throttle = gateway.NewThrottle(gateway.ThrottleConfig{})
	}
	if c.Tiers == nil {
		c.Tiers = rest.DefaultTiers
	}
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func (c Config) validate() error {
	if c.Keys == nil || c.KeyList == nil || c.Feeds == nil || c.Sources == nil || c.Connections == nil ||
		c.Queries == nil || c.Checks == nil || c.Log == nil || c.Random == nil || len(c.Plans) == 0 {
		return errors.New("new admin: Keys, KeyList, Feeds, Sources, Connections, Queries, Checks, Log, Random and Plans are required")
	}
	if len(c.Token) < minToken {
		return errors.New("new admin: the token is shorter than 16 characters; an empty one would let anybody in")
	}
	return nil
}

// New is the handler of the admin listener.
func New(cfg Config) (http.Handler, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &server{cfg: cfg, token: sha256.Sum256([]byte(cfg.Token))}
	inner := http.NewServeMux()
	s.register(inner)
	guarded := s.guard(gateway.JSONErrors(inner))

	outer := http.NewServeMux()
	outer.Handle("/admin/", guarded)
	outer.Handle("/metrics", guarded)
	outer.Handle("/debug/pprof/", guarded)
	s.registerProbes(outer)
	if cfg.Console != nil {
		outer.Handle("/", cfg.Console)
	}
	return gateway.JSONErrors(outer, gateway.PublicPaths...), nil
}

type server struct {
	cfg   Config
	token [sha256.Size]byte
}

// registerProbes adds what needs no token.
func (s *server) registerProbes(mux gateway.Routes) {
	mux.HandleFunc("GET /healthz", gateway.Probe(s.cfg.Timeout, "unhealthy", s.cfg.Checks.Alive))
	mux.HandleFunc("GET /readyz", gateway.Probe(s.cfg.Timeout, "not_ready", s.cfg.Checks.Ready))
}

// takes is serve for an address that takes these parameters.
func takes(serve http.HandlerFunc, parameters ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if gateway.Takes(w, r, parameters...) {
			serve(w, r)
		}
	}
}

// register adds what needs the token. README.md lists every path.
func (s *server) register(mux gateway.Routes) {
	mux.HandleFunc("POST /admin/v1/keys", takes(s.createKey))
	mux.HandleFunc("GET /admin/v1/keys", takes(s.listKeys))
	mux.HandleFunc("GET /admin/v1/keys/{key}", takes(s.showKey))
	mux.HandleFunc("PATCH /admin/v1/keys/{key}", takes(s.updateKey))
	mux.HandleFunc("POST /admin/v1/keys/{key}/revoke", takes(s.revokeKey))
	mux.HandleFunc("POST /admin/v1/keys/{key}/rotate", takes(s.rotateKey))

	resources := &rest.Resources{
		Keys: known{s.cfg.Keys}, Queries: s.cfg.Queries, Log: s.cfg.Log,
		Tiers: s.cfg.Tiers, Timeout: s.cfg.Timeout,
	}
	resources.Register(mux, "/admin/v1/keys/{key}/monitors", "/admin/v1/keys/{key}/rules", s.liveKey)
	resources.RegisterQueries(mux, "/admin/v1/rules",
		func(http.ResponseWriter, *http.Request, bool) (string, bool) { return "", true })

	mux.HandleFunc("POST /admin/v1/feeds", takes(s.createFeed))
	mux.HandleFunc("GET /admin/v1/feeds", takes(s.listFeeds))
	mux.HandleFunc("GET /admin/v1/feeds/{id}", takes(s.showFeed))
	mux.HandleFunc("PATCH /admin/v1/feeds/{id}", takes(s.updateFeed))
	mux.HandleFunc("DELETE /admin/v1/feeds/{id}", takes(s.deleteFeed))

	mux.HandleFunc("GET /admin/v1/sources", takes(s.listSources))
	mux.HandleFunc("GET /admin/v1/connections", takes(s.listConnections, "key_id", "api"))
	mux.HandleFunc("DELETE /admin/v1/connections/{id}", takes(s.closeConnection))
	mux.HandleFunc("GET /admin/v1/health", takes(s.health))
	mux.HandleFunc("GET /admin/v1/cluster", takes(s.lookCluster))
	mux.HandleFunc("POST /admin/v1/cluster/nodes/{id}/drain", takes(s.drainNode))
	mux.HandleFunc("POST /admin/v1/cluster/nodes/{id}/forget", takes(s.forgetNode))
	mux.HandleFunc("POST /admin/v1/cluster/streams/{stream}/step-down", takes(s.stepDown, "node"))

	mux.HandleFunc("GET /admin/v1/store/backup", takes(s.backup))
	mux.HandleFunc("POST /admin/v1/store/restore", takes(s.restore, "replace"))
	mux.HandleFunc("POST /admin/v1/store/audit", takes(s.audit))

	if s.cfg.Gatherer != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(s.cfg.Gatherer, promhttp.HandlerOpts{
			ErrorLog: slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelError), ErrorHandling: promhttp.ContinueOnError,
		}))
	}
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}

// changed says in the log what an operator has changed, and from which address:
// the token is shared, so that is all that is known of who it was.
func (s *server) changed(r *http.Request, what string, about ...any) {
	gateway.RequestLog(r, s.cfg.Log).Info(what, append(about, "by", s.cfg.Proxies.ClientAddr(r))...)
}

// guard lets bearers of the token through. Hashes are compared, so that the
// time taken tells nothing, not even the length. Wrong tokens are throttled, a
// right one never is: whoever guesses may share its address.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		token = strings.TrimSpace(token)
		given := sha256.Sum256([]byte(token))
		if subtle.ConstantTimeCompare(given[:], s.token[:]) == 1 && strings.EqualFold(scheme, "Bearer") {
			w.Header().Set("Cache-Control", "no-store")
			next.ServeHTTP(w, r)
			return
		}
		s.refuse(w, r, token)
	})
}

// refuse answers without the right token; "" is none.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, token string) {
	addr := s.cfg.Proxies.ClientAddr(r)
	why, detail := "no token", "Missing admin token. Send Authorization: Bearer TOKEN; it is in admin.token in the data folder."
	if token != "" {
		if after, throttled := s.cfg.Throttle.Failed(addr, token); throttled {
			s.cfg.Refusals.Note("operator refused: too many wrong tokens", addr)
			gateway.WriteRetry(w, http.StatusTooManyRequests, after, "too_many_failures", "this token is wrong, and too many wrong ones came from this address; try again later")
			return
		}
		why, detail = "wrong token", "Wrong admin token. The right one is in admin.token in the data folder, or in BIRDWIRE_ADMIN_TOKEN of the server."
	}
	s.cfg.Refusals.Note("operator refused: "+why, addr)
	w.Header().Set("WWW-Authenticate", "Bearer")
	gateway.WriteError(w, http.StatusUnauthorized, "unauthorized", detail)
}
