package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// newspaper serves pages, of which that of an article without a text says more.
func newspaper(t *testing.T) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/robots.txt":
			http.NotFound(w, r)
			return
		case strings.HasPrefix(r.URL.Path, "/reserved"):
			w.Header().Set("X-Robots-Tag", "noai")
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		p := "The harbour of the town has opened again after the worst storm in forty years kept every ship outside for three days, says Microsoft. "
		fmt.Fprintf(w, `<html lang="en"><body><article><h1>Harbour</h1><p>%s</p><p>%s</p></article></body></html>`, p, p)
	}))
	t.Cleanup(s.Close)
	return s
}

// endpoint speaks OpenAI's API, as it is told to.
func endpoint(t *testing.T, behaves *atomic.Value) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		question, _ := io.ReadAll(r.Body) // only then does a server see that its client has gone
		numbers := make([]float64, 1536)
		numbers[3] = 1
		switch behaves.Load() {
		case "short":
			numbers = numbers[:1024]
		case "silent":
			<-r.Context().Done()
			return
		case "busy":
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		answer := map[string]any{"data": []any{map[string]any{"embedding": numbers}}, "usage": map[string]int{"total_tokens": 5}}
		if strings.HasSuffix(r.URL.Path, "/chat/completions") {
			said := "Ships may come in again."
			if bytes.Contains(question, []byte("none, minor or major")) {
				said = "Major."
			}
			answer["choices"] = []any{map[string]any{"message": map[string]string{"content": said}}}
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(s.Close)
	return s
}

// TestEnrichment: what a feed lists comes at once and again with the text of its
// page, whatever the model's endpoint does: vectors of the wrong size, silence,
// 429. Health and metrics say that articles go out without it, nothing is lost,
// and once it answers it is asked again.
func TestEnrichment(t *testing.T) {
	t.Parallel()
	var behaves atomic.Value
	behaves.Store("well")
	paper, model := newspaper(t), endpoint(t, &behaves)
	s := start(t, "", "--enrich-articles=true", "--enrich-pages", "--allow-private-feeds",
		"--model-url", model.URL, "--model-embedding", "embed-1", "--model-chat", "chat-1", "--model-timeout", "500ms")
	c := s.dial(t, newsrankPath+s.key(t, "pro").Key)
	c.send(newsrankSubscribe(`{"topics":["articles"],"include_embeddings":true}`))
	c.expect(newsrankSubscribed)
	feed := publish(t, rss())
	command(t, "", "feeds", "create", "--data", s.dir, "--admin", s.admin, "--interval", "1s", "--url", feed.URL, "--name", "Harbour", "--category", "news", "--force")
	var items []string
	enriched := func(name string) (summary, model string) {
		t.Helper()
		items = append(items, fmt.Sprintf(`<item><guid isPermaLink="false">%[1]s</guid><title>Harbour news: %[1]s</title><link>%[2]s/%[1]s</link></item>`, name, paper.URL))
		feed.edit(rss(items...), 0)
		var e struct {
			Data struct {
				Title           string
				HeadlineSummary string `json:"headline_summary"`
				EmbeddingModel  string `json:"embedding_model"`
				Embedding       []float32
			}
			EmbeddingModel string `json:"embedding_model"`
		}
		for _, kind := range []string{"item.new", "item.enriched"} {
			if c.read(kind, &e); e.Data.Title != "Harbour news: "+name {
				t.Fatalf("%s is of %q, want %s", kind, e.Data.Title, name)
			}
		}
		return e.Data.HeadlineSummary, e.Data.EmbeddingModel + e.EmbeddingModel
	}
	healthy := func() string { return s.operate(t, http.MethodGet, "/admin/v1/health", "").want(t, http.StatusOK).body }

	if line, by := enriched("well"); line != "Ships may come in again." || by != "embed-1" {
		t.Errorf("a model that answers: %q, %s", line, by)
	}
	if line, by := enriched("reserved"); strings.Contains(line, "storm") || by != "embed-1" {
		t.Errorf("a page that is reserved: %q, %s", line, by)
	}
	said := func(series string) bool {
		return strings.Contains(s.operate(t, http.MethodGet, "/metrics", "").body, "birdwire_"+series+" ")
	}
	for _, c := range []struct{ behaves, series string }{
		{"short", `model_questions_total{kind="embedding",outcome="answer"}`},
		{"busy", `model_questions_total{kind="chat",outcome="limited"}`},
		{"silent", `model_questions_total{kind="chat",outcome="timeout"}`},
	} {
		behaves.Store(c.behaves)
		for n := 0; !said(c.series); n++ { // it is left alone for some seconds after each failure
			if n == 30 {
				t.Fatalf("no metric says %s", c.series)
			}
			line, by := enriched(fmt.Sprint(c.behaves, n))
			if by != "birdwire-hash-1" || c.behaves != "short" && !strings.HasPrefix(line, "The harbour of the town has opened again") {
				t.Errorf("an endpoint that is %s: %q, %s", c.behaves, line, by)
			}
		}
	}
	if h := healthy(); !strings.Contains(h, "the model is not asked, articles are enriched and developments judged without it") {
		t.Errorf("health: %s", h)
	}
	for _, series := range []string{
		`enriched_total{outcome="degraded",part="vector"}`, `enriched_total{outcome="degraded",part="summary"}`, `enriched_total{outcome="reserved",part="page"}`,
	} {
		if !said(series) {
			t.Errorf("no metric says %s", series)
		}
	}
	behaves.Store("well")
	tries := 0
	eventually(t, func() string {
		tries++
		if _, by := enriched(fmt.Sprint("again", tries)); by == "embed-1" {
			return ""
		}
		return "the endpoint answers again and is not asked"
	})
	if h := healthy(); strings.Contains(h, "the model is not asked") || !strings.Contains(h, "1 not (reserved)") {
		t.Errorf("health, when all is well: %s", h)
	}
}
