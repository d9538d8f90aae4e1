package main_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/gateway/client"
)

// labelValues are what each label of /metrics may be: a word of a closed list,
// or of a form of which there are few. Whoever adds a label adds it here, and
// has to say what keeps clients, keys, feeds and operators from naming it.
var labelValues = map[string]*regexp.Regexp{
	"api":       oneOf("twitter", "twitter-sdk", "newsrank", "kite"),
	"method":    oneOf("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "OTHER"),
	"status":    regexp.MustCompile(`^[1-5]\d\d$`),
	"route":     regexp.MustCompile(`^(|(GET |POST |PATCH |DELETE )?/[a-z0-9/_{}.-]*)$`), // as the code has it, placeholders and all
	"reason":    oneOf("key", "plan", "connections", "credits", "overload", "throttled", "malformed", "upgrade"),
	"kind":      regexp.MustCompile(`^[a-z]{1,20}(-[a-z]{1,20})?$`), // of actors and sources, as the code has them
	"directive": oneOf("restart", "stop", "resume", "escalate"),
	"event":     regexp.MustCompile(`^[a-z_]{1,40}$`), // as the code of keys and shards counts them
	"outcome":   oneOf("ok", "failed", "new", "duplicate"),
	"le":        regexp.MustCompile(`^(\d+(\.\d+)?|\+Inf)$`),
	"queue":     regexp.MustCompile(`^[a-z]{1,20}: [a-z ,]{1,60}$`), // as the code of actors names them
	"quantile":  regexp.MustCompile(`^(0|1|0\.\d+)$`),
	"version":   regexp.MustCompile(`^go1\.\d+(\.\d+)?([a-z0-9.-]*)?$`), // of Go
}

func oneOf(words ...string) *regexp.Regexp {
	return regexp.MustCompile(`^(` + strings.Join(words, "|") + `)$`)
}

var (
	seriesLine  = regexp.MustCompile(`(?m)^([a-z_0-9]+)(?:\{(.*)\})? \S+$`)
	seriesLabel = regexp.MustCompile(`([a-z_]+)="((?:[^"\\]|\\.)*)"`)
)

// series are all of /metrics, as "name{labels}".
func (s *server) series(t *testing.T) (all []string) {
	t.Helper()
	for _, m := range seriesLine.FindAllStringSubmatch(s.operate(t, http.MethodGet, "/metrics", "").want(t, http.StatusOK).body, -1) {
		all = append(all, m[1]+"{"+m[2]+"}")
	}
	return all
}

// TestClientsNameNoMetric: whatever clients, operators and what they push call
// themselves, every label is a word of ours, and the figures do not grow.
func TestClientsNameNoMetric(t *testing.T) {
	t.Parallel()
	s := start(t, "", "--allow-private-feeds")
	k, pusher := s.key(t, "pro"), s.pusher(t)
	makeMonitor(t, s.owner(t, k), `hostile"} 1 monitor`, "hostile")
	hostile := func(n int) string { return fmt.Sprintf("hostile%d", n) }
	raw := func(addr, request string) {
		t.Helper()
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(conn, request)
		_, _ = io.ReadAll(conn)
		_ = conn.Close()
	}
	attack := func(n int) {
		t.Helper()
		h := hostile(n)
		headers := "Host: " + h + "\r\nOrigin: https://" + h + "\r\nUser-Agent: " + h + "\r\nX-Forwarded-For: 10.0.0." + fmt.Sprint(n) + "\r\nX-Request-Id: " + h + "\r\nConnection: close\r\n\r\n"
		for _, addr := range []string{s.public, s.admin} {
			for _, line := range []string{
				strings.ToUpper(h) + " / HTTP/1.1", strings.ToUpper(h) + " /api/ws HTTP/1.1", "get /healthz HTTP/1.1", strings.ToUpper(h) + " /admin/v1/keys HTTP/1.1",
				"PROPFIND /v1/twitter/stream/monitors HTTP/1.1", "GET /" + h + " HTTP/1.1", "GET /v1/twitter/stream/monitors/" + h + " HTTP/1.1",
				"GET /admin/v1/feeds/" + h + " HTTP/1.1", "GET /api/ws?key=" + h + " HTTP/1.1", "OPTIONS * HTTP/1.1", "CONNECT " + h + ":443 HTTP/1.1",
				"DELETE /v1/ingest/articles/" + h + " HTTP/1.1", "GET //" + h + "//..//x HTTP/1.1", "GET /%2e%2e/" + h + " HTTP/1.1", "GET http://" + h + "/healthz HTTP/1.1",
			} {
				raw(addr, line+"\r\n"+headers)
			}
		}
		s.operate(t, http.MethodPost, "/admin/v1/keys", fmt.Sprintf(`{"name":%q,"plan":"pro","owner":%q}`, h, h)).want(t, http.StatusCreated)
		s.operate(t, http.MethodPost, "/admin/v1/keys/key-"+h+"/revoke", "")
		s.operate(t, http.MethodPost, "/admin/v1/feeds", fmt.Sprintf(`{"url":"http://127.0.0.1:1/%s","name":%q,"category":%q,"source_id":%q}`, h, h, h, h))
		s.push(t, client.Posts, pusher, post(h, h, h))
		s.push(t, client.Articles, pusher, article(h, h))
		for _, path := range []string{twitterPath, newsrankPath, kitePath} {
			if c, _ := s.handshake(t, path+k.Key+"&resume=new&filters="+url.QueryEscape(`{"categories":["`+h+`"]}`)); c != nil {
				c.leave()
			}
		}
	}
	check := func() (all []string) {
		t.Helper()
		all = s.series(t)
		for _, one := range all {
			for _, label := range seriesLabel.FindAllStringSubmatch(one, -1) {
				switch values := labelValues[label[1]]; {
				case values == nil:
					t.Errorf("%s: the label %s is not in the list of this test", one, label[1])
				case !values.MatchString(label[2]):
					t.Errorf("%s: a label may not be %q", one, label[2])
				case strings.Contains(strings.ToLower(label[2]), "hostile"):
					t.Errorf("%s: a client has named a label", one)
				}
			}
		}
		return all
	}
	attack(0)
	attack(1)
	s.series(t) // to look is a request, too
	before := check()
	for n := range 20 {
		attack(2 + n)
	}
	after := check()
	if len(before) < 50 {
		t.Fatalf("only %d series were read", len(before))
	}
	// A few appear late: a status by chance, a second feed that fails.
	var fresh []string
	for _, one := range after {
		if !slices.Contains(before, one) {
			fresh = append(fresh, one)
		}
	}
	if len(fresh) > 10 {
		t.Errorf("%d series came with twenty more clients: %s", len(fresh), strings.Join(fresh, "\n"))
	}
}
