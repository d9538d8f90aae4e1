package link

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// errUnknownKind: a newer version knows it, perhaps.
var errUnknownKind = errors.New("unknown kind")

// kinds are the packages whose messages actors send each other: no other type
// that happens to be compiled in is made on a peer's word.
var kinds = []string{"birdwire.v1.", "actor.DeadLetterResponse"}

func kindOf(m proto.Message) string { return string(m.ProtoReflect().Descriptor().FullName()) }

func decode(kind string, bytes []byte) (proto.Message, error) {
	known := false
	for _, prefix := range kinds {
		known = known || strings.HasPrefix(kind, prefix)
	}
	if !known {
		return nil, errUnknownKind
	}
	found, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(kind))
	if err != nil {
		return nil, errUnknownKind
	}
	m := found.New().Interface()
	if err := proto.Unmarshal(bytes, m); err != nil {
		return nil, fmt.Errorf("decode %s: %w", kind, err)
	}
	return m, nil
}

// encoded is the message that was encoded last: a frame goes to all nodes, and
// one Deliveries to all connections of a key, and neither is encoded twice.
// Messages are never changed once sent, so one and the same pointer is one and
// the same message.
type encoded struct {
	mu   sync.Mutex
	last proto.Message
	as   []byte
}

func (e *encoded) bytes(m proto.Message) ([]byte, error) {
	e.mu.Lock()
	last, as := e.last, e.as
	e.mu.Unlock()
	if last == m {
		return as, nil
	}
	as, err := proto.Marshal(m)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	e.last, e.as = m, as
	e.mu.Unlock()
	return as, nil
}

func typeName(m any) string { return fmt.Sprintf("%T", m) }
