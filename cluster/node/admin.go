package node

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/gateway/admin"
	"github.com/birdwire/birdwire/messages"
)

// Version is what was built: the module's version, else the revision.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "devel"
}

// keyList reads all keys from the control store: operators ask for it rarely,
// and a list in memory would be one more thing to keep true.
type keyList struct{ control store.Control }

var _ admin.KeyList = keyList{}

func (l keyList) ListKeys(ctx context.Context) ([]*messages.Key, error) {
	values, err := store.Known.Gate(l.control, func() uint32 { return 0 }).List(ctx, "keys.")
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	list := make([]*messages.Key, 0, len(values))
	for _, v := range values {
		key := new(messages.Key)
		switch {
		case v.Newer:
			key = damagedKey(v.Key, "a newer program has written it")
		case v.Damaged:
			key = damagedKey(v.Key, "see the node's health")
		case proto.Unmarshal(v.Data, key) != nil:
			key = damagedKey(v.Key, "it holds no key")
		}
		key.SecretHash = nil
		list = append(list, key)
	}
	slices.SortStableFunc(list, func(a, b *messages.Key) int { return cmp.Compare(a.GetCreatedMs(), b.GetCreatedMs()) })
	return list, nil
}

// damagedKey is listed in the place of a key whose record cannot be read, so that the
// others are listed all the same.
func damagedKey(record, why string) *messages.Key {
	return &messages.Key{Id: record[strings.LastIndexByte(record, '.')+1:], Name: "(its record is damaged: " + why + ")"}
}
