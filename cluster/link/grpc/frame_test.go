package grpc

import (
	"bytes"
	"strings"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/messages"
)

// plain is a frame as the generated code has it: the oracle of what is written by
// hand.
func plain(f *frame) *messages.LinkFrame {
	m := &messages.LinkFrame{Hello: f.hello, Refusal: f.refusal, Ping: f.ping, Pong: f.pong}
	for _, e := range f.envelopes {
		m.Envelopes = append(m.Envelopes, &messages.LinkEnvelope{
			Kind: []byte(e.Kind), Target: []byte(e.Target), Sender: []byte(e.Sender), SenderAt: []byte(e.SenderAt), Content: e.Bytes,
		})
	}
	return m
}

// same compares frames by what they mean: what is empty may be there or not.
func same(a, b *frame) bool { return proto.Equal(wire(plain(a)), wire(plain(b))) }

func wire(m *messages.LinkFrame) *messages.LinkFrame {
	for _, e := range m.Envelopes {
		for _, b := range []*[]byte{&e.Kind, &e.Target, &e.Sender, &e.SenderAt, &e.Content} {
			if len(*b) == 0 {
				*b = nil
			}
		}
	}
	return m
}

func written(t *testing.T, f *frame) []byte {
	t.Helper()
	b, err := codec{}.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return b.Materialize()
}

// What is written by hand is protobuf, and read as it was.
func TestFramesAreProtobuf(t *testing.T) {
	large := bytes.Repeat([]byte{7}, 3*byReference)
	for name, f := range map[string]*frame{
		"nothing":   {},
		"a hello":   {hello: &messages.LinkHello{Cluster: "c", Node: "n", Incarnation: 9, Version: 1, Capabilities: []string{"x", "y"}}},
		"a refusal": {refusal: &messages.LinkRefusal{Reason: "r", Text: "t"}},
		"beats":     {ping: 1, pong: 1<<64 - 1},
		"envelopes": {ping: 3, envelopes: []link.Envelope{
			{Kind: "k", Target: "t", Sender: "s", SenderAt: "a", Bytes: large},
			{},
			{Kind: "\xff", Bytes: large[:byReference]},
			{Kind: strings.Repeat("k", 300), Bytes: large[:byReference-1]},
			{Target: "last"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := written(t, f)
			var m messages.LinkFrame
			if err := proto.Unmarshal(b, &m); err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(wire(&m), wire(plain(f))) {
				t.Errorf("written as %v", &m)
			}
			got := &frame{kinds: names{}}
			if err := (codec{}).Unmarshal(mem.BufferSlice{mem.SliceBuffer(b)}, got); err != nil {
				t.Fatal(err)
			}
			if !same(got, f) {
				t.Errorf("read as %v", plain(got))
			}
		})
	}
}

// Many small envelopes cannot be made into much memory, nor many kinds.
func TestAFrameHasItsBounds(t *testing.T) {
	b := bytes.Repeat([]byte{fieldEnvelopes<<3 | 2, 0}, envelopesMost+1)
	if err := (&frame{}).read(b); err == nil {
		t.Error("more envelopes than any node sends were read")
	}
	if err := (&frame{}).read(b[2:]); err != nil {
		t.Error(err)
	}
	kinds := names{}
	for i := range 3 * namesMost {
		kinds.of([]byte(strings.Repeat("k", i%2000)))
	}
	if len(kinds) > namesMost {
		t.Errorf("%d kinds are kept", len(kinds))
	}
}

// FuzzFrame: what is read is what the generated code reads, and can be written.
func FuzzFrame(f *testing.F) {
	for _, seed := range []*frame{
		{hello: &messages.LinkHello{Node: "n", Incarnation: 1}},
		{ping: 5, pong: 6, envelopes: []link.Envelope{{Kind: "k", Target: "t", Bytes: []byte("b")}, {}}},
		{refusal: &messages.LinkRefusal{Text: "no"}},
	} {
		b, err := codec{}.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b.Materialize())
	}
	f.Add([]byte{0x2a, 0x02, 0x0a, 0x00, 0x33, 0x34})
	f.Fuzz(func(t *testing.T, b []byte) {
		got := &frame{kinds: names{}}
		var want messages.LinkFrame
		err, wantErr := got.read(bytes.Clone(b)), proto.Unmarshal(b, &want)
		if err != nil || wantErr != nil {
			if wantErr == nil && len(want.GetEnvelopes()) <= envelopesMost {
				t.Fatalf("not read: %v; it is %v", err, &want)
			}
			return
		}
		if len(want.GetHello().ProtoReflect().GetUnknown()) > 0 {
			return // a later version's hello keeps what this one does not know
		}
		read := plain(got)
		if repeated(b) {
			return // a field that is there twice is merged there, and replaced here
		}
		want.ProtoReflect().SetUnknown(nil)
		for _, e := range want.GetEnvelopes() {
			e.ProtoReflect().SetUnknown(nil)
		}
		if !proto.Equal(wire(read), wire(&want)) {
			t.Fatalf("read as %v, it is %v", read, &want)
		}
		again := &frame{}
		if err := again.read(written(t, got)); err != nil || !same(again, got) {
			t.Fatalf("written and read again: %v, %v", err, plain(again))
		}
	})
}

// repeated says whether hello or refusal are there more than once.
func repeated(b []byte) bool {
	n := map[int]int{}
	_ = fields(b, func(number protowire.Number, _ uint64, v []byte) error {
		if v != nil {
			n[int(number)]++
		}
		return nil
	})
	return n[fieldHello] > 1 || n[fieldRefusal] > 1
}
