package sim

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/birdwire/birdwire/cluster/runtime"
)

// mailboxes say how much those of one process hold: what a real process's do, or
// less while they are made small. They are asked at every message.
type mailboxes struct {
	runtime.Bounds
	dropped *int              // of all
	passed  map[string]string // by kind of actor: how a real bound was passed
	hangs   map[string]func(message any) bool
}

// Hang has the node's actors of the kind handle none of those messages any more, until
// nil. They are told to stop all the same.
func (n *Node) Hang(kind string, at func(message any) bool) { n.mailboxes.hangs[kind] = at }

// Drop is testkit.Bounds. What may not be dropped is put in all the same: there is
// only so much of it, so that twice the bound is never reached.
func (m *mailboxes) Drop(kind string, waits, bytes int, message any) bool {
	if most, size := (runtime.Bounds{}).Of(kind); waits > 2*most || bytes > 2*size {
		m.passed[kind] = fmt.Sprintf("%d messages of %d bytes wait, the bound is %d of %d; then came %T", waits, bytes, most, size, message)
	}
	if at := m.hangs[kind]; at != nil && at(message) {
		return true
	}
	if !m.Bounds.Drop(kind, waits, bytes, message) {
		return false
	}
	*m.dropped++
	return true
}

// checkMailboxes holds that no mailbox has grown past its bound.
func (c *Cluster) checkMailboxes() {
	for _, n := range c.nodes {
		for _, kind := range slices.Sorted(maps.Keys(n.mailboxes.passed)) {
			c.Violated("mailboxes are bounded", "%s at %s: %s", kind, n.Name, n.mailboxes.passed[kind])
		}
		clear(n.mailboxes.passed)
	}
}

// stutter suspends the process for a while, so that much comes for it at once when
// it goes on. What it returns ends that, and makes its mailboxes large again.
func (n *Node) stutter(d time.Duration) (heal func()) {
	process, boxes := n.Host, n.mailboxes
	n.Freeze()
	thaw := func() {
		if n.Host == process && n.frozen {
			n.Thaw()
		}
	}
	n.cluster.Later(d, thaw)
	return func() {
		thaw()
		boxes.Most = 0
	}
}
