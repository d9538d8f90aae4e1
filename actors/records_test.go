package actors_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// The names of records must never change: what stands in stores would be lost.
func TestRecordNames(t *testing.T) {
	const key = "key-abcdefghij"
	for want, got := range map[string]string{
		"shards.0007":                                             actors.ShardRecord(7),
		"keys.0915.key-abcdefghij":                                actors.KeyRecord(key),
		"monitors.0915.key-abcdefghij.mon-1":                      actors.MonitorRecord(key, "mon-1"),
		"rules.0915.key-abcdefghij.":                              actors.RuleRecord(key, ""),
		actors.RulesPrefix(actors.ShardOf(key)) + key + ".rule-1": actors.RuleRecord(key, "rule-1"),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestShardsFillEvenly(t *testing.T) {
	const keys = 200_000
	var full [actors.Shards]int
	for i := range keys {
		full[actors.ShardOf(fmt.Sprintf("key-%010d", i))]++
	}
	// 195 expected, standard deviation 14: six of them are never left by chance.
	for shard, n := range full {
		if n < 195-84 || n > 195+84 {
			t.Errorf("shard %d has %d keys, want about 195", shard, n)
		}
	}
}

func TestValidID(t *testing.T) {
	for id, want := range map[string]bool{
		"key-a_B9": true, "": false, "a.b": false, "a*": false, "a/b": false, "ä": false, "a b": false,
		"1234567890123456789012345678901234567890123456789012345678901234":  true,
		"12345678901234567890123456789012345678901234567890123456789012345": false,
	} {
		if got := actors.ValidID(id); got != want {
			t.Errorf("%q: %v", id, got)
		}
	}
}

func TestQueries(t *testing.T) {
	m := &messages.Monitor{
		Id: "mon-1", K: 3, Name: "N", Status: "active", CreatedPosition: 9,
		Usernames: []string{"a", "b"}, AuthorIds: []string{"", "77"},
	}
	want := &messages.Query{
		K: 3, CreatedPosition: 9,
		Origin: &messages.Origin{Kind: messages.OriginKind_ORIGIN_MONITOR, Id: "mon-1", Name: "N"},
		Want:   &messages.Query_Monitor{Monitor: &messages.MonitorQuery{Usernames: []string{"a", "b"}, AuthorIds: []string{"77"}}},
	}
	if got := actors.MonitorQuery(m); !proto.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	r := &messages.Rule{Id: "rule-1", K: 4, Tag: "T", Query: "x", Status: "active", CreatedPosition: 2}
	want = &messages.Query{
		K: 4, CreatedPosition: 2,
		Origin: &messages.Origin{Kind: messages.OriginKind_ORIGIN_RULE, Id: "rule-1", Name: "T"},
		Want:   &messages.Query_Rule{Rule: "x"},
	}
	if got := actors.RuleQuery(r); !proto.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, status := range []string{"paused", "error", "inactive", ""} {
		m.Status, r.Status = status, status
		if actors.MonitorQuery(m) != nil || actors.RuleQuery(r) != nil {
			t.Errorf("%q is matched", status)
		}
	}
}
