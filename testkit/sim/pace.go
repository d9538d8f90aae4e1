package sim

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// paced is a node's store whose calls take time, in which others do what they do: what a
// piece of work has read may be written over before it writes.
type paced struct {
	store.Store
	by *Node
}

// paceMost is how long a call takes before it happens, and its answer after that.
const paceMost = time.Second

// pace has calls of all nodes' stores take time, or not.
func (c *Cluster) pace(slow bool) {
	c.bad.slow = slow
	for _, n := range c.nodes {
		n.Worker.Pauses = slow
	}
}

// pace is before a call happens, and before its answer comes.
func (n *Node) pace(ctx context.Context, op, key string) {
	b := &n.cluster.bad
	if !b.slow {
		return
	}
	what := fmt.Sprintf("%s of %s at %s", op, n.Name, key)
	if !b.chance.Often("have time pass in "+what, 1, 3) {
		return
	}
	most := paceMost / 20
	if b.chance.Once(what+" takes long", 8) {
		most = paceMost
	}
	n.cluster.moves.away(n.cluster, SlowStore, n.Name)
	testkit.Pause(ctx, b.chance.Below("how long "+what+" takes", most))
}

// slowly has time pass before and after the call.
func slowly[T any](ctx context.Context, n *Node, op, key string, call func() (T, error)) (T, error) {
	n.pace(ctx, op, key)
	defer n.pace(ctx, "the answer to "+op, key)
	return call()
}

// slowlyDone is slowly for calls that answer nothing but an error.
func slowlyDone(ctx context.Context, n *Node, op, key string, call func() error) error {
	_, err := slowly(ctx, n, op, key, func() (struct{}, error) { return struct{}{}, call() })
	return err
}

func (p paced) Journal() store.Journal     { return pacedJournal{p.Store.Journal(), p.by} }
func (p paced) Control() store.Control     { return pacedControl{p.Store.Control(), p.by} }
func (p paced) Counters() store.Counters   { return pacedCounters{p.Store.Counters(), p.by} }
func (p paced) Items() store.Items         { return pacedItems{p.Store.Items(), p.by} }
func (p paced) Snapshots() store.Snapshots { return pacedSnapshots{p.Store.Snapshots(), p.by} }

type pacedJournal struct {
	store.Journal
	by *Node
}

func (j pacedJournal) Append(ctx context.Context, frame *messages.Frame) (uint64, error) {
	return slowly(ctx, j.by, "append", "the log", func() (uint64, error) { return j.Journal.Append(ctx, frame) })
}

func (j pacedJournal) Read(ctx context.Context, from uint64) (store.Cursor, error) {
	c, err := slowly(ctx, j.by, "read", "the log", func() (store.Cursor, error) { return j.Journal.Read(ctx, from) })
	if err != nil {
		return nil, err
	}
	return pacedCursor{c, j.by}, nil
}

func (j pacedJournal) Bounds(ctx context.Context) (first, last uint64, err error) {
	_, err = slowly(ctx, j.by, "bounds", "the log", func() (struct{}, error) {
		first, last, err = j.Journal.Bounds(ctx)
		return struct{}{}, err
	})
	return first, last, err
}

func (j pacedJournal) Tail(ctx context.Context, node string) (store.Name, error) {
	return slowly(ctx, j.by, "tail", "the log", func() (store.Name, error) { return j.Journal.Tail(ctx, node) })
}

type pacedCursor struct {
	store.Cursor
	by *Node
}

func (c pacedCursor) Next(ctx context.Context) (store.Entry, error) {
	return slowly(ctx, c.by, "next", "the log", func() (store.Entry, error) { return c.Cursor.Next(ctx) })
}

type pacedControl struct {
	store.Control
	by *Node
}

func (c pacedControl) Get(ctx context.Context, key string) (messages.KeptRecord, error) {
	return slowly(ctx, c.by, "get", key, func() (messages.KeptRecord, error) { return c.Control.Get(ctx, key) })
}

func (c pacedControl) CAS(ctx context.Context, key string, data []byte, revision uint64) (uint64, error) {
	return slowly(ctx, c.by, "cas", key, func() (uint64, error) { return c.Control.CAS(ctx, key, data, revision) })
}

func (c pacedControl) Delete(ctx context.Context, key string, revision uint64) error {
	return slowlyDone(ctx, c.by, "delete", key, func() error { return c.Control.Delete(ctx, key, revision) })
}

func (c pacedControl) Mend(ctx context.Context, key string, data []byte) (uint64, error) {
	return slowly(ctx, c.by, "mend", key, func() (uint64, error) { return c.Control.Mend(ctx, key, data) })
}

func (c pacedControl) List(ctx context.Context, prefixes ...string) ([]messages.KeptRecord, error) {
	return slowly(ctx, c.by, "list", fmt.Sprint(prefixes), func() ([]messages.KeptRecord, error) { return c.Control.List(ctx, prefixes...) })
}

type pacedCounters struct {
	store.Counters
	by *Node
}

func (c pacedCounters) Reserve(ctx context.Context, r store.Reservation) (*messages.Grant, error) {
	return slowly(ctx, c.by, "reserve", r.KeyID, func() (*messages.Grant, error) { return c.Counters.Reserve(ctx, r) })
}

func (c pacedCounters) Settle(ctx context.Context, g *messages.Grant, used int64) error {
	return slowlyDone(ctx, c.by, "settle", g.GetKeyId(), func() error { return c.Counters.Settle(ctx, g, used) })
}

func (c pacedCounters) Prune(ctx context.Context, keyID string, keep int) error {
	return slowlyDone(ctx, c.by, "prune", keyID, func() error { return c.Counters.Prune(ctx, keyID, keep) })
}

func (c pacedCounters) Usage(ctx context.Context, keyID, month string) (*messages.Ledger, error) {
	return slowly(ctx, c.by, "usage", keyID, func() (*messages.Ledger, error) { return c.Counters.Usage(ctx, keyID, month) })
}

type pacedItems struct {
	store.Items
	by *Node
}

func (i pacedItems) Get(ctx context.Context, identities []string) ([]store.ItemState, error) {
	return slowly(ctx, i.by, "get", "items", func() ([]store.ItemState, error) { return i.Items.Get(ctx, identities) })
}

func (i pacedItems) CAS(ctx context.Context, items []*messages.Item, revisions []uint64) ([]error, error) {
	return slowly(ctx, i.by, "cas", "items", func() ([]error, error) { return i.Items.CAS(ctx, items, revisions) })
}

type pacedSnapshots struct {
	store.Snapshots
	by *Node
}

func (s pacedSnapshots) Put(ctx context.Context, id string, at messages.Position, r io.Reader) error {
	return slowlyDone(ctx, s.by, "put", "snapshots", func() error { return s.Snapshots.Put(ctx, id, at, r) })
}

func (s pacedSnapshots) Latest(ctx context.Context, id string) (at messages.Position, r io.ReadCloser, err error) {
	err = slowlyDone(ctx, s.by, "latest", "snapshots", func() error {
		at, r, err = s.Snapshots.Latest(ctx, id)
		return err
	})
	return at, r, err
}
