package nats

import (
	"strings"
	"testing"
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
