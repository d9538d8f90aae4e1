package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/gateway/client"
)

// The samples in testdata/samples are the published documents' own, byte for
// byte. Node's WebSocket is made of npm's ws, found by NODE_PATH (.ci/run sets
// it); Python needs websockets.

// nodeWithWS is how samples run on node.
func nodeWithWS(t *testing.T) []string {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	if err := exec.Command(path, "-e", "require('ws')").Run(); err != nil {
		t.Skip("node finds no package ws: set NODE_PATH to a node_modules that holds it, as .ci/run does")
	}
	preamble := filepath.Join(t.TempDir(), "websocket.cjs")
	if err := os.WriteFile(preamble, []byte("globalThis.WebSocket = require('ws');\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{path, "--require", preamble}
}

// pythonWithWebsockets is how samples run on Python.
func pythonWithWebsockets(t *testing.T) []string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		path, err := exec.LookPath(name)
		if err == nil && exec.Command(path, "-c", "import websockets").Run() == nil {
			return []string{path, "-u"}
		}
	}
	t.Skip("no python3 finds the package websockets (Debian: python3-websockets)")
	return nil
}

// sample runs a published sample with nothing changed but host and key. Every
// change must be there to be made.
func (s *server) sample(t *testing.T, runner []string, name string, changes ...string) *process {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "samples", name))
	if err != nil {
		t.Fatal(err)
	}
	changed := string(text)
	for i := 0; i < len(changes); i += 2 {
		if strings.Count(changed, changes[i]) != 1 {
			t.Fatalf("%s does not hold %s once", name, changes[i])
		}
		changed = strings.Replace(changed, changes[i], changes[i+1], 1)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	p := runProgram(t, dir, nil, runner[0], append(runner, file)...)
	return p
}

// connected waits until the key has a connection: not every sample says so.
func (s *server) connected(t *testing.T, k *client.MintedKey, p *process) {
	t.Helper()
	eventually(t, func() string {
		select {
		case <-p.ended:
			t.Fatalf("the sample ended with %d", p.cmd.ProcessState.ExitCode())
		default:
		}
		open, err := s.operator.Connections(within(t), k.ID, "")
		if err != nil || len(open.Connections) == 0 {
			return fmt.Sprintf("the sample has not connected (%v)", err)
		}
		return ""
	})
}

// says waits for lines on the sample's stdout.
func says(t *testing.T, p *process, lines ...string) {
	t.Helper()
	quoted := make([]string, len(lines))
	for i, l := range lines {
		quoted[i] = regexp.QuoteMeta(l)
	}
	p.out.await(t, regexp.MustCompile(`(?m)^`+strings.Join(quoted, `\r?\n`)))
}

// TestPublishedSamples receive events.
func TestPublishedSamples(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	pusher := s.pusher(t)
	t.Run("twitter.js", func(t *testing.T) {
		t.Parallel()
		node := nodeWithWS(t)
		k := s.key(t, "pro")
		makeMonitor(t, s.owner(t, k), "m", "js_author")
		p := s.sample(t, node, "twitter.js", "localhost:8000", s.public, "YOUR_API_KEY", k.Key)
		says(t, p, "Connected to stream", "Connection ID: conn-")
		s.push(t, client.Posts, pusher, post("js", "js_author", "From JavaScript"))
		says(t, p, "New tweet from js_author", "Source: monitor", "Latency: ")
		if _, err := s.operator.RevokeKey(within(t), k.ID); err != nil {
			t.Fatal(err)
		}
		says(t, p, "Disconnected: 4001 ")
		if code := p.exit(); code != 0 {
			t.Fatalf("exit code %d", code)
		}
	})
	t.Run("twitter.py", func(t *testing.T) {
		t.Parallel()
		python := pythonWithWebsockets(t)
		k := s.key(t, "pro")
		makeRule(t, s.owner(t, k), "python", "from:py_author")
		p := s.sample(t, python, "twitter.py", "localhost:8000", s.public, "YOUR_API_KEY", k.Key)
		s.connected(t, k, p)
		s.push(t, client.Posts, pusher, post("py", "py_author", "From Python, “quoted”"))
		says(t, p, "@py_author: From Python, “quoted”")
	})
	t.Run("kite.js", func(t *testing.T) {
		t.Parallel()
		node := nodeWithWS(t)
		k := s.key(t, "pro")
		p := s.sample(t, node, "kite.js", "wss://kite-api.gtdigital.dev", "ws://"+s.public, "kite_your_key_here", k.Key)
		says(t, p, "Connected to KITE 2.0", "Connected to KITE 2.0 WebSocket. Send a 'subscribe' message to set filters.", "Filters applied: {")
		s.push(
			t, client.Articles, pusher,
			article("js interest rates elsewhere", "weather"),
			article("js central banks on something else", "central_banks"),
			article("js inflation in the euro area", "central_banks", `"tickers":["SPY","EURUSD"]`),
		)
		says(t, p, "[create] js inflation in the euro area", "  Source: Example News", "  Tickers: SPY, EURUSD")
		if said := p.out.String(); strings.Contains(said, "elsewhere") || strings.Contains(said, "something else") {
			t.Fatalf("filters did not hold: %s", said)
		}
	})
	t.Run("kite.py", func(t *testing.T) {
		t.Parallel()
		python := pythonWithWebsockets(t)
		k := s.key(t, "pro")
		p := s.sample(t, python, "kite.py", "wss://kite-api.gtdigital.dev", "ws://"+s.public, "kite_your_key_here", k.Key)
		s.connected(t, k, p)
		s.push(t, client.Articles, pusher, article("py Bitcoin hits new highs", "financial_news", `"source":{"id":"coindesk","name":"CoinDesk"},"tickers":["BTC"]`))
		says(t, p, "[create] py Bitcoin hits new highs", "  Source: CoinDesk", "  Tickers: BTC", "")
	})
	t.Run("newsrank by hand", func(t *testing.T) {
		t.Parallel()
		w := s.wire(t, newsrankPath+s.key(t, "pro").Key)
		w.text(`{"type":"subscribe","filters":{"topics":["articles"],"categories":["by hand"],"keywords":["AI"]}}`)
		w.expect(newsrankSubscribed)
		s.push(t, client.Articles, pusher, article("What AI does by hand", "by hand"))
		first, payload, err := w.frame()
		if err != nil || first != textFrame || !strings.HasPrefix(string(payload), `{"type":"item.new","data":{"id":`) || !strings.Contains(string(payload), `"title":"What AI does by hand"`) {
			t.Fatalf("frame %#x %s, %v", first, payload, err)
		}
	})
}
