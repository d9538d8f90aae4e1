package node

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// However much one key makes the node read, everybody's pushes are taken, all
// resumes come to their end, other keys' questions are answered, and the node
// is ready all the time. What a question waits for is counted in the greedy
// key's answers, which come as slowly as the machine is slow.
func TestManyReadAtOnce(t *testing.T) {
	n := start(t, Config{answerTime: 10 * time.Minute})
	greedy, modest, pusher := mint(t, n, "free"), mint(t, n, "business"), mint(t, n, "business")
	text := strings.Repeat("words that are not looked for ", 20)
	var body strings.Builder
	for i := range 250 {
		fmt.Fprint(&body, post(fmt.Sprint("old", i), fmt.Sprint(text, i)))
	}
	for i := range 40 { // some of megabytes, in frames of 250
		if status, _ := pushBody(t, n, pusher, "posts", strings.ReplaceAll(body.String(), "old", fmt.Sprint("old", i, "x"))); status != http.StatusAccepted {
			t.Fatalf("push: %d", status)
		}
	}
	if a := request(t, n, modest, "POST", rulesPath, `{"tag":"moon","query":"moon"}`); a.status != http.StatusCreated {
		t.Fatal(a)
	}
	if status, _ := pushBody(t, n, pusher, "posts", post("marker", "the moon")); status != http.StatusAccepted {
		t.Fatalf("push: %d", status)
	}

	var over atomic.Bool
	var all, flowing sync.WaitGroup
	var pushed, answered, refused atomic.Int64
	var most int64 // of the greedy key's, while a question of another one waited
	flowing.Go(func() {
		for i := 0; !over.Load(); i++ {
			if status, _ := pushBody(t, n, pusher, "posts", post(fmt.Sprint("new", i), "the moon again")); status != http.StatusAccepted {
				t.Errorf("a push beside it: %d", status)
			}
			pushed.Add(1)
		}
	})
	flowing.Go(func() {
		for !over.Load() {
			if a := request(t, n, modest, "GET", "/readyz", ""); a.status != http.StatusOK {
				t.Errorf("/readyz beside it: %v", a)
			}
			before := answered.Load()
			if a := request(t, n, modest, "POST", rulesPath+"/validate", `{"query":"moon"}`); a.status != http.StatusOK {
				t.Errorf("another key's question: %v", a)
			}
			most = max(most, answered.Load()-before)
		}
	})
	for range 120 {
		all.Go(func() {
			switch a := request(t, n, greedy, "POST", rulesPath+"/validate", `{"query":"sun"}`); {
			case a.status == http.StatusOK:
				answered.Add(1)
			case a.status == http.StatusTooManyRequests && a.header.Get("Retry-After") != "":
				refused.Add(1)
			default:
				t.Errorf("validate: %v", a)
			}
		})
	}
	for range 20 {
		all.Go(func() {
			a := request(t, n, greedy, "POST", rulesPath+"/backtest", `{"query":"sun","since":"1h"}`)
			if a.status != http.StatusTooManyRequests && (a.status != http.StatusOK || !strings.Contains(a.body, `"type":"result"`)) {
				t.Errorf("backtest: %v", a)
			}
		})
	}
	for range 30 {
		all.Go(func() {
			w, err := dial(n, fmt.Sprintf("/api/ws?key=%s&resume=%s-0.0&filters=%%7B%%7D", pusher, n.store.Journal().Epoch()))
			if err != nil { // past the key's connections
				if !strings.Contains(err.Error(), "429") {
					t.Errorf("connect: %v", err)
				}
				return
			}
			w.Close()
		})
		all.Go(func() {
			// A refusal for a full key has its silent connections closed after three
			// seconds, and on a busy machine this one may be silent: it comes again.
			for tries := 0; ; tries++ {
				err := resumes(n, modest)
				if err == nil {
					return
				}
				if tries == 5 || !errors.Is(err, io.EOF) {
					t.Errorf("resume: %v", err)
					return
				}
			}
		})
	}
	all.Wait()
	over.Store(true)
	flowing.Wait()
	if most > 4 { // it has one place of four
		t.Errorf("%d questions of the greedy key were answered while one of another key waited", most)
	}
	if answered.Load() == 0 || pushed.Load() == 0 {
		t.Errorf("%d validations answered, %d refused, %d pushes", answered.Load(), refused.Load(), pushed.Load())
	}
	t.Logf("%d validations answered, %d refused, %d pushes beside them", answered.Load(), refused.Load(), pushed.Load())
}

// resumes reads from the log's beginning until it is there, or is told that the key
// has too many connections.
func resumes(n *Node, key string) error {
	w, err := dial(n, fmt.Sprintf("/v1/twitter/stream?api_key=%s&resume=%s-0.0", key, n.store.Journal().Epoch()))
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.SetReadDeadline(time.Now().Add(10 * time.Minute)); err != nil {
		return err
	}
	for {
		frame, err := w.next()
		if err != nil {
			return err
		}
		if strings.Contains(frame, "4003") || strings.Contains(frame, "the moon") {
			return nil
		}
	}
}
