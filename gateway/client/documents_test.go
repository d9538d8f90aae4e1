package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDocuments reads the published documents' own samples, which the server
// is held to as well: each is an event of its type, and no field of its data
// is lost.
func TestDocuments(t *testing.T) {
	types := map[string]string{
		"twitter/connected": "*client.Connected", "twitter/error": "*client.Fault",
		"twitter/new_tweet_monitor": "*client.Tweet", "twitter/new_tweet_filter_rule": "*client.Tweet",
		"newsrank/item_new": "*client.Item", "newsrank/item_enriched": "*client.Item",
		"newsrank/clusters_ranked": "*client.ClustersRanked", "newsrank/story_development": "*client.StoryDevelopment",
		"newsrank/story_priority_changed": "*client.StoryPriorityChanged", "newsrank/cluster_event": "*client.ClusterEvent",
		"kite/connected": "*client.Connected", "kite/error": "*client.Fault", "kite/news": "*client.News",
		"kite/pong": "*client.Pong", "kite/subscribed": "*client.Subscribed",
	}
	for name, want := range types {
		raw, err := os.ReadFile(filepath.Join("..", "dialect", filepath.Dir(name), "testdata", filepath.Base(name)+".json"))
		if err != nil {
			t.Fatal(err)
		}
		m, err := decode(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := fmt.Sprintf("%T", m.Event); got != want {
			t.Errorf("%s: read as %s", name, got)
		}
		if want == "*client.Fault" {
			continue
		}
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(m.Event); err != nil {
			t.Fatal(err)
		}
		var was, is any
		if json.Unmarshal(raw, &was) != nil || json.Unmarshal(b.Bytes(), &is) != nil {
			t.Fatalf("%s: %s", name, b.Bytes())
		}
		for _, lost := range missing("", was, is) {
			t.Errorf("%s: %s is lost", name, lost)
		}
	}
}

// missing are the values of was that is does not have, by path.
func missing(path string, was, is any) (lost []string) {
	switch v := was.(type) {
	case map[string]any:
		other, _ := is.(map[string]any)
		for key, value := range v {
			if path == "" && key == "type" {
				continue
			}
			lost = append(lost, missing(path+"."+key, value, other[key])...)
		}
	case []any:
		other, _ := is.([]any)
		for i, value := range v {
			if i >= len(other) {
				return append(lost, fmt.Sprintf("%s[%d]", path, i))
			}
			lost = append(lost, missing(fmt.Sprintf("%s[%d]", path, i), value, other[i])...)
		}
	default:
		if fmt.Sprint(was) != fmt.Sprint(is) {
			lost = append(lost, strings.TrimPrefix(path, "."))
		}
	}
	return lost
}
