package node

import "github.com/birdwire/birdwire/actors/enricher"

// openEnrich makes what reads articles closely; nil where none is wanted.
func (n *Node) openEnrich() enricher.Reader {
	if n.cfg.Enrich.Off {
		return nil
	}
	return enricher.Reading{}
}
