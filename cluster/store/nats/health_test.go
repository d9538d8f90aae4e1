package nats

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/cluster/store/storetest"
)

// Healthy compares clocks: it answers at once whatever the disk does, and says
// what has not gone through.
func TestHealthIsWhatWentThrough(t *testing.T) {
	h := newHealth()
	h.began = h.began.Add(-time.Hour)
	h.all()
	if err := h.err(); err != nil {
		t.Fatalf("just now: %v", err)
	}
	for d := range duties {
		h.all()
		h.good[d].Add(-int64(staleAfter + time.Second))
		if err := h.err(); err == nil || !strings.Contains(err.Error(), d.String()) || !strings.Contains(err.Error(), "7s") {
			t.Errorf("%s: %v, want that it has not gone through for 7 s", d, err)
		}
		h.failed(d, errors.New("broken pipe"))
		if err := h.err(); err == nil || !strings.Contains(err.Error(), "broken pipe") {
			t.Errorf("%s: %v, want why", d, err)
		}
	}
	h.went(writes)
	h.all()
	if err := h.err(); err != nil {
		t.Errorf("after all went through: %v", err)
	}
}

// A disk that does not answer makes the store unhealthy, and nobody wait.
func TestADiskThatHangs(t *testing.T) {
	hang, asked := make(chan struct{}), make(chan struct{}, 100)
	var hanging atomic.Bool
	s := open(t, Config{FreeSpace: func(string) (uint64, uint64, error) {
		if hanging.Load() {
			asked <- struct{}{}
			<-hang
		}
		return 1 << 40, 1 << 41, nil
	}})
	ctx := context.Background()
	appendTo(t, s, 1)
	hanging.Store(true)
	s.disk.look()
	began := time.Now()
	if _, err := s.Journal().Append(ctx, storetest.Frame("a", 1, 2, 1)); err != nil {
		t.Errorf("append while the disk does not say how full it is: %v", err)
	}
	<-asked
	for range 1000 {
		if err := errors.Join(s.Healthy(ctx), s.Room()); err != nil {
			t.Fatalf("healthy: %v", err)
		}
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	close(hang)
	s.health.good[writes].Store(-int64(time.Hour))
	if err := s.Healthy(ctx); err == nil || !strings.Contains(err.Error(), "writes") {
		t.Errorf("healthy where no write went through for an hour: %v", err)
	}
	// The next probe writes.
	eventually(t, "healthy again", func() bool { return s.Healthy(ctx) == nil })
}

// The server is started again where it cannot write, and not because the machine
// is busy or the probe's stream is being made.
func TestSickIsWhoCannotWrite(t *testing.T) {
	late := server.HealthzError{Type: server.HealthzErrorConn, Error: "failed to be ready for connections after 1ms: "}
	off := server.HealthzError{Type: server.HealthzErrorJetStream, Error: "JetStream not enabled"}
	probe := server.HealthzError{Type: server.HealthzErrorStream, Stream: probeStream, Error: "probe could not be recovered"}
	journal := server.HealthzError{Type: server.HealthzErrorStream, Stream: journalStream, Error: "journal write error"}
	for name, c := range map[string]struct {
		errors []server.HealthzError
		probed bool
		says   []string // of what it is sick; none: it is not
		silent bool
	}{
		"well":                           {},
		"busy":                           {errors: []server.HealthzError{late}, silent: true},
		"JetStream has ended":            {errors: []server.HealthzError{off}, says: []string{"not enabled"}},
		"the probe's stream is made":     {errors: []server.HealthzError{probe}},
		"the probe's stream was there":   {errors: []server.HealthzError{probe}, probed: true, says: []string{"probe"}},
		"a write failed, and it is made": {errors: []server.HealthzError{probe, journal}, says: []string{"journal"}},
		"two failed":                     {errors: []server.HealthzError{probe, journal}, probed: true, says: []string{"probe", "journal"}},
	} {
		sick, said := sickness(&server.HealthStatus{Errors: c.errors}, c.probed)
		if said == c.silent || (sick != nil) != (len(c.says) > 0) {
			t.Errorf("%s: sick %v, said %v", name, sick, said)
		}
		for _, text := range c.says {
			if !strings.Contains(sick.Error(), text) {
				t.Errorf("%s: %v, want that it says %q", name, sick, text)
			}
		}
	}
	s := open(t, Config{})
	dir := streamDir(s.cfg.Dir, probeStream)
	if err := os.MkdirAll(dir, 0o700); err != nil { // as the server does first
		t.Fatal(err)
	}
	if err := s.sess.sick(); err != nil {
		t.Errorf("while the probe's stream is made: %v", err)
	}
}

// What is written by probes shows nowhere.
func TestProbesAreNobodysBusiness(t *testing.T) {
	s := open(t, Config{})
	ctx := context.Background()
	for d := range duties {
		s.probe(d)
	}
	if err := s.health.err(); err != nil {
		t.Fatal(err)
	}
	if values, err := s.Control().List(ctx, ""); err != nil || len(values) > 0 {
		t.Errorf("records %v, %v", values, err)
	}
	if _, last, err := s.Journal().Bounds(ctx); err != nil || last != 0 {
		t.Errorf("the log ends at %d, %v", last, err)
	}
	s.keepNotes()
	closeStore(t, s)
	if err := s.Healthy(ctx); !errors.Is(err, store.ErrClosed) {
		t.Errorf("healthy after it was closed: %v", err)
	}
}
