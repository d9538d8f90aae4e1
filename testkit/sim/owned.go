package sim

import (
	"fmt"
	"slices"

	"github.com/birdwire/birdwire/actors/engine/definition"
	"github.com/birdwire/birdwire/messages"
)

// This file is how what an Owner was answered is judged.

// CheckOwned holds that what the owner was answered is so, and that the key's
// clients were handed what its rules and monitors wanted of each event as they were then.
// Which version decides an event the records say. They are trusted with a change
// whose answer never came; what was answered they must agree with.
func (c *Cluster) CheckOwned(o *Owner) {
	c.TB.Helper()
	versions, now := c.versions(o.KeyID)
	for i, h := range o.heard {
		if why := o.wrong(i, h, versions, now); why != "" {
			c.TB.Errorf("sim: the owner of %s was answered %v%v, %s when the log ended at %d: %s", o.KeyID, h.Rule, h.Monitor, h.id, h.end, why)
		}
	}
	c.checkDelivered(o.KeyID, versions)
}

// wrong says how the records differ from an answer. now is what there is.
func (o *Owner) wrong(i int, h heard, versions []version, now []definition.Definition) string {
	at := slices.IndexFunc(now, func(d definition.Definition) bool { return d.ID() == h.id })
	if h.Nothing() {
		if at >= 0 {
			return "it exists"
		}
		k := uint32(0)
		for _, before := range o.heard[:i] {
			if before.id == h.id {
				k = before.K()
			}
		}
		for _, v := range versions {
			if v.k == k && k > 0 && (v.until == 0 || v.until > h.end) {
				return fmt.Sprintf("it decided events after that: %+v", v)
			}
		}
		return ""
	}
	if messages.Position(h.After()) > h.end {
		return "it takes effect later than that"
	}
	if at >= 0 && now[at].Version() < h.Version() {
		return fmt.Sprintf("the record is older: %+v", now[at])
	}
	deleted := slices.ContainsFunc(o.heard, func(o heard) bool { return o.id == h.id && o.Nothing() })
	if at < 0 && !deleted && len(o.Odd) == 0 && o.Again == 0 {
		return "there is no record of it, and nobody deleted it"
	}
	return o.unlike(i, versions, now)
}

// unlike says how the versions in the records differ from what was answered.
func (o *Owner) unlike(i int, versions []version, now []definition.Definition) string {
	h := o.heard[i]
	for _, v := range versions {
		switch {
		case v.k != h.K() || v.number > h.Version():
		case v.number == h.Version():
			if h.Status() != definition.Active || !v.is(h.Definition) {
				return fmt.Sprintf("the record says %+v", v)
			}
			return ""
		case v.until == 0 || v.until > messages.Position(h.After()):
			return fmt.Sprintf("the version before it decides events after it: %+v", v)
		}
	}
	if h.Status() == definition.Active && !o.replaced(i, now) {
		return "there is no record of it"
	}
	return ""
}

// replaced says whether what was answered may have been replaced before an event
// came: a version that decided nothing is not kept.
func (o *Owner) replaced(i int, now []definition.Definition) bool {
	h := o.heard[i]
	for _, next := range o.heard[i+1:] {
		if next.id == h.id && (next.Nothing() || next.Version() > h.Version()) {
			return next.Nothing() || next.After() == h.After() || o.Again > 0 || !h.IsRule()
		}
	}
	current := slices.ContainsFunc(now, func(d definition.Definition) bool { return d.ID() == h.id && d.Version() == h.Version() })
	// By a change that was not answered, or that nobody asked for: what a monitor learns.
	return (o.Again > 0 || !h.IsRule()) && !current
}
