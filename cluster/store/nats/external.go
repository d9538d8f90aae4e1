package nats

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	nc "github.com/nats-io/nats.go"
)

// External keeps the streams in a NATS that others run: nothing is on this
// machine. It must sync every write before it acknowledges it, as the embedded
// server does; a server's own default is to sync every two minutes.
type External struct {
	URLs        []string // nats://host:port of its servers, user and password in them where needed
	Credentials string   // a .creds file; "": none
	TLS         *tls.Config
	Replicas    int // of every stream; default 3

	// Monitors are the http://host:port of its servers' monitoring, all of them:
	// each must report sync_interval: always. Where there are none an operator
	// attests it.
	Monitors []string
	// Synced: an operator attests that every server syncs every write
	// (jetstream { sync_interval: always }).
	Synced bool
}

func (e *External) validate() error {
	if len(e.URLs) == 0 {
		return errors.New("external NATS: no URL")
	}
	for _, u := range e.URLs {
		if parsed, err := url.Parse(u); err != nil || parsed.Host == "" {
			return fmt.Errorf("external NATS %q: want nats://host:port", redacted(u))
		}
	}
	return nil
}

func (e *External) replicas() int { return cmp.Or(e.Replicas, replicasMost) }

func (e *External) String() string {
	shown := make([]string, len(e.URLs))
	for i, u := range e.URLs {
		shown[i] = redacted(u)
	}
	return strings.Join(shown, ",")
}

func redacted(u string) string {
	parsed, err := url.Parse(u)
	if err != nil {
		return "(a URL that cannot be read)"
	}
	return parsed.Redacted()
}

// dialSession uses the external servers.
func dialSession(cfg Config) (*session, error) {
	e := cfg.External
	s := &session{log: cfg.Logger, where: "NATS at " + e.String(), stall: askAgain, silence: ackSilence, shared: true, done: make(chan struct{})}
	var options []nc.Option
	if e.Credentials != "" {
		options = append(options, nc.UserCredentials(e.Credentials))
	}
	if e.TLS != nil {
		options = append(options, nc.Secure(e.TLS))
	}
	s.dial = func(o ...nc.Option) (*nc.Conn, error) {
		return nc.Connect(strings.Join(e.URLs, ","), append(append(o, options...), nc.Timeout(5*time.Second), nc.PingInterval(2*time.Second), nc.MaxPingsOutstanding(2))...)
	}
	if err := e.synced(); err != nil {
		return nil, err
	}
	l, err := s.link(lookups)
	if err != nil {
		s.stop()
		return nil, err
	}
	if have := l.conn.MaxPayload(); have < maxPayload {
		s.stop()
		return nil, fmt.Errorf("external NATS takes messages of at most %d bytes, and a frame may have %d: set max_payload: %d", have, maxPayload, maxPayload)
	}
	return s, nil
}

// synced is nil where every server reports that it syncs every write, or an
// operator attests it.
func (e *External) synced() error {
	const advice = "set `jetstream { sync_interval: always }` on every server"
	if len(e.Monitors) == 0 {
		if e.Synced {
			return nil
		}
		return fmt.Errorf("external NATS: nothing says that it syncs every write before it acknowledges it: %s, and name their monitoring addresses (--nats-monitors), or attest it (--nats-synced)", advice)
	}
	for _, m := range e.Monitors {
		always, err := reported(m)
		if err != nil {
			return fmt.Errorf("external NATS: ask %s whether it syncs every write: %w", redacted(m), err)
		}
		if !always {
			return fmt.Errorf("external NATS: %s reports that it does not sync every write before it acknowledges it: %s", redacted(m), advice)
		}
	}
	return nil
}

// reported asks a server's monitoring for its setting.
func reported(monitor string) (always bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(monitor, "/")+"/jsz", nil)
	if err != nil {
		return false, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return false, fmt.Errorf("it answered %s", answer.Status)
	}
	var jsz struct {
		Config struct {
			SyncAlways bool `json:"sync_always"`
		} `json:"config"`
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&jsz); err != nil {
		return false, err
	}
	return jsz.Config.SyncAlways, nil
}
