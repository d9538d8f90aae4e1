package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	tailLine = regexp.MustCompile(`(?m)^  birdwire tail (twitter|newsrank|kite)(.*)$`)
	lastLine = regexp.MustCompile(`(?m)^  \w+ +http://(\S+?)/\S* .*token in (\S+)$`)
)

// startDev runs serve --dev in the folder, as a newcomer does, except for the
// ports, and returns the lines that it tells to paste.
func startDev(t *testing.T, dir string) (p *process, tails map[string][]string) {
	t.Helper()
	p = run(t, dir, "serve", "--dev", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--drain", "20ms")
	p.out.await(t, readyLine)
	token := filepath.Join(dir, p.out.await(t, lastLine)[2])
	if info, err := os.Stat(token); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Fatalf("the operators' token: %v, %v; want a file that is nobody else's", info, err)
	}
	tails = map[string][]string{}
	for _, m := range tailLine.FindAllStringSubmatch(p.out.String(), -1) {
		tails[m[1]] = append([]string{"tail", m[1]}, strings.Fields(m[2])...)
	}
	if len(tails) != 3 {
		t.Fatalf("it printed %s; want a line to paste for each API", p.out)
	}
	return p, tails
}

// TestDev: in an empty folder, with nothing but the program, every API
// delivers within seconds, and the lines to paste are right.
func TestDev(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, tails := startDev(t, dir)
	var running []*process
	for _, api := range []string{"twitter", "newsrank", "kite"} {
		running = append(running, run(t, dir, append(tails[api], "--count", "1")...))
	}
	for i, kind := range []string{"new_tweet", "item.new", "news"} {
		if code := running[i].exit(); code != 0 {
			t.Fatalf("%s: exit code %d", kind, code)
		}
		line := running[i].out.String()
		var e struct{ Type, Cursor string }
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Type != kind || e.Cursor == "" || strings.Count(line, "\n") != 1 {
			t.Errorf("tail printed %s (%v); want a line of %s with its cursor", line, err, kind)
		}
	}
	keys := p.out.String()[strings.Index(p.out.String(), "  twitter "):]
	p.terminate()
	if code := p.exit(); code != 0 {
		t.Fatalf("exit code %d after SIGTERM, want 0", code)
	}

	// Another day: the keys that were pasted somewhere are good still.
	p, _ = startDev(t, dir)
	for _, key := range regexp.MustCompile(`bw_\w+`).FindAllString(keys, -1) {
		if !strings.Contains(p.out.String(), key) {
			t.Errorf("the second start has made other keys")
		}
	}
	p.terminate()
	if code := p.exit(); code != 0 {
		t.Fatalf("exit code %d after SIGTERM, want 0", code)
	}
}
