package nats

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

// TestAnOrphanedStreamIsAnAlarm: that the server takes away a copy of a stream which
// the cluster does not know is reported as damage, once, with what not to do. The words
// are the server's own (checkForOrphans); a copy that it takes away while it catches up
// from a snapshot of the leader's it says nothing of.
func TestAnOrphanedStreamIsAnAlarm(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Dir: t.TempDir()})
	bridge := s.bridge()
	bridge.Warnf("Waiting for routing to be established...")
	if found := s.Damage(); len(found) != 0 {
		t.Fatalf("in peace: %v", found)
	}
	for range 2 { // it may be said again
		bridge.Warnf("Detected orphaned stream '%s > %s', will cleanup", "$G", "journal")
	}
	found := s.Damage()
	if len(found) != 1 || !strings.Contains(found[0].Lost, "$G > journal") || !strings.Contains(found[0].Advice, "touch no other node's folder") {
		t.Errorf("%+v", found)
	}
}

// TestACopyThatIsTakenAwayIsAnAlarm: a copy that the server takes away without a word,
// as where it catches up from a snapshot of the leader's, is reported by the member
// whose it was, and by no other.
func TestACopyThatIsTakenAwayIsAnAlarm(t *testing.T) {
	t.Parallel()
	c := openTrio(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	until(t, ctx, "every member has seen its copies", func() bool {
		for i := range c.stores {
			if _, err := os.Stat(streamDir(c.config(t, i).Dir, snapshotStream)); err != nil {
				return false
			}
		}
		return true
	})
	if !pause(ctx, 2*probeEvery, nil) {
		t.Fatal(ctx.Err())
	}
	if err := os.RemoveAll(streamDir(c.config(t, 1).Dir, snapshotStream)); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, "it is reported", func() bool { return len(c.stores[1].Damage()) > 0 })
	for i, s := range c.stores {
		found := s.Damage()
		if i != 1 && len(found) > 0 || i == 1 && (len(found) != 1 || !strings.Contains(found[0].Lost, "its copy of snapshots is not there")) {
			t.Errorf("member %d reports %+v", i, found)
		}
	}
}

// A copy that is away for a moment, and one that there never was, are no alarm.
func TestCopiesThatComeBack(t *testing.T) {
	dir := t.TempDir()
	var c ownCopies
	look := func(want int) {
		t.Helper()
		if taken := c.look(dir); len(taken) != want {
			t.Errorf("%v are taken away, want %d", taken, want)
		}
	}
	journal := streamDir(dir, journalStream)
	for range 2 {
		for range 2 * goneLooks { // there is none yet, or it is being made again
			if look(0); c.had[journalStream] {
				break
			}
		}
		if err := os.MkdirAll(journal, 0o700); err != nil {
			t.Fatal(err)
		}
		look(0)
		if err := os.RemoveAll(journal); err != nil {
			t.Fatal(err)
		}
	}
	for range goneLooks - 1 {
		look(0)
	}
	look(1)
}
