package store

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
)

func frameOf(events int, text string) *messages.Frame {
	f := &messages.Frame{Node: "n1", Incarnation: 7, Number: 3}
	for i := range events {
		f.Events = append(f.Events, &messages.Event{
			Id:   fmt.Sprintf("push/%d/post/1", i),
			Body: &messages.Event_Post{Post: &messages.Post{Id: fmt.Sprint(i), Text: text}},
		})
	}
	return f
}

func TestFrameRoundTrip(t *testing.T) {
	for _, n := range []int{1, 2, MaxFrameEvents} {
		want := frameOf(n, "hello")
		b, err := EncodeFrame(want)
		if err != nil {
			t.Fatalf("%d events: %v", n, err)
		}
		got, err := DecodeFrame(b)
		if err != nil {
			t.Fatalf("%d events: %v", n, err)
		}
		if !proto.Equal(want, got) {
			t.Errorf("%d events: read back as something else", n)
		}
	}
}

func TestEncodeFrameRefuses(t *testing.T) {
	for name, f := range map[string]*messages.Frame{
		"nil":             nil,
		"no events":       frameOf(0, ""),
		"too many events": frameOf(MaxFrameEvents+1, ""),
		"too large":       frameOf(2, strings.Repeat("x", MaxFrameBytes/2)),
		"no node":         {Number: 1, Events: frameOf(1, "").Events},
		"no number":       {Node: "n", Events: frameOf(1, "").Events},
		"invalid UTF-8":   frameOf(1, "\xff"),
	} {
		if b, err := EncodeFrame(f); err == nil {
			t.Errorf("%s: encoded to %d bytes, want an error", name, len(b))
		}
	}
}

// Every single flipped bit is noticed and called corruption.
func TestDecodeFrameNoticesEveryFlippedBit(t *testing.T) {
	b, err := EncodeFrame(frameOf(2, "abc"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(b) * 8 {
		damaged := bytes.Clone(b)
		damaged[i/8] ^= 1 << (i % 8)
		if _, err := DecodeFrame(damaged); !errors.Is(err, messages.ErrDamaged) {
			t.Fatalf("bit %d flipped: got %v, want messages.ErrDamaged", i, err)
		}
	}
	for n := range len(b) {
		if _, err := DecodeFrame(b[:n]); !errors.Is(err, messages.ErrDamaged) {
			t.Fatalf("cut to %d bytes: got %v, want messages.ErrDamaged", n, err)
		}
	}
}

func TestDecodeFrameOfNewerVersion(t *testing.T) {
	b, err := EncodeFrame(frameOf(1, "abc"))
	if err != nil {
		t.Fatal(err)
	}
	b[0]++
	sum := frameSum(b)
	b[1], b[2], b[3], b[4] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
	if _, err := DecodeFrame(b); err == nil || errors.Is(err, messages.ErrDamaged) || !strings.Contains(err.Error(), "newer") {
		t.Errorf("got %v, want an error that says a newer version wrote it", err)
	}
}

func TestNames(t *testing.T) {
	for _, n := range []Name{{"a", 0, 1}, {"rack/1/node", 1 << 63, 1<<64 - 1}} {
		got, err := ParseName(n.String())
		if err != nil || got != n {
			t.Errorf("ParseName(%q) = %v, %v", n, got, err)
		}
	}
	for _, s := range []string{"", "a", "a/1", "/1/2", "a/1/", "a/x/2", "a/-1/2", "//"} {
		if n, err := ParseName(s); err == nil {
			t.Errorf("ParseName(%q) = %v, want an error", s, n)
		}
	}
	for _, c := range []struct {
		a, b Name
		want int
	}{
		{Name{"a", 1, 9}, Name{"a", 2, 1}, -1},
		{Name{"a", 1, 1}, Name{"a", 1, 2}, -1},
		{Name{"a", 1, 2}, Name{"a", 1, 2}, 0},
		{Name{"a", 2, 1}, Name{"a", 1, 2}, 1},
	} {
		if got := c.a.Compare(c.b); got != c.want {
			t.Errorf("%v against %v: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func FuzzDecodeFrame(f *testing.F) {
	for _, n := range []int{1, 3} {
		b, err := EncodeFrame(frameOf(n, "seed"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[frameHeader:])
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		// As it came: whatever is accepted must be writable again and mean the same.
		checkDecoded(t, b)
		// After a right sum, so that the fuzzer gets past it to the protobuf.
		sealed := append([]byte{frameVersion, 0, 0, 0, 0}, b...)
		sum := frameSum(sealed)
		sealed[1], sealed[2], sealed[3], sealed[4] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
		checkDecoded(t, sealed)
	})
}

func checkDecoded(t *testing.T, b []byte) {
	frame, err := DecodeFrame(b)
	if err != nil {
		if frame != nil {
			t.Fatal("a frame and an error")
		}
		return
	}
	again, err := EncodeFrame(frame)
	if err != nil {
		t.Fatalf("decoded, cannot be encoded: %v", err)
	}
	second, err := DecodeFrame(again)
	if err != nil {
		t.Fatalf("encoded, cannot be decoded: %v", err)
	}
	if !proto.Equal(frame, second) {
		t.Fatal("changed on the way round")
	}
}

func TestKeysAndPrefixes(t *testing.T) {
	for key, want := range map[string]bool{
		"a": true, "keys.a-b_C.9": true, "": false, ".": false, "a.": false, ".a": false, "a..b": false,
		"a b": false, "a*": false, "a.>": false, "é": false, strings.Repeat("k", 513): false,
	} {
		if got := CheckKey(key) == nil; got != want {
			t.Errorf("CheckKey(%.20q) passes: %v, want %v", key, got, want)
		}
	}
	for prefix, want := range map[string]bool{"": true, "a.": true, "a.b.": true, "a": false, ".": false, "*.": false} {
		if got := CheckPrefix(prefix) == nil; got != want {
			t.Errorf("CheckPrefix(%q) passes: %v, want %v", prefix, got, want)
		}
	}
}
