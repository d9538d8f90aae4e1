package rule

import (
	"github.com/birdwire/birdwire/actors/engine/text"
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

	sample    uint64 // hash of the post's id
	keys      []uint64
	streams   [fields][]uint64 // token hashes; 0 parts two pieces of text
	post      *messages.Post   // nil for anything else
	article   *messages.Article
	urls      []address
	embedding []float32
	model     string
	buf       text.Buffer
}

// address is a URL of a post.
type address struct {
	url    string
	inText bool // its words are in the text already
}

// Reset makes the document that of an event. An event of clusters.ranked has
// no document of its own (see ResetRanked): its Classes are 0, and so are
// those of an event without a body.
func (d *Doc) Reset(e *messages.Event) {
	d.clear()
	switch body := e.GetBody().(type) {
	case *messages.Event_Post:
		d.resetPost(body.Post)
	case *messages.Event_Article:
		d.resetArticle(body.Article)
	case *messages.Event_StoryDevelopment:
		s := body.StoryDevelopment
		d.resetStory("story.development", s.GetCategory(), s.GetTitle(), s.GetHeadline())
		d.add(s.GetEntityIds(), s.GetCentroid(), s.GetEmbeddingModel())
	case *messages.Event_StoryPriority:
		s := body.StoryPriority
		d.resetStory("story.priority_changed", s.GetCategory(), s.GetHeadline(), "")
		d.add(s.GetEntityIds(), s.GetCentroid(), s.GetEmbeddingModel())
	case *messages.Event_ClusterChange:
		s := body.ClusterChange
		d.resetStory("cluster.event", s.GetCategory(), s.GetTitle(), "")
		d.add(s.GetEntityIds(), s.GetCentroid(), s.GetEmbeddingModel())
	case *messages.Event_TickerNews:
		s := body.TickerNews
		d.resetStory("ticker.news", s.GetCategory(), s.GetHeadline(), "")
		for _, t := range s.GetTickers() {
			d.value(KindTicker, ticker(t.GetSymbol()))
		}
	case *messages.Event_DeskTime:
		d.resetStory(deskTime, "", "", "")
	case *messages.Event_StoryVerdict:
		d.resetStory(deskVerdict, "", "", "")
	}
}

// ResetRanked makes the document that of one entry of clusters.ranked.
func (d *Doc) ResetRanked(c *messages.RankedCluster) {
	d.clear()
	d.resetStory("clusters.ranked", c.GetCategory(), c.GetTitle(), "")
}

func (d *Doc) clear() {
	d.Classes, d.Type, d.sample, d.post, d.article, d.embedding, d.model = 0, "", 0, nil, nil, nil, ""
	d.keys, d.urls = d.keys[:0], d.urls[:0]
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
// id alone, so that every node and every replay decide alike, and what
// sample:10 sees sample:20 sees as well.
func (d *Doc) Sampled(n int) bool {
	return n >= 100 || d.post == nil || d.sample%100 < uint64(n)
}

// value adds the key of one value.
func (d *Doc) value(k Kind, s string) {
	if s != "" {
		d.keys = append(d.keys, key(k, d.buf.HashFold(s)))
	}
}

// words adds a piece of text to a field.
func (d *Doc) words(f Field, k Kind, s string) {
	if s == "" {
		return
	}
	text.Tokenize(s, &d.buf)
	d.push(f, k)
}

// push adds what was tokenised to a field, parted from what is there.
func (d *Doc) push(f Field, k Kind) {
	if len(d.buf.Tokens) > 0 && len(d.streams[f]) > 0 {
		d.streams[f] = append(d.streams[f], 0)
	}
	d.join(f, k)
}

// join is push without the parting: phrases reach over it.
func (d *Doc) join(f Field, k Kind) {
	stream, keys := d.streams[f], d.keys
	for i := range d.buf.Tokens {
		h := d.buf.Tokens[i].Hash
		stream = append(stream, h)
		keys = append(keys, key(k, h))
	}
	d.streams[f], d.keys = stream, keys
}
