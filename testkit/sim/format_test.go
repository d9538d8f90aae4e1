package sim_test

import (
	"bytes"
	"maps"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/testkit"
	"github.com/birdwire/birdwire/testkit/sim"
)

// TestANewFormatOfARecord has one node come forth to a made-up next version and back,
// and then all of them; the owner changes a rule each time. While one is not there yet
// all read what each has written. After that the version before refuses what it does
// not know, loses nothing of it, and says so.
func TestANewFormatOfARecord(t *testing.T) {
	testkit.RunSeeds(t, 3, func(t *testing.T, k *testkit.Kit) {
		s := sim.NewScene(k, 3, 1)
		o := s.Own(s.Key, "moon", "sun", "star")
		become := func(node string, version uint32) {
			n := s.Node(node)
			n.Drain()
			s.Advance(2 * time.Second)
			n.Stop()
			n.Version = version
			s.Start(node)
			s.Until(10*time.Second, "all nodes are in the core", s.Whole)
		}
		change := func(name string) {
			o.Change(name)
			s.Until(10*time.Second, "the owner is answered: "+name, o.Answered)
			s.Push("n1", "moon sun star")
			s.Advance(time.Second)
		}
		newer := func() (n int) {
			kept, err := s.Disk.Open(nil).Control().List(t.Context(), "rules.", "shards.", "past.", "keys.")
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range kept {
				if bytes.HasPrefix(r.Data, []byte{0xB7, 2}) {
					n++
				}
			}
			return n
		}
		change("before")
		become("n3", 2)
		change("with one of the next version")
		become("n3", 1)
		change("with that one back")
		if n := newer(); n > 0 {
			t.Errorf("%d records have the new format while a node does not know it", n)
		}
		for _, n := range []string{"n1", "n2", "n3"} {
			become(n, 2)
		}
		change("when all know it")
		if newer() == 0 {
			t.Error("no record has the new format when all nodes know it")
		}
		s.Advance(5 * time.Second)
		s.CheckOwned(o)

		// Operators who go back after that are refused, and harm nothing.
		for _, n := range []string{"n1", "n2", "n3"} {
			become(n, 1)
		}
		before := records(t, s)
		o.Change("refused")
		s.Advance(10 * time.Second)
		if o.Answered() || s.Connected() {
			t.Errorf("a program that does not know the records serves their key: answered %v, clients connected %v", o.Answered(), s.Connected())
		}
		if now := records(t, s); !maps.Equal(before, now) {
			t.Errorf("a program that does not know records has changed them: %q, %q", before, now)
		}
		for _, n := range []string{"n1", "n2", "n3"} {
			become(n, 2)
		}
		s.Until(30*time.Second, "the owner is answered after all", o.Answered)
		change("with all forth again")
		s.Advance(5 * time.Second)
		s.Until(30*time.Second, "all clients are connected", s.Connected)
		s.Advance(8 * time.Second)
		s.CheckOwned(o)
	})
}

// records are the scene's key and its rules, by name.
func records(t *testing.T, s *sim.Scene) map[string]string {
	t.Helper()
	shard := actors.ShardOf(s.Key)
	all := map[string]string{}
	kept, err := s.Disk.Open(nil).Control().List(t.Context(), actors.RulesPrefix(shard), actors.KeysPrefix(shard))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range kept {
		all[r.Key] = string(r.Data)
	}
	return all
}
