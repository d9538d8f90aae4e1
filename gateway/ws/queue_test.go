package ws

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// The queue against a plain list of the bytes that must come out.
func TestQueueAgainstAPlainList(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		var q queue
		var frames [][]byte // the oracle: what is queued, the first with what is left of it
		begun := false      // a part of the first is written
		buf := make([]byte, 64)
		next := byte(0)
		for range 400 {
			switch r.IntN(6) {
			case 0, 1, 2:
				next++
				frame := bytes.Repeat([]byte{next}, 1+r.IntN(40)*r.IntN(3))
				q.push(frame)
				frames = append(frames, frame)
			case 3, 4:
				chunk := q.next(buf)
				if len(frames) == 0 {
					if chunk != nil {
						t.Fatalf("seed %d: an empty queue gave %v", seed, chunk)
					}
					continue
				}
				if all := bytes.Join(frames, nil); len(chunk) == 0 || !bytes.HasPrefix(all, chunk) {
					t.Fatalf("seed %d: next is %v, queued %v", seed, chunk, all)
				}
				if r.IntN(8) == 0 { // while a writer holds the chunk
					q.drop()
					kept := 0
					for n := 0; n < len(chunk); kept++ {
						n += len(frames[kept])
					}
					frames = frames[:kept]
				}
				n := r.IntN(len(chunk) + 1)
				whole := q.advance(n)
				for n > 0 && n >= len(frames[0]) {
					n -= len(frames[0])
					frames, begun = frames[1:], false
					whole--
				}
				if whole != 0 {
					t.Fatalf("seed %d: wrong number of finished frames", seed)
				}
				if n > 0 {
					frames[0], begun = frames[0][n:], true
				}
			case 5:
				if r.IntN(10) == 0 {
					q.drop()
					keep := 0
					if begun && len(frames) > 0 {
						keep = 1
					}
					frames = frames[:keep]
				}
			}
			want := len(bytes.Join(frames, nil))
			if q.bytes != want || q.empty() != (want == 0) {
				t.Fatalf("seed %d: %d bytes queued, want %d", seed, q.bytes, want)
			}
		}
	}
}

func TestAnEmptyQueueHoldsNothing(t *testing.T) {
	var q queue
	for range 100 {
		q.push([]byte("frame"))
	}
	q.next(make([]byte, 1000))
	q.advance(500)
	if q.frames != nil || q.inline[0] != nil || q.inline[1] != nil {
		t.Errorf("an empty queue holds %v %v", q.frames, q.inline)
	}
}
