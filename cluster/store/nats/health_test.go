package nats

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

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
	h.wrote()
	h.all()
	if err := h.err(); err != nil {
		t.Errorf("after all went through: %v", err)
	}
}

// A disk that does not answer makes the store unhealthy, and nobody wait.
func TestADiskThatHangs(t *testing.T) {
	hang, asked := make(chan struct{}), make(chan struct{}, 100)
	var hanging bool
	s := open(t, Config{FreeSpace: func(string) (uint64, uint64, error) {
		if hanging {
			asked <- struct{}{}
			<-hang
		}
		return 1 << 40, 1 << 41, nil
	}})
	ctx := context.Background()
	appendTo(t, s, 1)
	s.disk.mu.Lock()
	hanging = true
	s.disk.mu.Unlock()
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

// What is written by probes shows nowhere.
func TestProbesAreNobodysBusiness(t *testing.T) {
	s := open(t, Config{})
	ctx := context.Background()
	for d := range duties {
		s.tryDuty(s.sess, d)
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
