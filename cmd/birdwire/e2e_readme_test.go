package main_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// readme is a part of README.md: what is between its heading and the next one
// of the same level.
func readme(t *testing.T, heading string) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, found := strings.Cut(string(text), "\n"+heading+"\n")
	if !found {
		t.Fatalf("README.md has no part %q", heading)
	}
	level, _, _ := strings.Cut(heading, " ")
	part, _, _ = strings.Cut(part, "\n"+level+" ")
	return part
}

var (
	typedLine = regexp.MustCompile(`(?m)^\$ (.*?)(?: {2,}#.*)?$`)
	mintedKey = regexp.MustCompile(`(?m)^key\s+(bw_\S+)`)
	tweetLine = regexp.MustCompile(`(?m)^\{"type":"new_tweet".*$`)
)

// TestSixtySecondsOfREADME types what README.md tells a new user to type, line
// by line, in an empty folder. Only the ports are others.
func TestSixtySecondsOfREADME(t *testing.T) {
	t.Parallel()
	lines := typedLine.FindAllStringSubmatch(readme(t, "## Sixty seconds"), -1)
	if len(lines) < 6 {
		t.Fatalf("README.md has %d lines to type", len(lines))
	}
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, "birdwire")); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	environ := []string{
		"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"),
		"BIRDWIRE_LISTEN=127.0.0.1:0", "BIRDWIRE_ADMIN=127.0.0.1:0",
	}
	var last *process
	for _, line := range lines {
		typed := line[1]
		if name, value, found := strings.Cut(strings.TrimPrefix(typed, "export "), "="); found && strings.HasPrefix(typed, "export ") {
			if value != "bw_…" {
				t.Fatalf("README.md sets %s to %s; this test knows keys only", name, value)
			}
			environ = append(environ, name+"="+last.out.await(t, mintedKey)[1])
			continue
		}
		last = runProgram(t, dir, environ, "/bin/sh", "sh", "-c", "exec "+typed)
		switch {
		case strings.HasPrefix(typed, "birdwire serve"):
			at := last.out.await(t, readyLine)
			last.out.await(t, lastLine)
			environ = append(environ, "BIRDWIRE_LISTEN="+at[1], "BIRDWIRE_ADMIN="+at[2])
		case strings.HasPrefix(typed, "birdwire tail twitter"):
			last.out.await(t, tweetLine)
			last.kill()
		default:
			if code := last.exit(); code != 0 {
				t.Fatalf("%s: exit code %d", typed, code)
			}
			if last.out.String() == "" {
				t.Errorf("%s says nothing", typed)
			}
		}
	}
	if tag := regexp.MustCompile(`--tag (\w+)`).FindStringSubmatch(readme(t, "## Sixty seconds")); tag == nil || !strings.Contains(last.out.String(), tag[1]) {
		t.Errorf("the last line to type shows %s; want posts of the rule %v", last.out, tag)
	}
}

// TestConfigurationOfREADME: the file that README.md shows is taken whole.
func TestConfigurationOfREADME(t *testing.T) {
	t.Parallel()
	part := readme(t, "## Running it")
	_, yaml, found := strings.Cut(part, "```yaml\n")
	yaml, _, closed := strings.Cut(yaml, "```\n")
	if !found || !closed {
		t.Fatal("README.md shows no YAML file")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "birdwire.yaml"), []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	printed := command(t, dir, "serve", "--config", "birdwire.yaml", "--print-config")
	for _, want := range []string{
		`# admin_token: set by birdwire.yaml: admin_token, not shown`,
		`    credits: 200000  # birdwire.yaml: plans.pro.credits`,
		`    twitter_connections: 20  # birdwire.yaml: plans.desk.twitter_connections`,
	} {
		if !strings.Contains(printed, want) {
			t.Errorf("serve --print-config says\n%s\nwant the line %q", printed, want)
		}
	}

	// The server serves with it, and the token and the plan are good.
	yaml = strings.Replace(yaml, "/var/lib/birdwire", filepath.Join(dir, "data"), 1)
	if err := os.WriteFile(filepath.Join(dir, "birdwire.yaml"), []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	p := run(t, dir, "serve", "--config", "birdwire.yaml", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--drain", "20ms")
	at := p.out.await(t, readyLine)
	made := command(t, dir, "keys", "create", "--config", "birdwire.yaml", "--admin", at[2], "--name", "ada", "--plan", "desk")
	if !mintedKey.MatchString(made) {
		t.Errorf("keys create with the token and a plan of the file says %s", made)
	}
	p.terminate()
	if code := p.exit(); code != 0 {
		t.Fatalf("exit code %d after SIGTERM, want 0", code)
	}
}

// shells are the blocks of a part of README.md that are for a shell.
func shells(part string) []string {
	var all []string
	for i, block := range strings.Split(part, "```") {
		if text, found := strings.CutPrefix(block, "\n"); found && i%2 == 1 {
			all = append(all, text)
		}
	}
	return all
}

// TestThreeTerminalsOfREADME types what README.md says of a cluster on one machine.
// Only the ports are others.
func TestThreeTerminalsOfREADME(t *testing.T) {
	t.Parallel()
	part := readme(t, "### A cluster")
	blocks := shells(part)
	if len(blocks) < 2 || !strings.Contains(blocks[0], "cluster init") || !strings.Contains(blocks[1], "keys create") {
		t.Fatalf("README.md's blocks are %q", blocks)
	}
	dir, bin := t.TempDir(), t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, "birdwire")); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	ports := freeHundred(t)
	environ := []string{"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH")}
	shell := func(script string) *process {
		script = strings.ReplaceAll(script, "127.0.0.1:80", "127.0.0.1:"+ports)
		return runProgram(t, dir, environ, "/bin/sh", "sh", "-c", script)
	}
	first, serve, found := strings.Cut(blocks[0], "n=1 node=a\n")
	if !found {
		t.Fatalf("README.md begins the cluster with %s", blocks[0])
	}
	if p := shell(first); p.exit() != 0 {
		t.Fatalf("%s: %s", first, p.notes)
	}
	var nodes []*process
	for i, name := range []string{"a", "b", "c"} {
		nodes = append(nodes, shell(fmt.Sprintf("n=%d node=%s\nexec %s", i+1, name, strings.TrimSpace(serve))))
	}
	for _, p := range nodes {
		p.out.await(t, readyLine)
	}
	_, articles, found := strings.Cut(readme(t, "## The three APIs"), "`articles.ndjson`:")
	if found {
		_, articles, found = strings.Cut(articles, "```\n{\"url\"")
		articles, _, _ = strings.Cut("{\"url\""+articles, "```")
	}
	if !found {
		t.Fatal("README.md shows no articles.ndjson")
	}
	if err := os.WriteFile(filepath.Join(dir, "articles.ndjson"), []byte(articles), 0o600); err != nil {
		t.Fatal(err)
	}
	var key string
	var tail *process
	for line := range strings.Lines(blocks[1]) {
		line = strings.ReplaceAll(strings.TrimSpace(line), "KEY", key)
		if begun, background := strings.CutSuffix(line, " &"); background {
			tail = shell("exec " + begun)
			tail.notes.await(t, regexp.MustCompile("listening to kite"))
			continue
		}
		var p *process
		for late := time.Now().Add(patience); ; {
			p = shell("exec " + line)
			code := p.exit()
			if code == 0 {
				break
			}
			// A cluster that has just started on a slow machine says that to whoever is there.
			if said := p.notes.String(); !strings.Contains(said, "try again") || time.Now().After(late) {
				t.Fatalf("%s: exit code %d, %s%s", line, code, p.out, said)
			}
		}
		if m := mintedKey.FindStringSubmatch(p.out.String()); m != nil {
			key = m[1]
		}
	}
	tail.out.await(t, regexp.MustCompile(`"action":"create"`))
	nodes[2].kill()
	nodes[2] = shell("n=3 node=c\nexec " + strings.TrimSpace(serve))
	nodes[2].out.await(t, readyLine)
}

// freeHundred is a number of hundreds: of the ports in those that README.md takes,
// none is in use. Its ports are 80 hundred and 11 to 34 in their place.
func freeHundred(t *testing.T) string {
	t.Helper()
	for hundred := range 100 {
		hundred = 301 + (os.Getpid()+hundred)%20 // past those of freePorts, and before those that systems give away
		free := true
		for _, n := range []int{10, 20, 30} {
			for port := range 5 {
				l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d%02d", hundred, n+port))
				if err != nil {
					free = false
					continue
				}
				_ = l.Close() // it took no connection
			}
		}
		if free {
			return fmt.Sprint(hundred)
		}
	}
	t.Fatal("no free ports")
	return ""
}
