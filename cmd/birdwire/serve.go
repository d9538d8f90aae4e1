package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/birdwire/birdwire/cluster/node"
)

func (c *cli) serve() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve [flags]",
		Short: "Run the server",
		Long: `Run one node: the three WebSocket APIs, the owner's REST and push ingest on
--listen, the operators' REST and metrics on --admin.

It prints one line on stdout once it is ready, and logs on stderr. SIGTERM or
SIGINT drains it: clients are told to reconnect, what was accepted is kept, and
it exits 0. What could not be ended in order, or within the drain period and 20
seconds, is named, and it exits 1. A second signal ends it at once. SIGHUP reads
the log's level and the certificate again.

--dev needs nothing else: sample headlines and posts come in at a human pace,
one key is made for each API, and lines to paste are printed.

Every flag can also be set in the file and in the environment; plans are set in
the file only. --print-config shows every setting and where it comes from, as a
file to begin with.`,
		Example: example(`
			birdwire serve --dev
			birdwire serve --data /var/lib/birdwire --listen :443 --tls-cert cert.pem --tls-key key.pem
			birdwire serve --config birdwire.yaml --print-config
			BIRDWIRE_LISTEN=127.0.0.1:0 birdwire serve   # picks a port, and the ready line says which`),
		Args: words(),
	}
	addSettings(cmd, serveSettings)
	printOnly := cmd.Flags().Bool("print-config", false, "show every setting, without secrets, and exit")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := c.loadConfig(cmd)
		if err != nil {
			return err
		}
		nodeConfig, err := cfg.node()
		if err != nil {
			return err
		}
		if *printOnly {
			if *asJSON {
				return cfg.printJSON(c.stdout)
			}
			return cfg.print(c.stdout)
		}
		log := c.serverLog(cfg)
		defer log.end(flushTime)
		nodeConfig.Logger = log.Logger
		running := &server{cli: c, cfg: cfg, log: log}
		defer running.survive(cmd)()
		return running.run(cmd.Context(), nodeConfig, *asJSON)
	}
	return cmd
}

// node is the configuration as the node takes it.
func (c *config) node() (node.Config, error) {
	if c.str("tls.cert") == "" != (c.str("tls.key") == "") {
		set, missing := "tls.cert", "tls.key"
		if c.str(set) == "" {
			set, missing = missing, set
		}
		return node.Config{}, fmt.Errorf("%s: %s is not set: a certificate and its key go together", c.origin(set), missing)
	}
	plans, err := c.plans()
	if err != nil {
		return node.Config{}, err
	}
	cluster, err := c.cluster()
	if err != nil {
		return node.Config{}, err
	}
	return node.Config{
		Cluster: cluster, NATS: c.nats(),
		Name: c.str("node"), Dir: c.str("data"), Listen: c.str("listen"), Admin: c.str("admin"),
		AdminToken: c.str("admin_token"), CertFile: c.str("tls.cert"), KeyFile: c.str("tls.key"), Proxies: c.networks("proxies"),
		RetentionAge: c.duration("retention.age"), RetentionBytes: c.size("retention.bytes"),
		ItemsAge: c.duration("retention.items"), ReserveBytes: c.size("disk_reserve"),
		Plans:       plans,
		RulesPerKey: c.whole("limits.rules"), MonitorsPerKey: c.whole("limits.monitors"), QueryCharacters: c.whole("limits.query"),
		KiteConnections: c.whole("limits.kite_connections"), AllowPrivateFeeds: c.flag("allow_private_feeds"),
		EmbeddingModel: c.embeddingModel(),
		Enrich: node.Enrich{
			Off: !c.flag("enrich.articles"), Pages: c.flag("enrich.pages"), Gazetteer: c.str("enrich.gazetteer"),
			Model: node.Model{
				URL: c.str("model.url"), Key: c.str("model.key"), Embedding: c.str("model.embedding"), Chat: c.str("model.chat"),
				Timeout: c.duration("model.timeout"), Parallel: c.whole("model.parallel"), TokensADay: int64(c.whole("model.daily_tokens")),
			},
		},
		Stories:    c.stories(),
		QueueBytes: int(c.size("limits.queue")), MaxConnections: c.whole("limits.connections"),
		Push: node.PushLimits{
			Body: c.size("limits.push"), Rate: int(c.size("limits.push_rate")), Pause: c.duration("limits.push_pause"),
			OfKey: c.whole("limits.key_pushes"), OfAddress: c.whole("limits.address_pushes"), InAll: c.whole("limits.pushes"),
		},
		Deflate: c.flag("deflate"), Drain: c.duration("drain"), Sample: c.flag("dev"),
	}, nil
}

// stories is what stories are made by.
func (c *config) stories() node.Stories {
	return node.Stories{Preferred: c.words("stories.preferred"), Quality: orZero[map[string]float64](c, "stories.quality")}
}

// cluster is how the node is one of several; nil where it is alone.
func (c *config) cluster() (*node.Cluster, error) {
	if len(c.words("join")) == 0 {
		for _, s := range clusterSettings {
			if c.values[s.key].text != s.def { // a file that --print-config made has all of them
				return nil, fmt.Errorf("%s: it is for one of several nodes, and --join is not set: name the gossip address of one of them at least, this one's own where it is the first", c.origin(s.key))
			}
		}
		return nil, nil
	}
	if !c.isSet("node") {
		return nil, fmt.Errorf("%s: --node is not set: one of several nodes needs a name of its own, the same at every start", c.origin("join"))
	}
	insecure := node.Insecure(c.str("insecure"))
	if insecure == "no" {
		insecure = node.InsecureNo
	}
	return &node.Cluster{
		Name: c.str("cluster"), Gossip: c.str("gossip"), Link: c.str("link"), Routes: c.str("routes"), Advertise: c.str("advertise"),
		Join: c.words("join"), SecretFile: c.str("secret_file"), CertDir: c.str("cert_dir"), Insecure: insecure,
	}, nil
}

// nats is the NATS of others that everything is kept in; nil: none.
func (c *config) nats() *node.NATS {
	urls := c.words("nats")
	if len(urls) == 0 {
		return nil
	}
	return &node.NATS{
		URLs: urls, Credentials: c.str("nats_credentials"), Monitors: c.words("nats_monitors"),
		Synced: c.flag("nats_synced"), Replicas: c.whole("nats_replicas"),
	}
}

// embeddingModel is the model of filters that name none: that of the vectors
// which articles get, unless it is set.
func (c *config) embeddingModel() string {
	if m := c.str("model.embedding"); m != "" && !c.isSet("embedding_model") {
		return m
	}
	return c.str("embedding_model")
}

const (
	// stopTime is how long a node may take to stop beyond its drain period.
	stopTime = 20 * time.Second
	// flushTime is how long the end waits for whoever reads the log.
	flushTime = 2 * time.Second
)

// server is a running "serve".
type server struct {
	*cli
	cfg  *config
	log  *serverLog
	node atomic.Pointer[node.Node] // nil until it has started
}

// survive keeps the process alive when whoever reads its output goes, and has
// SIGHUP read the log's level and the certificate again. The end undoes it.
func (s *server) survive(cmd *cobra.Command) (undo func()) {
	signal.Ignore(syscall.SIGPIPE) // on 1 and 2 it would end a Go program
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	done := make(chan struct{})
	go func() { // ends with undo
		for {
			select {
			case <-hangups:
				s.reload(cmd)
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(done)
	}
}

// reload takes over what can change while the server runs. What is wrong
// leaves everything as it was.
func (s *server) reload(cmd *cobra.Command) {
	cfg, err := s.loadConfig(cmd)
	if err != nil {
		s.log.Error("SIGHUP: the settings are not taken over; correct them and send it again", "error", err)
		return
	}
	level := cfg.level("log.level")
	s.log.level.Set(level)
	if n := s.node.Load(); n != nil {
		if err := n.Reload(); err != nil {
			s.log.Error("SIGHUP: the certificate is not taken over, the old one stays in service", "error", err)
			return
		}
	}
	s.log.Log(cmd.Context(), max(level, slog.LevelInfo), "SIGHUP: the log's level and the certificate were read again; other settings need a restart",
		"level", level, "certificate", cfg.str("tls.cert"))
}

func (s *server) run(ctx context.Context, nodeConfig node.Config, asJSON bool) (err error) {
	for _, name := range s.cfg.strange {
		s.log.Warn("variable is no setting and is ignored", "name", name)
	}
	s.tellSupervisor("STATUS=starting; one of several nodes waits for the others, and the log says for what")
	n, err := node.Start(ctx, nodeConfig)
	if err != nil {
		if ctx.Err() != nil {
			return nil // stopped while it started: as asked
		}
		return err
	}
	s.node.Store(n)
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), nodeConfig.Drain+stopTime)
		defer cancel()
		if closed := n.Close(closing); closed != nil {
			err = errors.Join(err, fmt.Errorf("stop: %w", closed))
		}
	}()
	err = n.Await(ctx)
	if err == nil {
		err = s.welcome(ctx, n, asJSON)
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, node.ErrDrained) {
		return err
	}
	if err == nil {
		s.tellSupervisor("READY=1\nSTATUS=serves at " + n.Listen())
	}
	defer s.tellSupervisor("STOPPING=1\nSTATUS=drains")
	select {
	case err := <-n.Failed():
		return err
	case <-n.Drained():
		s.log.Info("stopping, as an operator has asked", "drain", nodeConfig.Drain)
		return nil
	case <-ctx.Done():
		s.log.Info("stopping", "drain", nodeConfig.Drain)
		return nil
	}
}

// welcome says that the node is ready. With --dev its keys are made before
// that, so that whoever waits for the line can use them. That nobody reads what
// is printed does not end the server: its clients do not come from there.
func (s *server) welcome(ctx context.Context, n *node.Node, asJSON bool) error {
	var keys devKeys
	var err error
	if s.cfg.flag("dev") {
		if keys, err = prepareDev(ctx, s.cfg, n); err != nil {
			return fmt.Errorf("prepare --dev: %w", err)
		}
	}
	err = s.sayReady(n, asJSON)
	if err == nil && s.cfg.flag("dev") && !asJSON {
		err = s.sayDev(s.cfg, n, keys)
	}
	if err != nil {
		s.log.Warn("nobody reads the standard output; the server runs on", "listen", n.Listen(), "admin", n.Admin(), "error", err)
	}
	return nil
}

func (c *cli) sayReady(n *node.Node, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(c.stdout).Encode(struct {
			Ready  bool   `json:"ready"`
			Listen string `json:"listen"`
			Admin  string `json:"admin"`
		}{true, n.Listen(), n.Admin()})
	}
	_, err := fmt.Fprintf(c.stdout, "ready listen=%s admin=%s\n", n.Listen(), n.Admin())
	return err
}
