package definition_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/engine/definition"
	"github.com/birdwire/birdwire/messages"
)

func TestQuery(t *testing.T) {
	m := &messages.Monitor{
		Id: "mon-1", K: 3, Version: 8, Name: "N", Status: "active", CreatedPosition: 9, After: 12,
		Usernames: []string{"a", "b"}, AuthorIds: []string{"", "77"},
	}
	r := &messages.Rule{Id: "rule-1", K: 4, Tag: "T", Query: "x", Status: "active", CreatedPosition: 2}
	for name, c := range map[string]struct {
		of   definition.Definition
		want *messages.Query
	}{
		"monitor": {definition.Definition{Monitor: m}, &messages.Query{
			K: 3, Version: 8, After: 12,
			Origin: &messages.Origin{Kind: messages.OriginKind_ORIGIN_MONITOR, Id: "mon-1", Name: "N"},
			Want:   &messages.Query_Monitor{Monitor: &messages.MonitorQuery{Usernames: []string{"a", "b"}, AuthorIds: []string{"77"}}},
		}},
		"rule of an older program": {definition.Definition{Rule: r}, &messages.Query{
			K: 4, After: 2,
			Origin: &messages.Origin{Kind: messages.OriginKind_ORIGIN_RULE, Id: "rule-1", Name: "T"},
			Want:   &messages.Query_Rule{Rule: "x"},
		}},
	} {
		if got := c.of.Query(); !proto.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
		if c.of.ID() != c.want.GetOrigin().GetId() || c.of.IsRule() != (c.of.Rule != nil) {
			t.Errorf("%s: %s", name, c.of.ID())
		}
		data, err := c.of.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := definition.Unmarshal(c.of.IsRule(), data); err != nil || !back.Equal(c.of) {
			t.Errorf("%s: read back as %v, %v", name, back, err)
		}
		for _, status := range []string{"paused", "error", "inactive", ""} {
			other := c.of.Clone()
			if other.Rule != nil {
				other.Rule.Status = status
			} else {
				other.Monitor.Status = status
			}
			if other.Query() != nil || other.Equal(c.of) {
				t.Errorf("%s: %q is matched", name, status)
			}
		}
	}
	if _, err := definition.Unmarshal(true, []byte{0xff}); err == nil {
		t.Error("a record that cannot be read is read")
	}
}
