package sim

import (
	"maps"
	"slices"
	"time"

	"github.com/birdwire/birdwire/cluster/membership"
	"github.com/birdwire/birdwire/cluster/placement"
)

const (
	renewEvery = 3 * time.Second
	ownLapse   = 12 * time.Second // by its own clock a node may not act any more
	deadLapse  = 15 * time.Second // by theirs others take it for dead
	lookEvery  = 500 * time.Millisecond
	// endSeen is how long it takes others to know that a process has ended: its
	// link was reset, and a new connect is refused.
	endSeen = 300 * time.Millisecond
)

// leases are the records in the store that nodes write about themselves.
type leases struct {
	version uint64
	records map[string]*record
}

type record struct {
	membership.Record
	renewed time.Duration // when
	ended   bool          // its process is known to have
}

func (l *leases) write(r membership.Record, now time.Duration) {
	l.version++
	l.records[r.Name] = &record{Record: r, renewed: now}
}

// read is what somebody sees who looks at the time.
func (l *leases) read(now time.Duration) (all []membership.Record) {
	for _, name := range slices.Sorted(maps.Keys(l.records)) {
		r := l.records[name]
		r.Lapsed = r.ended || now-r.renewed > deadLapse
		all = append(all, r.Record)
	}
	return all
}

// lease is a node's own.
//
// One that has lapsed is live again only once the node has been told that it is
// apart, and after that of a view in which it is not: what it owned may be
// others' by then, so it gives up everything and takes it again.
type lease struct {
	node    *Node
	renewed time.Duration
	lapsed  bool
}

// Live is actors.Lease.
func (l *lease) Live() bool { return !l.lapsed && l.node.Clock.Elapsed()-l.renewed < ownLapse }

// renew writes the node's record, where the store can be reached.
func (n *Node) renew() {
	now := n.Clock.Elapsed()
	if !n.lease.Live() && !n.lease.lapsed {
		n.lease.lapsed = true
		n.Actors.SetView(n.apart())
	}
	if n.storeDown {
		return
	}
	n.lease.renewed = now
	n.cluster.leases.write(n.record(), now)
}

func (n *Node) record() membership.Record {
	return membership.Record{
		Name: n.Name, Incarnation: n.incarnation, Version: n.Version, Began: n.began,
		Reaches: n.cluster.Net.Reaches(n.Name), Leaving: n.leaving,
	}
}

// apart is the node's view with itself in no core.
func (n *Node) apart() membership.View {
	members := slices.Clone(n.Actors.View().Members())
	for i := range members {
		if members[i].Name == n.Name {
			members[i].State = membership.Apart
		}
	}
	n.cluster.leases.version++
	return membership.NewView(n.cluster.leases.version, members...)
}

// look makes the node's view of what the records say now.
func (n *Node) look() {
	if n.storeDown {
		return
	}
	now := n.Clock.Elapsed()
	if n.lease.lapsed && now-n.lease.renewed >= ownLapse {
		return // apart, until it has renewed
	}
	view := n.cluster.view(now)
	if slices.Equal(view.Members(), n.Actors.View().Members()) {
		return
	}
	n.lease.lapsed = false
	n.Actors.SetView(view)
}

func (c *Cluster) view(now time.Duration) membership.View {
	view, err := placement.View(c.leases.version, c.leases.read(now))
	if err != nil {
		c.TB.Fatal(err)
	}
	return view
}
