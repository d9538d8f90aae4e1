package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/gateway/client"
)

const sdkPath = "/sdk" + twitterPath

// TestVendorsLibrary: the vendor's own Node library, with nothing changed but
// its base URL and key, manages monitors and rules and receives events. npm has
// version 0.11.0 of it.
func TestVendorsLibrary(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	if err := exec.Command(node, "-e", "require.resolve('scrapebadger')").Run(); err != nil {
		t.Skip("node finds no package scrapebadger: set NODE_PATH to a node_modules that holds it, as .ci/run does")
	}
	script, err := filepath.Abs(filepath.Join("testdata", "clients", "sdk.cjs"))
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, "")
	pusher, k := s.pusher(t), s.key(t, "pro")
	p := runProgram(t, t.TempDir(), []string{"KEY=" + k.Key, "BASE=http://" + s.public + "/sdk"}, node, "node", script)
	says(t, p, "made elonmusk moon", "listed 1 1", "valid true false", "refused ConflictError", "tiers 5", "connected conn- "+k.ID)
	// A full key asks its connections whether they are there: in this dialect
	// with a ping that the library answers.
	for range 4 {
		s.dial(t, twitterPath+k.Key).read("connected", nil)
	}
	full := s.dial(t, sdkPath+k.Key)
	full.read("error", nil)
	full.closed(4003)
	says(t, p, "ping true")

	s.push(t, client.Posts, pusher, post("1", "ElonMusk", "to the moon"), post("2", "ada", "nothing"), post("3", "ada", "the moon, goodbye"))
	p.out.await(t, regexp.MustCompile(`(?m)^tweet (monitor|rule) 1 elonmusk ElonMusk to the moon true true\ntweet (monitor|rule) 1 elonmusk ElonMusk to the moon true true\ntweet rule 3 ada ada the moon, goodbye true true$`))
	says(t, p, "logs 1", "refused NotFoundError", "closed")
	if code := p.exit(); code != 0 || strings.Contains(p.out.String(), "error") {
		t.Fatalf("exit code %d; it said %s", code, p.out)
	}
}

// TestSDKDialectLimits: what speaks the dialect shares limits, credits, order
// and resume with the published one, and the REST is served under its prefix.
func TestSDKDialectLimits(t *testing.T) {
	t.Parallel()
	s := start(t, "", withPlan(t, "  tiny:\n    credits: 100000\n    twitter_connections: 2\n"))
	pusher, k := s.pusher(t), s.key(t, "tiny")
	made := s.call(t, http.MethodPost, "/sdk"+resourcesPath+"filter-rules", k.Key, `{"tag":"t","query":"word","interval_seconds":60}`).want(t, http.StatusCreated)
	var rule struct{ ID string }
	if err := json.Unmarshal([]byte(made.body), &rule); err != nil {
		t.Fatal(err)
	}
	s.call(t, http.MethodGet, resourcesPath+"filter-rules/"+rule.ID, k.Key, "").want(t, http.StatusOK)
	s.call(t, http.MethodGet, "/sdk"+resourcesPath+"logs", k.Key, "").want(t, http.StatusOK)
	s.call(t, http.MethodGet, "/sdk"+resourcesPath+"monitors", "", "").want(t, http.StatusUnauthorized)

	type tweet struct {
		MonitorID string `json:"monitor_id"`
		TweetID   string `json:"tweet_id"`
		Published string `json:"tweet_published_at"`
		Cursor    string
	}
	sdk := s.dial(t, sdkPath+k.Key+"&resume=new")
	sdk.read("connected", nil)
	var at string
	next := func(c *socket, want string) (got tweet) {
		t.Helper()
		for {
			raw := c.next()
			if strings.Contains(raw, `"type":"cursor"`) || strings.HasPrefix(raw, `{"type":"ping"`) {
				continue
			}
			if err := json.Unmarshal([]byte(raw), &got); err != nil || !strings.HasPrefix(raw, `{"type":"tweet","monitor_id":`) || got.TweetID != want || got.MonitorID != rule.ID {
				t.Fatalf("frame %s, want tweet %s", raw, want)
			}
			return got
		}
	}
	for n := range 5 {
		s.push(t, client.Posts, pusher, post(fmt.Sprint(n), "ada", "word"))
		got := next(sdk, fmt.Sprint(n))
		if published, err := time.Parse("2006-01-02T15:04:05.000Z", got.Published); err != nil || published.Year() != 2026 {
			t.Errorf("published at %q", got.Published)
		}
		if n == 1 {
			at = got.Cursor
		}
	}
	other := s.dial(t, twitterPath+k.Key)
	other.read("connected", nil)
	for _, path := range []string{twitterPath, sdkPath} { // two in all, whatever they speak
		full := s.dial(t, path+k.Key)
		full.read("error", nil)
		full.closed(4003)
	}
	sdk.leave()
	other.leave()
	eventually(t, func() string {
		used, err := s.operator.Key(within(t), k.ID)
		if err != nil || used.Connections != 0 {
			return fmt.Sprintf("%+v, %v; want no connection left", used, err)
		}
		return ""
	})
	resumed := s.dial(t, sdkPath+k.Key+"&resume="+at)
	resumed.read("connected", nil)
	for n := 2; n < 5; n++ {
		next(resumed, fmt.Sprint(n))
	}
	resumed.leave()
	eventually(t, func() string {
		used, err := s.owner(t, k).Billing(within(t))
		if err != nil || used.CreditsUsed != 8 {
			return fmt.Sprintf("billing %+v, %v; want 8 credits, one for each tweet", used, err)
		}
		return ""
	})
}
