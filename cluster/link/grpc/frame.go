package grpc

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/messages"
)

// frame is messages.LinkFrame as this package has it. It is written and read by
// hand, since that is half of what a small message costs: what is read shares the
// bytes that came, and what is large is written from where it is.
type frame struct {
	hello      *messages.LinkHello
	refusal    *messages.LinkRefusal
	ping, pong uint64
	envelopes  []link.Envelope

	kinds names // of whoever reads; nil: none are kept
}

// Numbers of the fields, as in messages/link.proto.
const (
	fieldHello, fieldRefusal, fieldPing, fieldPong, fieldEnvelopes   = 1, 2, 3, 4, 5
	fieldKind, fieldTarget, fieldSender, fieldSenderAt, fieldContent = 1, 2, 3, 4, 5
	envelopesMost                                                    = 16 * writeEnvelopes // in one frame: an empty one is two bytes there and a hundred here
	byReference                                                      = 8 << 10             // content from this size on is not copied
)

var errFrame = errors.New("damaged frame")

// names are strings that come again and again, so that each is made once. Past
// their bound none are kept any more: a peer of another program must not fill it.
type names map[string]string

const namesMost = 1024

func (n names) of(b []byte) string {
	if s, ok := n[string(b)]; ok {
		return s
	}
	s := string(b)
	if n != nil && len(n) < namesMost {
		n[s] = s
	}
	return s
}

// codec is what gRPC reads and writes frames with.
type codec struct{}

func (codec) Name() string { return "birdwire-link" }

func (codec) Marshal(v any) (mem.BufferSlice, error) {
	f, ok := v.(*frame)
	if !ok {
		return nil, fmt.Errorf("write a frame: it is a %T", v)
	}
	w := writer{}
	if err := w.frame(f); err != nil {
		return nil, fmt.Errorf("write a frame: %w", err)
	}
	return w.buffers(), nil
}

func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	f, ok := v.(*frame)
	if !ok {
		return fmt.Errorf("read a frame: it is a %T", v)
	}
	return f.read(data.Materialize())
}

// writer has a frame's bytes, but for those that stay where they are.
type writer struct {
	small []byte
	large []reference
}

type reference struct {
	at    int // in small: what comes before it
	bytes []byte
}

func (w *writer) frame(f *frame) error {
	for number, m := range map[protowire.Number]proto.Message{fieldHello: f.hello, fieldRefusal: f.refusal} {
		if !m.ProtoReflect().IsValid() {
			continue
		}
		b, err := proto.Marshal(m)
		if err != nil {
			return err
		}
		w.small = protowire.AppendBytes(protowire.AppendTag(w.small, number, protowire.BytesType), b)
	}
	for number, n := range [...]uint64{fieldPing: f.ping, fieldPong: f.pong} {
		if n != 0 {
			w.small = protowire.AppendVarint(protowire.AppendTag(w.small, protowire.Number(number), protowire.VarintType), n)
		}
	}
	if w.small == nil && len(f.envelopes) > 0 {
		w.small = make([]byte, 0, smallSize(f.envelopes))
	}
	for i := range f.envelopes {
		w.envelope(&f.envelopes[i])
	}
	return nil
}

// smallSize is a little more than what is copied.
func smallSize(envelopes []link.Envelope) (n int) {
	for i := range envelopes {
		e := &envelopes[i]
		n += 36 + len(e.Kind) + len(e.Target) + len(e.Sender) + len(e.SenderAt)
		if len(e.Bytes) < byReference {
			n += len(e.Bytes)
		}
	}
	return n
}

func (w *writer) envelope(e *link.Envelope) {
	size := fieldSize(len(e.Kind)) + fieldSize(len(e.Target)) + fieldSize(len(e.Sender)) + fieldSize(len(e.SenderAt)) + fieldSize(len(e.Bytes))
	w.small = protowire.AppendTag(w.small, fieldEnvelopes, protowire.BytesType)
	w.small = protowire.AppendVarint(w.small, uint64(size))
	w.text(fieldKind, e.Kind)
	w.text(fieldTarget, e.Target)
	w.text(fieldSender, e.Sender)
	w.text(fieldSenderAt, e.SenderAt)
	if len(e.Bytes) == 0 {
		return
	}
	w.small = protowire.AppendTag(w.small, fieldContent, protowire.BytesType)
	w.small = protowire.AppendVarint(w.small, uint64(len(e.Bytes)))
	if len(e.Bytes) < byReference {
		w.small = append(w.small, e.Bytes...)
		return
	}
	w.large = append(w.large, reference{len(w.small), e.Bytes})
}

func (w *writer) text(number protowire.Number, s string) {
	if s != "" {
		w.small = protowire.AppendString(protowire.AppendTag(w.small, number, protowire.BytesType), s)
	}
}

// fieldSize is that of a field of n bytes: what is empty is left out.
func fieldSize(n int) int {
	if n == 0 {
		return 0
	}
	return 1 + protowire.SizeBytes(n) // tags of numbers below 16 are one byte
}

func (w *writer) buffers() mem.BufferSlice {
	out := make(mem.BufferSlice, 0, 2*len(w.large)+1)
	at := 0
	for _, r := range w.large {
		out = append(out, mem.SliceBuffer(w.small[at:r.at]), mem.SliceBuffer(r.bytes))
		at = r.at
	}
	return append(out, mem.SliceBuffer(w.small[at:]))
}

// read takes b over: the envelopes share it.
func (f *frame) read(b []byte) error {
	*f = frame{kinds: f.kinds, envelopes: f.envelopes[:0]}
	return fields(b, func(number protowire.Number, n uint64, b []byte) (err error) {
		switch {
		case number == fieldHello && b != nil:
			f.hello = &messages.LinkHello{}
			err = proto.Unmarshal(b, f.hello)
		case number == fieldRefusal && b != nil:
			f.refusal = &messages.LinkRefusal{}
			err = proto.Unmarshal(b, f.refusal)
		case number == fieldPing && b == nil:
			f.ping = n
		case number == fieldPong && b == nil:
			f.pong = n
		case number == fieldEnvelopes && b != nil:
			if len(f.envelopes) == envelopesMost {
				return fmt.Errorf("%w: more than %d envelopes", errFrame, envelopesMost)
			}
			f.envelopes = append(f.envelopes, link.Envelope{})
			err = f.readEnvelope(&f.envelopes[len(f.envelopes)-1], b)
		}
		return err
	})
}

func (f *frame) readEnvelope(e *link.Envelope, b []byte) error {
	return fields(b, func(number protowire.Number, _ uint64, b []byte) error {
		switch {
		case b == nil:
		case number == fieldKind:
			e.Kind = f.kinds.of(b)
		case number == fieldTarget:
			e.Target = string(b)
		case number == fieldSender:
			e.Sender = string(b)
		case number == fieldSenderAt:
			e.SenderAt = string(b)
		case number == fieldContent:
			e.Bytes = b[:len(b):len(b)]
		}
		return nil
	})
}

// fields has see told each field: a number, or bytes that are not nil. Those of
// other types are of a later version, as are numbers that see does not know.
func fields(b []byte, see func(number protowire.Number, n uint64, b []byte) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("%w: %w", errFrame, protowire.ParseError(n))
		}
		b = b[n:]
		var err error
		switch kind {
		case protowire.VarintType:
			var v uint64
			if v, n = protowire.ConsumeVarint(b); n >= 0 {
				err = see(number, v, nil)
			}
		case protowire.BytesType:
			var v []byte
			if v, n = protowire.ConsumeBytes(b); n >= 0 {
				err = see(number, 0, v[:len(v):len(v)])
			}
		default:
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		switch {
		case n < 0:
			return fmt.Errorf("%w: %w", errFrame, protowire.ParseError(n))
		case err != nil:
			return err
		}
		b = b[n:]
	}
	return nil
}
