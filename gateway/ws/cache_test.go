package ws

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/birdwire/birdwire/messages"
)

func post(position uint64, k uint32, origin, name string) *messages.Delivery {
	return &messages.Delivery{
		Position: position, K: k, Origin: &messages.Origin{Kind: messages.OriginKind_ORIGIN_RULE, Id: origin, Name: name},
		Event: &messages.Event{Body: &messages.Event_Post{Post: &messages.Post{}}},
	}
}

func TestCacheSharesOneEncodingOfEachForm(t *testing.T) {
	c := newCache(1024)
	base := form{epoch: "e"}
	resuming, embedding, later := base, base, base
	resuming.cursors, embedding.embeddings, later.epoch = true, true, "f"
	ranked := func() *messages.Delivery {
		return &messages.Delivery{Position: 9, Event: &messages.Event{Body: &messages.Event_ClustersRanked{ClustersRanked: &messages.ClustersRanked{}}}}
	}
	one, other := ranked(), ranked() // the same event, filtered for two connections
	distinct := []struct {
		d *messages.Delivery
		f form
	}{
		{post(1, 1, "a", "tag"), base},
		{post(1, 2, "a", "tag"), base},
		{post(2, 1, "a", "tag"), base},
		{post(1, 1, "b", "tag"), base},
		{post(1, 1, "a", "renamed"), base},
		{post(1, 1, "a", "tag"), resuming},
		{post(1, 1, "a", "tag"), embedding},
		{post(1, 1, "a", "tag"), later},
		{one, base},
		{other, base},
	}
	for range 3 {
		for i, x := range distinct {
			want := fmt.Sprint(i)
			got := c.get(x.d, x.f, func() []byte { return []byte(want) })
			if string(got.plain) != want {
				t.Fatalf("%d is served %s", i, got.plain)
			}
		}
	}
	if n := c.misses.Load(); n != uint64(len(distinct)) {
		t.Errorf("%d encodings of %d distinct frames", n, len(distinct))
	}
	// Equal content under another pointer, as it comes from another node.
	got := c.get(post(1, 1, "a", "tag"), base, func() []byte { return []byte("again") })
	if string(got.plain) != "0" {
		t.Error("an equal delivery was encoded again")
	}
	if c.get(post(50, 1, "a", "tag"), base, func() []byte { return nil }) != nil {
		t.Error("what an API does not show made a frame")
	}
}

func TestCacheKeepsTheNewest(t *testing.T) {
	c := newCache(256)
	encode := func() []byte { return []byte("x") }
	for p := uint64(1); p <= 10_000; p++ {
		c.get(post(p, 1, "a", "tag"), form{}, encode)
	}
	before := c.misses.Load()
	for p := uint64(10_000); p > 10_000-64; p-- {
		c.get(post(p, 1, "a", "tag"), form{}, encode)
	}
	if again := c.misses.Load() - before; again > 3 {
		t.Errorf("%d of the newest 64 frames were gone from a cache of 256", again)
	}
}

func TestCacheUnderManyReaders(t *testing.T) {
	c := newCache(64)
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for p := range uint64(5000) {
				want := fmt.Sprint(p / 3)
				s := c.get(post(p/3, 1, "a", "tag"), form{}, func() []byte { return textFrame(func(b []byte) []byte { return append(b, want...) }) })
				if string(payload(s.plain)) != want {
					t.Errorf("%s is served %s", want, payload(s.plain))
				}
				s.compressed(1)
			}
		})
	}
	readers.Wait()
}

func TestFrames(t *testing.T) {
	for _, n := range []int{1, 125, 126, 127, 65535, 65536, 200_000} {
		text := strings.Repeat("a", n)
		frame := textFrame(func(b []byte) []byte { return append(b, text...) })
		if frame[0] != 0x81 || string(payload(frame)) != text {
			t.Errorf("frame of %d bytes: %x…", n, frame[:10])
		}
		small := deflate(frame, 0)
		if n >= 125 && (small[0] != 0xC1 || len(small) >= len(frame)) {
			t.Errorf("%d bytes compressed are %d, first byte %#x", n, len(small), small[0])
		}
		if small[0] == 0xC1 {
			tail := strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")
			back, err := io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(payload(small)), tail)))
			if err != nil || string(back) != text {
				t.Errorf("%d bytes come back as %d: %v", n, len(back), err)
			}
		}
	}
	if f := textFrame(func(b []byte) []byte { return b }); f != nil {
		t.Errorf("nothing makes the frame %x", f)
	}
	if f := closeFrame(1012, strings.Repeat("ü", 100)); len(f) > 127 || int(f[1]) != len(f)-2 || f[len(f)-1] != "ü"[1] {
		t.Errorf("long reason: %x", f)
	}
}
