package actors

import (
	"fmt"

	"github.com/birdwire/birdwire/messages"
)

// Shards is how many shards the keys of a cluster are parted into. It is in
// the names of records, so it never changes.
const Shards = 1024

// ShardOf is the shard of a key: the same on every node, always. The hash is
// FNV-1a, mixed once more: on ids that differ in their last characters FNV
// alone fills some shards twice as full as others.
func ShardOf(keyID string) int {
	h := uint64(14695981039346656037)
	for i := range len(keyID) {
		h = (h ^ uint64(keyID[i])) * 1099511628211
	}
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return int((h ^ h>>31) % Shards)
}

// KeyTerm is the term of a key's owner: the shard's, and how many keys' actors
// it has started before. ShardTerm is its first part.
func KeyTerm(shardTerm, starts uint64) uint64 { return shardTerm<<32 | starts }

// ShardTerm is the shard's term of a key's.
func ShardTerm(keyTerm uint64) uint64 { return keyTerm >> 32 }

// ShardRecord names the record of a shard: messages.Shard.
func ShardRecord(shard int) string { return ofShard("shards.", shard, "") }

// LeasesPrefix is where the records of nodes' leases begin.
const LeasesPrefix = "leases."

// LeaseRecord names the record of a node's lease: messages.Lease.
func LeaseRecord(node string) string { return LeasesPrefix + node }

// SingletonsPrefix is where the records of what there is one of in the cluster
// begin.
const SingletonsPrefix = "singletons."

// SingletonRecord names the record of what there is one of: messages.Tenure.
func SingletonRecord(name string) string { return SingletonsPrefix + name }

// KeysPrefix, MonitorsPrefix and RulesPrefix are where a shard's records begin.
func KeysPrefix(shard int) string     { return ofShard("keys.", shard, ".") }
func MonitorsPrefix(shard int) string { return ofShard("monitors.", shard, ".") }
func RulesPrefix(shard int) string    { return ofShard("rules.", shard, ".") }

// ofShard is fmt's %s%04d%s, in a tenth of its time: a thousand shards that are
// activated at once name four thousand records.
func ofShard(before string, shard int, after string) string {
	digits := [4]byte{'0' + byte(shard/1000), '0' + byte(shard/100%10), '0' + byte(shard/10%10), '0' + byte(shard%10)}
	return before + string(digits[:]) + after
}

// KeyRecord names the record of a key: messages.Key.
func KeyRecord(keyID string) string { return KeysPrefix(ShardOf(keyID)) + keyID }

// MonitorRecord names the record of a monitor; of all its key's with id "".
func MonitorRecord(keyID, id string) string { return MonitorsPrefix(ShardOf(keyID)) + keyID + "." + id }

// RuleRecord names the record of a rule; of all its key's with id "".
func RuleRecord(keyID, id string) string { return RulesPrefix(ShardOf(keyID)) + keyID + "." + id }

// PastRecord names the record of a version of a key's monitor or rule that was
// replaced: messages.Query. PastRecords is where those of a key begin.
func PastRecord(keyID string, k, version uint32) string {
	return fmt.Sprintf("%s%d-%d", PastRecords(keyID), k, version)
}

// PastRecords is where the names of PastRecord begin.
func PastRecords(keyID string) string { return fmt.Sprintf("past.%04d.%s.", ShardOf(keyID), keyID) }

// FeedsPrefix is where the records of feeds begin.
const FeedsPrefix = "feeds."

// FeedRecord names the record of a feed: messages.Feed.
func FeedRecord(id string) string { return FeedsPrefix + id }

// ClaimsPrefix is where the records of feeds' addresses begin.
const ClaimsPrefix = "feedurls."

// ClaimRecord names the record of a feed's address, given as a hash:
// messages.Claim.
func ClaimRecord(hash string) string { return ClaimsPrefix + hash }

// MarksPrefix is where the records of how far sources have read begin.
const MarksPrefix = "marks."

// MarkRecord names the record of how far a source has read: what its adapter
// made of it.
func MarkRecord(sourceID string) string { return MarksPrefix + sourceID }

// EnrichPrefix is where the records of how far articles are enriched begin.
const EnrichPrefix = "enriched."

// EnrichRecord names the record of a lane of articles: messages.EnrichMark.
func EnrichRecord(lane int) string { return fmt.Sprintf("%s%02d", EnrichPrefix, lane) }

// ValidID says whether id can be part of a record's name and of an actor's:
// 1 to 64 of a-z A-Z 0-9 _ and -.
func ValidID(id string) bool {
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return len(id) > 0 && len(id) <= 64
}

// Unavailable is what a key's actor, or the shard before it, answers to a
// message that it cannot serve now: nothing has changed. Nil where the message
// has no answer, or where silence is right: a connection asks again by itself.
func Unavailable(message any, detail string) any {
	switch m := message.(type) {
	case *messages.Admit, *messages.Authorize:
		return &messages.Refused{Refusal: messages.Refusal_REFUSAL_OVERLOAD, RetryAfterMs: 1000, Detail: detail}
	case *messages.Join:
		return &messages.JoinRefused{Detail: detail, Join: m.GetJoin(), Again: true}
	case *messages.CreateKey, *messages.RevokeKey, *messages.RotateKey, *messages.UpdateKey, *messages.DescribeKey,
		*messages.CreateMonitor, *messages.UpdateMonitor, *messages.DeleteMonitor, *messages.GetMonitor, *messages.ListMonitors,
		*messages.CreateRule, *messages.UpdateRule, *messages.DeleteRule, *messages.GetRule, *messages.ListRules,
		*messages.ListDeliveries, *messages.ListBilling:
		return &messages.Rejected{Rejection: messages.Rejection_REJECTION_UNAVAILABLE, Detail: detail}
	}
	return nil
}
