package main_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/gateway/client"
)

const (
	dimensions  = 1536
	serverModel = "birdwire-hash-1"
)

// vector has cosine c to the first axis.
func vector(c float64) []float32 {
	v := make([]float32, dimensions)
	v[0], v[1] = float32(c), float32(math.Sqrt(1-c*c))
	return v
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestSemanticFilters let through what is near one of their vectors, and say
// how near.
func TestSemanticFilters(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	pusher, k := s.pusher(t), s.key(t, "pro").Key
	plain := s.dial(t, newsrankPath+k)
	plain.send(newsrankSubscribe(`{"topics":["articles"]}`))
	plain.expect(newsrankSubscribed)
	c := s.dial(t, newsrankPath+k)
	filter := func(c float64, more string) string {
		return `{"embedding":` + asJSON(t, vector(c)) + `,"label":"mine"` + more + `}`
	}
	const named = `,"embedding_model":"` + serverModel + `"`
	c.send(newsrankSubscribe(`{"include_embeddings":true,"embedding_filters":[` + filter(1, `,"threshold":0.9`+named) + `,` + filter(0.1, named) + `]}`))
	c.expect(`{"type":"subscribed","embedding_filters":2,"embedding_model":"` + serverModel + `"}`)

	embedded := func(title string, c float64, model string) string {
		return article(title, "a", `"embedding":`+asJSON(t, vector(c)), `"embedding_model":"`+model+`"`)
	}
	s.push(
		t, client.Articles, pusher,
		article("without a vector", "a"),
		embedded("near", 0.95, serverModel),
		embedded("of another model", 0.95, "other"),
		embedded("between", 0.7, serverModel), // 0.70 to the one, 0.78 to the other
		embedded("far", -0.9, serverModel),
		embedded("the second's", 0.1, serverModel),
	)
	for _, want := range []struct {
		title      string
		similarity float64
	}{{"near", 0.95}, {"between", 0.7*0.1 + math.Sqrt(1-0.7*0.7)*math.Sqrt(1-0.1*0.1)}, {"the second's", 1}} {
		var e client.Item
		raw := c.read("item.new", &e)
		if e.Data.Title != want.title || math.Abs(e.Similarity-want.similarity) > 1e-4 || len(e.Embedding) != dimensions || e.EmbeddingModel != serverModel {
			t.Fatalf("frame %.300s…; want %q with similarity %.4f, its vector and its model", raw, want.title, want.similarity)
		}
	}
	for _, want := range []string{"without a vector", "near", "of another model", "between", "far", "the second's"} {
		raw := plain.next()
		if !strings.Contains(raw, fmt.Sprintf(`"title":%q`, want)) || strings.Contains(raw, "embedding") || strings.Contains(raw, "similarity") {
			t.Fatalf("without filters: %.300s, want %q and nothing about vectors", raw, want)
		}
	}

	for _, bad := range []string{
		`{"embedding_filters":[{"embedding":[1,2,3]}]}`,
		`{"embedding_filters":[` + filter(1, `,"threshold":0.4`) + `]}`,
		`{"embedding_filters":[{"embedding":` + asJSON(t, make([]float32, dimensions)) + `}]}`,
	} {
		c.send(newsrankSubscribe(bad))
		c.read("error", nil)
	}
	// A filter of another model is compared with that model's vectors alone, and a
	// vector or a filter without a name is of the server's.
	other := s.dial(t, newsrankPath+k)
	other.send(newsrankSubscribe(`{"include_embeddings":true,"embedding_filters":[` + filter(1, `,"embedding_model":"other"`) + `]}`))
	other.expect(`{"type":"subscribed","embedding_filters":1,"embedding_model":"` + serverModel + `"}`)
	unnamed := s.dial(t, newsrankPath+k)
	unnamed.send(newsrankSubscribe(`{"include_embeddings":true,"embedding_filters":[` + filter(1, "") + `]}`))
	unnamed.expect(`{"type":"subscribed","embedding_filters":1}`)
	s.push(t, client.Articles, pusher,
		embedded("the server's", 1, serverModel), embedded("the other's", 1, "other"),
		article("nobody's", "a", `"embedding":`+asJSON(t, vector(1))))
	for _, read := range []struct {
		by           *socket
		title, model string
	}{{other, "the other's", "other"}, {unnamed, "the server's", serverModel}, {unnamed, "nobody's", serverModel}, {c, "the server's", serverModel}, {c, "nobody's", serverModel}} {
		var e client.Item
		if raw := read.by.read("item.new", &e); e.Data.Title != read.title || e.EmbeddingModel != read.model {
			t.Fatalf("%.200s; want %q of the model %s", raw, read.title, read.model)
		}
	}
	// What was there before is still there.
	s.push(t, client.Articles, pusher, embedded("far again", -0.9, serverModel), embedded("near again", 0.95, serverModel))
	if e := c.event(); e.Data.Title != "near again" {
		t.Fatalf("after refused filters: %s", e.what())
	}
}
