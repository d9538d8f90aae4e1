package sim

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit/sim/judge"
)

// shardRecords is where the names of actors.ShardRecord begin.
const shardRecords = "shards."

// termOf is a term of the shard with a record of that name.
type termOf struct {
	shard string
	term  uint64
}

// checkTerm holds that a term of a shard is taken by one process.
func (c *Cluster) checkTerm(name string, data []byte) {
	record := &messages.Shard{}
	data, err := nextFormats.Read(name, data)
	if err == nil {
		err = proto.Unmarshal(data, record)
	}
	if err != nil || record.GetNode() == "" {
		return
	}
	term := termOf{name, record.GetTerm()}
	by := c.histories.process(record.GetNode(), record.GetIncarnation())
	if err := judge.Term(name, record.GetTerm(), c.terms[term], by); err != nil {
		c.Violated("a term is one process's", "%v", err)
	}
	c.terms[term] = by
	c.moves.taken(c, name, by)
}

// checkTerms looks at each change of a shard's record.
func (c *Cluster) checkTerms() {
	for {
		select {
		case change, ok := <-c.taken:
			switch {
			case !ok: // too many changes waited
				c.watchTerms()
			case !change.Synced && !change.Deleted:
				c.checkTerm(change.Key, change.Data)
			}
		default:
			return
		}
	}
}

func (c *Cluster) watchTerms() {
	taken, err := c.Disk.Open(nil).Control().Watch(c.TB.Context(), shardRecords)
	if err != nil {
		c.TB.Fatal(err)
	}
	c.taken = taken
}

// CheckDelivered holds that each client was handed exactly what matches its
// key's rules, numbered in that order, since it first joined.
func (c *Cluster) CheckDelivered(rules ...string) {
	c.TB.Helper()
	c.checkDelivered("", always(rules))
}

// checkDelivered is CheckDelivered for clients of one key; "" is of any.
func (c *Cluster) checkDelivered(keyID string, versions []version) {
	c.TB.Helper()
	for _, client := range c.clients {
		if keyID != "" && client.keyID != keyID {
			continue
		}
		if !client.joined {
			c.Violated("every client is served", "client %s has never joined: %v", client.Name, client.Ends)
			continue
		}
		want := c.matched(versions, client.began)
		if right, err := judge.Delivered(client.seen, want); err != nil {
			c.ViolatedAt(client.stepOf(right, c.Step()), "every match is delivered, once", "client %s %v; its connections ended %v", client.Name, err, client.Ends)
		}
	}
}

// stepOf is the step in which the client was handed the i-th delivery.
func (c *Client) stepOf(i, otherwise int) int {
	if i < len(c.steps) {
		return c.steps[i]
	}
	return otherwise
}

// Until advances by steps until it holds, at most for d.
func (c *Cluster) Until(d time.Duration, what string, holds func() bool) {
	c.TB.Helper()
	for waited := time.Duration(0); !holds(); waited += 100 * time.Millisecond {
		if waited >= d {
			c.Violated("in time: "+what, "after %v still not\n%s", d, c)
			c.TB.FailNow()
		}
		c.Advance(100 * time.Millisecond)
	}
}

// Connected says whether all clients follow what is new.
func (c *Cluster) Connected() bool {
	for _, client := range c.clients {
		if !client.Connected() {
			return false
		}
	}
	return true
}

// Advance moves time, and looks at what must hold always.
func (c *Cluster) Advance(d time.Duration) {
	c.TB.Helper()
	for step := min(d, 500*time.Millisecond); d > 0; d -= step {
		step = min(step, d)
		c.Kit.Advance(step)
		if c.panicky {
			c.takePanics()
		}
		c.checkTerms()
		c.moves.look(c)
		c.checkMailboxes()
		c.checkApart()
		for _, n := range c.nodes { // one that may not act has no places any more
			live := n.up && n.live()
			if !live {
				c.leave(n)
			}
			if n.lapsed += step; live || !n.Awake() {
				n.lapsed = 0
			}
		}
		for _, holds := range c.Steady {
			if err := holds(c); err != nil {
				c.Violated("limits hold", "%v", err)
			}
		}
	}
}

// leave has the clients at the node leave their places in the histories.
func (c *Cluster) leave(n *Node) {
	for _, client := range c.clients {
		if s := client.socket; s != nil && s.node == n {
			s.left()
		}
	}
}

// Steady says what must hold whatever happens; Advance asks after every half second.
type Steady func(c *Cluster) error

// KeyLimit holds that a key never has more connections than its plan allows, over
// all nodes. Those of a node whose lease has run out do not count: it hands
// nothing on and is ending them.
func KeyLimit(keyID string, limit int) Steady {
	return func(c *Cluster) error {
		var open []string
		for _, client := range c.clients {
			s := client.socket
			if client.keyID == keyID && s != nil && s.session != nil && s.node.up && s.node.live() {
				open = append(open, s.id+" at "+s.node.Name)
			}
		}
		return judge.Limit(keyID, open, limit)
	}
}

// CheckCharged holds that what was handed to the key's clients was charged.
// exactly: and nothing else, but for what is lent now. After a crash more may be
// charged: what was lent then is charged as far as it can have been spent.
func (c *Cluster) CheckCharged(keyID string, exactly bool) {
	c.TB.Helper()
	handed := int64(0)
	for _, client := range c.clients {
		if client.keyID == keyID {
			handed += int64(len(client.seen))
		}
	}
	ledger := c.ledger(keyID)
	open := int64(0)
	for _, g := range ledger.GetOpen() {
		open += g.GetSize()
	}
	if err := judge.Charged(keyID, handed, ledger.GetCharged(), open, exactly); err != nil {
		c.Violated("what is delivered is charged", "%v", err)
	}
}

// reservedMost is how much a key may reserve of which nothing was handed on yet: what
// waits for credit at five connections, and the least of some reservations.
const reservedMost = 4096

// checkReserved holds that what a key reserves is in proportion to what its clients were
// handed: what is reserved and not spent is charged if its process ends.
func (c *Cluster) checkReserved(r store.Reservation) {
	if r.N <= reservedMost {
		return
	}
	handed := int64(0)
	for _, client := range c.clients {
		if client.keyID == r.KeyID {
			handed += int64(len(client.seen))
		}
	}
	if r.N > reservedMost+8*handed {
		c.Violated("what is reserved is in proportion to what is spent", "%s reserves %d, and %d were handed on in all", r.KeyID, r.N, handed)
	}
}

// ledger is what the store has of the key's month.
func (c *Cluster) ledger(keyID string) *messages.Ledger {
	c.TB.Helper()
	ledger, err := c.Disk.Open(nil).Counters().Usage(c.TB.Context(), keyID, c.Clock.Now().UTC().Format("2006-01"))
	if err != nil {
		c.TB.Fatal(err)
	}
	return ledger
}

// Terms are the newest term of every shard that was ever owned.
func (c *Cluster) Terms() (all []uint64) {
	c.TB.Helper()
	for _, data := range c.records(shardRecords) {
		record := &messages.Shard{}
		c.read(data, record)
		all = append(all, record.GetTerm())
	}
	return all
}

// String is how the nodes and clients are, for failures.
func (c *Cluster) String() string {
	var b strings.Builder
	for _, n := range c.nodes {
		fmt.Fprintf(&b, "%s: incarnation %d, up %v, frozen %v, serves %v, reaches %v, sees", n.Name, n.incarnation, n.up, n.frozen, n.Actors.Serving(), c.Net.Reaches(n.Name))
		for _, m := range n.Actors.View().Members() {
			fmt.Fprintf(&b, " %s@%d %v", m.Name, m.Incarnation, m.State)
		}
		fmt.Fprintln(&b)
	}
	for _, key := range c.keys {
		fmt.Fprintf(&b, "%s: shard %v\n", key, c.shard(key))
	}
	if shard := c.misplaced(); shard != "" {
		fmt.Fprintln(&b, shard)
	}
	for _, client := range c.clients {
		fmt.Fprintf(&b, "client %s: at %q, handed %d, ended %q\n", client.Name, client.At(), len(client.seen), client.Ends)
	}
	return b.String()
}

// shard is the record of the key's shard.
func (c *Cluster) shard(keyID string) *messages.Shard {
	record := &messages.Shard{}
	kept, err := c.control().Get(c.TB.Context(), actors.ShardRecord(actors.ShardOf(keyID)))
	if err == nil {
		err = proto.Unmarshal(kept.Data, record)
	}
	if err != nil {
		c.TB.Fatal(err)
	}
	return record
}
