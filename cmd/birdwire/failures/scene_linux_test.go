package failures_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/gateway/client"
	"github.com/birdwire/birdwire/testkit/sim/judge"
)

// limit is how many connections of an API a key has by the plan that is used here.
const limit = 5

// stage is a cluster with its keys, clients and load: what scenarios are played on,
// one after the other.
type stage struct {
	*cluster
	load      *load
	keys      []*client.MintedKey // one that each node owns, in their order
	followers []*follower
	guests    []*follower // they want to be where there is no room for all, and stay for a moment
	marks     int
	over      map[string]int64 // of each key, what was charged and not handed on
	allowed   map[string]int64 // of each key, what may be charged and was not handed on
	leave     func()           // has the clients end; nil: there are none yet
	own       bool             // it is one scenario's alone
	said      *said
	failed    bool // a scenario ended badly: nothing is played on it any more
}

// start starts the nodes. Of the keys that they own the first has as many clients
// as its plan allows, and each other one a client on every node; so have kite and
// newsrank.
func (s *stage) start() {
	s.t.Helper()
	c := s.cluster
	for _, n := range c.nodes {
		n.begin()
	}
	c.whole()
	for _, n := range c.nodes {
		s.keys = append(s.keys, s.ownedKey(n))
	}
	follow := func(api string, k *client.MintedKey, home int) {
		f := newFollower(fmt.Sprintf("%d, of %s at %s", len(s.followers), api, c.nodes[home].name), api, k, c.nodes, home)
		s.followers = append(s.followers, f)
	}
	for i, k := range s.keys {
		clients := len(c.nodes)
		if i == 0 {
			clients = limit
		}
		for j := range clients {
			follow("twitter", k, j%len(c.nodes))
		}
	}
	news := s.ownedKey(c.nodes[1])
	s.keys = append(s.keys, news)
	for i := range c.nodes {
		follow("kite", news, i)
		follow("newsrank", news, i)
	}
	for i := range 3 { // more than there is room for
		g := newFollower(fmt.Sprintf("guest %d", i), "kite", news, c.nodes, i)
		g.brief = true
		g.hang()
		s.guests = append(s.guests, g)
	}
	ingest := s.key(c.nodes[0], client.NewKey{Name: "pushers", Plan: "business", Scopes: []string{"ingest:write"}})
	s.load = newLoad(ingest.Key, c.nodes)
	ctx, cancel := context.WithCancel(context.Background())
	all := append(slices.Clone(s.followers), s.guests...)
	ended := make(chan struct{}, len(all))
	for _, f := range all {
		go func() { f.run(ctx); ended <- struct{}{} }()
	}
	s.allowed, s.over = map[string]int64{}, map[string]int64{}
	s.leave = func() {
		cancel()
		for range all {
			<-ended
		}
	}
	s.settled()
}

// end ends the clients, and the cluster.
func (s *stage) end() {
	if s.leave != nil {
		s.leave()
	}
	s.cluster.end()
}

// key makes a key at the node, and makes it again where no answer came.
func (s *stage) key(n *node, k client.NewKey) (made *client.MintedKey) {
	s.t.Helper()
	eventually(s.t, func() string {
		var err error
		if made, err = n.operator().CreateKey(s.t.Context(), k); err != nil {
			return err.Error()
		}
		return ""
	})
	return made
}

// ownedKey makes keys until one is owned by the node, and gives it a rule and a
// monitor.
func (s *stage) ownedKey(n *node) *client.MintedKey {
	s.t.Helper()
	for {
		k := s.key(n, client.NewKey{Name: "clients", Plan: "business"})
		if s.owner(n, k) != n {
			continue
		}
		of := n.operator().Of(k.ID)
		eventually(s.t, func() string {
			tag, query, name := "numbers", "number", "ada"
			if _, err := of.CreateRule(s.t.Context(), client.RuleChange{Tag: &tag, Query: &query}); err != nil {
				return err.Error()
			}
			if _, err := of.CreateMonitor(s.t.Context(), client.MonitorChange{Name: &name, Usernames: []string{"ada"}}); err != nil {
				return err.Error()
			}
			return ""
		})
		return k
	}
}

// owner is the node that owns the key, as another one sees it.
func (s *stage) owner(asked *node, k *client.MintedKey) (owner *node) {
	s.t.Helper()
	eventually(s.t, func() string {
		use, err := asked.operator().Key(s.t.Context(), k.ID)
		switch {
		case err != nil:
			return err.Error()
		case use.Node == "":
			return "nobody owns " + k.ID
		}
		owner = s.named(use.Node)
		return ""
	})
	return owner
}

// leads is the node that leads the stream of the store; "journal" is the log's.
func (s *stage) leads(stream string) (leader *node) {
	s.t.Helper()
	eventually(s.t, func() string {
		for _, n := range s.running() {
			state, trouble := n.look()
			if trouble != "" {
				continue
			}
			for _, of := range state.Store.Streams {
				if of.Stream == stream && of.Leader != "" {
					leader = s.named(of.Leader)
					return ""
				}
			}
		}
		return stream + " has no leader"
	})
	return leader
}

// led are the streams of the store that the node leads, and "all" where it says who
// leads them.
func (s *stage) led(n *node) (streams []string) {
	s.t.Helper()
	state, trouble := n.look()
	if trouble != "" {
		return nil
	}
	if state.Store.Leader == n.name {
		streams = append(streams, "all")
	}
	for _, of := range state.Store.Streams {
		if of.Leader == n.name {
			streams = append(streams, of.Stream)
		}
	}
	return streams
}

// newsdesk is the node that has it: its metrics alone have figures of it.
func (s *stage) newsdesk() (keeper *node) {
	s.t.Helper()
	eventually(s.t, func() string {
		for _, n := range s.nodes {
			if strings.Contains(n.metrics(), "birdwire_newsdesk_following 1") {
				keeper = n
				return ""
			}
		}
		return "no node has the newsdesk"
	})
	return keeper
}

// settled waits until the cluster is whole and every client is at its own node.
func (s *stage) settled() {
	s.t.Helper()
	s.whole()
	for _, f := range s.followers {
		f.come()
	}
	eventually(s.t, func() string {
		for _, f := range s.followers {
			switch at := f.where(); {
			case at == nil:
				return f.how() + ": it is not connected"
			case at != f.nodes[f.home]:
				f.hang()
				f.come()
				return f.how() + ": it is not at its own node"
			}
		}
		return ""
	})
	for _, g := range s.guests {
		g.come()
	}
}

// scene is one scenario that is played on a stage.
type scene struct {
	*stage
	t        *testing.T
	name     string
	stop     func()
	before   []int // how many events each follower had, and how many connections
	conns    []int //
	posts    []int // how many each pusher had pushed
	articles []int
	broken   time.Time     // the failure; zero: none yet
	lost     []*node       // the nodes that it is about
	ledThen  []string      // the streams of the store that they led
	feed     *feed         // nil: nobody reads one
	homes    []*node       // where each follower was then
	back     time.Time     // when the failure ended; zero: it does not
	wholeIn  time.Duration // from then until nothing was wrong
	overIn   int64         // credits that were charged and not handed on
}

// play has the scenario on the stage under load, and judges what came of it.
func (s *stage) play(t *testing.T, name string, do func(*scene)) {
	t.Helper()
	s.settled()
	c := &scene{stage: s, t: t, name: name}
	for _, f := range s.followers {
		f.mu.Lock()
		c.before, c.conns = append(c.before, len(f.got)), append(c.conns, max(0, len(f.connections)-1))
		f.mu.Unlock()
	}
	for p := range s.nodes {
		c.posts, c.articles = append(c.posts, len(s.load.posts[p])), append(c.articles, len(s.load.news[p]))
	}
	c.stop = s.load.begin()
	c.says("%d clients are at their nodes, and events are pushed", len(s.followers))
	c.flows("before anything is broken")
	do(c)
	if !c.back.IsZero() {
		s.whole()
		c.wholeIn = time.Since(c.back)
	}
	c.flows("after it was mended")
	c.stop()
	c.judge()
}

// says notes what the scene has come to.
func (c *scene) says(format string, args ...any) {
	c.t.Helper()
	c.t.Logf("%s "+format, append([]any{time.Now().Format("05.000")}, args...)...)
}

// credits are what is charged to the key this month.
func (s *stage) credits(id string) (used int64) {
	s.t.Helper()
	eventually(s.t, func() string {
		for _, n := range s.running() {
			k, err := n.operator().Key(s.t.Context(), id)
			if err == nil {
				used = k.Usage.CreditsUsed
				return ""
			}
		}
		return "no node says what " + id + " has used"
	})
	return used
}

// breaks notes the moment of the failure, and which nodes it is about.
func (c *scene) breaks(lost ...*node) {
	c.homes = nil
	for _, f := range c.followers {
		c.homes = append(c.homes, f.where())
	}
	c.ledThen = nil
	for _, n := range lost {
		led := c.led(n)
		c.ledThen = append(c.ledThen, led...)
		c.says("it is about node %s, which leads %v", n.name, led)
	}
	c.lost, c.broken = lost, time.Now()
}

// mended notes that nothing is broken any more.
func (c *scene) mended() {
	c.back = time.Now()
	c.says("it is mended")
}

// flows waits until every client was handed something that was pushed from now on,
// or, of an API with few events, is connected.
func (c *scene) flows(when string) {
	c.t.Helper()
	began := time.Now()
	eventually(c.t, func() string {
		for i, f := range c.followers {
			if c.firstAfter(i, began) == 0 {
				return fmt.Sprintf("%s: nothing that was pushed since came to %s; the pushers' last trouble: %s", when, f.how(), c.load.trouble())
			}
		}
		return ""
	})
}

// firstAfter is how long after the moment the follower was handed something that
// was pushed after it; 0: not yet.
func (c *scene) firstAfter(i int, moment time.Time) time.Duration {
	for _, g := range c.followers[i].since(c.before[i]) {
		if g.id != "" && g.at.After(moment) && c.load.when(g.id).After(moment) {
			return g.at.Sub(moment)
		}
	}
	return 0
}

// judge holds what must hold of every scenario, once all that was pushed has come.
func (c *scene) judge() {
	c.t.Helper()
	c.marks++
	mark := fmt.Sprint("mark", c.marks)
	c.load.one(0, client.Posts, []string{mark}, []string{post(mark, "grace")}, new([]string))
	c.load.one(0, client.Articles, []string{mark}, []string{article(mark)}, new([]string))
	fed := ""
	if c.feed != nil {
		fed = c.feed.stop()
	}
	if refused := c.load.refused(); refused != "" {
		c.t.Fatalf("nobody accepts %s", refused)
	}
	eventually(c.t, func() string {
		for i, f := range c.followers {
			if !f.had(c.before[i], mark) {
				return "the last event has not come to " + f.how()
			}
			if fed != "" && f.api != "twitter" && !f.had(c.before[i], fed) {
				return "the feed's last item has not come to " + f.how()
			}
		}
		return ""
	})
	c.says("all has come")
	c.judgeDelivered(mark)
	c.judgeLimit()
	for _, f := range append(slices.Clone(c.followers), c.guests...) {
		f.hang() // what connections hold is settled with their end
	}
	if c.feed != nil {
		c.endFeed()
	}
	c.judgeCharged()
	c.judgeSaid()
	c.report()
}

// judgeDelivered: every client was handed all that was accepted, once, and all of a
// key and API the same in the same order, in which no pusher's events changed places.
func (c *scene) judgeDelivered(mark string) {
	c.t.Helper()
	first := map[string]int{} // the follower that the others of its key and API are held against
	for i, f := range c.followers {
		all := c.frames(i, mark)
		of := f.api + " " + f.keyID
		if of1, ok := first[of]; ok {
			if right, err := judge.Delivered(texts(all), texts(c.frames(of1, mark))); err != nil {
				c.t.Errorf("client %s %v; of the same as client %s (the first %d)", f.name, err, c.followers[of1].name, right)
			}
		} else {
			first[of] = i
			c.judgeAccepted(f, all)
		}
		f.mu.Lock()
		if len(f.wrong) > 0 {
			c.t.Errorf("client %s: %d frames are wrong: %.2000s", f.name, len(f.wrong), strings.Join(f.wrong, "\n"))
			f.wrong = nil
		}
		f.mu.Unlock()
	}
}

// frames are what the follower was handed in this scene. What the newsdesk says
// comes later than what it is about: it is held against others as far as it came.
func (c *scene) frames(i int, mark string) []frame {
	all := c.followers[i].since(c.before[i])
	if c.followers[i].api == "newsrank" {
		return slices.DeleteFunc(slices.Clone(all), func(f frame) bool { return f.id == "" })
	}
	return all
}

func texts(all []frame) (list []string) {
	for _, f := range all {
		list = append(list, f.text)
	}
	return list
}

// judgeAccepted: what a client was handed is what pushers know to be accepted, each
// pusher's in its order.
func (c *scene) judgeAccepted(f *follower, got []frame) {
	c.t.Helper()
	pushed, from := c.load.posts, c.posts
	if f.api != "twitter" {
		pushed, from = c.load.news, c.articles
	}
	byPusher := make([][]string, len(pushed))
	for _, g := range got {
		var round, p, n int
		id := strings.TrimPrefix(g.id, "article ")
		if _, err := fmt.Sscanf(id, "%d.%d.%d", &round, &p, &n); err != nil {
			continue // the mark
		}
		byPusher[p] = append(byPusher[p], g.id)
	}
	if c.feed != nil && f.api != "twitter" {
		if err := c.feed.judge(got); err != nil {
			c.t.Errorf("client %s: %v", f.name, err)
		}
	}
	for p, all := range byPusher {
		var want []string
		for _, id := range pushed[p][from[p]:] {
			want = append(want, id)
			if f.api == "twitter" && !strings.HasSuffix(id, ".0") { // of ada, for the monitor too
				want = append(want, id)
			}
		}
		if _, err := judge.Delivered(all, want); err != nil {
			c.t.Errorf("client %s, of what was pushed at node %s: %v", f.name, c.nodes[p].name, err)
		}
	}
}

// judgeLimit: at no moment a key had more connections on which something was handed
// on than its plan allows. One on a node that was stopped is open for its client,
// and nothing comes of it any more.
func (c *scene) judgeLimit() {
	c.t.Helper()
	type stay struct {
		*connection
		name string
	}
	all := map[string][]stay{}
	for i, f := range append(slices.Clone(c.followers), c.guests...) {
		f.mu.Lock()
		seen := 0
		if i < len(c.conns) {
			seen = c.conns[i]
		}
		for _, conn := range f.connections[seen:] {
			all[f.api+" of "+f.keyID] = append(all[f.api+" of "+f.keyID], stay{conn, f.name})
		}
		f.mu.Unlock()
	}
	for of, stays := range all {
		for _, moment := range stays {
			var open []string
			for _, s := range stays {
				if !s.opened.After(moment.opened) && s.last.After(moment.opened) {
					open = append(open, s.name+" at "+s.at.name)
				}
			}
			if err := judge.Limit(of, open, limit); err != nil {
				c.t.Error(err)
			}
		}
	}
}

// judgeCharged holds what the key's clients were handed against what was charged,
// since there is the cluster: never less. More is charged only for what was on its
// way when a connection broke, and, where a key's owner ended without a word or a
// connection did not answer the one that gave the key up for a second, for what it
// had lent then: about ten seconds' worth (see README, "What it is not"). What a lost connection held may be settled a minute
// later; where that has not come yet, the end of the stage judges it.
func (c *scene) judgeCharged() {
	c.t.Helper()
	for _, k := range c.keys {
		for i, f := range c.followers {
			if f.keyID != k.ID || f.api == "kite" { // which costs nothing
				continue
			}
			if !c.broken.IsZero() {
				c.allowed[k.ID] += lentFor * int64(c.load.framesASecond())
			}
			c.allowed[k.ID] += c.onTheWay(i)
		}
		was := c.over[k.ID]
		handed, charged, err := c.settledCharge(k.ID, 3*time.Second)
		c.says("%s: %d frames were handed, %d more are charged, %d might be (%v)", k.ID, handed, charged-handed, c.allowed[k.ID], err)
		if c.over[k.ID] = charged - handed; err == nil {
			c.allowed[k.ID] = charged - handed
		}
		c.overIn += c.over[k.ID] - was
	}
}

// settledCharge waits until what is charged to the key is right, at most so long.
func (s *stage) settledCharge(keyID string, most time.Duration) (handed, charged int64, err error) {
	for _, f := range s.followers {
		if f.keyID == keyID && f.api != "kite" {
			handed += int64(len(f.since(0)))
		}
	}
	for late := time.Now().Add(most); ; {
		charged = s.credits(keyID)
		err = errors.Join(judge.Charged(keyID, handed, charged, 0, false), judge.Charged(keyID, handed, charged, s.allowed[keyID], true))
		if err == nil || time.Now().After(late) {
			return handed, charged, err
		}
		<-time.After(200 * time.Millisecond)
	}
}

// settleUp is the last word on what is charged.
func (s *stage) settleUp() {
	s.t.Helper()
	for _, k := range s.keys {
		if _, _, err := s.settledCharge(k.ID, patience); err != nil {
			s.t.Error(err)
		}
	}
}

// lentFor is for how many seconds at most credits are lent ahead, at a rate that may
// be twice the load's where a client catches up.
const lentFor = 2 * 10

// onTheWay is what may have been on its way to the follower when connections of it
// broke in this scene: what was pushed until then, and came on a later one.
func (c *scene) onTheWay(i int) (n int64) {
	f := c.followers[i]
	got := f.since(c.before[i])
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, conn := range f.connections[c.conns[i]:] {
		if conn.ended.IsZero() || conn.told {
			continue
		}
		for _, g := range got {
			if g.at.After(conn.last) && c.load.when(g.id).Before(conn.ended) {
				n++
			}
		}
	}
	return n
}

// report prints how long clients waited for posts, which need the key's owner and
// the log, and for articles, which need the table of items besides.
func (c *scene) report() {
	if c.broken.IsZero() {
		return
	}
	r := row{scenario: c.name, nodes: len(c.nodes), led: strings.Join(c.ledThen, " "), whole: c.wholeIn, over: c.overIn}
	for i, f := range c.followers {
		took, to := c.firstAfter(i, c.broken), &r.others
		switch {
		case c.homes[i] != nil && slices.Contains(c.lost, c.homes[i]):
			to = &r.theirs
		case f.api != "twitter":
			to = &r.news
		}
		*to = max(*to, took)
	}
	times.add(r)
}
