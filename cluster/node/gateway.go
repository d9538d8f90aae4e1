package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/birdwire/birdwire/cluster/assembly"
	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/gateway/admin"
	"github.com/birdwire/birdwire/gateway/rest"
	"github.com/birdwire/birdwire/gateway/ws"
)

// serve makes the gateways and begins to answer.
func (n *Node) serve() (err error) {
	throttle := gateway.NewThrottle(gateway.ThrottleConfig{})
	refusals := gateway.NewDigest(n.log, 1, gateway.RefusalsEvery)
	proxies := gateway.Proxies(n.cfg.Proxies)
	keys := keys{n, n.cfg.answerTime}
	n.doors, err = ws.New(ws.Config{
		Node: n.cfg.Name, Incarnation: n.incarnation, Epoch: n.store.Journal().Epoch,
		Proxies: proxies, Throttle: throttle, MaxConnections: n.cfg.MaxConnections,
		AskTimeout: n.cfg.answerTime / 2, EmbeddingModel: n.cfg.EmbeddingModel, QueueBytes: n.cfg.QueueBytes, Deflate: n.cfg.Deflate, Log: n.log.With("part", "ws"), Refusals: refusals,
	}, keys, n.actors)
	if err != nil {
		return err
	}
	n.metrics.registry.MustRegister(n.doors)
	queries := newQueries(assembly.Log{Journal: n.store.Journal()}, n.cfg.limits(), 1)
	owner, err := rest.New(rest.Config{
		Keys: keys, Throttle: throttle, Proxies: proxies, Queries: queries, Ingest: n.ingest(), News: news{n},
		Log: n.log.With("part", "rest"), Refusals: refusals, Healthy: n.Alive, Ready: n.Ready,
		Timeout: n.cfg.answerTime,
		MaxPush: n.cfg.Push.Body, PushIdle: n.cfg.Push.Pause, PushRate: n.cfg.Push.Rate,
		KeyPushes: n.cfg.Push.OfKey, AddressUploads: n.cfg.Push.OfAddress, Uploads: n.cfg.Push.InAll,
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	owner.Register(mux)
	for _, path := range ws.Paths {
		mux.Handle("GET "+path, n.doors)
	}
	operators, err := n.operators(keys, queries, proxies, refusals)
	if err != nil {
		return err
	}
	if err := n.answer(gateway.JSONErrors(mux, gateway.OperatorPaths...), operators); err != nil {
		return err
	}
	n.public.RegisterOnShutdown(queries.stop)
	n.public.RegisterOnShutdown(owner.Stop)
	n.admin.RegisterOnShutdown(queries.stop)
	return nil
}

// answer serves the handlers from now on, on listeners that may be served already.
func (n *Node) answer(public, operators http.Handler) (err error) {
	n.publicServed.Store(&public)
	n.adminServed.Store(&operators)
	if n.public != nil {
		return nil
	}
	if n.cfg.CertFile != "" {
		if n.certificate, err = gateway.LoadCertificate(n.cfg.CertFile, n.cfg.KeyFile, n.log.With("listener", "public")); err != nil {
			return err
		}
	}
	if n.public, err = n.server(&n.publicServed, "public", n.certificate); err != nil {
		return err
	}
	if n.admin, err = n.server(&n.adminServed, "admin", nil); err != nil {
		return err
	}
	n.run(n.public, n.publicListener)
	n.run(n.admin, n.adminListener)
	return nil
}

// served is what a server answers with at the moment.
type served struct{ atomic.Pointer[http.Handler] }

func (p *served) ServeHTTP(w http.ResponseWriter, r *http.Request) { (*p.Load()).ServeHTTP(w, r) }

// startingPages answer while the node waits for others: it is alive, and not ready.
func (n *Node) startingPages() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", gateway.Probe(n.cfg.answerTime, "unhealthy", n.Alive))
	mux.HandleFunc("GET /readyz", gateway.Probe(n.cfg.answerTime, "not_ready", n.Ready))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		gateway.WriteRetry(w, http.StatusServiceUnavailable, time.Second, "not_ready", n.Ready(r.Context()).Error())
	})
	return mux
}

func (n *Node) operators(keys gateway.Keys, queries rest.Queries, proxies gateway.Proxies, refusals *gateway.Digest) (http.Handler, error) {
	var cluster admin.Cluster
	if n.cluster != nil {
		cluster = clusterView{n}
	}
	return admin.New(admin.Config{
		Cluster: cluster,
		Token:   n.token, Keys: keys, KeyList: keyList{n.store.Control()}, Feeds: sources{n}, Sources: sources{n},
		Connections: connections{n}, Queries: queries, Checks: checks{n}, Store: wholeStore{n.kept}, Log: n.log.With("part", "admin"),
		Random: rand.Reader, Gatherer: n.metrics.registry, Proxies: proxies, Refusals: refusals,
		Plans: slices.Sorted(maps.Keys(plansOf(n.cfg))),
	})
}

func (n *Node) server(h http.Handler, name string, certificate *gateway.Certificate) (*http.Server, error) {
	return gateway.NewServer(gateway.Config{
		Certificate: certificate, Proxies: n.cfg.Proxies, Log: n.log.With("listener", name),
		AccessLevel: -4, // debug: a server that streams has better news than its requests
		Panicked:    n.metrics.requestPanics.Inc,
		Observe:     n.metrics.requested,
	}, h)
}

// Reload reads again what may change while the node runs: its certificate.
// After an error the old one is served on.
func (n *Node) Reload() error {
	if n.certificate == nil {
		return nil
	}
	return n.certificate.Reload()
}

// run serves until the server is shut down; a listener that breaks ends the node.
func (n *Node) run(s *http.Server, l net.Listener) {
	n.serving.Go(func() {
		var err error
		if s.TLSConfig != nil {
			err = s.ServeTLS(l, "", "")
		} else {
			err = s.Serve(l)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			n.fail(fmt.Errorf("serve %s: %w", l.Addr(), err))
		}
	})
}

// checks answers the probes.
type checks struct{ n *Node }

var _ admin.Checks = checks{}

func (c checks) Alive(ctx context.Context) error { return c.n.Alive(ctx) }
func (c checks) Ready(ctx context.Context) error { return c.n.Ready(ctx) }

func (c checks) Look(ctx context.Context) admin.State {
	n := c.n
	state := admin.State{
		Node: n.cfg.Name, Version: Version(), StartedAt: n.started.UTC().Format(time.RFC3339), Epoch: n.store.Journal().Epoch(),
	}
	add := func(name, detail string, err error) {
		check := admin.Check{Name: name, OK: err == nil, Detail: detail}
		if err != nil {
			check.Detail = err.Error()
		}
		state.Checks = append(state.Checks, check)
	}
	if err := n.failure.Load(); err != nil {
		add("node", "", *err)
	}
	add("store", "", n.store.Healthy(ctx))
	add("disk", "", n.store.Room())
	if n.cluster != nil {
		add("copies", "", troubled(n.kept.Status(ctx)))
		if c := n.cluster.security.certificates; c != nil {
			add("certificate", fmt.Sprintf("valid until %s", c.Status().Ends.UTC().Format(time.DateOnly)), n.cluster.security.sound())
		}
	}
	for _, d := range n.store.Damage() {
		add("damage", "", errors.New(d.String()))
	}
	first, last, err := n.store.Journal().Bounds(ctx)
	add("log", fmt.Sprintf("frames %d to %d", first, last), err)
	add("router", fmt.Sprintf("%v behind the log's end", n.behind.behind().Round(time.Millisecond)), n.behind.check(n.clock.Elapsed()))
	detail, err := n.desk.look(n.clock.Elapsed(), last)
	add("newsdesk", detail, err)
	if !n.cfg.Enrich.Off {
		add("enrichment", n.enrich.detail(), n.enrich.health())
	}
	add("connections", fmt.Sprintf("%d open", n.doors.Connections()), nil)
	return state
}
