package runtime

import (
	"strings"
	"testing"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/messages"
)

// idle takes messages and runs nothing.
func idle(name string) (*mailbox, *counter) {
	dropped := new(counter)
	shared := &kind{name: name, bound: boundOf(name), dropped: dropped, dispatcher: newDispatcher()}
	return &mailbox{kind: shared, running: true}, dropped // as if its actor was busy
}

func TestMailboxesAreBoundedInBytes(t *testing.T) {
	frame := &messages.Frame{Events: []*messages.Event{{Id: "a"}, {Id: "b"}}}
	big := strings.Repeat("x", 200<<10)
	for _, c := range []struct {
		kind    string
		message any
		most    int // bytes of what waits
	}{
		{"router", &messages.FrameAppended{Sequence: 1, Frame: frame, Sizes: []uint32{200 << 10, 56 << 10}}, 64 << 20},
		{"router", &actor.MessageEnvelope{Message: &messages.Join{Query: &messages.Query{Want: &messages.Query_Rule{Rule: big}}}}, 64 << 20},
		{"journal", &messages.Offer{Events: frame.GetEvents(), Bytes: 224 << 10}, 64 << 20},
		{"source", &actor.MessageEnvelope{Message: &messages.Offer{Events: frame.GetEvents(), Bytes: 224 << 10}}, 64 << 20},
		{"apikey", &messages.Matched{Hits: make([]*messages.Hit, 256), Bytes: 256 << 10}, 32 << 20},
		{"shard", &messages.Matched{Hits: make([]*messages.Hit, 256), Bytes: 256 << 10}, 64 << 20},
		{"connection", &messages.Deliveries{Deliveries: make([]*messages.Delivery, 256), Bytes: 256 << 10}, 8 << 20},
		{"connection", &messages.ClientSubscribed{Filters: &messages.ClientSubscribed_Kite{Kite: &messages.KiteFilters{Keywords: []string{big}}}}, 8 << 20},
		{"monitor", &messages.CountHits{Events: make([]*messages.Event, 256)}, 8 << 20},
	} {
		m, dropped := idle(c.kind)
		defer m.dispatcher.close()
		for range 1000 {
			m.PostUserMessage(c.message)
		}
		if m.bytes > c.most+messageWeight || m.bytes < c.most*9/10 || dropped.n.Load() == 0 {
			t.Errorf("%s of %T: %d bytes in %d messages, %d dropped", c.kind, unwrapped(c.message), m.bytes, m.user.len(), dropped.n.Load())
		}
		before := m.user.len()
		m.PostUserMessage(&messages.Release{})
		m.PostUserMessage(&messages.Leave{})
		if m.user.len() != before+2 {
			t.Errorf("%s: what gives back was dropped", c.kind)
		}
		last := any(nil)
		for {
			next, _, ok := m.next()
			if !ok {
				break
			}
			if _, ends := next.(*messages.End); ends {
				last = next
			}
		}
		if m.bytes != 0 {
			t.Errorf("%s: %d bytes in an empty mailbox", c.kind, m.bytes)
		}
		if (last != nil) != (c.kind == "connection") {
			t.Errorf("%s was told %v", c.kind, last)
		}
	}
}

// A message that alone is past the bound is taken where nothing waits: it would
// be asked for again for ever.
func TestAnEmptyMailboxTakesAnything(t *testing.T) {
	m, dropped := idle("journal")
	defer m.dispatcher.close()
	m.PostUserMessage(&messages.Offer{Bytes: 1 << 30})
	m.PostUserMessage(&messages.Offer{Bytes: 1})
	if m.user.len() != 1 || dropped.n.Load() != 1 {
		t.Errorf("%d messages wait", m.user.len())
	}
}
