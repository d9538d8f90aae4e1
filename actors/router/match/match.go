// Package match asks one event of an index: which standing queries want it,
// and what each of them is to be shown. Router and replay both go through it,
// so that what is live and what is replayed cannot differ.
//
// It decides nothing about order, repeats or who is told.
package match

import (
	"cmp"
	"slices"

	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/actors/router/index"
	"github.com/birdwire/birdwire/messages"
)

// Hit is one query that wants the event.
type Hit struct {
	ID         index.ID
	Similarity float32 // best cosine, where a semantic filter decided; else 0
	// Event is what this query is to be shown; nil for the event as it is.
	// Only a list that a filter shortens (clusters.ranked) has one of its own.
	Event *messages.Event
}

// Matcher has the buffers of one goroutine.
type Matcher struct {
	doc     rule.Doc
	scratch index.Scratch
	found   []index.Hit
	hits    []Hit
}

// Match returns the queries of s that want e, by id. The slice is good until
// the next call.
func (m *Matcher) Match(s *index.Snapshot, e *messages.Event) []Hit {
	m.hits = m.hits[:0]
	if ranked := e.GetClustersRanked(); ranked != nil {
		m.ranked(s, e, ranked)
		return m.hits
	}
	m.doc.Reset(e)
	m.found = s.Match(&m.doc, &m.scratch, m.found[:0])
	for _, f := range m.found {
		m.hits = append(m.hits, Hit{ID: f.ID, Similarity: f.Similarity})
	}
	return m.hits
}

// ranked asks for every entry of the list: a filter leaves some of them, and
// nothing is sent when it leaves none.
func (m *Matcher) ranked(s *index.Snapshot, e *messages.Event, all *messages.ClustersRanked) {
	kept := map[index.ID][]*messages.RankedCluster{}
	for _, entry := range all.GetClusters() {
		m.doc.ResetRanked(entry)
		m.found = s.Match(&m.doc, &m.scratch, m.found[:0])
		for _, f := range m.found {
			kept[f.ID] = append(kept[f.ID], entry)
		}
	}
	for id, entries := range kept {
		h := Hit{ID: id}
		if len(entries) < len(all.GetClusters()) {
			h.Event = &messages.Event{
				Id: e.GetId(), Source: e.GetSource(), DetectedMs: e.GetDetectedMs(),
				Body: &messages.Event_ClustersRanked{ClustersRanked: &messages.ClustersRanked{Clusters: entries}},
			}
		}
		m.hits = append(m.hits, h)
	}
	slices.SortFunc(m.hits, func(a, b Hit) int { return cmp.Compare(a.ID, b.ID) })
}
