package nats

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/cluster/store/storetest"
	"github.com/birdwire/birdwire/messages"
)

const patience = 3 * time.Minute

// eventually waits until done says so; each look must take a moment of its own.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for start := time.Now(); !done(); {
		if time.Since(start) > patience {
			t.Fatalf("%s: not within %v", what, patience)
		}
		runtime.Gosched()
	}
}

// Whatever was used, nothing runs on after Close.
func TestCloseLeavesNoGoroutines(t *testing.T) {
	use := func() {
		s := open(t, Config{})
		ctx := context.Background()
		appendTo(t, s, 1)
		if _, err := s.Journal().Read(ctx, 1); err != nil { // and left open
			t.Fatal(err)
		}
		readAll(t, s)
		if _, err := s.Control().Watch(ctx, ""); err != nil { // and never read
			t.Fatal(err)
		}
		for i := range 50 {
			if _, err := s.Control().CAS(ctx, fmt.Sprintf("k.%d", i), nil, 0); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Control().List(ctx, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Items().CAS(ctx, []*messages.Item{{Identity: "a"}}, []uint64{0}); err != nil {
			t.Fatal(err)
		}
		closeStore(t, s)
	}
	use() // what the libraries start once and keep
	before := runtime.NumGoroutine()
	for range 3 {
		use()
	}
	eventually(t, "goroutines gone", func() bool {
		if runtime.NumGoroutine() <= before {
			return true
		}
		runtime.GC()
		return false
	})
}

func TestWatcherTooFarBehind(t *testing.T) {
	s := open(t, Config{})
	s.control.maxWaiting = 20
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	slow, err := s.Control().Watch(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	if c := <-slow; !c.Synced {
		t.Fatalf("first: %+v", c)
	}
	quick, err := s.Control().Watch(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	<-quick
	for i := range 400 { // with the client's own 256 more than may wait
		if _, err := s.Control().CAS(ctx, fmt.Sprintf("k.%d", i), nil, 0); err != nil {
			t.Fatal(err)
		}
		if c := <-quick; c.Key != fmt.Sprintf("k.%d", i) {
			t.Fatalf("the one that reads: %+v", c)
		}
	}
	n := 0
	for range slow {
		n++
	}
	if ctx.Err() != nil || n > 20 {
		t.Fatalf("the one that does not: %d changes, %v; want it closed with no more than may wait", n, ctx.Err())
	}
}

// The word of a deletion goes away by itself, in silence, and leaves no trace
// that a restart would stumble over.
func TestDeletedRecordsAreForgotten(t *testing.T) {
	s := open(t, Config{})
	s.control.deletedFor = time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	changes, err := s.Control().Watch(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	var last uint64
	for i := range 3 {
		key := fmt.Sprintf("k.%d", i)
		revision, err := s.Control().CAS(ctx, key, []byte("x"), 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Control().Delete(ctx, key, revision); err != nil {
			t.Fatal(err)
		}
		last = revision + 1
	}
	eventually(t, "forgotten", func() bool {
		info, err := s.sess.info(ctx, controlStream)
		return err == nil && info.State.Msgs == 0
	})
	after, err := s.Control().CAS(ctx, "end", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if after <= last {
		t.Fatalf("revision %d after %d: want it to grow", after, last)
	}
	deleted := map[string]int{}
	for c := range changes {
		if c.Deleted {
			deleted[c.Key]++
		}
		if c.Key == "end" {
			break
		}
	}
	for i := range 3 {
		if n := deleted[fmt.Sprintf("k.%d", i)]; n != 1 {
			t.Errorf("k.%d: deleted %d times, want once", i, n)
		}
	}
	v, err := s.Control().Get(ctx, "end")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Control().Delete(ctx, "end", v.Revision); err != nil {
		t.Fatal(err)
	}
	eventually(t, "forgotten", func() bool {
		info, err := s.sess.info(ctx, controlStream)
		return err == nil && info.State.Msgs == 0
	})
	dir := s.cfg.Dir
	closeStore(t, s)
	// As after a crash: the server has to count again.
	for _, stream := range []string{controlStream, journalStream} {
		if err := os.Remove(filepath.Join(dir, "jetstream", "$G", "streams", stream, "msgs", "index.db")); err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, Config{Dir: dir})
	again, err := s.Control().CAS(ctx, "k.0", nil, 0)
	if err != nil || again <= after {
		t.Fatalf("revision %d after %d, %v: want it to grow", again, after, err)
	}
}

func TestRetentionByBytes(t *testing.T) {
	const kept = 1 << 20
	s := open(t, Config{RetentionBytes: kept})
	ctx := context.Background()
	for i := range uint64(40) {
		f := storetest.Frame("a", 1, i+1, 1)
		f.Events[0].GetPost().Text = strings.Repeat("x", 100_000)
		if _, err := s.Journal().Append(ctx, f); err != nil {
			t.Fatal(err)
		}
	}
	first, last, err := s.Journal().Bounds(ctx)
	if err != nil || last != 40 || first < 28 || first > 32 {
		t.Fatalf("bounds %d to %d, %v; want about ten held", first, last, err)
	}
	closeStore(t, s)
	s = open(t, Config{Dir: s.cfg.Dir, RetentionBytes: kept / 2}) // the operator changed it
	if shorter, _, err := s.Journal().Bounds(ctx); err != nil || shorter <= first || shorter > 37 {
		t.Fatalf("first %d, %v; want about five held", shorter, err)
	}
	if got := streamConfig(t, s, journalStream).MaxBytes; got != kept/2 {
		t.Fatalf("the stream keeps %d bytes, want %d", got, kept/2)
	}
}

func TestRetentionByAge(t *testing.T) {
	s := open(t, Config{RetentionAge: 200 * time.Millisecond, ItemsAge: 200 * time.Millisecond})
	ctx := context.Background()
	appendTo(t, s, 1)
	if _, err := s.Items().CAS(ctx, []*messages.Item{{Identity: "a"}}, []uint64{0}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "frame and item gone", func() bool {
		first, last, err := s.Journal().Bounds(ctx)
		states, itemsErr := s.Items().Get(ctx, []string{"a"})
		if err != nil || itemsErr != nil {
			t.Fatal(err, itemsErr)
		}
		return first == 2 && last == 1 && states[0].Item == nil
	})
	if again, err := s.Journal().Append(ctx, storetest.Frame("a", 1, 2, 1)); err != nil || again != 2 {
		t.Fatalf("append when the tail is gone: %d, %v", again, err)
	}
	if each, err := s.Items().CAS(ctx, []*messages.Item{{Identity: "a"}}, []uint64{0}); errors.Join(append(each, err)...) != nil {
		t.Fatalf("an article that was forgotten: %v, %v", each, err)
	}
}

func TestSnapshotDamagedLater(t *testing.T) {
	s := open(t, Config{})
	ctx := context.Background()
	for at := range messages.Position(3) {
		data := strings.Repeat(fmt.Sprint(at), 600<<10)
		if err := s.Snapshots().Put(ctx, "id", at+1, strings.NewReader(data)); err != nil {
			t.Fatal(err)
		}
	}
	info, err := s.sess.info(ctx, snapshotStream, jetstream.WithSubjectFilter(chunkSubject+">"))
	if err != nil || len(info.State.Subjects) != snapshotSlots {
		t.Fatalf("uploads: %v, %v; want two", info.State.Subjects, err)
	}
	heads, err := s.snapshots.heads(ctx, "id")
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range heads {
		if h.Position == 3 {
			if err := handle(t, s, snapshotStream).Purge(ctx, jetstream.WithPurgeSubject(chunkSubject+"id."+h.Upload), jetstream.WithPurgeKeep(1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	at, r, err := s.Snapshots().Latest(ctx, "id")
	if err != nil || at != 2 {
		t.Fatalf("latest: at %d, %v; want the one before", at, err)
	}
	if all, err := io.ReadAll(r); err != nil || string(all) != strings.Repeat("1", 600<<10) {
		t.Fatalf("read %d bytes, %v", len(all), err)
	}
}

func TestConfigRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	blocked := t.TempDir()
	if err := os.WriteFile(filepath.Join(blocked, "jetstream"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cfg  Config
		says string
	}{
		"no folder":              {Config{}, "dir is empty"},
		"a file":                 {Config{Dir: file}, file},
		"a short window":         {Config{Dir: t.TempDir(), DuplicateWindow: 1}, "duplicate window"},
		"a short age":            {Config{Dir: t.TempDir(), RetentionAge: 1}, "duplicate window"},
		"a short age of items":   {Config{Dir: t.TempDir(), ItemsAge: 1}, "items age"},
		"what the server wants":  {Config{Dir: blocked}, "not a directory"},
		"a folder inside a file": {Config{Dir: filepath.Join(file, "in")}, "name another"},
	} {
		s, err := Open(context.Background(), c.cfg)
		if err == nil {
			closeStore(t, s)
		}
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want that it says %q", name, err, c.says)
		}
	}
}

func TestOpenOnFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "jetstream"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := quiet(t, Config{Dir: dir, FreeSpace: func(string) (uint64, uint64, error) { return 0, 1 << 40, nil }})
	s, err := Open(context.Background(), cfg)
	if err == nil {
		closeStore(t, s)
	}
	if !errors.Is(err, messages.ErrFull) {
		t.Fatalf("open: %v, want that the disk is full among the reasons", err)
	}
}

func TestOpenGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	dir := t.TempDir()
	s, err := Open(ctx, quiet(t, Config{Dir: dir}))
	if err == nil {
		closeStore(t, s)
		t.Fatal("opened with a context that has ended")
	}
	if err := openError(t, dir); err != nil { // and nothing of it is left running
		t.Fatal(err)
	}
}

func TestForEver(t *testing.T) {
	s := open(t, Config{RetentionAge: -1, RetentionBytes: -1, ItemsAge: -1})
	cfg := streamConfig(t, s, journalStream)
	if cfg.MaxAge != 0 || cfg.MaxBytes != -1 || streamConfig(t, s, itemsStream).MaxAge != 0 {
		t.Fatalf("journal keeps %v, %d bytes", cfg.MaxAge, cfg.MaxBytes)
	}
	appendTo(t, s, 1)
}

var _ store.Store = (*Store)(nil)

func streamConfig(t *testing.T, s *Store, stream string) jetstream.StreamConfig {
	t.Helper()
	info, err := s.sess.info(context.Background(), stream)
	if err != nil {
		t.Fatal(err)
	}
	return info.Config
}
