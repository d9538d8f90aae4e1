package main_test

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/birdwire/birdwire/cluster/certs"
	"github.com/birdwire/birdwire/gateway/client"
)

// member is how one node of a cluster on this machine is started.
type member struct {
	name  string
	dir   string
	flags []string
	begun *[]*server // of its cluster
}

// members are n of them, that all have the same seeds and secret.
func members(t testing.TB, n int) []*member {
	t.Helper()
	dir := t.TempDir()
	if err := certs.Init(dir, "test"); err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 3*n)
	seeds := strings.Join(ports[:n], ",")
	var all []*member
	begun := new([]*server)
	for i := range n {
		m := &member{name: string(rune('a' + i)), begun: begun}
		m.dir = filepath.Join(dir, m.name)
		own := filepath.Join(dir, "certs-"+m.name)
		if _, err := certs.Node(dir, own, m.name, []string{"127.0.0.1"}, 365*24*time.Hour); err != nil {
			t.Fatal(err)
		}
		m.flags = []string{
			"--node", m.name, "--join", seeds, "--gossip", ports[i], "--link", ports[n+i], "--routes", ports[2*n+i],
			"--secret-file", filepath.Join(dir, certs.SecretFile), "--cert-dir", own,
		}
		all = append(all, m)
	}
	return all
}

// freePorts are addresses of this machine that nobody listens on, by TCP or UDP.
// Members tell each other theirs before they listen, so that they cannot be picked
// by the system; they are below those that it gives to connections, and none is
// given twice.
func freePorts(t testing.TB, n int) (all []string) {
	t.Helper()
	for len(all) < n {
		address := fmt.Sprint("127.0.0.1:", 12000+(os.Getpid()*64+int(nextPort.Add(1)))%18000)
		tcp, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		udp, err := net.ListenPacket("udp", address)
		_ = tcp.Close() // it took no connection
		if err != nil {
			continue
		}
		_ = udp.Close() // it took nothing
		all = append(all, address)
	}
	return all
}

var nextPort atomic.Int32

// begin starts the member, which may not be ready yet. At the test's end all of its
// cluster are killed at once: those that are killed later would report the end of the
// others.
func (m *member) begin(t testing.TB) *server {
	t.Helper()
	s := prepared(t, m.dir, func(*exec.Cmd) {}, m.flags...)
	s.member = true
	*m.begun = append(*m.begun, s)
	t.Cleanup(func() {
		for _, s := range *m.begun {
			_ = s.cmd.Process.Kill() // one that has ended already is as dead
		}
	})
	return s
}

// together starts all of them, and waits until each says that it is ready: none is
// before most are there.
func together(t testing.TB, all []*member) (nodes []*server) {
	t.Helper()
	for _, m := range all {
		nodes = append(nodes, m.begin(t))
	}
	for _, s := range nodes {
		s.ready()
	}
	return nodes
}

// TestThreeNodesAreOne: clients on every node get the same, whichever node it was
// pushed to; one node is killed, and its client goes on at another; the node comes
// back, and another one leaves in order.
func TestThreeNodesAreOne(t *testing.T) {
	t.Parallel()
	all := members(t, 3)
	for _, m := range all {
		m.flags = append(m.flags, "--allow-private-feeds")
	}
	nodes := together(t, all)
	a, b, c := nodes[0], nodes[1], nodes[2]
	wantCluster(t, b, "a core, b core, c core")
	feed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<rss version="2.0"><channel><title>x</title></channel></rss>`)
	}))
	t.Cleanup(feed.Close)
	name := "news"
	var made *client.Feed
	a.again(t, func() (err error) {
		made, err = a.operator.CreateFeed(within(t), client.FeedChange{URL: &feed.URL, Name: &name, Category: &name})
		var refused *client.Error
		if errors.As(err, &refused) && refused.Status == http.StatusConflict { // the answer was lost
			feeds, err := a.operator.Feeds(within(t))
			if err == nil {
				made = &feeds[0]
			}
			return err
		}
		return err
	})
	pusher, k := a.pusher(t), b.key(t, "pro")
	tag, query := "all", "post"
	c.again(t, func() error {
		_, err := c.owner(t, k).CreateRule(within(t), client.RuleChange{Tag: &tag, Query: &query})
		return err
	})

	twitter := map[*server]*socket{}
	for _, s := range nodes {
		twitter[s] = s.dial(t, twitterPath+k.Key+"&resume=new")
		twitter[s].read("connected", nil)
		twitter[s].begins()
	}
	kite := b.dial(t, kitePath+k.Key)
	kite.expect(kiteConnected)
	n := 0
	push := func(at *server) string {
		n++
		at.push(t, client.Posts, pusher, post(fmt.Sprint(n), "ada", "a post"))
		return fmt.Sprint(n)
	}
	for _, s := range nodes {
		push(s)
	}
	var cursor string
	for _, s := range nodes {
		events := twitter[s].until("3")
		if got := ids(events); got != "1 2 3" {
			t.Fatalf("a client got %s, want 1 2 3", got)
		}
		cursor = events[1].Cursor // its last frame was lost on the way
	}
	c.push(t, client.Articles, pusher, article("news", "a"))
	kite.until("news")

	// An operator sees all nodes by any of them, and closes what is on another.
	open, err := a.operator.Connections(within(t), k.ID, "")
	on := map[string]int{}
	for _, o := range open.Connections {
		on[o.Node+" "+o.API]++
	}
	if err != nil || len(open.Incomplete) > 0 || fmt.Sprint(on) != "map[a twitter:1 b kite:1 b twitter:1 c twitter:1]" {
		t.Fatalf("open are %v, %+v, %v", on, open, err)
	}
	for _, o := range open.Connections {
		if o.API == "kite" {
			command(t, "", "connections", "close", o.ID, "--data", c.dir, "--admin", c.admin)
		}
	}
	kite.closed(1001)
	readers := map[string]bool{} // of the feed
	for _, s := range nodes {
		eventually(t, func() string {
			sources, err := s.operator.Sources(within(t))
			at := ""
			for _, of := range sources.Sources {
				if of.Kind == "feed" {
					at += of.Kind + " " + of.Status + ", "
					readers[of.Node] = readers[of.Node] || of.Status == "ok"
				} else {
					at += of.Kind + " " + of.Node + ", "
				}
			}
			shown, showErr := s.operator.Feed(within(t), made.ID)
			if err != nil || showErr != nil || len(sources.Incomplete) > 0 || at != "feed ok, push a, push b, push c, " || shown.Status != "ok" {
				return fmt.Sprintf("sources are %s, %+v, %v; the feed is %+v, %v", at, sources, err, shown, showErr)
			}
			return ""
		})
	}
	if n := len(slices.DeleteFunc(slices.Collect(maps.Keys(readers)), func(n string) bool { return !readers[n] })); n != 1 {
		t.Errorf("%d nodes read the feed: %v", n, readers)
	}
	refused := run(t, "", "connections", "close", "nobody", "--data", c.dir, "--admin", c.admin)
	if code := refused.exit(); code != 1 || !strings.Contains(refused.notes.String(), "no open connection") {
		t.Errorf("to close what is nowhere: exit code %d, %s", code, refused.notes)
	}

	b.kill()
	push(a)
	push(c)
	for _, s := range []*server{a, c} {
		if got := ids(twitter[s].until("5")); got != "4 5" {
			t.Fatalf("after a node was killed a client got %s, want 4 5", got)
		}
	}
	resumed := c.dial(t, twitterPath+k.Key+"&resume="+cursor)
	resumed.read("connected", nil)
	if got := ids(resumed.until("5")); got != "3 4 5" {
		t.Fatalf("the killed node's client got %s at another, want 3 4 5", got)
	}

	b = all[1].begin(t)
	b.ready()
	push(b)
	for _, client := range []*socket{twitter[a], twitter[c], resumed} {
		if got := ids(client.until("6")); got != "6" {
			t.Fatalf("from the node that is back a client got %s, want 6", got)
		}
	}

	wantCluster(t, c, "a core, b core, c core")
	for _, to := range []string{"b", "c", "a"} {
		if said := command(t, "", "cluster", "step-down", "journal", "--node", to, "--data", a.dir, "--admin", a.admin); said != "journal is led by "+to+"\n" {
			t.Fatalf("cluster step-down journal --node %s says %q", to, said)
		}
	}
	if p := run(t, "", "cluster", "step-down", "birds", "--data", a.dir, "--admin", a.admin); p.exit() != 1 || !strings.Contains(p.notes.String(), "no stream of the store has the name") {
		t.Fatalf("cluster step-down birds: %s", p.notes.String())
	}
	command(t, "", "cluster", "drain", "c", "--data", a.dir, "--admin", a.admin)
	if code := c.exit(); code != 0 {
		t.Fatalf("the drained node has ended with exit code %d, want 0", code)
	}
	twitter[c].closed(1012)
	wantCluster(t, a, "a core, b core, c down")
	push(a)
	if got := ids(twitter[a].until("7")); got != "7" {
		t.Fatalf("after a node has left a client got %s, want 7", got)
	}
}

// TestANodeIsForgotten: one that will not come back is taken out, another has its
// place and copies, and neither who is there, nor one that others need, is taken out.
func TestANodeIsForgotten(t *testing.T) {
	t.Parallel()
	all := members(t, 4)
	nodes := together(t, all[:3])
	a, b, c := nodes[0], nodes[1], nodes[2]
	wantCluster(t, a, "a core, b core, c core")
	forget := func(at *server, name string) (code int, notes string) {
		p := run(t, "", "cluster", "forget", name, "--data", at.dir, "--admin", at.admin)
		code = p.exit()
		return code, p.notes.String()
	}
	refused := func(at *server, name, want string) {
		t.Helper()
		for late := time.Now().Add(patience); ; {
			code, notes := forget(at, name)
			if code == 1 && strings.Contains(notes, want) {
				return
			}
			if code != 1 || time.Now().After(late) {
				t.Fatalf("forget %s: exit code %d, %s; want 1 and %q", name, code, notes, want)
			}
		}
	}
	refused(a, "c", "it is up")
	refused(a, "a", "the node that was asked")
	refused(a, "x", "no node of the cluster has the name")

	pusher := a.pusher(t)
	a.push(t, client.Posts, pusher, post("1", "ada", "a post"))
	c.kill()
	for late := time.Now().Add(patience); ; { // that it has ended is not known at once
		code, notes := forget(b, "c")
		if code == 0 {
			break
		}
		if time.Now().After(late) {
			t.Fatalf("forget: exit code %d, %s", code, notes)
		}
	}
	refused(b, "c", "no node of the cluster has the name")
	d := all[3].begin(t)
	d.ready()
	wantCluster(t, a, "a core, b core, d core")
	d.push(t, client.Posts, pusher, post("2", "ada", "a post"))

	old := run(t, "", append([]string{"serve", "--data", c.dir, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, all[2].flags...)...)
	if code := old.exit(); code != 1 || !strings.Contains(old.notes.String(), "start it on an empty folder") {
		t.Errorf("with its old folder: exit code %d, %s", code, old.notes)
	}

	a.faults = regexp.MustCompile("the store takes no writes")
	b.kill()
	d.kill()
	refused(a, "d", "majority")
}

// TestTheLastNodeEnds: a node without a majority has nobody to hand over to, says so,
// and ends in order all the same, whether it served before or not.
func TestTheLastNodeEnds(t *testing.T) {
	t.Parallel()
	all := members(t, 3)
	nodes := together(t, all)
	last := nodes[2]
	last.faults = regexp.MustCompile("the store takes no writes")
	wantCluster(t, last, "a core, b core, c core")
	k := last.key(t, "pro")
	client := last.dial(t, twitterPath+k.Key)
	client.read("connected", nil)
	nodes[0].kill()
	nodes[1].kill()
	last.terminate()
	if code := last.exit(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if said := last.notes.String(); !strings.Contains(said, "could not be handed over") {
		t.Errorf("it does not say what it could not hand over")
	}
	client.closed(1012)
}

// wantCluster waits until the node shows the cluster so; and then all shards are
// owned, and every node that is up reaches the others that are.
func wantCluster(t *testing.T, s *server, want string) {
	t.Helper()
	for late := time.Now().Add(patience); ; {
		state, err := s.operator.Cluster(within(t))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		shards, up, links := 0, 0, 0
		for _, n := range state.Nodes {
			got = append(got, n.Name+" "+n.State)
			shards += n.Shards
			if n.State == "core" {
				up++
			}
			for _, l := range n.Links {
				if l.Up {
					links++
				}
			}
		}
		well := len(state.Problems) == 0
		if strings.Join(got, ", ") == want && shards == 1024 && links == up*(up-1) && well == (up == len(state.Nodes)) {
			return
		}
		if time.Now().After(late) {
			t.Fatalf("the cluster is %v, %+v; want %s", got, state, want)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// ids are the tweets of the events, in order.
func ids(events []*event) string {
	var words []string
	for _, e := range events {
		words = append(words, e.TweetID)
	}
	return strings.Join(words, " ")
}

// What a node that is to be one of several is told at its start.
func TestWhatAMemberIsTold(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		args []string
		want string
	}{
		"no name":         {[]string{"--join", "127.0.0.1:1"}, "--join: --node is not set"},
		"nobody to join":  {[]string{"--node", "a", "--secret-file", "s"}, "--secret-file: it is for one of several nodes, and --join is not set"},
		"no certificates": {[]string{"--node", "a", "--join", "127.0.0.1:1"}, "birdwire cluster init"},
		"not on loopback": {[]string{"--node", "a", "--join", "127.0.0.1:1", "--insecure"}, "--insecure=network"},
		"no secret there": {[]string{
			"--node", "a", "--join", "127.0.0.1:1", "--insecure", "--secret-file", "none",
			"--gossip", "127.0.0.1:0", "--link", "127.0.0.1:0", "--routes", "127.0.0.1:1",
		}, "none: no such file"},
	} {
		p := run(t, "", append([]string{"serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, c.args...)...)
		if code := p.exit(); code != 1 || !strings.Contains(p.notes.String(), c.want) {
			t.Errorf("%s: exit code %d, %s; want 1 and %q", what, code, p.notes, c.want)
		}
	}
}
