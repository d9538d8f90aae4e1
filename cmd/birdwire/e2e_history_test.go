package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/gateway/client"
)

// logPage is one page of /logs.
type logPage struct {
	raw  string
	Logs []struct {
		TweetID          string `json:"tweet_id"`
		TweetTextPreview string `json:"tweet_text_preview"`
		DeliveryStatus   string `json:"delivery_status"`
		AuthorUsername   string `json:"author_username"`
	} `json:"logs"`
	Total int `json:"total"`
}

func (s *server) logs(t testing.TB, key, query string) (p logPage) {
	t.Helper()
	request, err := http.NewRequestWithContext(within(t), http.MethodGet, "http://"+s.public+"/v1/twitter/stream/logs?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("x-api-key", key)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("logs: %d %s, %v", answer.StatusCode, body, err)
	}
	p.raw = string(body)
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// The record of deliveries reads its posts from the log, and is the same after
// a restart, but for what nobody can remember: who was there.
func TestDeliveriesAreTheSameAfterARestart(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	pusher, k := s.pusher(t), s.key(t, "pro", "ws:connect", "rules:write")
	makeRule(t, s.owner(t, k), "all", "post")
	makeRule(t, s.owner(t, k), "odd", "odd")
	var posts []string
	for i := range 30 {
		text := fmt.Sprint("an even post ", i)
		if i%2 == 1 {
			text = fmt.Sprint("an odd post ", i)
		}
		posts = append(posts, post(fmt.Sprint(i), []string{"ada", "bob", "Eve"}[i%3], text))
	}
	s.push(t, client.Posts, pusher, posts...)
	eventually(t, func() string {
		if n := s.logs(t, k.Key, "").Total; n != 45 {
			return fmt.Sprintf("%d deliveries of 45", n)
		}
		return ""
	})
	questions := []string{
		"page_size=1000", "page_size=7", "page_size=7&page=4", "sort=asc&page_size=5", "sort=asc&page_size=5&page=9", "page=99",
		"author_username=@EVE", "author_username=ada&sort=asc&page_size=3&page=2", "author_username=nobody", "source=monitor",
	}
	before := map[string]logPage{}
	for _, q := range questions {
		before[q] = s.logs(t, k.Key, q)
	}
	whole := before["page_size=1000"]
	if len(whole.Logs) != 45 || before["author_username=@EVE"].Total != 15 || before["source=monitor"].Total != 0 {
		t.Errorf("%d deliveries; %d of Eve's; %d of monitors", len(whole.Logs), before["author_username=@EVE"].Total, before["source=monitor"].Total)
	}
	for _, l := range whole.Logs {
		if !strings.HasSuffix(l.TweetTextPreview, "post "+l.TweetID) || l.DeliveryStatus == "websocket_delivered" || l.AuthorUsername == "" {
			t.Errorf("shown as %+v", l)
		}
	}
	s.stop()
	s = start(t, s.dir)
	status := regexp.MustCompile(`"delivery_status":"[^"]*"`)
	for _, q := range questions {
		after := s.logs(t, k.Key, q)
		if got, want := status.ReplaceAllString(after.raw, ""), status.ReplaceAllString(before[q].raw, ""); got != want {
			t.Errorf("%s\nbefore %s\nafter  %s", q, want, got)
		}
	}
	if n := s.logs(t, k.Key, "delivery_status=unknown").Total; n != 45 {
		t.Errorf("%d of 45 are of an unknown fate", n)
	}
}
