package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/birdwire/birdwire/gateway/client"
)

// The paths under which the three APIs' clients connect.
const (
	twitterPath  = "/v1/twitter/stream?api_key="
	newsrankPath = "/ws?token="
	kitePath     = "/api/ws?key="
)

// socket is a client that hides nothing: frames are seen as they come.
type socket struct {
	t    testing.TB
	conn *websocket.Conn
}

// dial connects; path is one of the above with a key, and may hold more.
func (s *server) dial(t testing.TB, path string) *socket {
	t.Helper()
	var c *socket
	s.again(t, func() error {
		var answer *reply
		if c, answer = s.handshake(t, path); c != nil {
			return nil
		}
		err := fmt.Errorf("%s was answered %d %s", path, answer.status, answer.body)
		if answer.status != http.StatusServiceUnavailable {
			t.Fatal(err)
		}
		return err
	})
	return c
}

// refused connects, which must be answered over HTTP.
func (s *server) refused(t testing.TB, path string, status int) *reply {
	t.Helper()
	c, answer := s.handshake(t, path)
	if c != nil {
		t.Fatalf("%s was let in, want status %d", path, status)
	}
	return answer.want(t, status)
}

func (s *server) handshake(t testing.TB, path string) (*socket, *reply) {
	t.Helper()
	conn, res, err := websocket.Dial(within(t), "ws://"+s.public+path, nil)
	if err == nil {
		conn.SetReadLimit(1 << 20)
		t.Cleanup(func() { _ = conn.CloseNow() })
		return &socket{t, conn}, nil
	}
	if res == nil {
		t.Fatalf("%s: %v", path, err)
	}
	return nil, read(t, res)
}

// next is the next frame, as it came.
func (c *socket) next() string {
	c.t.Helper()
	_, frame, err := c.conn.Read(within(c.t))
	if err != nil {
		c.t.Fatalf("waiting for a frame: %v", err)
	}
	return string(frame)
}

// expect wants the next frame to be this text.
func (c *socket) expect(want string) {
	c.t.Helper()
	if got := c.next(); got != want {
		c.t.Fatalf("frame %s\nwant  %s", got, want)
	}
}

// read decodes the next frame, which must be of the type.
func (c *socket) read(kind string, into any) (raw string) {
	c.t.Helper()
	raw = c.next()
	var head struct{ Type string }
	if err := json.Unmarshal([]byte(raw), &head); err != nil || head.Type != kind {
		c.t.Fatalf("frame %s, want one of type %s", raw, kind)
	}
	if into != nil {
		if err := json.Unmarshal([]byte(raw), into); err != nil {
			c.t.Fatalf("frame %s: %v", raw, err)
		}
	}
	return raw
}

// begins wants the frame that says where the client begins, and returns the cursor.
func (c *socket) begins() string {
	c.t.Helper()
	var e event
	c.read("cursor", &e)
	if e.Cursor == "" {
		c.t.Fatal("a cursor frame without a cursor")
	}
	return e.Cursor
}

// send sends one text frame.
func (c *socket) send(frame string) {
	c.t.Helper()
	if err := c.conn.Write(within(c.t), websocket.MessageText, []byte(frame)); err != nil {
		c.t.Fatalf("send %s: %v", frame, err)
	}
}

// isPlace says whether the frame tells an idle client its place.
func isPlace(frame string) bool { return strings.HasPrefix(frame, `{"type":"cursor"`) }

// closed wants nothing but the close, with this code, and what event passes over.
func (c *socket) closed(code int) (reason string) {
	c.t.Helper()
	_, frame, err := c.conn.Read(within(c.t))
	for err == nil && isPlace(string(frame)) {
		_, frame, err = c.conn.Read(within(c.t))
	}
	var end websocket.CloseError
	switch {
	case err == nil:
		c.t.Fatalf("frame %s, want close %d", frame, code)
	case !errors.As(err, &end) || int(end.Code) != code:
		c.t.Fatalf("ended by %v, want close %d", err, code)
	}
	return end.Reason
}

// leave says goodbye.
func (c *socket) leave() {
	c.t.Helper()
	if err := c.conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		c.t.Fatalf("close: %v", err)
	}
}

// event is a frame of any API as far as tests compare them.
type event struct {
	Type   string
	Cursor string

	// twitter
	TweetID   string `json:"tweet_id"`
	Source    string
	MonitorID string `json:"monitor_id"`
	RuleID    string `json:"rule_id"`
	RuleTag   string `json:"rule_tag"`

	// kite
	Action string
	Item   client.NewsItem

	// newsrank
	Data client.Article
}

// what is the event and to whom of its receivers it goes.
func (e *event) what() string {
	switch e.Type {
	case "new_tweet":
		return e.TweetID + " for " + e.MonitorID + e.RuleID
	case "news":
		return e.Action + " " + e.Item.Title
	}
	return e.Type + " " + e.Data.Title
}

// event reads the next frame, which must be an event, but for the places that a client
// is told for which nothing came for half a minute, as on a slow machine.
func (c *socket) event() *event {
	c.t.Helper()
	raw := c.next()
	for isPlace(raw) {
		raw = c.next()
	}
	e := new(event)
	if err := json.Unmarshal([]byte(raw), e); err != nil {
		c.t.Fatalf("frame %s: %v", raw, err)
	}
	if e.TweetID == "" && e.Item.Title == "" && e.Data.Title == "" {
		c.t.Fatalf("frame %s, want an event", raw)
	}
	return e
}

// until reads events up to one that is of the tweet or article with this id or
// title, and returns them all.
func (c *socket) until(last string) (all []*event) {
	c.t.Helper()
	for {
		e := c.event()
		all = append(all, e)
		if e.TweetID == last || e.Item.Title == last || e.Data.Title == last {
			return all
		}
	}
}

// reply is an HTTP answer, read.
type reply struct {
	status int
	header http.Header
	body   string
}

func read(t testing.TB, res *http.Response) *reply {
	t.Helper()
	defer res.Body.Close() //nolint:errcheck // it is read to its end
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &reply{res.StatusCode, res.Header, string(body)}
}

// want checks the status and, of an error, that the body says the same.
func (r *reply) want(t testing.TB, status int) *reply {
	t.Helper()
	if r.status != status {
		t.Fatalf("status %d %s, want %d", r.status, r.body, status)
	}
	if status < 400 {
		return r
	}
	var problem struct {
		Error, Detail string
		Status        int
	}
	if err := json.Unmarshal([]byte(r.body), &problem); err != nil || problem.Error == "" || problem.Detail == "" || problem.Status != status {
		t.Fatalf("the body of a %d is %s (%v); want error, detail and status", status, r.body, err)
	}
	if kind := r.header.Get("Content-Type"); kind != "application/json" {
		t.Fatalf("a %d is of type %q", status, kind)
	}
	return r
}

// call makes one request at the public address.
func (s *server) call(t testing.TB, method, path, key, body string) *reply {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t), method, "http://"+s.public+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("x-api-key", key)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, res)
}

// push sends a body of events, all of which must be taken: as new, unless the answer
// of a member of a cluster was lost.
func (s *server) push(t testing.TB, kind client.Kind, key string, events ...string) {
	t.Helper()
	s.again(t, func() error {
		done, err := s.tryPush(within(t), kind, key, events...)
		if err != nil || done.Accepted != len(events) && (!s.member || done.Accepted+done.Duplicates != len(events)) {
			return fmt.Errorf("push %d %s: %+v, %v", len(events), kind, done, err)
		}
		return nil
	})
}

func (s *server) tryPush(ctx context.Context, kind client.Kind, key string, events ...string) (*client.Pushed, error) {
	c, err := client.New(client.Config{URL: s.public, Key: key})
	if err != nil {
		return nil, err
	}
	return c.Push(ctx, kind, bytes.NewBufferString(strings.Join(events, "\n")))
}

// post is a post as it is pushed; text needs no escaping.
func post(id, username, text string) string {
	return fmt.Sprintf(`{"id":%q,"text":%q,"created_at":"2026-03-04T12:00:00Z","author":{"id":"9%d","username":%q}}`, id, text, len(username), username)
}

// article is an article as it is pushed; its title is its id as well. more are
// further fields.
func article(title, category string, more ...string) string {
	id := strings.ReplaceAll(title, " ", "-")
	fields := append([]string{fmt.Sprintf(`"id":%q,"url":"https://news.example/%s","title":%q,"category":%q,"source":{"id":"example","name":"Example News"}`,
		id, url.PathEscape(id), title, category)}, more...)
	return "{" + strings.Join(fields, ",") + "}"
}
