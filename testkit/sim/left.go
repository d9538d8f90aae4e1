package sim

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/router"
	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/messages"
)

// This file is what must hold of who owns what, once nothing is broken any more.

// keysOfShards are a key's id for each shard, whether there is such a key or not.
var keysOfShards = sync.OnceValue(func() (ids [actors.Shards]string) {
	for i, left := 0, len(ids); left > 0; i++ {
		id := fmt.Sprintf("key-%010d", i)
		if at := &ids[actors.ShardOf(id)]; *at == "" {
			*at = id
			left--
		}
	}
	return ids
})

// connectedWithin is how long all clients may take to be connected once each shard has
// an owner. A client tries again every five seconds; that a place is free, which an owner
// that failed was told and had not written, is said again before the next owner looks for
// it by itself, which takes 30 s.
const connectedWithin = 30 * time.Second

// Healed waits until the cluster is well: all nodes see one view, each shard has
// one owner, and all clients are connected. What heals is late here, and not in
// what is judged after it.
func (c *Cluster) Healed() {
	c.TB.Helper()
	c.Until(15*time.Second, "all nodes see one view", c.Agree)
	c.Until(15*time.Second, "each shard has one owner", c.Placed)
	c.Until(connectedWithin, "all clients are connected", c.Connected)
	c.CheckMoves()
}

// Placed says whether all nodes that are awake look for each shard at the same
// process, and that has taken it: the record says so.
func (c *Cluster) Placed() bool {
	c.TB.Helper()
	return c.Agree() && c.misplaced() == ""
}

// misplaced says which shard is not where nodes look for it; "" where each is.
func (c *Cluster) misplaced() string {
	owners := [actors.Shards]string{}
	for _, n := range c.nodes {
		for number, id := range keysOfShards() {
			if !n.Awake() {
				break
			}
			owner := n.Actors.Owner(id).GetAddress()
			if owners[number] != "" && owners[number] != owner {
				return fmt.Sprintf("shard %d: %s looks for it at %q, and another node at %q", number, n.Name, owner, owners[number])
			}
			owners[number] = owner
		}
	}
	kept, err := c.control().List(c.TB.Context(), shardRecords)
	if err != nil {
		c.TB.Fatal(err)
	}
	taken := make(map[string]*messages.Shard, len(kept))
	for _, r := range kept {
		record := &messages.Shard{}
		c.read(r.Data, record)
		taken[r.Key] = record
	}
	for number, owner := range owners {
		record := taken[actors.ShardRecord(number)]
		if c.histories.process(record.GetNode(), record.GetIncarnation()) != owner {
			return fmt.Sprintf("shard %d: all nodes look for it at %q, and its record is {%v}", number, owner, record)
		}
	}
	return ""
}

// hits are how many queries the newest frame has hit at a node's router.
type hits struct {
	sequence uint64
	n        int
}

// observe is told of each frame that the node's router has handled. Where the process
// has given up the shards of all keys before the frame was written, the router has no
// query that a post could hit. Who follows articles asks the router itself.
func (n *Node) observe(o router.Observation) {
	if o.Sequence < n.hits.sequence {
		return
	}
	n.hits = hits{o.Sequence, o.Hits}
	if o.Hits == 0 || len(n.cluster.keys) == 0 || len(n.cluster.reported) > 0 {
		return
	}
	for _, id := range n.cluster.keys {
		if at, gave := n.gave[actors.ShardRecord(actors.ShardOf(id))]; !gave || o.Sequence <= at {
			return
		}
	}
	n.cluster.Violated("nothing is left of a shard that was given up", "the router of %s has found %d hits in frame %d for keys that its process has given up: %v", n.Name, o.Hits, o.Sequence, n.gave)
}

// leftWithin is how long what is given up may take to go: who could not ask the store asks
// it again after 5 s at most, by a clock that may be slow, and then has some to do.
const leftWithin = 8 * time.Second

// CheckLeft holds that nothing is left of the shards that a node has given up: no
// actor of a key, no timer, no query in its router. It is for a cluster that is well
// and in which something was posted just before.
func (c *Cluster) CheckLeft() {
	c.TB.Helper()
	left := c.left()
	for waited := time.Duration(0); left != "" && waited < leftWithin; waited += 500 * time.Millisecond {
		c.Advance(500 * time.Millisecond)
		left = c.left()
	}
	if left != "" {
		c.Violated("nothing is left of a shard that was given up", "%s", left)
	}
}

func (c *Cluster) left() string {
	for _, n := range c.nodes {
		if !n.Awake() {
			continue
		}
		owned := map[string]bool{}
		for number, id := range keysOfShards() {
			owned[fmt.Sprint(shardActors, number)] = n.Owner(id) == n.Name
		}
		for _, id := range n.Host.Actors() {
			if shard := shardIn(id); shard != "" && id != shard && !owned[shard] {
				return fmt.Sprintf("%s has the actor %s, and does not own its shard", n.Name, id)
			}
		}
		for _, timer := range n.Clock.Pending() {
			if shard := shardIn(timer); shard != "" && !owned[shard] {
				return fmt.Sprintf("%s has the timer %s, and does not own the shard", n.Name, timer)
			}
		}
		if n.hits.n > 0 && !slices.ContainsFunc(c.keys, func(id string) bool { return n.Owner(id) == n.Name }) {
			return fmt.Sprintf("the router of %s has found %d hits in frame %d for keys that it does not own", n.Name, n.hits.n, n.hits.sequence)
		}
	}
	return ""
}

// owed is what the keys of the shard with that record have open.
func (c *Cluster) owed(record string) (open []*messages.Grant) {
	for _, id := range c.keys {
		if actors.ShardRecord(actors.ShardOf(id)) == record && !c.costly {
			open = append(open, c.ledger(id).GetOpen()...)
		}
	}
	return open
}

// checkReleased holds that the keys of a shard that its owner has given up had settled
// what they were lent, where nothing was in their way. It is asked once a record that
// names no owner was written, with what was open just before: one that another has
// taken meanwhile is not, and what that one's keys have open is theirs.
func (c *Cluster) checkReleased(open []*messages.Grant) {
	if len(open) > 0 {
		c.Violated("what is lent is settled before a shard is released", "open: %v", open)
	}
}

// Farewell has all clients leave, and holds that then nothing is left of them: no
// connection, no place of the key, and no grant. What is charged then is what they
// were handed. A key looks once a minute for places whose process has ended before
// they were given back. At times the key moves as they leave.
func (s *Scene) Farewell() {
	s.TB.Helper()
	s.Breaks = 0
	s.Push(s.nodes[0].Name, "moon sun star") // what routers found before a late move says nothing of what is left after it
	s.Advance(time.Second)
	s.CheckLeft()
	if name := s.shard(s.Key).GetNode(); s.Option("the key moves as its clients leave", 0, 1) == 1 && name != "" {
		over := s.Fault(name, "drain")
		s.Node(name).Drain()
		defer func() { s.Node(name).Stay(); over() }()
	}
	for _, client := range s.clients {
		client.leave()
	}
	s.Until(80*time.Second, "nothing is left of clients that have gone", func() bool {
		for _, n := range s.nodes {
			if n.Awake() && slices.ContainsFunc(n.Host.Actors(), func(id string) bool { return strings.HasPrefix(id, "connection/") }) {
				return false
			}
		}
		return len(s.shard(s.Key).GetSlots()) == 0 && len(s.ledger(s.Key).GetOpen()) == 0
	})
	s.CheckCharged(s.Key, !s.costly)
}

// shardActors is how the ids of shards' actors begin, and those of their keys'.
const shardActors = "node/shard/"

// shardIn is the id of the shard's actor that the text names, or a child of; "":
// none.
func shardIn(text string) string {
	_, rest, ok := strings.Cut(text, shardActors)
	if !ok {
		return ""
	}
	number := strings.IndexFunc(rest, func(r rune) bool { return !unicode.IsDigit(r) })
	if number < 0 {
		number = len(rest)
	}
	return shardActors + rest[:number]
}

// apartMost is how long a node that is apart may keep its clients: it looks once a
// second, by a clock that may be slow.
const apartMost = 3 * time.Second

// checkApart holds that a node that should have no clients has none. One that is
// suspended can end nothing.
func (c *Cluster) checkApart() {
	now := c.Clock.Elapsed()
	for _, n := range c.nodes {
		apart := n.Awake() && n.Actors != nil && n.Actors.Serving() != nil
		if apart != n.aparted {
			n.aparted, n.since = apart, now
		}
		if !apart || now-n.since < apartMost {
			continue
		}
		for _, client := range c.clients {
			if client.At() == n.Name {
				c.Violated("a node that is apart has no clients", "%s is for %v (%v), and client %s is there", n.Name, now-n.since, n.Actors.Serving(), client.Name)
			}
		}
	}
}

// deliveriesKind is that of the envelopes in which a key hands on what has matched.
var deliveriesKind = string((&messages.Deliveries{}).ProtoReflect().Descriptor().FullName())

// knownKinds are those in which a key answers with what it knows, and has to write
// nothing for it.
var knownKinds = []string{
	string((&messages.RulesListed{}).ProtoReflect().Descriptor().FullName()),
	string((&messages.MonitorsListed{}).ProtoReflect().Descriptor().FullName()),
	string((&messages.Joined{}).ProtoReflect().Descriptor().FullName()),
}

// answersWithin is how long a key may take to answer with what it knows: what was asked
// before the lease ran out may be answered after it.
const answersWithin = time.Second

// checkSent holds that a key hands nothing on without a live lease, and answers nothing:
// another process may own it, and have changed its rules.
func (c *Cluster) checkSent(from link.Peer, e link.Envelope) {
	known := slices.Contains(knownKinds, e.Kind)
	if e.Kind != deliveriesKind && !known {
		return
	}
	n := c.Node(from.Node)
	if n.incarnation != from.Incarnation || n.live() {
		return
	}
	switch {
	case !known:
		c.Violated("who has no live lease hands nothing on", "%s has none", from)
	case n.lapsed > answersWithin:
		c.Violated("who has no live lease answers for no key", "%s has had none for %v, and sends %s", from, n.lapsed, e.Kind)
	}
}

// checkHanded is checkSent for what a key hands to a connection on its own node, as it
// is put into that one's mailbox. What comes from another node was sent before.
func (n *Node) checkHanded(message any) {
	d, ok := message.(*messages.Deliveries)
	if !ok || d.GetTerm() == 0 || n.Actors == nil || n.live() {
		return
	}
	c := n.cluster
	by := c.histories.process(n.Name, n.incarnation)
	for _, id := range c.keys {
		if c.terms[termOf{actors.ShardRecord(actors.ShardOf(id)), actors.ShardTerm(d.GetTerm())}] == by {
			c.Violated("who has no live lease hands nothing on", "%s has none", by)
		}
	}
}

// checkAcknowledged holds that what a publisher is told to be in the log is there.
func (c *Cluster) checkAcknowledged(e *messages.Event) {
	if c.scan(); !c.logged[named(e)] {
		c.Violated("what is acknowledged is in the log", "%s is not", named(e))
	}
}

// named is the event's post or article.
func named(e *messages.Event) string {
	return e.GetPost().GetId() + e.GetArticle().GetArticle().GetId()
}

// scan takes in what is new in the log.
func (c *Cluster) scan() {
	c.TB.Helper()
	c.frames(c.scanned+1, func(e entry) {
		c.scanned = e.sequence
		for _, event := range e.frame.GetEvents() {
			c.logged[named(event)] = true
		}
	})
}
