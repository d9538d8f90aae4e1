package main_test

import (
	"encoding/json"
	"testing"
)

// TestBenchCluster: a short run of it measures what it says: one node and three, what
// they send each other, and a kill that costs no client a post.
func TestBenchCluster(t *testing.T) {
	t.Parallel()
	p := run(t, "", "bench", "cluster", "--nodes", "1,3", "--subscribers", "6", "--rate", "20", "--duration", "500ms", "--kills", "1", "--keys", "20", "--json")
	if code := p.exitWithin(4 * patience); code != 0 { // it starts eight processes, and waits for each
		t.Fatalf("exit code %d, %s", code, p.notes)
	}
	var said struct {
		Spread []struct {
			Nodes int
			Paced struct {
				Published, Delivered, Missing int
			}
			PerEvent struct {
				LinkMessages float64 `json:"link_messages"`
				StoreBytes   float64 `json:"store_bytes"`
			} `json:"per_event"`
		}
		Failovers struct {
			Keys, Posts, Missing, Twice int
			Kills                       []struct {
				Node string
				View int64 `json:"view_ns"`
			}
		}
	}
	if err := json.Unmarshal([]byte(p.out.String()), &said); err != nil {
		t.Fatalf("%v: %s", err, p.out)
	}
	if len(said.Spread) != 2 || said.Spread[0].Nodes != 1 || said.Spread[1].Nodes != 3 {
		t.Fatalf("%+v", said)
	}
	for _, s := range said.Spread {
		if s.Paced.Published == 0 || s.Paced.Delivered != 6*s.Paced.Published || s.Paced.Missing != 0 {
			t.Errorf("%d nodes: %+v", s.Nodes, s.Paced)
		}
		if alone := s.Nodes == 1; alone != (s.PerEvent.LinkMessages == 0) || alone != (s.PerEvent.StoreBytes == 0) {
			t.Errorf("%d nodes have sent each other %+v", s.Nodes, s.PerEvent)
		}
	}
	if f := said.Failovers; f.Keys != 20 || len(f.Kills) != 1 || f.Kills[0].View == 0 || f.Posts == 0 || f.Missing != 0 || f.Twice != 0 {
		t.Errorf("%+v", f)
	}
	if code := run(t, "", "bench", "cluster", "--nodes", "4").exit(); code != 2 {
		t.Errorf("four nodes: exit code %d, want 2", code)
	}
}
