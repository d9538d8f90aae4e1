package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
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
