package link

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/asynkron/protoactor-go/actor"
)

// The kinds of the library's own messages. No protobuf name begins so.
const (
	kindWatch      = "!watch"      // Target is watched by Sender
	kindUnwatch    = "!unwatch"    // and not any more
	kindTerminated = "!terminated" // Target is told that Sender has ended; Bytes is why
)

var systemKinds map[string]func(*Remote, Peer, Envelope)

func init() { // in a function: the handlers send, and sending asks for the kinds
	systemKinds = map[string]func(*Remote, Peer, Envelope){
		kindWatch: (*Remote).gotWatch, kindUnwatch: (*Remote).gotUnwatch, kindTerminated: (*Remote).gotTerminated,
	}
}

// pairing is an actor here and one of a peer.
type pairing struct{ here, there string }

// watches are who watches whom over the link. They are bounded by the actors
// that there are, and end with the session.
type watches struct {
	ours   map[Peer]map[pairing]bool // here watches there; whether the peer was told
	theirs map[Peer]map[pairing]bool // there watches here; true: it has ended, and the peer could not be told yet
}

func newWatches() watches {
	return watches{map[Peer]map[pairing]bool{}, map[Peer]map[pairing]bool{}}
}

func put(in map[Peer]map[pairing]bool, peer Peer, p pairing, value bool) {
	if in[peer] == nil {
		in[peer] = map[pairing]bool{}
	}
	in[peer][p] = value
}

func remove(in map[Peer]map[pairing]bool, peer Peer, p pairing) (was bool) {
	_, was = in[peer][p]
	if delete(in[peer], p); len(in[peer]) == 0 {
		delete(in, peer)
	}
	return was
}

// sorted is in an order that does not depend on the map.
func sorted(of map[pairing]bool) []pairing {
	return slices.SortedFunc(maps.Keys(of), func(a, b pairing) int {
		return cmp.Or(strings.Compare(a.here, b.here), strings.Compare(a.there, b.there))
	})
}

// watch: an actor here watches one of the peer. One that the link has no room
// for is sent when there is; one whose peer is down has terminated.
func (r *Remote) watch(peer Peer, who, watcher *actor.PID) {
	r.mu.Lock()
	p := pairing{watcher.GetId(), who.GetId()}
	result := r.send(who, Envelope{Kind: kindWatch, Target: p.there, Sender: p.here})
	if result == Queued || result == NoCredit {
		put(r.watches.ours, peer, p, result == Queued)
	}
	r.mu.Unlock()
	if result == PeerDown || result == StaleIncarnation {
		r.system(p.here, &actor.Terminated{Who: actor.NewPID(who.GetAddress(), p.there), Why: actor.TerminatedReason_AddressTerminated})
	}
}

// unwatch: one that is lost has the watcher told of an end that it does not
// wait for, which gotTerminated drops.
func (r *Remote) unwatch(peer Peer, who, watcher *actor.PID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := pairing{watcher.GetId(), who.GetId()}
	if remove(r.watches.ours, peer, p) {
		r.send(who, Envelope{Kind: kindUnwatch, Target: p.there, Sender: p.here})
	}
}

// terminated: an actor here has ended that one of the peer watches, or there is
// none of that name.
func (r *Remote) terminated(peer Peer, watcher *actor.PID, m *actor.Terminated) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := pairing{m.Who.GetId(), watcher.GetId()}
	if r.sendTerminated(watcher, p, m.Why) == NoCredit {
		put(r.watches.theirs, peer, p, true)
		return
	}
	remove(r.watches.theirs, peer, p)
}

func (r *Remote) sendTerminated(watcher *actor.PID, p pairing, why actor.TerminatedReason) Result {
	return r.send(watcher, Envelope{Kind: kindTerminated, Target: p.there, Sender: p.here, Bytes: []byte{byte(why)}})
}

func (r *Remote) gotWatch(from Peer, e Envelope) {
	r.mu.Lock()
	put(r.watches.theirs, from, pairing{e.Target, e.Sender}, false)
	r.mu.Unlock()
	r.system(e.Target, &actor.Watch{Watcher: actor.NewPID(from.Address(), e.Sender)})
}

func (r *Remote) gotUnwatch(from Peer, e Envelope) {
	r.mu.Lock()
	remove(r.watches.theirs, from, pairing{e.Target, e.Sender})
	r.mu.Unlock()
	r.system(e.Target, &actor.Unwatch{Watcher: actor.NewPID(from.Address(), e.Sender)})
}

func (r *Remote) gotTerminated(from Peer, e Envelope) {
	r.mu.Lock()
	watched := remove(r.watches.ours, from, pairing{e.Target, e.Sender})
	r.mu.Unlock()
	if !watched { // it was unwatched, or told before
		return
	}
	why := actor.TerminatedReason_Stopped
	if len(e.Bytes) == 1 {
		why = actor.TerminatedReason(e.Bytes[0])
	}
	r.system(e.Target, &actor.Terminated{Who: actor.NewPID(from.Address(), e.Sender), Why: why})
}

// down ends all watches over the session, in both directions.
func (r *Remote) down(peer Peer) {
	r.mu.Lock()
	if r.up[peer.Node] == peer {
		delete(r.up, peer.Node)
	}
	ours, theirs := sorted(r.watches.ours[peer]), sorted(r.watches.theirs[peer])
	delete(r.watches.ours, peer)
	delete(r.watches.theirs, peer)
	r.mu.Unlock()
	for _, p := range ours {
		r.system(p.here, &actor.Terminated{Who: actor.NewPID(peer.Address(), p.there), Why: actor.TerminatedReason_AddressTerminated})
	}
	for _, p := range theirs {
		r.system(p.here, &actor.Unwatch{Watcher: actor.NewPID(peer.Address(), p.there)})
	}
}

// creditOK sends what had to wait for room.
func (r *Remote) creditOK(peer Peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range sorted(r.watches.ours[peer]) {
		if !r.watches.ours[peer][p] {
			result := r.cfg.Link.Send(peer, Envelope{Kind: kindWatch, Target: p.there, Sender: p.here})
			r.watches.ours[peer][p] = result == Queued
		}
	}
	for _, p := range sorted(r.watches.theirs[peer]) {
		if r.watches.theirs[peer][p] && r.sendTerminated(actor.NewPID(peer.Address(), p.there), p, actor.TerminatedReason_Stopped) == Queued {
			remove(r.watches.theirs, peer, p)
		}
	}
}
