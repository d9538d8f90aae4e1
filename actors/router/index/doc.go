// Package index holds standing queries and answers which of them want a
// document. Its cost follows what matches, not what is registered. It owns the
// queries' compiled form and what it has learnt of how common keys are; it
// never reads a clock, starts no goroutine and delivers nothing.
//
// # How a query is found
//
// A document has keys (rule.Doc.Keys): one for every word, tag, author,
// language … that it could be asked for. For every query the index chooses an
// anchor cover: a set of keys of which every matching document has at least
// one. An atom is covered by itself, a phrase by its rarest token, an AND by
// its cheapest argument, an OR by all of its arguments together, a negation by
// nothing. What has no cover is tried on every document; that list is kept
// short by storing identical queries once.
//
//	document ─▶ keys ─▶ table ─▶ postings ─▶ signature ─▶ program ─▶ ids
//
// A posting is kept under its anchor and carries a signature: the fingerprints
// of up to two further keys that the query needs if it is to match by way of
// this anchor. A document's fingerprints are a bitmap of 65,536 bits, so that
// a posting whose needs are not met is passed over without touching memory
// that is not at hand already. What remains runs its program: the atoms in
// order, each with the place to go on at when it holds and when it does not,
// so that negation and nesting never blow up into a disjunctive form.
//
// # Segments
//
// Queries live in immutable segments of geometric sizes. A change puts the
// query into a batch that the next snapshot seals as a segment; removing sets
// a bit in the segment's tombstones. Both are copied before they change if a
// snapshot has them, so a snapshot answers for ever what it answered first:
// a change takes effect at one position of the stream, wholly.
//
// Small segments are merged as they are sealed, a few thousand queries at the
// most. Larger merges are jobs ([Merge]) that the owner hands to whoever may
// work for long, and installs when they are done; what was removed in between
// stays removed. A merge drops what is dead, stores identical queries once and
// chooses the anchors again by what is common in the documents seen since.
//
// Rejected: one mutable index under a lock (a writer stops every matcher); an
// append-only dictionary of key numbers (the keys are 64-bit hashes already:
// programs name them directly, a dictionary would only add one more miss of
// the cache a key and never shrink); stamps a query for each document (4 MB
// for a million, where one bit for those with several anchors is enough).
package index
