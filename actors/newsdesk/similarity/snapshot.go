package similarity

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
)

// snapshotVersion is the first byte of a snapshot: of the form, and of what
// the state means. Stories made by other weights are replayed, not restored.
const snapshotVersion = 6

// ErrSnapshot is what Restore's errors are: the bytes are no snapshot of this
// version and Config. The caller replays the log instead.
var ErrSnapshot = errors.New("similarity: no snapshot that can be restored")

// Snapshot is the whole state. An engine restored from it goes on exactly as
// this one does, and its own snapshot is the same bytes.
func (e *Engine) Snapshot() []byte {
	w := writer{out: []byte{snapshotVersion}}
	w.config(&e.cfg)
	for _, v := range []int64{e.latest, e.now, e.swept, e.made, e.seen} {
		w.int(v)
	}
	w.uint(uint64(e.words.articles))
	w.uint(uint64(e.words.stories))
	terms := slices.Sorted(maps.Keys(e.words.terms))
	w.uint(uint64(len(terms)))
	for _, t := range terms {
		x := e.words.terms[t]
		w.fixed(t)
		w.uint(uint64(x.articles))
		w.uint(uint64(x.stories))
		w.uint(uint64(x.caps))
		w.uint(uint64(x.lows))
	}
	w.uint(uint64(len(e.from)))
	for _, source := range slices.Sorted(maps.Keys(e.from)) {
		w.fixed(source)
		w.outlet(e.from[source])
	}
	ids := slices.Sorted(maps.Keys(e.live))
	w.uint(uint64(len(ids)))
	for _, id := range ids {
		w.story(e.live[id])
	}
	w.uint(uint64(len(e.queue)))
	for _, s := range e.queue {
		w.int(s.id)
	}
	return w.out
}

type writer struct{ out []byte }

func (w *writer) uint(v uint64)  { w.out = binary.AppendUvarint(w.out, v) }
func (w *writer) int(v int64)    { w.out = binary.AppendVarint(w.out, v) }
func (w *writer) fixed(v uint64) { w.out = binary.LittleEndian.AppendUint64(w.out, v) }

// config is in the snapshot because another one makes other stories.
func (w *writer) config(c *Config) {
	for _, v := range []int64{c.Window, int64(c.Live), int64(c.Terms), int64(c.Dictionary), int64(c.Members), int64(c.Checks)} {
		w.int(v)
	}
	for _, weights := range []*Weights{c.join, c.merge} {
		for _, x := range weights {
			w.fixed(math.Float64bits(x))
		}
	}
}

func (w *writer) vectors(v *vectors) {
	for _, view := range v {
		w.uint(uint64(len(view)))
		for _, c := range view {
			w.fixed(c.term)
			w.out = binary.LittleEndian.AppendUint32(w.out, math.Float32bits(c.weight))
		}
	}
}

func (w *writer) outlet(x *outlet) {
	w.int(x.last)
	w.int(int64(x.told))
	w.uint(uint64(len(x.words)))
	for _, u := range x.words {
		w.fixed(u.term)
		w.uint(uint64(u.n))
	}
	w.uint(uint64(len(x.heads)))
	for _, h := range x.heads {
		w.uint(uint64(len(h)))
		for _, term := range h {
			w.fixed(term)
		}
	}
}

func (w *writer) story(s *story) {
	for _, v := range []int64{s.id, int64(s.count), int64(s.bodies), s.last, int64(s.parted)} {
		w.int(v)
	}
	w.fixed(s.source)
	w.int(int64(s.meetings))
	for _, x := range s.met {
		w.fixed(math.Float64bits(x))
	}
	w.vectors(&s.sum)
	w.uint(uint64(len(s.members)))
	for i := range s.members {
		m := &s.members[i]
		w.int(m.id)
		w.int(m.came)
		w.int(m.at)
		body := uint64(0)
		if m.body {
			body = 1
		}
		w.uint(body)
		w.vectors(&m.v)
	}
}

// Restore makes an engine from a snapshot that one with the same Config wrote.
// Its errors are ErrSnapshot.
func Restore(cfg Config, snapshot []byte) (*Engine, error) {
	e, err := New(cfg)
	if err != nil {
		return nil, err
	}
	if len(snapshot) == 0 || snapshot[0] != snapshotVersion {
		return nil, fmt.Errorf("%w: not of version %d", ErrSnapshot, snapshotVersion)
	}
	var own writer
	own.config(&e.cfg)
	rest, ok := bytes.CutPrefix(snapshot[1:], own.out)
	if !ok {
		return nil, fmt.Errorf("%w: made with another configuration or other weights", ErrSnapshot)
	}
	r := decoder{in: bytes.NewReader(rest)}
	e.restore(&r)
	if r.err == nil && r.in.Len() > 0 {
		r.err = fmt.Errorf("%d bytes too many", r.in.Len())
	}
	if r.err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSnapshot, r.err)
	}
	return e, nil
}

func (e *Engine) restore(r *decoder) {
	for _, v := range []*int64{&e.latest, &e.now, &e.swept, &e.made, &e.seen} {
		*v = r.int()
	}
	e.words.articles, e.words.stories = uint32(r.uint()), uint32(r.uint())
	for n := r.length(12); n > 0; n-- {
		term := r.fixed()
		*e.words.entry(term) = entry{articles: uint32(r.uint()), stories: uint32(r.uint()), caps: uint32(r.uint()), lows: uint32(r.uint())}
	}
	for n := r.length(12); n > 0; n-- {
		e.from[r.fixed()] = r.outlet()
	}
	if len(e.from) > outletsMost {
		r.fail("too many outlets")
	}
	for n := r.length(17); n > 0; n-- {
		e.restoreStory(r)
	}
	for n := r.length(1); n > 0; n-- {
		s := e.live[r.int()]
		if s == nil || s.queued {
			r.fail("a story waits that does not live, or twice")
			return
		}
		e.enqueue(s)
	}
}

func (e *Engine) restoreStory(r *decoder) {
	id := r.int()
	if e.live[id] != nil || len(e.live) >= e.cfg.Live {
		r.fail("a story is there twice, or too many are")
	}
	if r.err != nil {
		return
	}
	s := e.begin(id)
	s.count, s.bodies, s.last, s.parted = int(r.int()), int(r.int()), r.int(), int(r.int())
	s.source = r.fixed()
	s.meetings = int(r.int())
	for view := range s.met {
		s.met[view] = math.Float64frombits(r.fixed())
		if x := s.met[view]; !(x >= 0 && x <= math.MaxFloat64) || s.meetings < 0 {
			r.fail("how alike a story's articles are is no number")
		}
	}
	sum := r.vectors()
	n := r.length(7)
	if s.count < 1 || n < 1 || n > e.cfg.Members {
		r.fail("a story has no articles, or too many")
	}
	for ; n > 0 && r.err == nil; n-- {
		s.members = append(s.members, member{id: r.int(), came: r.int(), at: r.int(), body: r.uint() == 1, v: r.vectors()})
	}
	if r.err == nil {
		e.shift(s, &sum, 1)
	}
}

// decoder reads what writer wrote; after the first error it reads zeros.
type decoder struct {
	in  *bytes.Reader
	err error
}

func (r *decoder) fail(what string) {
	if r.err == nil {
		r.err = errors.New(what)
	}
}

func (r *decoder) uint() uint64 {
	v, err := binary.ReadUvarint(r.in)
	return keep(r, v, err)
}

func (r *decoder) int() int64 {
	v, err := binary.ReadVarint(r.in)
	return keep(r, v, err)
}

func keep[T any](r *decoder, v T, err error) T {
	var zero T
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("at %d bytes before the end: %w", r.in.Len(), err)
	}
	if r.err != nil {
		return zero
	}
	return v
}

func (r *decoder) fixed() uint64 {
	var b [8]byte
	_, err := io.ReadFull(r.in, b[:])
	return keep(r, binary.LittleEndian.Uint64(b[:]), err)
}

// length is a count of things of at least so many bytes: more than the rest
// can hold is an error, not an allocation.
func (r *decoder) length(each int) int {
	n := r.uint()
	if n > uint64(r.in.Len()/each) {
		r.fail("a count that the rest cannot hold")
		return 0
	}
	return int(n)
}

func (r *decoder) outlet() *outlet {
	x := &outlet{last: r.int(), told: int(r.int())}
	for n := r.length(9); n > 0; n-- {
		u := used{r.fixed(), int(r.uint())}
		if k := len(x.words); k > 0 && x.words[k-1].term >= u.term || k == wordsMost {
			r.fail("an outlet's words are not sorted, or too many")
			return x
		}
		x.words = append(x.words, u)
	}
	for n := r.length(1); n > 0; n-- {
		var head []uint64
		for k := r.length(8); k > 0; k-- {
			head = append(head, r.fixed())
		}
		if len(x.heads) == headsMost || len(head) > headTerms || !slices.IsSorted(head) {
			r.fail("an outlet's headlines are not sorted, or too many")
			return x
		}
		x.heads = append(x.heads, head)
	}
	return x
}

func (r *decoder) vectors() (v vectors) {
	for view := range v {
		n := r.length(12)
		v[view] = make(sparse, 0, n)
		for range n {
			term := r.fixed()
			var b [4]byte
			_, err := io.ReadFull(r.in, b[:])
			w := math.Float32frombits(keep(r, binary.LittleEndian.Uint32(b[:]), err))
			if k := len(v[view]); k > 0 && v[view][k-1].term >= term || w != w || math.IsInf(float64(w), 0) {
				r.fail("a vector that is not sorted or not finite")
				return vectors{}
			}
			v[view] = append(v[view], component{term, w})
		}
	}
	return v
}
