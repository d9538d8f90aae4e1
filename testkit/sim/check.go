package sim

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// checkTerm holds that a term of a shard is taken by one process: it sees every
// record that is written.
func (c *Cluster) checkTerm(name string, data []byte) {
	record := &messages.Shard{}
	if err := proto.Unmarshal(data, record); err != nil || record.GetNode() == "" {
		return
	}
	term := fmt.Sprintf("%s term %d", name, record.GetTerm())
	by := fmt.Sprintf("%s@%d", record.GetNode(), record.GetIncarnation())
	if before, taken := c.terms[term]; taken && before != by {
		c.TB.Errorf("sim: %s was taken by %s and by %s", term, before, by)
	}
	c.terms[term] = by
}

// checkTerms looks at every shard's record.
func (c *Cluster) checkTerms() {
	records, err := c.Disk.Open(nil).Control().List(c.TB.Context(), "shards.")
	if err != nil {
		c.TB.Fatal(err)
	}
	for _, r := range records {
		c.checkTerm(r.Key, r.Data)
	}
}

// matched is the plain matcher: each event that matches, once, in log order, of
// those after a position. A rule is a word here.
func (c *Cluster) matched(rules []string, after messages.Position) (all []Seen) {
	cursor, err := c.Disk.Open(nil).Journal().Read(c.TB.Context(), 1)
	if err != nil {
		c.TB.Fatal(err)
	}
	defer cursor.Close()
	had := map[string]bool{}
	for {
		entry, err := cursor.Next(c.TB.Context())
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			c.TB.Fatal(err)
		}
		for i, e := range entry.Frame.GetEvents() {
			if had[e.GetId()] {
				continue
			}
			had[e.GetId()] = true
			for k, word := range rules {
				at := messages.At(entry.Sequence, i)
				if at > after && slices.Contains(strings.Fields(e.GetPost().GetText()), word) {
					all = append(all, Seen{at, uint32(k + 1), e.GetPost().GetId()})
				}
			}
		}
	}
}

// CheckDelivered holds that each client was handed exactly what matches its
// key's rules, numbered in that order, since it first joined.
func (c *Cluster) CheckDelivered(rules ...string) {
	c.TB.Helper()
	for _, client := range c.clients {
		if !client.joined {
			c.TB.Errorf("sim: client %s has never joined: %v", client.Name, client.Ends)
			continue
		}
		want := c.matched(rules, client.began)
		if slices.Equal(client.seen, want) {
			continue
		}
		i := 0
		for i < len(want) && i < len(client.seen) && client.seen[i] == want[i] {
			i++
		}
		c.TB.Errorf("sim: client %s was handed %d of %d; the first %d are right, then it was handed %v, want %v; its connections ended %v",
			client.Name, len(client.seen), len(want), i, at(client.seen, i), at(want, i), client.Ends)
	}
}

func at(all []Seen, i int) any {
	if i < len(all) {
		return all[i]
	}
	return "nothing"
}

// Until advances by steps until it holds, at most for d.
func (c *Cluster) Until(d time.Duration, what string, holds func() bool) {
	c.TB.Helper()
	for waited := time.Duration(0); !holds(); waited += 100 * time.Millisecond {
		if waited >= d {
			c.TB.Fatalf("sim: after %v still not: %s", d, what)
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
		c.checkTerms()
	}
}

// slots are those in the record of the key's shard.
func (c *Cluster) slots(keyID string) int {
	kept, err := c.Disk.Open(nil).Control().Get(c.TB.Context(), actors.ShardRecord(actors.ShardOf(keyID)))
	if err != nil {
		c.TB.Fatal(err)
	}
	record := &messages.Shard{}
	if err := proto.Unmarshal(kept.Data, record); err != nil {
		c.TB.Fatal(err)
	}
	return len(record.GetSlots())
}
