package node

import (
	"context"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/messages"
)

// A record that holds no key costs the list itself alone, and says so there.
func TestADamagedKeyIsListed(t *testing.T) {
	control := memory.New(memory.Config{}).Control()
	put := func(id string, data []byte) {
		if _, err := control.CAS(context.Background(), "keys.7."+id, data, 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"key-a", "key-c"} {
		data, err := proto.Marshal(&messages.Key{Id: id, Name: "of " + id, SecretHash: []byte("hash"), CreatedMs: 1})
		if err != nil {
			t.Fatal(err)
		}
		put(id, data)
	}
	put("key-b", []byte("\xff no key"))
	keys, err := keyList{control}.ListKeys(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, k := range keys {
		if got = append(got, k.GetId()+" "+k.GetName()); k.GetSecretHash() != nil {
			t.Errorf("%s with its secret's hash", k.GetId())
		}
	}
	want := []string{"key-b (its record is damaged: it holds no key)", "key-a of key-a", "key-c of key-c"}
	if !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
}
