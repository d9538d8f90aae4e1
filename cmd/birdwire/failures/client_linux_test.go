package failures_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/birdwire/birdwire/gateway/client"
	"github.com/birdwire/birdwire/testkit/sim/judge"
)

// follower is one client: it connects from the host of the node that it connects to,
// and when that connection ends it goes on with its cursor at the next node. What it
// is handed it keeps.
type follower struct {
	name  string
	api   string // twitter | kite | newsrank
	keyID string
	path  string // with the key and what it asks for
	nodes []*node
	home  int  // index of the node that it begins at
	brief bool // it stays for a second, begins anew, and what it is handed is of no matter

	mu          sync.Mutex // protects what follows
	at          int        // index of the node that it tries, or is connected to
	conn        *websocket.Conn
	away        chan struct{} // closed when it is to come again; nil: it need not stay away
	connections []*connection
	got         []frame
	cursor      string
	place       judge.Place
	wrong       []string // what no client may see
}

// connection is one that was admitted.
type connection struct {
	at           *node
	opened, last time.Time // last: when it was handed something last
	ended        time.Time // zero: it is open
	told         bool      // its end came with a close frame: nothing was on its way
	why          string
}

// frame is one event.
type frame struct {
	text string    // as it came
	id   string    // of the post or article; "" of what the newsdesk says
	at   time.Time // when it came
}

// briefly is how long a guest stays, and then it is away as long.
const briefly = time.Second

const (
	retryFirst, retryMost = 100 * time.Millisecond, time.Second
	// silent is how long a connection may show no sign of life: nodes ping every 30 s.
	silent = 75 * time.Second
)

// paths are where clients of each API connect, without the key.
var paths = map[string]string{
	"twitter":  "/v1/twitter/stream?api_key=",
	"kite":     "/api/ws?filters=%7B%7D&key=",
	"newsrank": "/ws?filters=" + url.QueryEscape(`{"topics":["articles","stories"]}`) + "&token=",
}

func newFollower(name, api string, key *client.MintedKey, nodes []*node, home int) *follower {
	return &follower{name: name, api: api, keyID: key.ID, path: paths[api] + key.Key, nodes: nodes, home: home, at: home, cursor: "new"}
}

// run connects again and again until ctx ends.
func (f *follower) run(ctx context.Context) {
	for wait := retryFirst; ctx.Err() == nil; {
		f.wanted(ctx)
		if f.connect(ctx) {
			wait = retryFirst
			continue
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		wait = min(2*wait, retryMost)
	}
}

// connect is one connection; false where it was not admitted.
func (f *follower) connect(ctx context.Context) bool {
	f.mu.Lock()
	n, cursor := f.nodes[f.at], f.cursor
	f.mu.Unlock()
	dial, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var alive *time.Timer
	conn, _, err := websocket.Dial(dial, "ws://"+n.ip+":8000"+f.path+"&resume="+url.QueryEscape(cursor), &websocket.DialOptions{
		HTTPClient:     n.web,
		OnPingReceived: func(context.Context, []byte) bool { alive.Reset(silent); return true },
	})
	if err != nil {
		f.next(nil, fmt.Errorf("at %s: %w", n.name, err))
		return false
	}
	defer conn.CloseNow() //nolint:errcheck // it has ended
	conn.SetReadLimit(1 << 20)
	alive = time.AfterFunc(silent, func() { _ = conn.CloseNow() })
	defer alive.Stop()
	if f.brief {
		leave := time.AfterFunc(briefly, func() { _ = conn.Close(websocket.StatusNormalClosure, "") })
		defer leave.Stop()
	}
	var c *connection
	for {
		_, raw, err := conn.Read(ctx)
		if err != nil {
			f.next(c, err)
			return c != nil && !f.brief
		}
		alive.Reset(silent)
		f.mu.Lock()
		if c == nil {
			c = f.admitted(conn, n, raw)
		}
		if c != nil {
			f.take(c, raw)
		}
		f.mu.Unlock()
	}
}

// admitted is the connection, once a frame says that there is one: twitter says no
// only after the handshake.
func (f *follower) admitted(conn *websocket.Conn, n *node, raw []byte) *connection {
	var head struct{ Type string }
	if err := json.Unmarshal(raw, &head); err == nil && head.Type == "error" {
		return nil
	}
	c := &connection{at: n, opened: time.Now()}
	f.conn, f.connections = conn, append(f.connections, c)
	return c
}

// take keeps a frame. The caller has f.mu.
func (f *follower) take(c *connection, raw []byte) {
	var e struct {
		Type, Cursor string
		TweetID      string `json:"tweet_id"`
		Item         struct{ Title string }
		Data         json.RawMessage
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		f.wrong = append(f.wrong, fmt.Sprintf("a frame that is no JSON: %s", raw))
		return
	}
	c.last = time.Now()
	if e.Cursor != "" {
		place, err := placeOf(e.Cursor)
		if event := e.Type != "cursor"; err != nil || event && !place.After(f.place) {
			f.wrong = append(f.wrong, fmt.Sprintf("after %s came %s (%v)", f.cursor, raw, err))
		}
		f.place, f.cursor = place, e.Cursor
	}
	switch e.Type {
	case "connected", "subscribed", "cursor":
	case "error":
		f.wrong = append(f.wrong, string(raw))
	default:
		if f.brief {
			return
		}
		id := e.TweetID + e.Item.Title
		if e.Type == "item.new" {
			var article struct{ Title string }
			if err := json.Unmarshal(e.Data, &article); err != nil {
				f.wrong = append(f.wrong, err.Error())
			}
			id = article.Title
		}
		f.got = append(f.got, frame{text: string(raw), id: id, at: c.last})
	}
}

// placeOf reads <epoch>-<position>.<k>.
func placeOf(cursor string) (p judge.Place, err error) {
	_, place, _ := strings.Cut(cursor, "-")
	position, k, _ := strings.Cut(place, ".")
	number, err := strconv.ParseUint(k, 10, 32)
	if err != nil {
		return p, err
	}
	p.K = uint32(number)
	p.Position, err = strconv.ParseUint(position, 10, 64)
	return p, err
}

// next has the follower try the next node.
func (f *follower) next(c *connection, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c != nil {
		var told websocket.CloseError
		c.ended, c.why, c.told = time.Now(), err.Error(), errors.As(err, &told)
	}
	f.conn = nil
	f.at = (f.at + 1) % len(f.nodes)
}

// hang has it hang up, and stay away until it is to come. Where nothing is under way
// to it then, nothing is charged twice.
func (f *follower) hang() {
	f.mu.Lock()
	conn := f.conn
	if f.away == nil {
		f.away = make(chan struct{})
	}
	f.mu.Unlock()
	if conn != nil {
		_ = conn.Close(websocket.StatusNormalClosure, "") // one that has ended is as gone
	}
}

// come has it connect to its first node, with its cursor.
func (f *follower) come() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away != nil {
		close(f.away)
		f.away, f.at = nil, f.home
	}
}

// wanted returns once the follower may connect.
func (f *follower) wanted(ctx context.Context) {
	f.mu.Lock()
	away := f.away
	f.mu.Unlock()
	if away != nil {
		select {
		case <-away:
		case <-ctx.Done():
		}
	}
}

// where is the node that it is connected to; nil where it is not.
func (f *follower) where() *node {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conn == nil {
		return nil
	}
	return f.connections[len(f.connections)-1].at
}

// since are the events that it was handed after the first so many.
func (f *follower) since(seen int) []frame {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.got[seen:len(f.got):len(f.got)]
}

// had says whether it was handed the post or article, after the first so many events.
func (f *follower) had(seen int, id string) bool {
	all := f.since(seen)
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].id == id {
			return true
		}
	}
	return false
}

// how is how it is, for failures.
func (f *follower) how() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	text := fmt.Sprintf("client %s stands at %s with %d events, tries or has %s", f.name, f.cursor, len(f.got), f.nodes[f.at].name)
	for _, c := range f.connections[max(0, len(f.connections)-3):] {
		if !c.ended.IsZero() {
			text += fmt.Sprintf("; at %s ended: %s", c.at.name, c.why)
		}
	}
	return text
}
