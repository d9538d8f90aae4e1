package sim

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/source"
	"github.com/birdwire/birdwire/actors/upstreams"
	"github.com/birdwire/birdwire/cluster/membership"
	"github.com/birdwire/birdwire/messages"
)

// Feed is an upstream of posts, which the cluster reads by polling: what is after a
// mark, and the mark after it.
type Feed struct {
	ID    string
	Polls map[string]int // by process

	cluster *Cluster
	texts   []string
	term    uint64        // of its reader, as it was seen last
	since   time.Duration // when it was seen first
}

// MakeFeed makes a feed by way of the node.
func (c *Cluster) MakeFeed(n *Node, id string) *Feed {
	c.TB.Helper()
	f := &Feed{ID: id, Polls: map[string]int{}, cluster: c}
	c.feeds = append(c.feeds, f)
	m := c.askUpstreams(n, &messages.CreateFeed{Feed: &messages.Feed{
		Id: id, Url: "https://feeds.example/" + id, Name: id, Category: "test", IntervalMs: 1000,
	}})
	if _, ok := m.(*messages.FeedShown); !ok {
		c.TB.Fatalf("sim: make feed %s: %v", id, m)
	}
	return f
}

// DeleteFeed deletes it by way of the node.
func (c *Cluster) DeleteFeed(n *Node, f *Feed) {
	c.TB.Helper()
	if m, ok := c.askUpstreams(n, &messages.DeleteFeed{Id: f.ID}).(*messages.FeedDeleted); !ok {
		c.TB.Fatalf("sim: delete feed %s: %v", f.ID, m)
	}
}

func (c *Cluster) askUpstreams(n *Node, command proto.Message) (got proto.Message) {
	c.TB.Helper()
	var failed error
	n.Actors.Ask(n.Actors.Upstreams(), command, askWithin, func(m proto.Message, err error) { got, failed = m, err })
	c.Until(askWithin+time.Second, "the upstreams answer", func() bool { return got != nil || failed != nil })
	if failed != nil {
		c.TB.Fatalf("sim: %T by way of %s: %v", command, n.Name, failed)
	}
	return got
}

// Logged is how many posts whose ids begin so are in the log.
func (c *Cluster) Logged(prefix string) (n int) {
	c.TB.Helper()
	c.log(func(_ messages.Position, e *messages.Event) {
		if strings.HasPrefix(e.GetPost().GetId(), prefix) {
			n++
		}
	})
	return n
}

// Add has the upstream show one more.
func (f *Feed) Add(text string) { f.texts = append(f.texts, text) }

// Count is how many were added.
func (f *Feed) Count() int { return len(f.texts) }

// open is what a node reads the feed by.
func (n *Node) open(made *messages.Feed) (source.Adapter, error) {
	for _, f := range n.cluster.feeds {
		if f.ID == made.GetId() {
			return &reader{f, n, n.incarnation}, nil
		}
	}
	return nil, fmt.Errorf("a simulation has no feed %s", made.GetId())
}

type reader struct {
	feed        *Feed
	node        *Node
	incarnation uint64
}

// Poll is source.Adapter.
func (r *reader) Poll(_ context.Context, mark []byte) (drafts []*messages.Event, next []byte, after time.Duration, err error) {
	f := r.feed
	f.polled(r)
	from := 0
	if mark != nil {
		if from, err = strconv.Atoi(string(mark)); err != nil {
			return nil, nil, 0, err
		}
	}
	for i, text := range f.texts[from:] {
		id := fmt.Sprint(f.ID, "-", from+i)
		drafts = append(drafts, &messages.Event{Body: &messages.Event_Post{Post: &messages.Post{
			Id: id, Text: text, CreatedMs: f.cluster.Clock.Now().UnixMilli(), Author: &messages.Author{Id: "7", Username: "ada"},
		}}})
	}
	return drafts, strconv.AppendInt(nil, int64(len(f.texts)), 10), 0, nil
}

// polled holds that whoever reads has the term, or had it until a lease ago.
func (f *Feed) polled(r *reader) {
	c := f.cluster
	by := fmt.Sprint(r.node.Name, "@", r.incarnation)
	f.Polls[by]++
	tenure := &messages.Tenure{}
	kept, err := c.control().Get(c.TB.Context(), actors.SingletonRecord(upstreams.SingletonName(f.ID)))
	if err == nil {
		err = proto.Unmarshal(kept.Data, tenure)
	}
	if err != nil && !errors.Is(err, messages.ErrNotFound) {
		c.TB.Error(err)
	}
	now := c.Clock.Elapsed()
	if tenure.GetTerm() != f.term {
		f.term, f.since = tenure.GetTerm(), now
	}
	if holder := fmt.Sprint(tenure.GetNode(), "@", tenure.GetIncarnation()); holder != by && now-f.since > membership.DeadLapse {
		c.TB.Errorf("sim: %s is read by %s, while %s has had it for %v", f.ID, by, holder, now-f.since)
	}
}
