//go:build unix

package main_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/birdwire/birdwire/gateway/client"
)

// pipe is the two ends of one; what a test leaves open is closed with it.
func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	return r, w
}

func (s *server) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("%v: %v", sig, err)
	}
}

// lives has the server take and deliver an article, talk about it in its log,
// and end in order.
func (s *server) lives(t *testing.T) {
	t.Helper()
	pusher := s.pusher(t)
	c := s.dial(t, kitePath+s.key(t, "pro").Key)
	c.expect(kiteConnected)
	for n := range 20 {
		title := fmt.Sprintf("still here %d", n)
		s.push(t, client.Articles, pusher, article(title, "a"))
		if e := c.event(); e.what() != "create "+title {
			t.Fatalf("then came %s", e.what())
		}
	}
	s.terminate()
	c.closed(1012)
	if code := s.exit(); code != 0 {
		t.Fatalf("exit code %d after SIGTERM, want 0", code)
	}
}

// TestOutputsWithoutReader: whoever reads the log or the output may go, or stop
// reading, at any time: the server lives, and ends in order when it is told to.
func TestOutputsWithoutReader(t *testing.T) {
	t.Parallel()
	t.Run("the log's reader is gone", func(t *testing.T) {
		t.Parallel()
		r, w := pipe(t)
		s := prepared(t, "", func(cmd *exec.Cmd) { cmd.Stderr = w })
		s.ready()
		_, _ = r.Close(), w.Close()
		s.lives(t)
	})
	t.Run("the log's reader was never there", func(t *testing.T) {
		t.Parallel()
		r, w := pipe(t)
		_ = r.Close()
		s := prepared(t, "", func(cmd *exec.Cmd) { cmd.Stderr = w })
		s.ready()
		s.lives(t)
	})
	t.Run("the log's reader does not read", func(t *testing.T) {
		t.Parallel()
		_, w := pipe(t)
		s := prepared(t, "", func(cmd *exec.Cmd) { cmd.Stderr = w })
		s.ready()
		long := "/" + strings.Repeat("nothing", 30)
		for range 8000 { // each is a line of the log: more than a pipe holds, and more than waits for its reader
			s.call(t, http.MethodGet, long, "", "").want(t, http.StatusNotFound)
		}
		s.lives(t)
	})
	t.Run("the output's reader is gone", func(t *testing.T) {
		t.Parallel()
		r, w := pipe(t)
		_ = r.Close()
		s := prepared(t, "", func(cmd *exec.Cmd) { cmd.Stdout = w })
		s.at(s.notes.await(t, regexp.MustCompile(`level=WARN msg="nobody reads the standard output[^\n]* listen=(\S+) admin=(\S+) `)))
		s.lives(t)
	})
	t.Run("there is no log", func(t *testing.T) {
		t.Parallel()
		s := prepared(t, "", func(cmd *exec.Cmd) {
			named := filepath.Join(t.TempDir(), "birdwire") // the test binary is it by its name
			if err := os.Symlink(cmd.Path, named); err != nil {
				t.Fatal(err)
			}
			cmd.Path, cmd.Args = "/bin/sh", append([]string{"sh", "-c", `exec "$0" "$@" 2>&-`, named}, cmd.Args[1:]...)
		})
		s.ready()
		s.lives(t)
	})
}

// TestHangup: SIGHUP ends nothing; it reads the log's level and the certificate
// again, and says so.
func TestHangup(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	config := filepath.Join(folder, "birdwire.yaml")
	write := func(level string) {
		t.Helper()
		if err := os.WriteFile(config, []byte("log:\n  level: "+level+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("info")
	cert, key, _ := certify(t, folder, 1)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{dir: filepath.Join(folder, "data")}
	s.process = runProgram(t, "", nil, self, "birdwire", "serve", "--config", config, "--data", s.dir,
		"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--drain", "20ms", "--tls-cert", cert, "--tls-key", key)
	eventually(t, func() string { // while it starts, too
		if _, err := os.Stat(s.dir); err != nil {
			return "there is no data folder"
		}
		return ""
	})
	s.signal(syscall.SIGHUP)
	s.ready()
	served := func() string {
		t.Helper()
		conn, err := tls.Dial("tcp", s.public, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close() //nolint:errcheck // it was opened to look
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	if got := served(); got != "1" {
		t.Fatalf("the certificate served is %s", got)
	}
	said := func(text string) { s.notes.await(t, regexp.MustCompile(`msg="`+text)) }

	certify(t, folder, 2)
	write("debug")
	s.signal(syscall.SIGHUP)
	s.notes.await(t, regexp.MustCompile(`level=INFO msg="SIGHUP: the log's level and the certificate were read again[^\n]* level=DEBUG certificate=\S+`))
	if got := served(); got != "2" {
		t.Fatalf("after SIGHUP the certificate served is %s", got)
	}
	s.notes.await(t, regexp.MustCompile(`level=DEBUG`))

	write("nonsense")
	s.signal(syscall.SIGHUP)
	said("SIGHUP: the settings are not taken over")
	write("warn")
	if err := os.WriteFile(cert, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.signal(syscall.SIGHUP)
	said("SIGHUP: the certificate is not taken over")
	if got := served(); got != "2" {
		t.Fatalf("with a broken file the certificate served is %s", got)
	}
	s.stop()
}
