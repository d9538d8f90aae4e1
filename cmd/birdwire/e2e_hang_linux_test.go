package main_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/gateway/client"
)

// afterHang are the lines about faults that a hanging disk is to make.
var afterHang = regexp.MustCompile(`.`)

// TestDiskThatHangs: writes that never return are told by /readyz, ingest
// answers 503 and not with a promise, the process is alive, and it ends when it
// is told to, late and with a word, since not all was closed.
func TestDiskThatHangs(t *testing.T) {
	t.Parallel()
	s, disk := onHardDisk(t)
	s.faults = afterHang
	pusher := s.pusher(t)
	s.push(t, client.Articles, pusher, article("before", "a"))
	disk.hang()
	s.readiness(t, http.StatusServiceUnavailable)
	if disk.hanging() == 0 {
		t.Fatal("nothing hangs: the disk was not written to")
	}
	r := s.call(t, http.MethodPost, "/v1/ingest/articles", pusher, article("while it hangs", "b")).want(t, http.StatusServiceUnavailable)
	if r.header.Get("Retry-After") == "" {
		t.Errorf("a push while the disk hangs: %+v; want Retry-After", r)
	}
	s.call(t, http.MethodGet, "/healthz", "", "").want(t, http.StatusOK)

	s.terminate()
	if code := s.exit(); code != 1 {
		t.Errorf("exit code %d after SIGTERM on a disk that hangs, want 1", code)
	}
	if said := s.notes.String(); !strings.Contains(said, "stop: ") {
		t.Error("it does not say what it could not stop")
	}
}

// TestDiskThatHangsForAWhile: what was acknowledged before is there after, and
// the server takes more without being started again.
func TestDiskThatHangsForAWhile(t *testing.T) {
	t.Parallel()
	s, disk := onHardDisk(t)
	s.faults = afterHang
	pusher := s.pusher(t)
	s.push(t, client.Articles, pusher, article("before", "a"))
	disk.hang()
	s.readiness(t, http.StatusServiceUnavailable)
	disk.recover()
	s.readiness(t, http.StatusOK)
	eventually(t, func() string {
		done, err := s.tryPush(within(t), client.Articles, pusher, article("after", "b"))
		if err == nil && done.Accepted+done.Duplicates == 1 { // one whose answer was lost may be there
			return ""
		}
		return fmt.Sprintf("a push after it: %+v, %v", done, err)
	})
	s.stop()
	again := start(t, s.dir)
	if done, err := again.tryPush(within(t), client.Articles, pusher, article("before", "a"), article("after", "b")); err != nil || done.Duplicates != 2 {
		t.Errorf("both articles once more: %+v, %v; want that they are there", done, err)
	}
	again.stop()
}

// readiness waits until /readyz answers so.
func (s *server) readiness(t *testing.T, status int) {
	t.Helper()
	eventually(t, func() string {
		if r := s.call(t, http.MethodGet, "/readyz", "", ""); r.status != status {
			return fmt.Sprintf("/readyz: %+v, want %d", r, status)
		}
		return ""
	})
}
