package gossip

import (
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/memberlist"
)

// What memberlist calls. All of it is called under memberlist's lock, so that
// nothing here may block, log or call memberlist.

// delegate says what the node says of itself; nothing else is gossiped.
type delegate Gossip

func (d *delegate) NodeMeta(int) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	data, err := d.self.Encode()
	if err != nil { // every change was encoded before it was taken
		panic(fmt.Sprintf("what the node says of itself cannot be encoded: %v", err))
	}
	return data
}

func (d *delegate) NotifyMsg([]byte)                {}
func (d *delegate) GetBroadcasts(_, _ int) [][]byte { return nil }
func (d *delegate) LocalState(bool) []byte          { return nil }
func (d *delegate) MergeRemoteState([]byte, bool)   {}

// events are told of members that were accepted.
type events Gossip

func (e *events) NotifyJoin(n *memberlist.Node)   { e.write(n, Seen) }
func (e *events) NotifyUpdate(n *memberlist.Node) { e.write(n, Seen) }
func (e *events) NotifyLeave(n *memberlist.Node)  { e.write(n, Gone) }

func (e *events) write(n *memberlist.Node, state State) {
	meta, err := DecodeMeta(n.Meta)
	if err != nil {
		return // strangers has refused it before it could be a member
	}
	if state == Gone && meta.Leaving {
		state = Left
	}
	g := (*Gossip)(e)
	g.mu.Lock()
	was, known := g.known[n.Name]
	next := Node{Meta: meta, Name: n.Name, State: state, Gossip: n.Address(), Since: was.Since}
	if !known || was.State != state {
		next.Since = time.Now()
	}
	g.known[n.Name] = next
	g.mu.Unlock()
	g.note()
}

// strangers refuses nodes that are not of this cluster, or that this one cannot
// talk with.
type strangers Gossip

// NotifyAlive is asked about every word of a node that is there, also of this one
// itself.
func (s *strangers) NotifyAlive(n *memberlist.Node) error {
	g := (*Gossip)(s)
	err := g.accept(n)
	if err != nil {
		g.refuse(n.Name, n.Address(), err)
	}
	return err
}

// NotifyMerge is asked when a node joins by this one, or the reverse, about all
// that the other side knows. One member of another cluster is enough to refuse
// it: its word that some node has left would be taken for one of this cluster's.
// A node that is too old or too new is refused alone, by NotifyAlive.
func (s *strangers) NotifyMerge(peers []*memberlist.Node) error {
	g := (*Gossip)(s)
	for _, n := range peers {
		meta, err := DecodeMeta(n.Meta)
		if err == nil && meta.Cluster == g.cfg.Meta.Cluster {
			continue
		}
		if err == nil {
			err = g.cfg.Meta.accepts(meta)
		}
		g.refuse(n.Name, n.Address(), err)
		return err
	}
	return nil
}

func (g *Gossip) accept(n *memberlist.Node) error {
	meta, err := DecodeMeta(n.Meta)
	if err != nil {
		return err
	}
	if !name(n.Name) {
		return fmt.Errorf("its name %.80q is none", n.Name)
	}
	if err := g.cfg.Meta.accepts(meta); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.known[n.Name]; !known && len(g.known) == maxNodes {
		return fmt.Errorf("this node knows %d already and takes no more", maxNodes)
	}
	return nil
}

// conflicts is told when a name that is taken is heard of at another address.
type conflicts Gossip

func (c *conflicts) NotifyConflict(existing, other *memberlist.Node) {
	g := (*Gossip)(c)
	g.cfg.Count("conflict")
	if existing.Name == g.cfg.Name {
		g.metRival(other.Address())
		g.refuse(existing.Name, other.Address(), errors.New("a process with this node's name is there, or this node was: give one of the two another --node, or end it; the others take whoever answers"))
		return
	}
	g.refuse(other.Name, other.Address(), fmt.Errorf("that name is at %s; it may move once it does not answer there", existing.Address()))
}
