package sim

import "github.com/birdwire/birdwire/cluster/store"

// nextVersion is that of a made-up next release, which keeps some kinds of records in
// another format: what a program of today cannot read.
const nextVersion = 2

var nextFormats = store.Formats{
	nextFormat("keys"), nextFormat("rules"), nextFormat("monitors"), nextFormat("past"), nextFormat("shards"),
}

// nextFormat differs from the first in its mark alone, which is no beginning of the
// first: the actors of both releases are those of today.
func nextFormat(kind string) store.Format {
	same := func(data []byte) ([]byte, error) { return data, nil }
	return store.Format{Kind: kind, Number: 2, Since: nextVersion, Up: same, Down: same}
}

// formatsOf are what a program of the version knows.
func formatsOf(version uint32) store.Formats {
	if version < nextVersion {
		return store.Known
	}
	return nextFormats
}

// next is the version that a node comes back with: one step forth or back. Nobody goes
// back once all have come forth.
func (n *Node) next() uint32 {
	for _, o := range n.cluster.nodes {
		if o.Version < nextVersion {
			return nextVersion + 1 - n.Version
		}
	}
	return nextVersion
}

// control is the store, for whoever judges a run: it reads what every version wrote.
func (c *Cluster) control() *store.Gated { return nextFormats.Gate(c.Disk.Open(nil).Control(), nil) }
