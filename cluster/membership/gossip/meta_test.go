package gossip

import (
	"errors"
	"strings"
	"testing"
)

func meta() Meta {
	return Meta{
		Cluster: "birds", Incarnation: 7, Wire: 1, WireLeast: 1, Link: "10.0.0.1:7947", Routes: "10.0.0.1:6222", Version: "v1.2.3",
		Roles: []string{"serve"}, Capabilities: []string{"resume"},
	}
}

func TestWhatANodeSaysComesBack(t *testing.T) {
	for what, change := range map[string]func(*Meta){
		"all":             func(*Meta) {},
		"leaving":         func(m *Meta) { m.Leaving = true },
		"no store":        func(m *Meta) { m.Routes = "" },
		"starting":        func(m *Meta) { m.Incarnation = 0 },
		"names and ports": func(m *Meta) { m.Link, m.Routes = "node-1.example:1", "[2001:db8::1]:65535" },
	} {
		m := meta()
		change(&m)
		data, err := m.Encode()
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		back, err := DecodeMeta(data)
		if err != nil || !back.same(m) {
			t.Errorf("%s: %+v came back as %+v, %v", what, m, back, err)
		}
	}
}

// What would mislead the others is refused where it is said.
func TestWhatANodeMustNotSay(t *testing.T) {
	for what, change := range map[string]func(*Meta){
		"no cluster":          func(m *Meta) { m.Cluster = "" },
		"a cluster of spaces": func(m *Meta) { m.Cluster = "two words" },
		"no version":          func(m *Meta) { m.Wire = 0 },
		"a least above it":    func(m *Meta) { m.WireLeast = 2 },
		"any address":         func(m *Meta) { m.Link = "0.0.0.0:7947" },
		"any port":            func(m *Meta) { m.Link = "10.0.0.1:0" },
		"no host":             func(m *Meta) { m.Routes = ":6222" },
		"too many roles":      func(m *Meta) { m.Roles = strings.Split(strings.Repeat("r", maxWords+1), "") },
		"an empty role":       func(m *Meta) { m.Roles = []string{""} },
		"more than 512 bytes": func(m *Meta) { m.Link, m.Routes = strings.Repeat("h", 250)+":1", strings.Repeat("h", 250)+":2" },
	} {
		m := meta()
		change(&m)
		if _, err := m.Encode(); err == nil {
			t.Errorf("%s is said", what)
		}
	}
}

func TestWhoIsAccepted(t *testing.T) {
	node := Meta{Cluster: "birds", Wire: 5, WireLeast: 4}
	for _, c := range []struct {
		other Meta
		want  string // a part of why not
	}{
		{Meta{Cluster: "birds", Wire: 5, WireLeast: 4}, ""},
		{Meta{Cluster: "birds", Wire: 4, WireLeast: 3}, ""},
		{Meta{Cluster: "birds", Wire: 6, WireLeast: 5}, ""},
		{Meta{Cluster: "birds", Wire: 3, WireLeast: 2}, "too old"},
		{Meta{Cluster: "birds", Wire: 7, WireLeast: 6}, "too new"},
		{Meta{Cluster: "fish", Wire: 5, WireLeast: 4}, `cluster "fish"`},
	} {
		err := node.accepts(c.other)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.other, err, c.want)
		}
		// Whether two nodes go together does not depend on who asks.
		if back := c.other.accepts(node); (back == nil) != (err == nil) {
			t.Errorf("%+v: %v, and the other way round %v", c.other, err, back)
		}
	}
}

// Whatever comes over the network is taken or refused, and what is taken could
// have been said.
func FuzzDecodeMeta(f *testing.F) {
	data, err := meta().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte{})
	f.Add([]byte(strings.Repeat("x", maxMeta+1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := DecodeMeta(data)
		if err != nil {
			if !errors.Is(err, errMeta) {
				t.Fatalf("%v is no word on damage", err)
			}
			return
		}
		again, err := m.Encode()
		if err != nil {
			t.Fatalf("%+v was taken and cannot be said: %v", m, err)
		}
		if back, err := DecodeMeta(again); err != nil || !back.same(m) {
			t.Fatalf("%+v came back as %+v, %v", m, back, err)
		}
	})
}
