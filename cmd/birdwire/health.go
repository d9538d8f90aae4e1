package main

import (
	"errors"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/birdwire/birdwire/cluster/node"
	"github.com/birdwire/birdwire/gateway/client"
)

func (c *cli) health() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a server how it is",
		Long: `Ask a server how it is: its version, since when it runs, and each thing that it
looks at. It exits 1 where something is wrong. It is for operators: it needs the
token that the server keeps in <data>/admin.token, or BIRDWIRE_ADMIN_TOKEN; load
balancers ask /healthz and /readyz, which need none.`,
		Example: example(`
			birdwire health
			birdwire health --json`),
		Args: words(),
	}
	return c.operatorCommand(cmd, func(cmd *cobra.Command, _ []string, a *client.Admin, p printer) error {
		h, err := a.Health(cmd.Context())
		if err != nil {
			return err
		}
		if err := p.value(h, func() error { return p.health(h) }); err != nil {
			return err
		}
		var wrong []string
		for _, check := range h.Checks {
			if !check.OK {
				wrong = append(wrong, check.Name)
			}
		}
		if len(wrong) > 0 {
			return errors.New("something is wrong with: " + strings.Join(wrong, ", "))
		}
		return nil
	})
}

func (p printer) health(h *client.NodeHealth) error {
	if err := p.sheet("status", h.Status, "node", h.Node, "version", h.Version,
		"started", since(&h.StartedAt, time.Now()), "epoch", h.Epoch); err != nil {
		return err
	}
	var rows [][]string
	for _, check := range h.Checks {
		state := "ok"
		if !check.OK {
			state = "WRONG"
		}
		rows = append(rows, []string{check.Name, state, check.Detail})
	}
	return p.table("CHECK STATE DETAIL", rows)
}

func (c *cli) sources() *cobra.Command {
	return c.group(&cobra.Command{
		Use:   "sources",
		Short: "See what brings events, and how it is",
		Long: `What brings events: feeds, push ingest, and the sample of 'serve --dev'. It is
for operators: it needs the token that the server keeps in <data>/admin.token,
or BIRDWIRE_ADMIN_TOKEN.`,
		Example: example("birdwire sources list"),
	}, c.sourcesList())
}

func (c *cli) sourcesList() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the sources and how they are",
		Example: example("birdwire sources list --json"),
		Args:    words(),
	}
	return c.operatorCommand(cmd, func(cmd *cobra.Command, _ []string, a *client.Admin, p printer) error {
		all, err := a.Sources(cmd.Context())
		if err != nil {
			return err
		}
		return p.value(all, func() error {
			now := time.Now()
			var rows [][]string
			for _, s := range all.Sources {
				rows = append(rows, []string{
					s.ID, s.Node, s.Kind, s.Status, strconv.FormatInt(s.Events, 10), strconv.FormatInt(s.Duplicates, 10),
					since(s.LastSuccessAt, now), s.URL, s.LastError,
				})
			}
			return errors.Join(p.table("ID NODE KIND STATUS EVENTS REPEATS READ URL ERROR", rows), p.missing(all.Incomplete))
		})
	})
}

func (c *cli) version() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Say which version this is",
		Example: example("birdwire version --json"),
		Args:    words(),
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		p := printer{c.stdout, *asJSON}
		b := built()
		return p.value(b, func() error {
			return p.sheet("version", b.Version, "revision", b.Revision, "of", b.Time, "go", b.Go, "platform", b.Platform)
		})
	}
	return cmd
}

// build is how this binary was made.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // of the source; "…+changes" where it was changed
	Time     string `json:"time,omitempty"`     // of the revision, RFC 3339
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func built() build {
	b := build{Version: node.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Go = info.GoVersion
	of := map[string]string{}
	for _, s := range info.Settings {
		of[s.Key] = s.Value
	}
	b.Revision, b.Time, b.Platform = of["vcs.revision"], of["vcs.time"], of["GOOS"]+"/"+of["GOARCH"]
	if of["vcs.modified"] == "true" {
		b.Revision += "+changes"
	}
	return b
}
