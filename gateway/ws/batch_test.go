package ws

import (
	"bytes"
	"testing"
)

// A batch in one piece is as good as its frames: they are counted one by one,
// and a client that is cut off gets the frame whole that has begun, and no other.
func TestABatchIsCutBetweenFrames(t *testing.T) {
	sizes := []int{10, 125, 126, 300, 1 << 16, 20}
	var frames [][]byte
	for i, n := range sizes {
		frames = append(frames, textFrame(func(b []byte) []byte { return append(b, bytes.Repeat([]byte{byte('a' + i)}, n)...) }))
	}
	joined := bytes.Join(frames, nil)
	other := textFrame(func(b []byte) []byte { return append(b, "another batch"...) })
	ends := map[int]bool{0: true}
	for at, i := 0, 0; i < len(frames); i++ {
		at += len(frames[i])
		ends[at] = true
	}
	for written := range len(joined) {
		if written > 700 && written < 1<<16 { // inside the longest
			continue
		}
		var q queue
		q.push(joined)
		q.push(other)
		_ = q.next(nil)
		if n := q.advance(written); n != 0 {
			t.Fatalf("%d frames were finished after %d bytes of the batch", n, written)
		}
		q.drop()
		end := written
		for !ends[end] {
			end++
		}
		if q.bytes != end-written || q.empty() != ends[written] {
			t.Fatalf("after %d bytes %d are left, want %d: up to the frame's end", written, q.bytes, end-written)
		}
		if left := q.next(nil); !bytes.Equal(left, joined[written:end]) {
			t.Fatalf("after %d bytes %q is left, want %q", written, left, joined[written:end])
		}
		q.advance(end - written)
		q.push(other) // a close frame, say
		if left := q.next(nil); !bytes.Equal(left, other) {
			t.Fatalf("after the rest comes %q", left)
		}
	}
	var q queue
	q.push(joined)
	_ = q.next(nil)
	if n := q.advance(len(joined)); n != len(frames) {
		t.Errorf("%d frames were counted, want %d", n, len(frames))
	}
}
