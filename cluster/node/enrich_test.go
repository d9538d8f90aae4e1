package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/birdwire/birdwire/gateway/admin"
)

// outlet serves one page, and a robots.txt that allows it.
func outlet(t *testing.T) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/robots.txt" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		p := "The harbour of the town has opened again after the worst storm in forty years kept every ship outside for three days, says Microsoft. "
		fmt.Fprintf(w, `<html lang="en"><body><nav><a href="/">Home</a></nav><article><h1>Harbour</h1><p>%s</p><p>%s</p></article></body></html>`, p, p)
	}))
	t.Cleanup(s.Close)
	return s
}

// model is an endpoint that answers as it is told to.
func model(t *testing.T, behaves *atomic.Pointer[string]) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does a server see that its client has gone
		numbers := make([]float64, 1536)
		numbers[3] = 1
		switch *behaves.Load() {
		case "busy":
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		case "short":
			numbers = numbers[:8]
		case "broken":
			fmt.Fprint(w, `{"data":`)
			return
		case "silent":
			<-r.Context().Done()
			return
		}
		if err := json.NewEncoder(w).Encode(map[string]any{"data": []any{map[string]any{"embedding": numbers}}, "usage": map[string]int{"total_tokens": 5}}); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func bare(id, url string) string {
	return fmt.Sprintf(`{"id":%q,"url":%q,"title":"Harbour reopens in Acme Town","source":{"id":"post","name":"Post"}}`, id, url) + "\n"
}

func enrichmentHealth(n *Node) admin.Check {
	for _, c := range (checks{n}).Look(context.Background()).Checks {
		if c.Name == "enrichment" {
			return c
		}
	}
	return admin.Check{}
}

// An article comes at once, and again with its page's text, an operator's names
// and the model's vector; whatever the model does, it comes.
func TestEnrichedArticles(t *testing.T) {
	behaves := &atomic.Pointer[string]{}
	say := func(s string) { behaves.Store(&s) }
	say("well")
	file := filepath.Join(t.TempDir(), "names.jsonl")
	write := func(s string) {
		if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"id":7,"name":"Acme Town","type":"place"}` + "\n")
	pages, endpoint := outlet(t), model(t, behaves)
	n := startEnriching(t, Config{AllowPrivateFeeds: true, Enrich: Enrich{
		Pages: true, Gazetteer: file, Model: Model{URL: endpoint.URL, Embedding: "embed-1", Timeout: 300 * time.Millisecond},
	}})
	key := mint(t, n, "business")
	ranked, err := dial(n, "/ws?token="+key)
	if err != nil {
		t.Fatal(err)
	}
	defer ranked.Close()
	kite, err := dial(n, "/api/ws?key="+key)
	if err != nil {
		t.Fatal(err)
	}
	defer kite.Close()
	kite.expect(t, `"connected"`)
	if err := ranked.send(`{"type":"subscribe","filters":{"topics":["articles"],"include_embeddings":true}}`); err != nil {
		t.Fatal(err)
	}
	ranked.expect(t, "subscribed")
	enriched := func(id string) string {
		t.Helper()
		pushBody(t, n, key, "articles", bare(id, pages.URL+"/"+id))
		ranked.expect(t, `"type":"item.new"`)
		kite.expect(t, `"action":"create"`, `"action":"update"`)
		frame, err := ranked.next()
		if err != nil || !strings.HasPrefix(frame, `{"type":"item.enriched"`) {
			t.Fatalf("%s %v", frame, err)
		}
		return frame
	}
	frame := enriched("1")
	for _, want := range []string{
		`"headline_summary":"The harbour of the town has opened`, `"content_status":"partial"`, `"entity_ids":[1000789019,7]`,
		`"embedding":[0,0,0,1,`, `"embedding_model":"embed-1"`,
	} {
		if !strings.Contains(frame, want) {
			t.Errorf("%s is missing in %.900s", want, frame)
		}
	}
	if c := enrichmentHealth(n); !c.OK || c.Detail != "pages: 1 read" {
		t.Errorf("health: %+v", c)
	}
	for i, bad := range []string{"short", "broken", "silent", "busy"} {
		say(bad)
		if frame := enriched(fmt.Sprint("bad", i)); !strings.Contains(frame, `"embedding_model":"birdwire-hash-1"`) {
			t.Errorf("%s: %.300s", bad, frame)
		}
	}
	if c := enrichmentHealth(n); c.OK || !strings.Contains(c.Detail, "the model is not asked") {
		t.Errorf("health: %+v", c)
	}
	// A wrong file leaves the names in force; a right one is taken over.
	n.enrich.names.now = func() time.Time { return time.Now().Add(time.Hour) }
	write("nonsense")
	if frame := enriched("2"); !strings.Contains(frame, `,7]`) || !strings.Contains(enrichmentHealth(n).Detail, "names.jsonl: line 1") {
		t.Errorf("%.900s %+v", frame, enrichmentHealth(n))
	}
	n.enrich.names.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	write(`{"id":8,"name":"Acme Town","type":"place"}` + "\n")
	if frame := enriched("3"); !strings.Contains(frame, `,8]`) || strings.Contains(enrichmentHealth(n).Detail, "names") {
		t.Errorf("%.900s %+v", frame, enrichmentHealth(n))
	}
}
