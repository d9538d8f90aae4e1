package fanout

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// IngestLoad is what push ingest is put under.
type IngestLoad struct {
	Clients  int // each pushes one body after the other
	Batch    int // posts a body
	Size     int // bytes of a post's JSON, about
	Duration time.Duration
}

// IngestFigures are what push ingest showed under it.
type IngestFigures struct {
	Posts     int           `json:"posts"`
	Took      time.Duration `json:"took_ns"`
	CPU       time.Duration `json:"cpu_ns"`    // of the server's process
	Latencies Latencies     `json:"latencies"` // of a whole body, until it was durable
}

// Ingest pushes posts of random text, as NDJSON, as fast as they are taken.
func (p *Product) Ingest(ctx context.Context, l IngestLoad) (IngestFigures, error) {
	user, system, _ := used(p)
	began := time.Now()
	var (
		clients sync.WaitGroup
		mu      sync.Mutex // protects the three below
		f       IngestFigures
		took    []time.Duration
		failed  error
	)
	for client := range l.Clients {
		clients.Go(func() {
			for n := 0; time.Since(began) < l.Duration && ctx.Err() == nil; n++ {
				body := postBody(client, n, l)
				at := time.Now()
				var answer struct{ Accepted int }
				err := p.call(ctx, "http://"+p.listen+"/v1/ingest/posts", "x-api-key", p.keys[0], body, &answer)
				mu.Lock()
				took = append(took, time.Since(at))
				f.Posts += answer.Accepted
				if err != nil && failed == nil {
					failed = fmt.Errorf("push: %w", err)
				}
				stop := failed != nil
				mu.Unlock()
				if stop {
					return
				}
			}
		})
	}
	clients.Wait()
	f.Took = time.Since(began)
	userAfter, systemAfter, _ := used(p)
	f.CPU = userAfter - user + systemAfter - system
	slices.Sort(took)
	f.Latencies = percentiles(took)
	return f, failed
}

func postBody(client, n int, l IngestLoad) []byte {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	now := time.Now().UTC().Format(time.RFC3339Nano)
	for i := range l.Batch {
		id := fmt.Sprintf("%d%09d%06d", client+1, n, i)
		text := strings.Repeat(fmt.Sprintf("word%d ", i%977), max(1, (l.Size-150)/8))
		_ = encoder.Encode(map[string]any{ // into memory, of plain strings: it cannot fail
			"id": id, "text": text, "created_at": now, "author": map[string]string{"id": "7", "username": "bench"},
		})
	}
	return body.Bytes()
}
