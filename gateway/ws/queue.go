package ws

import "slices"

// queue holds what a connection still has to send: references to whole
// frames, or to several of one batch, most of them shared with other
// connections. Its bound is in bytes and the caller's to keep (Conn.push). An
// empty queue holds no memory beyond its two inline places, which serve a
// connection that keeps up.
type queue struct {
	frames [][]byte
	inline [2][]byte
	head   int32 // frames[head] is the next to write
	taken  int32 // frames from head that are in a writer's hands
	offset int   // of the next, so much is written
	bytes  int   // left to write
}

// minGrown: a burst grows the queue once and not with every frame.
const minGrown = 16

func (q *queue) empty() bool { return q.bytes == 0 }

func (q *queue) push(frame []byte) {
	switch full := len(q.frames) == cap(q.frames); {
	case q.frames == nil:
		q.frames = q.inline[:0]
	case full && int(q.head) > len(q.frames)/2:
		n := copy(q.frames, q.frames[q.head:])
		clear(q.frames[n:])
		q.frames, q.head = q.frames[:n], 0
	case full:
		q.frames = slices.Grow(q.frames, max(minGrown, len(q.frames)))
	}
	q.frames = append(q.frames, frame)
	q.bytes += len(frame)
}

// next is what to write now: as many whole frames as buf holds, copied
// together, or one frame as it is. The copy costs less than a scattered write
// of small frames would. It stays valid until advance.
func (q *queue) next(buf []byte) []byte {
	if q.bytes == 0 {
		return nil
	}
	first := q.frames[q.head][q.offset:]
	q.taken = 1
	if int(q.head)+1 == len(q.frames) || len(first)+len(q.frames[q.head+1]) > len(buf) {
		return first
	}
	n := copy(buf, first)
	for _, f := range q.frames[q.head+1:] {
		if n+len(f) > len(buf) {
			break
		}
		n += copy(buf[n:], f)
		q.taken++
	}
	return buf[:n]
}

// advance drops n written bytes and returns how many frames they finished.
func (q *queue) advance(n int) (frames int) {
	q.taken = 0
	q.bytes -= n
	n += q.offset
	for int(q.head) < len(q.frames) && n >= len(q.frames[q.head]) {
		done := q.frames[q.head]
		n -= len(done)
		q.frames[q.head] = nil
		q.head++
		frames += framesIn(done)
	}
	q.offset = n
	if q.bytes == 0 {
		q.reset()
	}
	return frames
}

// drop forgets every frame of which nothing is or may be written.
func (q *queue) drop() {
	keep := int(q.taken)
	if q.offset > 0 && keep == 0 {
		begun := q.frames[q.head]
		end := frameEnd(begun, q.offset)
		q.bytes -= len(begun) - end
		q.frames[q.head] = begun[:end]
		if end > q.offset {
			keep = 1
		}
	}
	if keep == 0 {
		q.reset()
		return
	}
	for i := int(q.head) + keep; i < len(q.frames); i++ {
		q.bytes -= len(q.frames[i])
		q.frames[i] = nil
	}
	q.frames = q.frames[:min(len(q.frames), int(q.head)+keep)]
}

func (q *queue) reset() {
	q.inline = [2][]byte{}
	q.frames, q.head, q.offset, q.taken, q.bytes = nil, 0, 0, 0, 0
}
