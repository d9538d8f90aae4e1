package actors_test

import (
	"fmt"
	"testing"

	"github.com/birdwire/birdwire/actors"
)

// The names of records must never change: what is in stores would be lost.
func TestRecordNames(t *testing.T) {
	const key = "key-abcdefghij"
	for want, got := range map[string]string{
		"shards.0007":                        actors.ShardRecord(7),
		"keys.0915.key-abcdefghij":           actors.KeyRecord(key),
		"monitors.0915.key-abcdefghij.mon-1": actors.MonitorRecord(key, "mon-1"),
		"past.0915.key-abcdefghij.12-345":    actors.PastRecord(key, 12, 345),
		"singletons.feed-1":                  actors.SingletonRecord("feed-1"),
		"leases.n1":                          actors.LeaseRecord("n1"),
		"feeds.feed-1":                       actors.FeedRecord("feed-1"),
		"feedurls.00ff":                      actors.ClaimRecord("00ff"),
		"marks.feed-1":                       actors.MarkRecord("feed-1"),
		"enriched.07":                        actors.EnrichRecord(7),
		"rules.0915.key-abcdefghij.":         actors.RuleRecord(key, ""),
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
