package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
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
it exits 0. A second signal ends it at once.

--dev needs nothing else: sample headlines and posts come in at a human pace,
one key is made for each API, and lines to paste are printed.

Every flag also stands in the file and in the environment; plans stand in the
file only. --print-config shows what is in force and where it comes from, as a
file to begin with.`,
		Example: example(`
			birdwire serve --dev
			birdwire serve --data /var/lib/birdwire --listen :443 --tls-cert cert.pem --tls-key key.pem
			birdwire serve --config birdwire.yaml --print-config
			BIRDWIRE_LISTEN=127.0.0.1:0 birdwire serve   # picks a port, and the ready line says which`),
		Args: words(),
	}
	addSettings(cmd, serveSettings)
	printOnly := cmd.Flags().Bool("print-config", false, "show the settings in force, without secrets, and exit")
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
		nodeConfig.Logger = c.logger(cfg)
		return c.runNode(cmd.Context(), cfg, nodeConfig, *asJSON)
	}
	return cmd
}

func (c *cli) logger(cfg *config) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.level("log.level")}
	if cfg.str("log.format") == "json" {
		return slog.New(slog.NewJSONHandler(c.stderr, options))
	}
	return slog.New(slog.NewTextHandler(c.stderr, options))
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
	return node.Config{
		Name: c.str("node"), Dir: c.str("data"), Listen: c.str("listen"), Admin: c.str("admin"),
		AdminToken: c.str("admin_token"), CertFile: c.str("tls.cert"), KeyFile: c.str("tls.key"), Proxies: c.networks("proxies"),
		RetentionAge: c.duration("retention.age"), RetentionBytes: c.size("retention.bytes"),
		ItemsAge: c.duration("retention.items"), ReserveBytes: c.size("disk_reserve"),
		Plans:       plans,
		RulesPerKey: c.whole("limits.rules"), MonitorsPerKey: c.whole("limits.monitors"), QueryCharacters: c.whole("limits.query"),
		KiteConnections: c.whole("limits.kite_connections"), AllowPrivateFeeds: c.flag("allow_private_feeds"),
		QueueBytes: int(c.size("limits.queue")), MaxConnections: c.whole("limits.connections"),
		Deflate: c.flag("deflate"), Drain: c.duration("drain"), Sample: c.flag("dev"),
	}, nil
}

// stopTime is how long a node may take to stop beyond its drain period.
const stopTime = 20 * time.Second

func (c *cli) runNode(ctx context.Context, cfg *config, nodeConfig node.Config, asJSON bool) (err error) {
	log := nodeConfig.Logger
	for _, name := range cfg.strange {
		log.Warn("variable is no setting and is ignored", "name", name)
	}
	n, err := node.Start(ctx, nodeConfig)
	if err != nil {
		if ctx.Err() != nil {
			return nil // stopped while it started: as asked
		}
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), nodeConfig.Drain+stopTime)
		defer cancel()
		if closed := n.Close(closing); closed != nil {
			err = errors.Join(err, fmt.Errorf("stop: %w", closed))
		}
	}()
	if err := c.welcome(ctx, cfg, n, asJSON); err != nil {
		return err
	}
	select {
	case err := <-n.Failed():
		return err
	case <-ctx.Done():
		log.Info("stopping", "drain", nodeConfig.Drain)
		return nil
	}
}

// welcome says that the node is ready. With --dev its keys stand before that,
// so that who waits for the line can use them.
func (c *cli) welcome(ctx context.Context, cfg *config, n *node.Node, asJSON bool) error {
	if !cfg.flag("dev") {
		return c.sayReady(n, asJSON)
	}
	keys, err := prepareDev(ctx, cfg, n)
	if err != nil {
		return fmt.Errorf("prepare --dev: %w", err)
	}
	if err := c.sayReady(n, asJSON); err != nil || asJSON {
		return err
	}
	return c.sayDev(cfg, n, keys)
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
