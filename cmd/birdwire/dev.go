package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/birdwire/birdwire/cluster/node"
	"github.com/birdwire/birdwire/gateway/client"
)

// What 'serve --dev' makes besides keys, so that the sample's posts are
// delivered to the twitter key.
var (
	devMonitor = client.MonitorChange{Name: pointer("Desks"), Usernames: []string{
		"delta_desk", "quartzcap", "harborledger", "orbitpost", "cobaltcoin", "vitalpulse", "arcticrelay", "midtownscanner",
	}}
	devRules = []client.RuleChange{
		{Tag: pointer("markets"), Query: pointer("(rates OR bitcoin OR shares OR #mergers OR #centralbanks) -is:retweet")},
		{Tag: pointer("science"), Query: pointer("#ai OR #space OR #launch OR #health OR #opendata")},
	}
)

func pointer[T any](v T) *T { return &v }

// prepareDev makes what a first look at the server needs, once: the keys are
// kept in the data folder, where a later start finds them.
func prepareDev(ctx context.Context, cfg *config, n *node.Node) (devKeys, error) {
	admin, err := cfg.operatorAt(n.Admin())
	if err != nil {
		return nil, err
	}
	keys, err := currentDevKeys(ctx, cfg.str("data"), admin)
	if err != nil {
		return nil, err
	}
	return keys, prepareDevRules(ctx, admin.Of(keys["twitter"].ID))
}

// currentDevKeys returns a key for each API: that of an earlier start if it is
// still active, else a new one.
func currentDevKeys(ctx context.Context, data string, admin *client.Admin) (devKeys, error) {
	keys, err := readDevKeys(data)
	if errors.Is(err, os.ErrNotExist) {
		keys = devKeys{}
	} else if err != nil {
		return nil, err
	}
	changed := false
	for _, api := range []string{"twitter", "newsrank", "kite"} {
		if id := keys[api].ID; id != "" {
			switch k, err := admin.Key(ctx, id); {
			case err == nil && k.State == "active":
				continue
			case err != nil && !errors.Is(err, client.ErrNotFound):
				return nil, err
			}
		}
		want := client.NewKey{Name: "dev " + api, Plan: "pro", APIs: []string{api}, Scopes: []string{"ws:connect"}}
		if api == "twitter" {
			want.Scopes = append(want.Scopes, "rules:write", "ingest:write") // what the tools use without --key
		}
		made, err := admin.CreateKey(ctx, want)
		if err != nil {
			return nil, fmt.Errorf("make a key for %s: %w", api, err)
		}
		keys[api], changed = devKey{ID: made.ID, Key: made.Key}, true
	}
	if !changed {
		return keys, nil
	}
	return keys, writeDevKeys(data, keys)
}

func writeDevKeys(data string, keys devKeys) error {
	text, err := json.MarshalIndent(keys, "", "  ")
	if err != nil {
		return err
	}
	unfinished := filepath.Join(data, devKeysFile+".new")
	if err := os.WriteFile(unfinished, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(unfinished, filepath.Join(data, devKeysFile))
}

// prepareDevRules makes the monitor and the rules, where a start before has
// not: what the user changed stays changed.
func prepareDevRules(ctx context.Context, r *client.Resources) error {
	monitors, err := r.ListMonitors(ctx, client.Page{Size: 1})
	if err != nil {
		return err
	}
	rules, err := r.ListRules(ctx, client.Page{Size: 1})
	if err != nil || monitors.Total+rules.Total > 0 {
		return err
	}
	if _, err := r.CreateMonitor(ctx, devMonitor); err != nil {
		return fmt.Errorf("make the sample's monitor: %w", err)
	}
	for _, rule := range devRules {
		if _, err := r.CreateRule(ctx, rule); err != nil {
			return fmt.Errorf("make the sample's rule %s: %w", *rule.Tag, err)
		}
	}
	return nil
}

// sayDev prints lines to paste into another terminal.
func (c *cli) sayDev(cfg *config, n *node.Node, keys devKeys) error {
	scheme, secure := "http", ""
	if cfg.str("tls.cert") != "" {
		scheme, secure = "https", "s"
	}
	public := reachable(n.Listen())
	flags := ""
	if cfg.isSet("data") {
		flags += " --data " + quoted(cfg.str("data"))
	}
	if cfg.isSet("listen") || secure != "" {
		flags += " --server " + scheme + "://" + public
	}
	birdwire := c.program + " "
	_, err := fmt.Fprintf(c.stdout, `
sample headlines and posts are coming in; in another terminal:

  %[1]stail twitter%[2]s
  %[1]stail newsrank%[2]s
  %[1]stail kite%[2]s
  echo '{"id":"1","text":"rates up","created_at":"'$(date -u +%%FT%%TZ)'","author":{"id":"7","username":"ada"}}' | %[1]spublish posts -%[2]s
  websocat 'ws%[3]s://%[4]s/api/ws?key=%[5]s'

  twitter   ws%[3]s://%[4]s/v1/twitter/stream?api_key=%[6]s
  newsrank  ws%[3]s://%[4]s/ws?token=%[7]s
  kite      ws%[3]s://%[4]s/api/ws?key=%[5]s
  operators http://%[8]s/metrics   with the bearer token in %[9]s
`, birdwire, flags, secure, public, keys["kite"].Key, keys["twitter"].Key, keys["newsrank"].Key,
		reachable(n.Admin()), filepath.Join(cfg.str("data"), "admin.token"))
	return err
}

// quoted is a word as a shell takes it.
func quoted(word string) string {
	if strings.ContainsFunc(word, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-", r))
	}) {
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return word
}

// programName is what a user writes to start this program again.
func programName(arg0 string) string {
	if slices.ContainsFunc(strings.Split(filepath.ToSlash(arg0), "/"), func(dir string) bool { return strings.HasPrefix(dir, "go-build") }) {
		return "go run ./cmd/birdwire"
	}
	return quoted(arg0)
}
