package ws

import (
	"math/bits"
	"sync/atomic"

	"github.com/birdwire/birdwire/gateway/dialect"
	"github.com/birdwire/birdwire/messages"
)

// cache shares encoded frames: ten thousand connections of one form cost one
// encoding. It is an array of buckets of atomic pointers; a reader never
// waits. Its bound is its size: a new frame takes the place of the oldest of
// its bucket, and a frame that is gone is encoded again. Two goroutines that
// miss at once both encode, and one result stays.
type cache struct {
	mask         uint64
	buckets      []bucket
	hits, misses atomic.Uint64
}

const bucketWays = 4

type bucket [bucketWays]atomic.Pointer[shared]

// form is everything besides the event that frames may differ in.
type form struct {
	epoch      string // of the log: a position means nothing without it
	dialect    uint8  // of the API's route
	cursors    bool
	embeddings bool
}

// shared is one event in one form. Its bytes are never changed.
type shared struct {
	position uint64
	k        uint32
	form     form
	origin   *messages.Origin
	// event is set where the same position may have different content:
	// lists that were filtered for one connection.
	event *messages.Event

	plain    []byte                 // a whole frame, header included
	deflated atomic.Pointer[[]byte] // the same compressed, made when first needed
}

// newCache holds at least size frames.
func newCache(size int) *cache {
	n := 1 << bits.Len(uint((size-1)/bucketWays))
	return &cache{mask: uint64(n - 1), buckets: make([]bucket, n)}
}

// get returns the delivery's frame, encoding it where it is not kept. Nil:
// the API does not show such an event.
func (c *cache) get(d *messages.Delivery, f form, encode func() []byte) *shared {
	b := &c.buckets[c.hash(d, f)]
	for i := range b {
		if s := b[i].Load(); s != nil && s.is(d, f) {
			c.hits.Add(1)
			return s
		}
	}
	c.misses.Add(1)
	s := &shared{position: d.GetPosition(), k: d.GetK(), form: f, origin: d.GetOrigin(), plain: encode()}
	if s.plain == nil {
		return nil
	}
	if d.GetEvent().GetClustersRanked() != nil {
		s.event = d.GetEvent()
	}
	place := 0
	oldest := ^uint64(0)
	for i := range b {
		old := b[i].Load()
		if old == nil {
			place = i
			break
		}
		if old.position < oldest {
			place, oldest = i, old.position
		}
	}
	b[place].Store(s)
	return s
}

func (s *shared) is(d *messages.Delivery, f form) bool {
	return s.position == d.GetPosition() && s.k == d.GetK() && s.form == f &&
		(s.event == nil || s.event == d.GetEvent()) && sameOrigin(s.origin, d.GetOrigin())
}

// sameOrigin compares what a frame shows: k is unique only within its key, and
// a rename changes the frame.
func sameOrigin(a, b *messages.Origin) bool {
	return a == b || a.GetKind() == b.GetKind() && a.GetId() == b.GetId() && a.GetName() == b.GetName()
}

func (c *cache) hash(d *messages.Delivery, f form) uint64 {
	const golden = 0x9e3779b97f4a7c15
	h := d.GetPosition()*golden ^ uint64(d.GetK())<<32 ^ uint64(f.dialect)
	if f.cursors {
		h ^= 1 << 8
	}
	if f.embeddings {
		h ^= 1 << 9
	}
	for _, b := range []byte(d.GetOrigin().GetId()) { // FNV-1a's step
		h = (h ^ uint64(b)) * 0x100000001b3
	}
	h ^= h >> 32
	h *= golden
	return h >> 40 & c.mask
}

// compressed is the frame for connections that negotiated compression.
func (s *shared) compressed(threshold int) []byte {
	if p := s.deflated.Load(); p != nil {
		return *p
	}
	b := deflate(s.plain, threshold)
	s.deflated.Store(&b)
	return b
}

// frameOf is the delivery as this connection is sent it; nil: its API does
// not show such an event. What only this connection sees (a similarity) is
// encoded for it alone.
func (c *Conn) frameOf(d *messages.Delivery, f form) []byte {
	encode := func() []byte {
		df := dialect.Form{Embeddings: f.embeddings}
		if f.cursors {
			df.Cursor = string(dialect.AppendCursor(nil, messages.Cursor{
				Epoch: f.epoch, Position: messages.Position(d.GetPosition()), K: d.GetK(),
			}))
		}
		return textFrame(func(b []byte) []byte { return c.route.codec.Event(b, d, df) })
	}
	if d.GetSimilarity() != 0 {
		frame := encode()
		if c.deflate && frame != nil {
			frame = deflate(frame, c.server.cfg.DeflateThreshold)
		}
		return frame
	}
	s := c.server.cache.get(d, f, encode)
	switch {
	case s == nil:
		return nil
	case c.deflate:
		return s.compressed(c.server.cfg.DeflateThreshold)
	}
	return s.plain
}
