package main_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestTheUnit: systemd takes the unit whole, with this program in its place.
func TestTheUnit(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("there is no systemd-analyze here, which says whether a unit is valid")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "birdwire.service")
	if err := os.WriteFile(unit, []byte(strings.ReplaceAll(dist(t, "birdwire.service"), "/usr/local/bin/birdwire", self)), 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := exec.Command(analyze, "verify", "--man=no", unit).CombinedOutput()
	if text := string(said); err != nil || strings.Contains(text, "birdwire.service:") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, text)
	}
}

func dist(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("dist", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestTheUnitLetsItDrain: systemd waits longer for an end in order than it may take,
// and does not start again what an operator has drained.
func TestTheUnitLetsItDrain(t *testing.T) {
	t.Parallel()
	unit := dist(t, "birdwire.service")
	of := func(name string) string {
		m := regexp.MustCompile(`(?m)^` + name + `=(.*)$`).FindStringSubmatch(unit)
		if m == nil {
			t.Fatalf("the unit has no %s", name)
		}
		return m[1]
	}
	stop, err := strconv.Atoi(of("TimeoutStopSec"))
	if err != nil {
		t.Fatal(err)
	}
	printed := command(t, ".", "serve", "--config", filepath.Join("dist", "birdwire.yaml"), "--print-config")
	m := regexp.MustCompile(`(?m)^drain: (\S+)`).FindStringSubmatch(printed)
	if m == nil {
		t.Fatalf("no drain period in\n%s", printed)
	}
	drain, err := time.ParseDuration(m[1])
	if err != nil {
		t.Fatal(err)
	}
	if rest := time.Duration(stop)*time.Second - drain; rest < 30*time.Second {
		t.Errorf("beyond the drain period of %v systemd waits %v; what is to end may take 22 s", drain, rest)
	}
	if got := of("Restart"); got != "on-failure" {
		t.Errorf("Restart=%s starts a drained node again", got)
	}
	for _, want := range []string{"node: n1", "- 10.0.0.3:7946", "secret_file: /etc/birdwire/secret", "cert_dir: /etc/birdwire/certs"} {
		if !strings.Contains(printed, want) && !strings.Contains(printed, strings.TrimPrefix(want, "- ")) {
			t.Errorf("--print-config of dist/birdwire.yaml does not say %q:\n%s", want, printed)
		}
	}
}

// TestTheSupervisorIsTold: systemd hears that the process serves, and that it ends.
func TestTheSupervisorIsTold(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "bw") // the address has room for about a hundred characters
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // what is left is in the folder for such
	at := filepath.Join(dir, "notify")
	heard, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at, Net: "unixgram"})
	if err != nil {
		t.Skipf("no sockets of datagrams here: %v", err)
	}
	t.Cleanup(func() { _ = heard.Close() }) // what came was read
	hears := func(want string) {
		t.Helper()
		if err := heard.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 1<<10)
		n, err := heard.Read(b)
		if err != nil || !strings.HasPrefix(string(b[:n]), want) {
			t.Fatalf("the supervisor heard %q, %v; want %q", b[:n], err, want)
		}
	}
	s := prepared(t, "", func(c *exec.Cmd) { c.Env = append(c.Env, fmt.Sprint("NOTIFY_SOCKET=", at)) })
	hears("STATUS=starting")
	s.ready()
	hears("READY=1\nSTATUS=serves at " + s.public)
	s.stop()
	hears("STOPPING=1")
}
