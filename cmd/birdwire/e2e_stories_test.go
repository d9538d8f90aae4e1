package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/birdwire/birdwire/gateway/client"
)

// TestStories: what several outlets report becomes a story that a newsrank
// client hears of, and that its key's owner can read: who reported it, and why
// each article belongs to it. After a restart it is still there.
func TestStories(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	k := s.key(t, "pro").Key
	pusher := s.pusher(t)
	c := s.dial(t, newsrankPath+k)
	c.send(newsrankSubscribe(`{"topics":["stories"]}`))
	c.expect(newsrankSubscribed)
	for i, title := range []string{"Container ship runs aground in Marlow Canal", "Ship blocks Marlow Canal, traffic stops", "Marlow Canal closed by stuck container ship"} {
		s.push(t, client.Articles, pusher, fmt.Sprintf(
			`{"id":"m%d","url":"https://s%d.example/%d","title":%q,"category":"business","source":{"id":"s%d","name":"S%d"}}`, i, i, i, title, i, i))
	}
	var e struct {
		Data struct {
			Action    string
			ClusterID uint64 `json:"cluster_id"`
		}
	}
	c.read("cluster.event", &e)
	if e.Data.Action != "create" {
		t.Fatalf("the first word of the story is %+v", e)
	}
	path := fmt.Sprint("/v1/news/stories/", e.Data.ClusterID)
	check := func() {
		t.Helper()
		var story struct {
			ArticleCount int      `json:"article_count"`
			Publishers   []string `json:"publishers"`
			Articles     []struct {
				ID     uint64 `json:"id"`
				Joined struct{ Logit float64 }
			}
		}
		eventually(t, func() string {
			a := s.call(t, http.MethodGet, path, k, "")
			if a.status == http.StatusOK && json.Unmarshal([]byte(a.body), &story) == nil && story.ArticleCount == 3 {
				return ""
			}
			return fmt.Sprintf("the story has not three articles: %d %s", a.status, a.body)
		})
		if len(story.Publishers) != 3 || len(story.Articles) != 3 || story.Articles[1].Joined.Logit <= 0 {
			t.Errorf("%+v", story)
		}
		a := s.call(t, http.MethodGet, fmt.Sprint("/v1/news/articles/", story.Articles[2].ID), k, "")
		a.want(t, http.StatusOK)
		if !strings.Contains(a.body, `"action":"created"`) || !strings.Contains(a.body, fmt.Sprintf(`"story_id":%d`, e.Data.ClusterID)) {
			t.Errorf("the article: %s", a.body)
		}
		list := s.call(t, http.MethodGet, "/v1/news/stories?category=business", k, "")
		if list.want(t, http.StatusOK); !strings.Contains(list.body, fmt.Sprintf(`"id":%d`, e.Data.ClusterID)) {
			t.Errorf("the list: %s", list.body)
		}
	}
	check()
	s.stop()
	s = start(t, s.dir)
	check()
}

// TestAModelJudgesDevelopments: of an article that a story cannot tell to be news the
// model says so. What it said is in the log: after a restart, without a model, the
// story is as it was.
func TestAModelJudgesDevelopments(t *testing.T) {
	t.Parallel()
	var behaves atomic.Value
	behaves.Store("well")
	model := endpoint(t, &behaves)
	s := start(t, "", "--enrich-articles=true", "--model-url", model.URL, "--model-chat", "chat-1")
	k := s.key(t, "pro").Key
	pusher := s.pusher(t)
	c := s.dial(t, newsrankPath+k)
	c.send(newsrankSubscribe(`{"topics":["stories"]}`))
	c.expect(newsrankSubscribed)
	var reports []string
	for i, a := range [][2]string{
		{"Harbor Steel halts Brenford furnaces after fire", "The plant at Brenford stopped all furnaces on Monday after a fire in the control room, workers were evacuated."},
		{"Fire at Brenford: Harbor Steel halts furnaces", "Harbor Steel evacuated workers and stopped furnaces at Brenford on Monday because smoke filled the control room."},
		{"insurers Vellum Kestrel refuse payment claims", "Brenford furnaces halted Harbor Steel fire insurers Vellum Kestrel refuse payment claims lawyers Tolmar court hearing lawsuit damages Quartz settlement"},
	} {
		reports = append(reports, fmt.Sprintf(
			`{"id":"m%d","url":"https://s%d.example/%d","title":%q,"description":%q,"category":"business","source":{"id":"s%d","name":"S%d"}}`, i, i, i, a[0], a[1], i, i))
	}
	s.push(t, client.Articles, pusher, reports...)
	var e struct {
		Type string
		Data struct {
			ClusterID    uint64 `json:"cluster_id"`
			Title        string
			Significance string
			Previous     string `json:"previous_headline"`
			New          string `json:"new_headline"`
		}
	}
	for e.Type != "story.development" {
		raw := c.next()
		var head struct{ Type string }
		if err := json.Unmarshal([]byte(raw), &head); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if head.Type == "story.development" {
			if err := json.Unmarshal([]byte(raw), &e); err != nil {
				t.Fatalf("%s: %v", raw, err)
			}
		}
	}
	if d := e.Data; d.Significance != "major" || !strings.HasPrefix(d.Title, "insurers") || d.New != d.Title || d.Previous == d.New {
		t.Errorf("told %+v", d)
	}
	if n := s.metric(t, `birdwire_model_questions_total{kind="verdict",outcome="ok"}`); n != 1 {
		t.Errorf("%v verdicts were asked for, want 1", n)
	}
	s.stop()
	s = start(t, s.dir)
	path := fmt.Sprint("/v1/news/stories/", e.Data.ClusterID)
	eventually(t, func() string {
		a := s.call(t, http.MethodGet, path, k, "")
		if a.status == http.StatusOK && strings.Contains(a.body, `"significance":"major"`) {
			return ""
		}
		return fmt.Sprintf("the development is not in the story: %d %s", a.status, a.body)
	})
}
